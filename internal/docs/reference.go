// Package docs is the reference of what a script can call. It is made from the
// same schemas that check a script's arguments, so it says what is so: as text
// for a terminal, and as the tables of spec.md.
package docs

//go:generate go run ./generate ../../spec.md

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
)

// Entry describes one builtin.
type Entry struct {
	Name      string // as a script calls it: "swarm.init"
	Signature string
	Doc       string
	Command   string // the docker command whose flags the arguments are
	Rows      []Row
	Outputs   []resource.Output
	Kind      *resource.Kind // nil for functions and structs
	Scopes    []string       // of a kind: where it lives
	Struct    bool
	Module    string // the module of the standard library that has it
}

// Row describes one argument.
type Row struct {
	Name     string
	Type     string
	Default  string // "required", "" where there is none to tell
	Flag     string
	API      string // the first that has it
	Change   string // what a change does
	Doc      string
	Elements []string // structs that it is made of
}

// All returns every entry: functions, kinds, then structs by name.
func All() []*Entry {
	var out []*Entry
	for _, f := range functions {
		out = append(out, functionEntry(f))
	}
	kinds := registry.Kinds()
	for _, k := range kinds {
		if i := slices.IndexFunc(out, func(e *Entry) bool { return e.Kind != nil && e.Kind.Name == k.Name }); i >= 0 {
			out[i].Scopes = append(out[i].Scopes, k.Scope)
			more := kindEntry(k)
			widen(out[i].Rows, more.Rows)
			if k.Scope == "azure" {
				out[i].Rows, out[i].Outputs = beside(out[i], more)
			}
			continue
		}
		out = append(out, kindEntry(k))
	}
	for _, s := range builtins.Structs(kinds) {
		out = append(out, structEntry(s, kinds))
	}
	return out
}

// widen adds to the types of arguments those that they have in another scope.
func widen(rows, others []Row) {
	for i := range rows {
		for _, o := range others {
			if o.Name != rows[i].Name || o.Type == rows[i].Type {
				continue
			}
			if kind, ok := strings.CutSuffix(o.Type, " or string"); ok { // where a handle may be given
				rows[i].Type = strings.Replace(rows[i].Type, " or string", ", "+kind+" or string", 1)
			}
		}
	}
}

// beside adds to a machine's arguments and outputs what they are in Azure, where
// that is something else.
func beside(e, more *Entry) ([]Row, []resource.Output) {
	const in = "In `azure()`: "
	rows, outputs := slices.Clone(e.Rows), slices.Clone(e.Outputs)
	for _, r := range more.Rows {
		i := slices.IndexFunc(rows, func(o Row) bool { return o.Name == r.Name })
		switch {
		case i < 0:
			r.Doc = in + r.Doc
			rows = append(rows, r)
		case rows[i].Doc != r.Doc:
			rows[i].Doc += " " + in + r.Doc
		}
	}
	for _, o := range more.Outputs {
		i := slices.IndexFunc(outputs, func(p resource.Output) bool { return p.Name == o.Name })
		switch {
		case i < 0:
			o.Doc = in + o.Doc
			outputs = append(outputs, o)
		case outputs[i].Doc != o.Doc:
			outputs[i].Doc += " " + in + o.Doc
		}
	}
	return rows, outputs
}

// Find returns an entry by its name, one of the standard library's too, or an
// error that says what was probably meant.
func Find(name string) (*Entry, error) {
	all := All()
	modules, err := Modules()
	if err != nil {
		return nil, err
	}
	for _, m := range modules {
		all = append(all, m.Functions...)
	}
	names := make([]string, len(all))
	for i, e := range all {
		if e.Name == name || e.Kind != nil && e.Kind.Name == name {
			return e, nil
		}
		names[i] = e.Name
	}
	return nil, &diag.Diagnostic{Summary: fmt.Sprintf("there is no builtin %q", name), Hint: diag.DidYouMean(name, names)}
}

func functionEntry(f function) *Entry {
	e := &Entry{Name: f.name, Signature: f.signature, Doc: f.doc}
	for _, a := range f.args {
		e.Rows = append(e.Rows, Row{Name: a.name, Type: a.typ, Default: a.dflt, Doc: a.doc})
	}
	return e
}

func kindEntry(k *resource.Kind) *Entry {
	var positional []string
	e := &Entry{Name: builtins.BuiltinName(k), Doc: k.Schema.Doc, Command: commands[k.Name], Outputs: k.Out, Kind: k, Scopes: []string{k.Scope}}
	switch {
	case k.Opens == "swarm":
		positional = []string{"engine=None"}
	case k.Scope == "host":
		positional = []string{"host"}
	}
	if f := k.Schema.NameField(); f != nil && f.Name != "name" && k.Unnamed == nil {
		positional = append(positional, "name")
	}
	e.Rows = rows(k.Schema, func(f *schema.Field) string { return change(k, f) })
	e.Signature = signature(e.Name, k.Schema, positional...)
	if k.Opens == "host" { // which is nowhere by itself
		e.Signature = strings.Replace(e.Signature, "*, ", "*, provider=lab(), ", 1)
	}
	return e
}

func structEntry(s *schema.Struct, kinds []*resource.Kind) *Entry {
	e := &Entry{Name: s.Name, Doc: s.Doc, Signature: signature(s.Name, s), Struct: true,
		Rows: rows(s, func(*schema.Field) string { return "" })}
	families := flagFamilies(s, kinds)
	for i := range e.Rows {
		e.Rows[i].Flag = inFamilies(e.Rows[i].Flag, families)
	}
	return e
}

// flagFamilies are the prefixes of the flags that a struct's arguments are, by
// the arguments that take it: "--update-" and "--rollback-" of update_policy.
func flagFamilies(s *schema.Struct, kinds []*resource.Kind) []string {
	var out []string
	for _, k := range kinds {
		for _, f := range k.Schema.Fields() {
			prefix, ok := strings.CutSuffix(f.Flag, "*")
			if ok && f.Type.Struct == s && !slices.Contains(out, prefix) {
				out = append(out, prefix)
			}
		}
	}
	return out
}

// inFamilies writes a flag once for each family, where it belongs to one.
func inFamilies(flag string, families []string) string {
	for _, own := range families {
		if rest, ok := strings.CutPrefix(flag, own); ok {
			flags := make([]string, len(families))
			for i, f := range families {
				flags[i] = f + rest
			}
			return strings.Join(flags, ", ")
		}
	}
	return flag
}

func rows(s *schema.Struct, change func(*schema.Field) string) []Row {
	out := make([]Row, 0, len(s.Fields()))
	for _, f := range s.Fields() {
		r := Row{Name: f.Name, Type: f.Type.Name(), Flag: f.Flag, API: f.API, Doc: f.Doc, Change: change(f)}
		switch {
		case f.Required:
			r.Default = "required"
		case f.LiveName:
			r.Default = leftTo + "the resource"
		case f.Default != nil:
			r.Default = literal(f)
		case f.From != "":
			r.Default = leftTo + "`" + f.From + "`"
		case !f.Local && !f.WriteOnly:
			r.Default = leftAlone
		}
		r.Doc += limits(leaf(f.Type))
		if st := leaf(f.Type).Struct; st != nil {
			r.Elements = []string{st.Name}
		}
		out = append(out, r)
	}
	return out
}

func leaf(t *schema.Type) *schema.Type {
	for t.Elem != nil {
		t = t.Elem
	}
	return t
}

// limits says which values a type allows.
func limits(t *schema.Type) string {
	switch {
	case len(t.Enum) > 0:
		return " One of `" + strings.Join(t.Enum, "`, `") + "`."
	case t.Kind == schema.Duration && t.Min != nil:
		if *t.Min <= int64(time.Millisecond) {
			return "" // longer than nothing goes without saying
		}
		return fmt.Sprintf(" At least %s.", shortDuration(t.Format(*t.Min)))
	case t.Min != nil && t.Max != nil:
		return fmt.Sprintf(" From %s to %s.", t.Format(*t.Min), t.Format(*t.Max))
	case t.Min != nil && *t.Min != 0:
		return fmt.Sprintf(" At least %s.", t.Format(*t.Min))
	case t.Max != nil:
		return fmt.Sprintf(" At most %s.", t.Format(*t.Max))
	}
	return ""
}

// What silence means where it is no value.
const (
	leftAlone = "left as it is"
	leftTo    = "that of "
)

// literal shows a default as a script would write it.
func literal(f *schema.Field) string {
	switch v := f.Default.(type) {
	case bool:
		if v {
			return "True"
		}
		return "False"
	case nil:
		return ""
	}
	text := f.Type.Format(f.Default)
	switch f.Type.Kind {
	case schema.StructOf:
		return f.Type.Struct.Name + "()"
	case schema.Bytes, schema.CPUs:
		if f.Default == int64(0) {
			return "0"
		}
	case schema.Duration:
		return strconv.Quote(shortDuration(text))
	case schema.Mode:
		return strconv.Quote(strings.Trim(text, `"`))
	}
	return text
}

// shortDuration drops the zeros that Go shows: 2160h0m0s is 2160h.
func shortDuration(s string) string {
	s = strings.Trim(s, `"`)
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// change says what changing an argument does to what is live.
func change(k *resource.Kind, f *schema.Field) string {
	switch {
	case f == k.Schema.NameField() && k.Renames:
		return "in place"
	case f == k.Schema.NameField() && f.Local:
		return "another resource"
	case f.Local, k.Verify != nil:
		return "nothing live"
	case f.Replace && k.Fixed:
		return "an error"
	case f.Replace:
		return "replacement"
	case k.Versioned && f.WriteOnly:
		return "new version"
	}
	return "in place"
}

// signature shows a call as Python writes one: what comes after the * is given
// by its name.
func signature(name string, s *schema.Struct, parts ...string) string {
	var named []string
	options := false
	for _, f := range s.Fields() {
		switch {
		case f.Pos && f.Required:
			parts = append(parts, f.Name)
		case f.Pos:
			parts = append(parts, f.Name+"=None")
		case f.Required:
			named = append(named, f.Name)
		default:
			options = true
		}
	}
	if options {
		named = append(named, "...")
	}
	if len(named) > 0 {
		parts = append(append(parts, "*"), named...)
	}
	return name + "(" + strings.Join(parts, ", ") + ")"
}
