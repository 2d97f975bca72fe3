package ui

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// maker makes values with secrets in all the places where there can be one.
type maker struct{ *rand.Rand }

func (m maker) text() value.Value {
	switch m.IntN(6) {
	case 0:
		return value.Secret{V: hush}
	case 1:
		return &value.Template{Parts: []value.Value{"a", value.Secret{V: hush}, ref("vm.m1", "ip", false)}}
	case 2:
		return value.Ref{Address: "vm.m1", Output: "token", Type: "string", Sensitive: true}
	case 3:
		return fmt.Sprintf("line %d\nline %d\n", m.IntN(9), m.IntN(9))
	case 4:
		return nil
	}
	return fmt.Sprint("word", m.IntN(5))
}

func (m maker) value(t *schema.Type, hidden bool) value.Value {
	if hidden || m.IntN(12) == 0 {
		return value.Secret{V: hush}
	}
	switch t.Kind {
	case schema.String, schema.Any:
		return m.text()
	case schema.Bool:
		return m.IntN(2) == 0
	case schema.ListOf:
		var l value.List
		for range m.IntN(4) {
			if v := m.value(t.Elem, false); v != nil {
				l = append(l, v)
			}
		}
		return l
	case schema.MapOf:
		var e []value.Entry
		for i := range m.IntN(4) {
			if v := m.value(t.Elem, false); v != nil {
				e = append(e, value.Entry{Key: fmt.Sprint("k", i), Value: v})
			}
		}
		return value.NewMap(e)
	case schema.StructOf:
		return m.fields(t.Struct)
	}
	return int64(m.IntN(1000))
}

func (m maker) fields(s *schema.Struct) value.Struct {
	out := make(value.Struct, len(s.Fields()))
	for i, f := range s.Fields() {
		switch {
		case f.Secret && m.IntN(2) == 0:
			out[i] = hush // not wrapped: the field alone says that it is secret
		case f.Required || m.IntN(4) > 0:
			out[i] = m.value(f.Type, f.Secret)
		}
	}
	return out
}

// readBack is a declared value as the engine returns it: without marks, and at
// times with a list in another order, longer or shorter.
func (m maker) readBack(v value.Value) value.Value {
	switch x := v.(type) {
	case value.Secret:
		return m.readBack(x.V)
	case value.Ref, *value.Template:
		return hush
	case value.List:
		var l value.List
		for _, e := range x {
			l = append(l, m.readBack(e))
		}
		m.Shuffle(len(l), func(i, j int) { l[i], l[j] = l[j], l[i] })
		if len(l) > 0 && m.IntN(3) == 0 {
			l = append(l, l[0])
		}
		return l
	case *value.Map:
		var e []value.Entry
		for i := range x.Len() {
			e = append(e, value.Entry{Key: x.Entries[i].Key, Value: m.readBack(x.Entries[i].Value)})
		}
		return value.NewMap(e)
	case value.Struct:
		out := make(value.Struct, len(x))
		for i, e := range x {
			out[i] = m.readBack(e)
		}
		return out
	}
	return v
}

func (m maker) plan() *plan.Plan {
	p := &plan.Plan{Project: "p"}
	kinds := []*resource.Kind{serviceKind, secretKind, configKind, networkKind}
	for i := range 12 {
		k := kinds[m.IntN(len(kinds))]
		action := plan.Action(m.IntN(7))
		c := change(k, fmt.Sprint("r", i), action)
		c.Args = m.fields(k.Schema)
		live := m.fields(k.Schema)
		if m.IntN(2) == 0 {
			// As it is after an apply: what is read back has no marks.
			live = m.readBack(c.Args).(value.Struct)
		}
		c.Decl.Args = c.Args
		if action != plan.Create && action != plan.Delete {
			c.Fields = k.Schema.Diff(c.Args, live, nil)
		}
		switch {
		case action == plan.Delete:
			c.Args = nil
		case action != plan.Create && m.IntN(4) == 0: // lifecycle(ignore_changes = [...])
			c.Args = slices.Clone(c.Args)
			f := k.Schema.Fields()[m.IntN(len(k.Schema.Fields()))]
			c.Args[f.Index] = live[f.Index]
			c.Fields = slices.DeleteFunc(c.Fields, func(d schema.Change) bool { return d.Field == f })
		}
		if action != plan.Create {
			c.Live = &resource.Object{Name: c.Address.Name() + "-00ff00", Args: live}
		}
		p.Changes = append(p.Changes, c)
	}
	for i := range 4 {
		p.Outputs = append(p.Outputs, resource.OutputValue{Name: fmt.Sprint("o", i), Value: m.text()})
	}
	p.Outputs = append(p.Outputs, resource.OutputValue{Name: "s", Value: hush, Sensitive: true})
	return p
}

// No renderer writes a secret, whatever the plan.
func TestNoSecretIsShown(t *testing.T) {
	for seed := range uint64(1000) {
		m := maker{rand.New(rand.NewPCG(seed, 1))}
		p := m.plan()
		var b bytes.Buffer
		for _, width := range []int{0, 40, 100} {
			if err := Plan(&b, p, PlanOptions{Style: Style{Width: width, Color: seed%2 == 0}}); err != nil {
				t.Fatal(err)
			}
		}
		b.Write(planJSON(t, p))
		r := &apply.Result{}
		for i, c := range p.Changes {
			r.Steps = append(r.Steps, &apply.StepResult{Change: c, Outcome: apply.Outcome(i % 4)})
		}
		for _, o := range p.Outputs {
			r.Outputs = append(r.Outputs, apply.OutputResult{Name: o.Name, Value: o.Value, Sensitive: o.Sensitive})
		}
		if err := Summary(&b, r, SummaryOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := SummaryJSON(&b, r, SummaryOptions{}, start); err != nil {
			t.Fatal(err)
		}
		if err := OutputsJSON(&b, r.Outputs, false); err != nil {
			t.Fatal(err)
		}
		for _, mode := range []Mode{Lines, JSON} {
			pr := NewProgress(Terminal{Out: &b}, mode, p)
			for _, c := range p.Changes {
				pr.Event(apply.Event{Time: start, Type: apply.Finished, Address: c.Address, Action: c.Action})
			}
			pr.Close()
		}
		if i := bytes.Index(b.Bytes(), []byte(hush)); i >= 0 {
			t.Fatalf("seed %d: a secret is shown: %s", seed, b.Bytes()[max(0, i-300):i+40])
		}
		if bytes.Contains(b.Bytes(), []byte(unread)) {
			t.Fatalf("seed %d: write-only content is shown", seed)
		}
	}
}
