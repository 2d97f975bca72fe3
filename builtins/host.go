package builtins

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/lab"
	"github.com/swarmscript/swarmscript/internal/local"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

// Host says how a machine that exists is reached over SSH. What is left out is
// what ~/.ssh/config says.
type Host struct {
	Address   string
	Port      int
	User      string
	Key       string // the file of a private key; from the script's root
	Jump      string // as ssh -J
	Sudo      string // "auto", "ask" for its password, "never"
	AcceptNew bool   // take a host key that is not known, and remember it
	PrivateIP string // the address that the other machines use, "" where nobody says it
}

// HostHandle is what host() returns: a machine that exists, as a scope.
type HostHandle struct {
	scope *resource.Scope
	cfg   Host
}

var _ starlark.HasAttrs = (*HostHandle)(nil)

// String names the scope.
func (h *HostHandle) String() string { return "<" + h.scope.Address + ">" }

// Type returns "host".
func (h *HostHandle) Type() string { return "host" }

// Freeze does nothing: a handle is immutable.
func (h *HostHandle) Freeze() {}

// Truth is true.
func (h *HostHandle) Truth() starlark.Bool { return starlark.True }

// Hash is that of the address.
func (h *HostHandle) Hash() (uint32, error) { return starlark.String(h.scope.Address).Hash() }

// CompareSameType compares the addresses; there is no order.
func (h *HostHandle) CompareSameType(op syntax.Token, y starlark.Value, _ int) (bool, error) {
	same := h.scope.Address == y.(*HostHandle).scope.Address
	switch op {
	case syntax.EQL:
		return same, nil
	case syntax.NEQ:
		return !same, nil
	}
	return false, fmt.Errorf("%s %s %s: there is no order of hosts", h.Type(), op, y.Type())
}

// hostAttrs are what a host tells; a vm has the same, known once it exists.
var hostAttrs = []string{"address", "name", "private_ip", "public_ip", "user"}

// Attr returns what the script said of the machine. Its address may be a name,
// which is no private_ip: other machines may know another one by it, and a swarm
// takes none.
func (h *HostHandle) Attr(name string) (starlark.Value, error) {
	switch name {
	case "name":
		return starlark.String(value.Address(h.scope.Address).Name()), nil
	case "address":
		return starlark.String(h.scope.Address), nil
	case "public_ip":
		return starlark.String(h.cfg.Address), nil
	case "private_ip":
		if h.cfg.PrivateIP == "" && h.cfg.Address != "" { // else that has been reported
			return nil, &diag.Diagnostic{
				Summary: fmt.Sprintf("%s: private_ip is not known: its address is a name, %s", h.scope.Address, h.cfg.Address),
				Hint:    privateHint(value.Address(h.scope.Address).Name(), h.cfg.Address),
			}
		}
		return starlark.String(h.cfg.PrivateIP), nil
	case "user":
		return starlark.String(h.cfg.User), nil
	}
	return nil, nil
}

// privateHint says how a script gives a machine its address.
func privateHint(name, address string) string {
	return fmt.Sprintf("say it: host(%q, %q, private_ip = \"10.0.0.5\")", name, address)
}

// AttrNames returns the names of what it tells.
func (h *HostHandle) AttrNames() []string { return hostAttrs }

// host(name, address, user="", port=22, key="", jump="", sudo="auto",
// private_ip=address, accept_new=False) is a machine that exists.
func (r *Recorder) host(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var name string
	cfg := Host{Sudo: "auto"}
	args, kwargs = plainArgs(thread, b, args, kwargs, "unknown", "name", "address")
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "name", &name, "address", &cfg.Address, "user?", &cfg.User, "port?", &cfg.Port,
		"key?", &cfg.Key, "jump?", &cfg.Jump, "sudo?", &cfg.Sudo, "private_ip?", &cfg.PrivateIP, "accept_new?", &cfg.AcceptNew); err != nil {
		return nil, err
	}
	s, pos := lang.FromThread(thread), lang.CallPos(thread)
	report := func(arg string, index int, hint, format string, a ...any) {
		at := pos
		if arg != "" {
			at = argumentAt(s, pos, args, arg, index)
		}
		s.Report(thread, &diag.Diagnostic{Pos: at, Summary: "host: " + fmt.Sprintf(format, a...), Hint: hint})
	}
	if !identifier().MatchString(strings.NewReplacer("-", "_", ".", "_").Replace(name)) {
		report("name", 0, "want letters, digits, -, _ and .", "%q is not a name", name)
		name = "unnamed"
	}
	switch {
	case cfg.Address == "":
		report("address", 1, "", "address: is empty")
	case strings.Contains(cfg.Address, "@"):
		user, address, _ := strings.Cut(cfg.Address, "@")
		report("address", 1, fmt.Sprintf("host(%q, %q, user = %q)", name, address, user), "address: the user is an argument of its own")
	case strings.ContainsAny(cfg.Address, "/ ") || strings.Contains(cfg.Address, ":") && net.ParseIP(cfg.Address) == nil:
		report("address", 1, "a port is an argument of its own: port = 2222", "address: %q is neither an address nor a name", cfg.Address)
	}
	if cfg.Port < 0 || cfg.Port > 65535 {
		report("port", -1, "", "port: got %d, want 1 to 65535", cfg.Port)
	}
	if !slices.Contains([]string{"auto", "ask", "never"}, cfg.Sudo) {
		report("sudo", -1, "", `sudo: got %q, want "auto", "ask" or "never"`, cfg.Sudo)
	}
	if cfg.PrivateIP != "" && net.ParseIP(cfg.PrivateIP) == nil {
		report("private_ip", -1, "", "private_ip: got %q, want an IP address", cfg.PrivateIP)
	}
	if cfg.PrivateIP == "" && net.ParseIP(cfg.Address) != nil {
		cfg.PrivateIP = cfg.Address
	}
	scope, problem := r.outermost(&resource.Scope{Address: "host." + name, Type: "host", Config: cfg, Pos: pos})
	if problem != nil {
		s.Report(thread, problem)
	}
	return &HostHandle{scope: scope, cfg: cfg}, nil
}

// argumentAt is where an argument of a call is that may be given by position or
// by name.
func argumentAt(s *lang.Session, call diag.Pos, args starlark.Tuple, name string, index int) diag.Pos {
	if 0 <= index && index < len(args) {
		name = ""
	}
	return s.ExpandArg(call, name, index)
}

// lab(name="") simulates machines in a process on this computer.
func (r *Recorder) lab(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var cfg lab.Config
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "name?", &cfg.Name); err != nil {
		return nil, err
	}
	s, pos := lang.FromThread(thread), lang.CallPos(thread)
	for _, p := range cfg.Check() {
		s.Report(thread, &diag.Diagnostic{Pos: argumentAt(s, pos, args, p.Path, 0), Summary: "lab: " + p.Error()})
	}
	scope, problem := r.outermost(labScope(cfg, pos))
	if problem != nil {
		s.Report(thread, problem)
	}
	return &ProviderHandle{scope}, nil
}

func labScope(cfg lab.Config, pos diag.Pos) *resource.Scope {
	return &resource.Scope{Address: "lab." + cmp.Or(cfg.Name, "default"), Type: "lab", Config: cfg, Pos: pos}
}

func localScope(cfg local.Config, pos diag.Pos) *resource.Scope {
	return &resource.Scope{Address: "local." + cmp.Or(cfg.Site, "default"), Type: "local", Config: cfg, Pos: pos}
}

// Providers are where a vm() comes from that does not say it, by the names of the
// flag --provider; the first one where that is not given.
var Providers = []string{"lab", "local", "azure"}

// defaultProvider is the scope of a vm() without provider=.
func (r *Recorder) defaultProvider(c *call) (string, bool) {
	var scope *resource.Scope
	switch c.kind.Scope {
	case "lab":
		scope = labScope(lab.Config{}, c.pos)
	case "local":
		scope = localScope(local.Config{}, c.pos)
	case "azure":
		return r.onlyAzure(c)
	default:
		return "", false
	}
	scope, _ = r.outermost(scope) // the script's own is taken as it declares it
	return scope.Address, true
}

// local(site="", subnet="") makes machines on this computer.
func (r *Recorder) local(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var cfg local.Config
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "site?", &cfg.Site, "subnet?", &cfg.Subnet); err != nil {
		return nil, err
	}
	s, pos := lang.FromThread(thread), lang.CallPos(thread)
	for _, p := range cfg.Check() {
		s.Report(thread, &diag.Diagnostic{Pos: argumentAt(s, pos, args, p.Path, slices.Index([]string{"site", "subnet"}, p.Path)), Summary: "local: " + p.Error()})
	}
	scope, problem := r.outermost(localScope(cfg, pos))
	if problem != nil {
		s.Report(thread, problem)
	}
	return &ProviderHandle{scope}, nil
}

// ProviderHandle is where machines come from: what local() returns.
type ProviderHandle struct{ scope *resource.Scope }

// String names the scope.
func (p *ProviderHandle) String() string { return "<" + p.scope.Address + ">" }

// Type returns the provider's type, as in "local".
func (p *ProviderHandle) Type() string { return p.scope.Type }

// Freeze does nothing: a handle is immutable.
func (p *ProviderHandle) Freeze() {}

// Truth is true.
func (p *ProviderHandle) Truth() starlark.Bool { return starlark.True }

// Hash is that of the address.
func (p *ProviderHandle) Hash() (uint32, error) { return starlark.String(p.scope.Address).Hash() }

// outermost records a scope that no resource opens. One that is given again in
// the same way is the same.
func (r *Recorder) outermost(scope *resource.Scope) (*resource.Scope, *diag.Diagnostic) {
	old := r.scopes[scope.Address]
	if old == nil || r.isEarlierScope(old) {
		r.scopes[scope.Address] = scope
		return scope, nil
	}
	if old.Config == scope.Config {
		return old, nil
	}
	d := &diag.Diagnostic{
		Pos: scope.Pos, Summary: fmt.Sprintf("two %ss are named %q", scope.Type, value.Address(scope.Address).Name()),
		Related: []diag.Note{{Pos: old.Pos, Text: "the first is here"}},
	}
	if scope.Type == "azure" {
		d.Hint = "an azure() has the name of its resource_group: give each one of its own"
	}
	return old, d
}

// hostOf returns the address and the name of a machine's scope: of what host()
// or vm() returned.
func hostOf(v starlark.Value) (addr, name string, ok bool) {
	switch v := v.(type) {
	case *HostHandle:
		addr = v.scope.Address
	case *Handle:
		if v.decl.Kind.Opens != "host" {
			return "", "", false
		}
		addr = string(v.decl.Address)
	default:
		return "", "", false
	}
	return addr, value.Address(addr).Name(), true
}

// engineOn returns the address of the engine of a machine: what docker_install
// declares there. Where nothing does, the engine is there already, and only
// read.
func (r *Recorder) engineOn(c *call, host, name string) string {
	addr := value.NewAddress("", "docker", name)
	if r.scopes[string(addr)] != nil {
		if d := r.declared[addr]; d != nil && d.Scope != host {
			c.report("", -1, "%s: %s and %s have the same name, which their engines would have too", c.d.name, host, d.Scope).Hint = "name one of the machines otherwise"
		}
		return string(addr)
	}
	for _, k := range r.kinds {
		if k.Name != "docker" || k.Scope != "host" {
			continue
		}
		d := &resource.Declaration{Address: addr, Kind: k, Scope: host, Args: make(value.Struct, len(k.Schema.Fields())), Pos: c.pos, External: true}
		if p := r.add(d); p != nil {
			c.s.Report(c.thread, p)
		}
		r.found[d] = c.decl
		r.scopes[string(addr)] = &resource.Scope{Address: string(addr), Type: "engine", Pos: c.pos}
	}
	return string(addr)
}

// opened records the scope that a declaration opens.
func (r *Recorder) opened(thread *starlark.Thread, h *Handle) {
	d := h.decl
	if d.Kind.Opens == "swarm" {
		r.cluster(thread, h)
		return
	}
	r.scopes[string(d.Address)] = &resource.Scope{Address: string(d.Address), Type: d.Kind.Opens, Pos: d.Pos}
}

// installedLate replaces an engine that was taken to be there already by its
// declaration, which came after what needs it, and says so.
func (r *Recorder) installedLate(d *resource.Declaration) *diag.Diagnostic {
	old := r.declared[d.Address]
	user := r.found[old]
	if old == nil || user == nil || old.Scope != d.Scope || r.isEarlier(old) {
		return nil
	}
	return &diag.Diagnostic{
		Pos:     d.Pos,
		Summary: "docker_install comes after something that needs it",
		Detail:  "what is declared before it lives on the engine that the host has already",
		Hint:    "move docker_install up",
		Related: []diag.Note{{Pos: user.Pos, Text: "the engine is needed here"}},
	}
}
