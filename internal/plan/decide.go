package plan

import (
	"fmt"
	"slices"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Case is all that decides about one declared resource.
type Case struct {
	Project string
	Decl    *resource.Declaration
	// Absent is set where the scope does not exist, or is about to be replaced.
	Absent bool
	// Ours are the live objects with this project's mark for this address: one,
	// or the versions of a versioned kind.
	Ours []*resource.Object
	// Named returns the live object of a name, whoever's it is, or nil.
	Named func(name string) *resource.Object
	// Objects are all live objects of the declaration's kind, whoever's they are.
	Objects func() []*resource.Object
	// Adopt allows taking an object that is not ours, AdoptFree one that has
	// nobody's mark.
	Adopt, AdoptFree bool
	// Renew asks for a replacement that nothing else asks for.
	Renew bool
	// Resolve returns what is known of a reference.
	Resolve func(value.Ref) (value.Value, bool)
	// HashKey is the project's, nil before it exists.
	HashKey []byte
	// API is the engine's, "" where it does not matter.
	API string
	// On is the scope that the declaration's On names, nil where it names none.
	On *ScopeState
	// Keep is the name that the object had which this run has removed to make it
	// anew: its users go by it. It is "" otherwise.
	Keep string
	// Replaced names a resource that this one uses and that cannot be replaced
	// while it does: it must go first.
	Replaced value.Address
	// ReplacedMaybe is set where that replacement is itself tentative.
	ReplacedMaybe bool
	// Due is set where a check is to be made: what it comes after changes, or
	// somebody asks for it.
	Due bool
}

// Decide settles one declared resource. It returns nil and the reasons where
// it cannot be.
func Decide(c Case) (*Change, diag.List) {
	d := c.Decl
	ch := &Change{Address: d.Address, Kind: d.Kind, Scope: d.Scope, Decl: d, Deferred: c.Absent}
	args, problems := c.arguments()
	if problems != nil {
		return nil, problems
	}
	ch.Args = args
	if d.Kind.Verify != nil {
		if c.Due {
			ch.Action = Check
		}
		return ch, nil
	}
	if d.External {
		return c.external(ch)
	}
	if d.Kind.Find != nil {
		return c.found(ch)
	}
	c.keepName(ch)
	ch.Mark = c.mark(ch.Args)
	ch.markName(liveName(ch))
	if d.Kind.Versioned {
		return c.versioned(ch)
	}
	ch.Live = c.current()
	switch {
	case c.Absent:
	case d.Kind.Unmarked:
		ch.Live = c.Named(liveName(ch))
	case ch.Live == nil && c.takesOver(liveName(ch)) != nil:
		ch.Live = c.takesOver(liveName(ch))
	case ch.Live == nil:
		found, problem := c.adopted(liveName(ch))
		if problem != nil {
			return nil, diag.List{problem}
		}
		ch.Live = found
	}
	if ch.Live == nil {
		ch.Action = Create
		return ch, nil
	}
	c.compare(ch)
	return ch, nil
}

// arguments resolves what is known, checks what has become known, and brings
// it to normal form.
func (c Case) arguments() (value.Struct, diag.List) {
	d := c.Decl
	args, problems := d.Args, schema.Problems(nil)
	if len(d.Refs()) > 0 {
		args, problems = d.Kind.Schema.Resolve(d.Args, c.Resolve)
	}
	changed := len(args) > 0 && &args[0] != &d.Args[0]
	if changed && problems == nil && d.Kind.Check != nil {
		problems = d.Kind.Check(args)
	}
	if on := d.Lifecycle.ReplaceOn; d.Kind.Keyless && value.Sensitive(on) {
		problems = append(problems, &schema.Problem{
			Path: "replace_on", Msg: "a sensitive value would be kept as a hash that can be guessed",
			Hint: "name something that changes with it, such as its version",
		})
	}
	if problems == nil && d.Kind.API != "" && c.API != "" && olderThan(c.API, d.Kind.API) {
		problems = schema.Problems{{Msg: fmt.Sprintf("a %s of a %s needs engine API %s, this engine speaks %s", d.Kind.Name, d.Kind.Scope, d.Kind.API, c.API)}}
	}
	if problems == nil {
		problems = tooNew(d.Kind.Schema, args, c.API)
	}
	if problems != nil {
		return nil, atDecl(d, problems)
	}
	if changed && d.Kind.Complete != nil {
		d.Kind.Complete(args)
	}
	return args, nil
}

func atDecl(d *resource.Declaration, problems schema.Problems) diag.List {
	var out diag.List
	for _, p := range problems {
		msg := p.Msg
		if p.Path != "" {
			msg = p.Path + ": " + msg
		}
		out = append(out, &diag.Diagnostic{Pos: d.Pos, Summary: string(d.Address) + ": " + msg, Hint: p.Hint})
	}
	return out
}

// tooNew finds arguments that the engine's API does not know.
func tooNew(s *schema.Struct, args value.Struct, api string) schema.Problems {
	if api == "" {
		return nil
	}
	var out schema.Problems
	for _, f := range s.Newer() {
		i := f.Index
		if args[i] == nil || f.Default != nil && f.Type.Same(args[i], f.Default) {
			continue
		}
		if f.API != "" && olderThan(api, f.API) {
			out = append(out, &schema.Problem{Path: f.Name,
				Msg: fmt.Sprintf("needs engine API %s, this engine speaks %s", f.API, api)})
			continue
		}
		for _, p := range tooNewInside(f.Type, args[i], api) {
			p.Path = f.Name + p.Path
			out = append(out, p)
		}
	}
	return out
}

func tooNewInside(t *schema.Type, v value.Value, api string) schema.Problems {
	var out schema.Problems
	switch x := value.Reveal(v).(type) {
	case value.Struct:
		for _, p := range tooNew(t.Struct, x, api) {
			p.Path = "." + p.Path
			out = append(out, p)
		}
	case value.List:
		if t.Elem.Kind != schema.StructOf {
			return nil
		}
		for i, e := range x {
			for _, p := range tooNewInside(t.Elem, e, api) {
				p.Path = fmt.Sprintf("[%d]%s", i, p.Path)
				out = append(out, p)
			}
		}
	}
	return out
}

// olderThan compares versions such as 1.41 and 1.44.
func olderThan(a, b string) bool {
	var a1, a2, b1, b2 int
	fmt.Sscanf(a, "%d.%d", &a1, &a2)
	fmt.Sscanf(b, "%d.%d", &b1, &b2)
	return a1 < b1 || a1 == b1 && a2 < b2
}

// liveName is the name that the object has, or will have, in its scope.
func liveName(ch *Change) string {
	if f := ch.Kind.Schema.NameField(); f != nil {
		if s, ok := ch.Args[f.Index].(string); ok {
			return s
		}
	}
	return ch.Address.Name()
}

// keepName puts the name that the object got from us into the arguments where the
// script does not give one: what was moved, or adopted under another name once,
// keeps it. That is its live name, unless somebody else can have renamed it.
func (c Case) keepName(ch *Change) {
	f := ch.Kind.Schema.NameField()
	if f == nil || c.Decl.NameGiven || c.Absent {
		return
	}
	name := c.Keep
	switch {
	case name != "" || len(c.Ours) == 0:
	case ch.Kind.Versioned:
		name = ch.Kind.Handler.(resource.Versioner).Base(newest(c.Ours).Name)
	default:
		name = KeptName(ch.Kind, c.Ours[0])
	}
	if name != "" && name != ch.Args[f.Index] {
		ch.Args = slices.Clone(ch.Args)
		ch.Args[f.Index] = name
	}
}

func (c Case) current() *resource.Object {
	if c.Absent || len(c.Ours) == 0 {
		return nil
	}
	return c.Ours[0]
}

// adopted returns the object that already has the name, if it may be taken,
// nil where the name is free, or the refusal.
func (c Case) adopted(name string) (*resource.Object, *diag.Diagnostic) {
	o := c.Named(name)
	if o == nil || c.mayTake(o) {
		return o, nil
	}
	d := c.Decl
	p := &diag.Diagnostic{Pos: d.Pos}
	switch {
	case o.Mark.Project == c.Project:
		p.Summary = fmt.Sprintf("%s: the name %q is held by %s of this project", d.Address, name, o.Mark.Address)
		from, to := o.Mark.Address.Short(), d.Address.Short()
		if from == to { // in two scopes
			from, to = string(o.Mark.Address), string(d.Address)
		}
		p.Hint = fmt.Sprintf("moved(%q, %q) keeps the object; or choose another name", from, to)
	case o.Mark.Project != "":
		p.Summary = fmt.Sprintf("%s: %s %q belongs to project %s", d.Address, d.Kind.Name, name, o.Mark.Project)
		p.Hint = fmt.Sprintf("choose another name, or take it over with --adopt %s", d.Address.Short())
		if d.Kind.TakesOver {
			p.Hint += fmt.Sprintf("; %s(%q, external = True) uses it as it is", d.Kind.Name, name)
		}
	default:
		p.Summary = fmt.Sprintf("%s: %s %q exists and is not managed by this project", d.Address, d.Kind.Name, name)
		p.Hint = fmt.Sprintf("take it over with --adopt %s, or choose another name", d.Address.Short())
	}
	return nil, p
}

// takesOver returns the object that has the name and nobody's mark, where the
// kind takes such over.
func (c Case) takesOver(name string) *resource.Object {
	if !c.Decl.Kind.TakesOver {
		return nil
	}
	if o := c.Named(name); o != nil && o.Mark.Project == "" {
		return o
	}
	return nil
}

// mayTake reports whether an object that is not ours may become so.
func (c Case) mayTake(o *resource.Object) bool {
	ours := o.Mark.Project == c.Project && o.Mark.Address != c.Decl.Address // another declaration's
	return c.Adopt && !ours || c.AdoptFree && o.Mark.Project == ""
}

// mark is what the object shall carry.
func (c Case) mark(args value.Struct) resource.Mark {
	if c.Decl.Kind.Unmarked {
		return resource.Mark{}
	}
	m := resource.Mark{Project: c.Project, Address: c.Decl.Address, On: c.Decl.On, Sensitive: c.Decl.Sensitive()}
	if len(c.Decl.Refs()) > 0 {
		m.Sensitive = resource.Sensitive(c.Decl.Kind.Schema, args)
	}
	for _, f := range c.Decl.Kind.Schema.Merged() {
		keys := f.Keys(args[f.Index])
		m.Keys = slices.Grow(m.Keys, len(keys))
		for _, key := range keys {
			m.Keys = append(m.Keys, f.Name+":"+key)
		}
	}
	if on := c.Decl.Lifecycle.ReplaceOn; on != nil {
		key := c.HashKey
		if c.Decl.Kind.Keyless { // a mark cannot wait for a key that may never be
			key = []byte(c.Project)
		}
		m.Triggers = triggerHash(value.Resolve(on, c.Resolve), key)
	}
	return m
}

// compare fills in the differences of a live object and the action that they
// need.
func (c Case) compare(ch *Change) {
	live := ch.Live
	var owned map[string][]string
	if !slices.Equal(live.Mark.Keys, ch.Mark.Keys) { // else what we own is what is declared
		owned = live.Mark.Owned()
	}
	was := live.Mark
	taken := ch.Kind.TakesOver && was.Project == ""
	if taken { // its mark is the one that it would have
		was = ch.Mark
	}
	ch.Fields = ch.Kind.Schema.Diff(ch.Args, was.Conceal(ch.Kind.Schema, live.Args), owned)
	if ch.Kind.Same != nil {
		ch.Fields = slices.DeleteFunc(ch.Fields, func(f schema.Change) bool { return ch.Kind.Same(live, ch.Args, f) })
	}
	if name := liveName(ch); !ch.Kind.Versioned && ch.Kind.Find == nil && live.Name != name {
		ch.rename(live.Name, name)
	}
	if len(c.Decl.Lifecycle.IgnoreChanges) > 0 {
		c.ignore(ch)
	}
	if ch.Kind.Replaces != nil {
		for i, f := range ch.Fields {
			ch.Fields[i].Replace = f.Replace || ch.Kind.Replaces(live, ch.Args, f)
		}
	}
	ch.Action = NoOp
	if len(ch.Fields) > 0 {
		ch.Action, ch.Tentative = Update, true
		for _, f := range ch.Fields {
			if f.Replace {
				ch.Action = Replace
				ch.Tentative = ch.Tentative && f.Unknown
			}
		}
	}
	c.triggered(ch)
	if c.Replaced != "" && !ch.Kind.Versioned {
		ch.Action, ch.Reason = Replace, "uses "+c.Replaced.Short()+", which is replaced"
		ch.Tentative, ch.ReplacedBy = c.ReplacedMaybe, c.Replaced
	}
	if c.Renew && !ch.Kind.Versioned {
		ch.Action, ch.Reason, ch.Tentative, ch.ReplacedBy = Replace, askedFor, false, ""
	}
	ch.Tentative = ch.Tentative && ch.Action == Replace
	if !ch.Mark.Equal(live.Mark) && (!taken || ch.Action != NoOp) {
		ch.Remark = true
		if ch.Action == NoOp {
			ch.Action = Update
		}
		switch {
		case taken: // the differences say it all
		case live.Mark.Project != c.Project:
			ch.Reason = "adopted"
		case live.Mark.Address != ch.Address:
			ch.Reason = "moved from " + live.Mark.Address.Short()
		}
	}
	if ch.Action == NoOp {
		ch.Unsettled = live.Unsettled
		if live.Stuck {
			ch.Action, ch.Restart, ch.Reason = Update, true, live.Unsettled
		}
	}
	if ch.Action == Update && ch.Kind.Effect != nil && !(ch.MarkOnly() && live.MarkFixed) {
		ch.Effect = ch.Kind.Effect(live, ch.Args, ch.Fields, ch.Restart)
	}
}

// askedFor is the reason of a replacement that a person asks for.
const askedFor = "--replace"

// triggered renews what lifecycle(replace_on=) asks for.
func (c Case) triggered(ch *Change) {
	if ch.Mark.Triggers == "" && c.Decl.Lifecycle.ReplaceOn == nil {
		// nothing to compare; a recorded trigger goes with the next mark
	} else if was := ch.Live.Mark.Triggers; was != "" && ch.Mark.Triggers != was {
		// An unknown trigger counts as changed, like any other unknown value.
		ch.Reason = "lifecycle(replace_on) changed"
		switch {
		case ch.Kind.Versioned: // its versions are renewed by what is in them
			ch.Reason = ""
		case ch.Kind.Restarts:
			ch.Restart, ch.Action = true, max(ch.Action, Update)
		default:
			ch.Action = Replace
			ch.Tentative = ch.Mark.Triggers == ""
		}
	}
}

// rename adds the difference of the live name, where the comparison of the
// arguments has not found it.
func (ch *Change) rename(from, to string) {
	f := ch.Kind.Schema.NameField()
	if f == nil || slices.ContainsFunc(ch.Fields, func(c schema.Change) bool { return c.Field == f }) {
		return
	}
	ch.Fields = append(ch.Fields, schema.Change{Path: "name", Field: f, Type: f.Type, Before: from, After: to, Replace: !ch.Kind.Renames})
}

// ignore drops the differences that lifecycle(ignore_changes=) names, and
// keeps the live value of those fields.
func (c Case) ignore(ch *Change) {
	ignored := c.Decl.Lifecycle.IgnoreChanges
	ch.Fields = slices.DeleteFunc(ch.Fields, func(f schema.Change) bool {
		return slices.Contains(ignored, f.Field.Name)
	})
	ch.Args = slices.Clone(ch.Args)
	for _, name := range ignored {
		if f, ok := ch.Kind.Schema.Field(name); ok {
			ch.Args[f.Index] = ch.Live.Args[f.Index]
		}
	}
}
