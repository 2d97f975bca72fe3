package builtins

import (
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

// Engine says how a Docker Engine is reached. The zero value means what the
// docker CLI would take from its environment.
type Engine struct {
	Host    string // unix://, tcp://, ssh:// or npipe:// address
	Context string // the name of a docker context
	CA      string // files in PEM format, for a tcp address; from the script's root
	Cert    string
	Key     string
	// SkipVerify takes any certificate of the engine.
	SkipVerify bool
}

// EngineHandle is what engine() returns: a scope.
type EngineHandle struct {
	starlark.NoneType
	scope *resource.Scope
}

// String names the scope.
func (e *EngineHandle) String() string { return "<" + e.scope.Address + ">" }

// Type returns "engine".
func (e *EngineHandle) Type() string { return "engine" }

// Truth is true.
func (e *EngineHandle) Truth() starlark.Bool { return starlark.True }

// Hash is that of the address.
func (e *EngineHandle) Hash() (uint32, error) { return starlark.String(e.scope.Address).Hash() }

// engine(host=, context=, name="default", tls_ca=, tls_cert=, tls_key=,
// tls_verify=True) is a Docker Engine that exists.
func (r *Recorder) engine(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var cfg Engine
	name, verify := "", true
	args, kwargs = plainArgs(thread, b, args, kwargs, "unix:///unknown", "name")
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "host?", &cfg.Host, "context?", &cfg.Context, "name?", &name,
		"tls_ca?", &cfg.CA, "tls_cert?", &cfg.Cert, "tls_key?", &cfg.Key, "tls_verify?", &verify); err != nil {
		return nil, err
	}
	cfg.SkipVerify = !verify
	s, pos := lang.FromThread(thread), lang.CallPos(thread)
	report := func(summary, hint string) {
		s.Report(thread, &diag.Diagnostic{Pos: pos, Summary: summary, Hint: hint})
	}
	hostPos := func() diag.Pos {
		if len(args) > 0 {
			return s.ExpandArg(pos, "", 0)
		}
		return s.ExpandArg(pos, "host", -1)
	}
	// First: what is said about the others may show the address.
	if err := resource.CheckUserinfo(cfg.Host); err != nil {
		s.Report(thread, &diag.Diagnostic{Pos: hostPos(), Summary: "engine: host: " + err.Error()})
		cfg.Host = resource.RedactAddress(cfg.Host)
	}
	switch {
	case cfg.Host != "" && cfg.Context != "":
		report("engine: give host or context, not both", "")
	case (cfg.CA != "" || cfg.Cert != "" || cfg.Key != "" || cfg.SkipVerify) && cfg.Host == "":
		report("engine: the tls arguments belong to host", "a context and the environment bring their own")
	case (cfg.Cert == "") != (cfg.Key == ""):
		report("engine: tls_cert and tls_key go together", "")
	case cfg.Host != "" && !isEngineAddress(cfg.Host):
		s.Report(thread, &diag.Diagnostic{
			Pos:     hostPos(),
			Summary: fmt.Sprintf("engine: host: got %q, want unix://, tcp://, ssh:// or npipe:// and a place", cfg.Host),
		})
	case name == "" && cfg == Engine{}:
		name = "default"
	case name == "":
		report("engine: an engine other than the environment's needs a name", `engine("`+cfg.Host+`", name = "build")`)
		name = "unnamed"
	case !identifier().MatchString(name):
		report(fmt.Sprintf("engine: %q is not a name", name), "want letters, digits and _")
	}
	scope := &resource.Scope{Address: "engine." + name, Type: "engine", Config: cfg, Pos: pos}
	if old := r.scopes[scope.Address]; old != nil && !r.isEarlierScope(old) {
		if old.Config != scope.Config {
			s.Report(thread, &diag.Diagnostic{
				Pos: pos, Summary: fmt.Sprintf("two engines are named %q", name),
				Related: []diag.Note{{Pos: old.Pos, Text: "the first is here"}},
			})
		}
		return &EngineHandle{scope: old}, nil
	}
	r.scopes[scope.Address] = scope
	return &EngineHandle{scope: scope}, nil
}

// isEngineAddress reports whether there is a way to connect to such an
// address: those that docker's client has, and ssh.
func isEngineAddress(host string) bool {
	scheme, place, ok := strings.Cut(host, "://")
	return ok && place != "" && slices.Contains([]string{"unix", "tcp", "ssh", "npipe", "fd", "https"}, scheme)
}

// defaultEngine is the environment's engine, declared by being needed.
func (r *Recorder) defaultEngine(pos diag.Pos) *resource.Scope {
	const addr = "engine.default"
	if r.scopes[addr] == nil {
		r.scopes[addr] = &resource.Scope{Address: addr, Type: "engine", Config: Engine{}, Pos: pos}
	}
	return r.scopes[addr]
}

// swarmModule is `swarm`: swarm.init declares a cluster, swarm.join a node of it.
func (r *Recorder) swarmModule(kinds, nodes []*resource.Kind) starlark.Value {
	init := &declarer{recorder: r, name: "swarm.init", kinds: kinds, scopeFirst: true, defaultName: "main"}
	join := &declarer{recorder: r, name: "swarm.join", kinds: nodes, scopeFirst: true, joins: true}
	return &starlarkstruct.Module{Name: "swarm", Members: starlark.StringDict{
		"init": starlark.NewBuiltin("swarm.init", init.call),
		"join": starlark.NewBuiltin("swarm.join", join.call),
	}}
}

// joiner is the address of the engine that joins.
func (r *Recorder) joiner(c *call) string {
	switch on := c.on.(type) {
	case nil:
		c.report("", -1, "swarm.join: missing argument host")
	case *EngineHandle:
		return on.scope.Address
	default:
		if addr, name, ok := hostOf(on); ok {
			return r.engineOn(c, addr, name)
		}
		c.report("host", 0, "swarm.join: host: got %s, want vm(...), host(...) or engine(...)", on.Type())
	}
	return ""
}

// founder declares the host of swarm.init as a manager of the swarm: it may
// leave one day, and the swarm stay.
func (r *Recorder) founder(thread *starlark.Thread, d *resource.Declaration) {
	opener := r.declared[value.Address(d.Scope)]
	if opener == nil || opener.Kind.Scope != "host" || d.External {
		return // engine(...), or another project's swarm: its membership is not ours
	}
	for _, k := range r.kinds {
		if k.Name != "node" || k.Scope != "swarm" {
			continue
		}
		name := value.Address(d.Scope).Name()
		n := &resource.Declaration{
			Address: value.NewAddress(string(d.Address), k.Name, name), Kind: k, Scope: string(d.Address), On: d.Scope,
			Args: make(value.Struct, len(k.Schema.Fields())), Pos: d.Pos,
		}
		for field, v := range map[string]value.Value{"name": name, "role": "manager"} {
			if f, ok := k.Schema.Field(field); ok {
				n.Args[f.Index] = v
			}
		}
		foundersOwn(d, n)
		if p := r.add(n); p != nil {
			lang.FromThread(thread).Report(thread, p)
			continue
		}
		r.founders[n] = true
	}
}

// oneSwarmEach finds engines that would be in two swarms.
func (r *Recorder) oneSwarmEach() (out diag.List) {
	type member struct {
		swarm string
		decl  *resource.Declaration
	}
	in := map[string]member{}
	for _, d := range r.program.Declarations {
		engine, m := d.On, member{d.Scope, d}
		if d.Kind.Opens == "swarm" && !d.External {
			engine, m.swarm = d.Scope, string(d.Address)
		}
		if engine == "" {
			continue
		}
		if first, ok := in[engine]; ok && first.swarm != m.swarm {
			out = append(out, &diag.Diagnostic{
				Pos:     d.Pos,
				Summary: fmt.Sprintf("%s cannot be in %s and in %s: an engine is in one swarm", engine, first.swarm, m.swarm),
				Related: []diag.Note{{Pos: first.decl.Pos, Text: "it is in " + first.swarm + " here"}},
			})
			continue
		}
		in[engine] = m
	}
	return out
}

// foundersOwn gives the node of a swarm's first host what is its own, whichever
// manager the swarm is seen from later: its availability, and the addresses that
// it joins with should it be made anew. A swarm that is there is not another one
// because its first host has another address by now.
func foundersOwn(d, n *resource.Declaration) {
	field := func(d *resource.Declaration, name string) *schema.Field {
		f, _ := d.Kind.Schema.Field(name)
		return f
	}
	if from, to := field(d, "availability"), field(n, "availability"); from != nil && to != nil {
		n.Args[to.Index], d.Args[from.Index] = d.Args[from.Index], nil
	}
	for _, name := range joinOnly {
		if from, to := field(d, name), field(n, name); from != nil && to != nil {
			n.Args[to.Index] = d.Args[from.Index]
			d.Lifecycle.IgnoreChanges = append(slices.Clone(d.Lifecycle.IgnoreChanges), name)
		}
	}
}

// cluster records a declared swarm as a scope.
func (r *Recorder) cluster(thread *starlark.Thread, h *Handle) {
	d := h.decl
	r.scopes[string(d.Address)] = &resource.Scope{Address: string(d.Address), Type: "swarm", Pos: d.Pos}
	r.swarms = slices.DeleteFunc(r.swarms, func(s *Handle) bool { return s.decl.Address == d.Address })
	r.swarms = append(r.swarms, h)
	r.founder(thread, d)
	if r.implicit != nil && r.implicit.decl.Scope == d.Scope {
		lang.FromThread(thread).Report(thread, &diag.Diagnostic{
			Pos:     d.Pos,
			Summary: "swarm.init comes after something that needs it",
			Detail:  "what is declared before it lives in the swarm that the engine is in already",
			Hint:    "move swarm.init up",
			Related: []diag.Note{{Pos: r.used.Pos, Text: r.used.Address.Short() + " is declared here"}},
		})
	}
}

// scopeFor returns the address of the scope that a declaration lives in: the
// one it names, or the only one there is.
func (r *Recorder) scopeFor(c *call, v starlark.Value) (string, bool) {
	arg := scopeArgument(c.kind.Scope)
	index := -1
	if c.d.scopeFirst {
		index = c.d.scopeIndex()
	}
	switch v := v.(type) {
	case nil:
		if c.kind.Scope == "" {
			return "", true
		}
		switch c.kind.Scope {
		case "engine":
			return r.defaultEngine(c.pos).Address, true
		case "swarm":
			return r.onlySwarm(c)
		}
		said := c.said
		if addr, ok := r.defaultProvider(c); ok || c.said != said { // which says why there is none
			return addr, ok
		}
		c.report("", -1, "%s: missing argument %s", c.d.name, arg).Hint = scopeWanted[c.kind.Scope]
		return "", false
	case *HostHandle:
		if c.kind.Scope == "host" {
			return v.scope.Address, true
		}
	case *ProviderHandle:
		if c.kind.Scope == v.scope.Type {
			return v.scope.Address, true
		}
	case *EngineHandle:
		if c.kind.Scope == "engine" {
			return v.scope.Address, true
		}
	case *Handle:
		if v.decl.Kind.Opens == c.kind.Scope {
			return string(v.decl.Address), true
		}
	}
	if host, name, ok := hostOf(v); ok && c.kind.Scope == "engine" {
		return r.engineOn(c, host, name), true
	}
	want := scopeWanted[c.kind.Scope]
	if arg == "provider" && c.kind.Name == "vm" { // whose kind follows from it
		want = "lab(), local() or azure(...)"
	}
	c.report(arg, index, "%s: %s: got %s, want %s", c.d.name, arg, v.Type(), want)
	return "", false
}

// scopeWanted says what gives a scope, by its type.
var scopeWanted = map[string]string{
	"swarm": "swarm.init(...)", "engine": "engine(...), host(...) or vm(...)",
	"host": "host(...) or vm(...)", "local": "local()", "lab": "lab()", "azure": "azure(...)",
}

// onlySwarm is the swarm that was declared; without one, the swarm that the
// environment's engine is in already, which is somebody else's.
func (r *Recorder) onlySwarm(c *call) (string, bool) {
	switch len(r.swarms) {
	case 1:
		return string(r.swarms[0].decl.Address), true
	case 0:
		if r.implicit == nil {
			r.implicit = r.existingSwarm(c)
		}
		if r.used == nil {
			r.used = c.decl
		}
		return string(r.implicit.decl.Address), true
	}
	c.report("", -1, "%s: there are %d swarms", c.d.name, len(r.swarms)).Hint = "say which one with cluster ="
	return "", false
}

func (r *Recorder) existingSwarm(c *call) *Handle {
	var kind *resource.Kind
	for _, k := range r.kinds {
		if k.Opens == "swarm" {
			kind = k
		}
	}
	d := &resource.Declaration{
		Address: value.NewAddress("", kind.Name, "default"), Kind: kind,
		Scope: r.defaultEngine(c.pos).Address, Args: make(value.Struct, len(kind.Schema.Fields())), Pos: c.pos, External: true,
	}
	if p := r.add(d); p != nil {
		c.s.Report(c.thread, p)
	}
	r.scopes[string(d.Address)] = &resource.Scope{Address: string(d.Address), Type: "swarm", Pos: c.pos}
	return &Handle{decl: d}
}
