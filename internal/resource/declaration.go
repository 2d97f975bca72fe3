package resource

import (
	"time"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Declaration is one thing that a script asks for.
type Declaration struct {
	Address value.Address
	Kind    *Kind
	// Scope is the address of the scope that it lives in.
	Scope string
	// Args are checked and in normal form, with references in them; by the
	// kind's schema.
	Args value.Struct
	// NameGiven is set where the script gave the live name itself (name=). A
	// name that was not given is the declaration's own when the object is made,
	// and afterwards whatever the object is called.
	NameGiven bool
	Pos       diag.Pos
	// On is the address of a scope that the object is, or is made by, beside the
	// one that it lives in: the engine that a node of a swarm is. It is "" for
	// nearly all.
	On string
	// After are resources that come first though no argument refers to them.
	After []value.Address
	// Follows are others that come first where something is to be done about them:
	// firewalls that are opened for what joins, copies of the image of a service.
	// Unlike After it stops nothing that one of them cannot be reached, and where
	// it cannot be so all at once, firewalls are opened one by one ([Kind.Widen]).
	Follows   []value.Address
	Lifecycle Lifecycle
	// External objects are read, never changed, never pruned.
	External bool
	// NoWait ends the step at the accepted write.
	NoWait bool
	// Timeout bounds the step's convergence; 0 means the default.
	Timeout time.Duration

	refs      []value.Ref
	sensitive []string
	scanned   bool
}

// Refs returns the references in the arguments. They are collected once, by
// the first call; the arguments must not change after it.
func (d *Declaration) Refs() []value.Ref {
	d.scan()
	return d.refs
}

// Sensitive returns the arguments that hold something sensitive although their
// fields say nothing of it: a field, or of a map field:key.
func (d *Declaration) Sensitive() []string {
	d.scan()
	return d.sensitive
}

// SetArgs replaces the arguments of a declaration that nobody else reads yet.
func (d *Declaration) SetArgs(args value.Struct) {
	d.Args, d.refs, d.sensitive, d.scanned = args, nil, nil, false
}

func (d *Declaration) scan() {
	if d.scanned {
		return
	}
	d.scanned = true
	value.Refs(d.Args, func(r value.Ref) { d.refs = append(d.refs, r) })
	d.sensitive = Sensitive(d.Kind.Schema, d.Args)
}

// Sensitive returns the arguments that hold something sensitive although their
// fields say nothing of it, as [Declaration.Sensitive] does. A reference may turn
// out to be one when it is resolved: what was looked up was sensitive there.
func Sensitive(s *schema.Struct, args value.Struct) (out []string) {
	for i, v := range args {
		if v == nil {
			continue
		}
		f := s.Fields()[i]
		switch m, isMap := v.(*value.Map); {
		case f.Secret || f.WriteOnly || !value.Sensitive(v):
		case isMap:
			for _, e := range m.Entries {
				if value.Sensitive(e.Value) {
					out = append(out, f.Name+":"+e.Key)
				}
			}
		default:
			out = append(out, f.Name)
		}
	}
	return out
}

// Lifecycle changes how a resource is treated.
type Lifecycle struct {
	PreventDestroy bool
	// IgnoreChanges are fields whose live value is kept.
	IgnoreChanges []string
	// ReplaceOn is values that renew the resource when they change.
	ReplaceOn value.List
}

// Move says that what was marked with one address now has another.
type Move struct {
	From, To value.Address
	Pos      diag.Pos
}

// OutputValue is a value that the script publishes.
type OutputValue struct {
	Name        string
	Value       value.Value
	Description string
	Sensitive   bool
	Pos         diag.Pos
}

// Program is all that a script declares.
type Program struct {
	// Project is the name with its environment, "shop/staging".
	Project      string
	Scopes       []*Scope
	Declarations []*Declaration
	Moves        []Move
	Outputs      []OutputValue
	// Logins are the registries that the script names, in the order of their hosts.
	Logins []*Login
	// Warnings are what is odd about it, but no mistake.
	Warnings diag.List
}

// Query returns what an observation of one of its scopes is for.
func (p *Program) Query(scope string) Query {
	q := Query{Project: p.Project, Kinds: map[string]bool{}, Outputs: map[string]bool{}}
	refers := func(r value.Ref) { q.Outputs[r.Output] = true }
	for _, o := range p.Outputs {
		value.Refs(o.Value, refers)
	}
	for _, d := range p.Declarations {
		for _, r := range d.Refs() {
			refers(r)
		}
		if d.Lifecycle.ReplaceOn != nil {
			value.Refs(d.Lifecycle.ReplaceOn, refers)
		}
		if d.Scope == scope {
			q.Kinds[d.Kind.Name] = true
			q.Declared = append(q.Declared, d)
		}
	}
	return q
}
