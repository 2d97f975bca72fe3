package builtins

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/swarmscript/swarmscript/internal/diag"
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
}

// Local makes machines on this computer.
type Local struct {
	Site   string // a set of machines with a bridge of its own; "" is the usual one
	Subnet string // where they have their addresses; "" chooses one
}

// HostHandle is what host() returns: a machine that exists, as a scope.
type HostHandle struct {
	scope *resource.Scope
	cfg   Host
	// private is the address that the other machines use.
	private string
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

// Attr returns what the script said of the machine.
func (h *HostHandle) Attr(name string) (starlark.Value, error) {
	switch name {
	case "name":
		return starlark.String(value.Address(h.scope.Address).Name()), nil
	case "address":
		return starlark.String(h.scope.Address), nil
	case "public_ip":
		return starlark.String(h.cfg.Address), nil
	case "private_ip":
		return starlark.String(h.private), nil
	case "user":
		return starlark.String(h.cfg.User), nil
	}
	return nil, nil
}

// AttrNames returns the names of what it tells.
func (h *HostHandle) AttrNames() []string { return hostAttrs }

// host(name, address, user="", port=22, key="", jump="", sudo="auto",
// private_ip=address, accept_new=False) is a machine that exists.
func (r *Recorder) host(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var name, private string
	cfg := Host{Sudo: "auto"}
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "name", &name, "address", &cfg.Address, "user?", &cfg.User, "port?", &cfg.Port,
		"key?", &cfg.Key, "jump?", &cfg.Jump, "sudo?", &cfg.Sudo, "private_ip?", &private, "accept_new?", &cfg.AcceptNew); err != nil {
		return nil, err
	}
	s, pos := lang.FromThread(thread), lang.CallPos(thread)
	report := func(arg string, index int, hint, format string, args ...any) {
		at := pos
		if arg != "" {
			at = s.ExpandArg(pos, arg, index)
		}
		s.Report(thread, &diag.Diagnostic{Pos: at, Summary: "host: " + fmt.Sprintf(format, args...), Hint: hint})
	}
	if !identifier.MatchString(strings.NewReplacer("-", "_", ".", "_").Replace(name)) {
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
	if private == "" {
		private = cfg.Address
	}
	scope, problem := r.outermost(&resource.Scope{Address: "host." + name, Type: "host", Config: cfg, Pos: pos})
	if problem != nil {
		s.Report(thread, problem)
	}
	return &HostHandle{scope: scope, cfg: cfg, private: private}, nil
}

// local(site="", subnet="") makes machines on this computer.
func (r *Recorder) local(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var cfg Local
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "site?", &cfg.Site, "subnet?", &cfg.Subnet); err != nil {
		return nil, err
	}
	name := cfg.Site
	if name == "" {
		name = "default"
	}
	scope, problem := r.outermost(&resource.Scope{Address: "local." + name, Type: "local", Config: cfg, Pos: lang.CallPos(thread)})
	if problem != nil {
		lang.FromThread(thread).Report(thread, problem)
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
	return old, &diag.Diagnostic{
		Pos: scope.Pos, Summary: fmt.Sprintf("two %ss are named %q", scope.Type, value.Address(scope.Address).Name()),
		Related: []diag.Note{{Pos: old.Pos, Text: "the first is here"}},
	}
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
		d := &resource.Declaration{Address: addr, Kind: k, Scope: host, Args: make(value.Struct, len(k.Schema.Fields)), Pos: c.pos, External: true}
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
