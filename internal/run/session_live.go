package run

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

// live(what=None) observes and returns what is there, as values that a script
// can read.
func (s *Session) live(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var what starlark.Value = starlark.None
	if err := starlark.UnpackArgs("live", args, kwargs, "what?", &what); err != nil {
		return nil, err
	}
	pick := ""
	if b, ok := what.(*starlark.Builtin); ok {
		pick = strings.TrimSuffix(b.Name(), ".init") // live(service)
	} else if what != starlark.None {
		var err error
		if pick, err = addressOf("live", what); err != nil {
			return nil, err
		}
	}
	all, err := s.observed(thread)
	if err != nil {
		return nil, err
	}
	return all.pick(pick)
}

// observed looks at the scopes of what is declared, and lists all in them.
func (s *Session) observed(thread *starlark.Thread) (*objects, error) {
	script := s.with(s.rec.Observed())
	v := newView(script)
	v.secrets = newSecrets(script.opts)
	v.all = true
	defer v.close() // it was only read from
	if err := v.observe(lang.Context(thread)); err != nil {
		return nil, explained(err)
	}
	out := &objects{of: registry.Kinds()}
	states := v.states()
	for _, addr := range sortedKeys(states) {
		switch st := states[addr]; st.Status {
		case plan.Present:
			out.add(addr, st, script.Program)
		case plan.Unreachable:
			return nil, fmt.Errorf("%s did not answer: %w", addr, st.Err)
		default:
			out.absent = append(out.absent, addr)
		}
	}
	return out, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// objects is a list of live objects, found by their place or their name; that of
// everything is found by its kinds.
type objects struct {
	of     []*resource.Kind // that there could be, for what holds every kind; otherwise nil
	list   []*object
	absent []string // scopes that do not exist
}

// add lists what was observed in a scope.
func (o *objects) add(scope string, st *plan.ScopeState, program *resource.Program) {
	declared := map[*resource.Object]*resource.Declaration{}
	ix := plan.NewIndex(st, program.Project)
	ix.Move(program)
	for _, d := range program.Declarations {
		if live := ix.Live(d); d.Scope == scope && live != nil {
			declared[live] = d
		}
	}
	found := slices.Clone(st.Obs.Objects)
	slices.SortStableFunc(found, func(a, b *resource.Object) int {
		if a.Kind != b.Kind {
			return strings.Compare(a.Kind, b.Kind)
		}
		return strings.Compare(a.Name, b.Name)
	})
	for _, live := range found {
		if k := registry.Kind(st.Scope.Type, live.Kind); k != nil {
			args := live.Mark.Conceal(k.Schema, live.Args)
			o.list = append(o.list, &object{scope: scope, kind: k, live: live, args: args, decl: declared[live]})
		}
	}
}

// pick returns all, the objects of a kind, or the one of an address.
func (o *objects) pick(what string) (starlark.Value, error) {
	if what == "" {
		return o, nil
	}
	if of := o.ofKind(what); of != nil {
		return of, nil
	}
	var found []*object
	for _, e := range o.list {
		if string(e.address()) == what || e.address().Short() == what {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		d := &diag.Diagnostic{Summary: "live: there is no " + what}
		if kind := value.Address(what).Kind(); kind == what {
			d.Summary, d.Hint = fmt.Sprintf("live: there is no kind %q", what), diag.DidYouMean(what, o.kinds())
		} else {
			d.Hint = diag.DidYouMean(what, o.addresses())
		}
		return nil, d
	}
	names := make([]string, len(found))
	for i, e := range found {
		names[i] = string(e.address())
	}
	return nil, fmt.Errorf("live: %s could be %s", what, strings.Join(names, " or "))
}

func (o *objects) addresses() []string {
	var out []string
	for _, e := range o.list {
		out = append(out, e.address().Short())
	}
	return out
}

// kinds are the names of all kinds, each once.
func (o *objects) kinds() []string {
	var out []string
	for _, k := range o.of {
		if !slices.Contains(out, k.Name) {
			out = append(out, k.Name)
		}
	}
	return out
}

func (o *objects) ofKind(name string) *objects {
	if !slices.Contains(o.kinds(), name) {
		return nil
	}
	out := &objects{absent: o.absent}
	for _, e := range o.list {
		if e.kind.Name == name {
			out.list = append(out.list, e)
		}
	}
	return out
}

func (o *objects) Type() string          { return "live" }
func (o *objects) Freeze()               {}
func (o *objects) Truth() starlark.Bool  { return len(o.list) > 0 }
func (o *objects) Hash() (uint32, error) { return 0, errors.New("unhashable type: live") }
func (o *objects) String() string        { return fmt.Sprintf("<%d live objects>", len(o.list)) }
func (o *objects) Len() int              { return len(o.list) }
func (o *objects) Iterate() starlark.Iterator {
	elems := make([]starlark.Value, len(o.list))
	for i, e := range o.list {
		elems[i] = e
	}
	return starlark.Tuple(elems).Iterate()
}

// Get finds an object by its place, its name or its address; where every kind is
// held, the objects of a kind by its name.
func (o *objects) Get(k starlark.Value) (starlark.Value, bool, error) {
	if i, ok := k.(starlark.Int); ok {
		n, _ := i.Int64()
		if n < 0 {
			n += int64(len(o.list))
		}
		if n < 0 || n >= int64(len(o.list)) {
			return nil, false, fmt.Errorf("live: index %v is out of range: there are %d", i, len(o.list))
		}
		return o.list[n], true, nil
	}
	name, ok := starlark.AsString(k)
	if !ok {
		return nil, false, fmt.Errorf("live: got %s, want a name or a number", k.Type())
	}
	if o.of != nil {
		v, err := o.pick(name)
		return v, err == nil, err
	}
	var found *object
	for _, e := range o.list {
		if e.live.Name == name || e.address().Name() == name || string(e.address()) == name {
			if found != nil {
				return nil, false, fmt.Errorf("live: %s could be %s or %s", name, found.address(), e.address())
			}
			found = e
		}
	}
	if found == nil {
		return nil, false, &diag.Diagnostic{Summary: fmt.Sprintf("live: there is no %q", name), Hint: diag.DidYouMean(name, o.names())}
	}
	return found, true, nil
}

func (o *objects) names() []string {
	var out []string
	for _, e := range o.list {
		out = append(out, e.live.Name)
	}
	return out
}

// Attr is what Get finds, for kinds.
func (o *objects) Attr(name string) (starlark.Value, error) {
	if of := o.ofKind(name); of != nil {
		return of, nil
	}
	return nil, nil
}

func (o *objects) AttrNames() []string { return slices.Sorted(slices.Values(o.kinds())) }

// show lists the objects by scope, a line each.
func (o *objects) show(width int) string {
	var b strings.Builder
	scope, column := "", 0
	for _, e := range o.list {
		column = max(column, len(e.address().Short()))
	}
	column = min(column, 48)
	for _, e := range o.list {
		if e.scope != scope {
			scope = e.scope
			b.WriteString(scope + "\n")
		}
		line := fmt.Sprintf("  %-*s  %s", column, e.address().Short(), e.summary())
		b.WriteString(cut(strings.TrimRight(line, " "), width) + "\n")
	}
	for _, a := range o.absent {
		b.WriteString(a + "\n  does not exist\n")
	}
	if b.Len() == 0 {
		return "nothing"
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// cut shortens a line to a width.
func cut(s string, width int) string {
	if r := []rune(s); width > 3 && len(r) > width {
		return string(r[:width-3]) + "..."
	}
	return s
}
