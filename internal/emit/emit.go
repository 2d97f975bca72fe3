// Package emit writes scripts: what is live becomes the declarations that
// would make it.
//
// It knows kinds only by their schemas, so a new kind comes along by itself. An
// argument is written where silence would say something else; what refers to
// another item is written as that item's variable; every item comes after those
// that it refers to. Whether the result really says what is live, its caller
// finds out by planning it: what does not is asked for again as external.
package emit

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Item is one live object to declare.
type Item struct {
	Kind   *resource.Kind
	Object *resource.Object
	// External items are only looked up: somebody else manages them.
	External bool
	// Comment is written above it, a line each.
	Comment []string
	// Said are the arguments as a script gives them, where the object is not live;
	// Written are expressions in place of some of them, and After what comes first
	// though no argument refers to it.
	Said    value.Struct
	Written map[string]string
	After   []*Item
	// Image is what others call the image that it builds, "" for what builds none.
	Image string

	args     value.Struct
	variable string // "" where nothing refers to it
	after    []*Item
}

// Input is what a script is written of.
type Input struct {
	// Header is the comment at the top, a line each.
	Header  []string
	Project string
	// Engine is the call that names the engine, "" for the environment's; Swarm
	// is set where the engine is in one.
	Engine string
	Swarm  bool
	Items  []*Item
	// Kinds are all there are: of those that share a name the first is meant
	// where a call names no scope.
	Kinds []*resource.Kind
	// Reserved are the names that are not free for variables.
	Reserved []string
	// Expressions are what is written in place of some words, wherever in a text
	// they stand.
	Expressions map[string]string
	// Beside is set where long texts may be files beside the script.
	Beside bool
}

// Output is a script, not formatted yet.
type Output struct {
	Text  string
	Files map[string]string // beside it, by their slash-separated paths
	lines map[*Item][2]int
}

// At returns the item that a line of the text is part of, nil where there is
// none.
func (o *Output) At(line int) *Item {
	for item, at := range o.lines {
		if at[0] <= line && line <= at[1] {
			return item
		}
	}
	return nil
}

// Write writes a script. The error says which items cannot be declared; they
// must be external.
func Write(in Input) (*Output, map[*Item]error) {
	p := &page{in: in, out: &Output{Files: map[string]string{}, lines: map[*Item][2]int{}}, failed: map[*Item]error{}}
	for _, i := range in.Items {
		if i.args = i.Said; i.args == nil {
			i.args = arguments(i)
		}
	}
	p.name()
	p.comment(in.Header)
	p.line("")
	p.line("project(%s)", quoteProject(in.Project))
	if in.Engine != "" {
		p.line("")
		p.line("%s = %s", engineVariable, in.Engine)
	}
	if in.Swarm {
		p.line("")
		p.line("# Without external = True the swarm's own settings are this script's too.")
		p.line("%s = swarm.init(%sexternal = True)", swarmVariable, map[bool]string{true: engineVariable + ", "}[in.Engine != ""])
	}
	kind := ""
	for _, i := range p.order() {
		if k := i.Kind.Scope + i.Kind.Name; k != kind || len(i.Comment) > 0 {
			p.line("")
			kind = k
		}
		p.item(i)
	}
	p.out.Text = p.text.String()
	return p.out, p.failed
}

const (
	engineVariable = "here"
	swarmVariable  = "cluster"
)

func quoteProject(name string) string {
	if name, env, ok := strings.Cut(name, "/"); ok {
		return quote(name) + ", env = " + quote(env)
	}
	return quote(name)
}

// arguments are what a script would give: what a kind fills in by itself, or
// what is nothing, is left out.
func arguments(i *Item) value.Struct {
	s := i.Kind.Schema
	args := i.Object.Args
	if i.Kind.Given != nil {
		args = i.Kind.Given(i.Object)
	}
	args = slices.Clone(args)
	if f := s.NameField(); f != nil {
		args[f.Index] = i.Object.Name
		if f.Name != "name" {
			args[f.Index] = nil // it follows the name that the call begins with
		}
	}
	// Where no default says what silence means, it means what is there. What is
	// no part of the object says nothing about it.
	for _, f := range s.Fields() {
		v := args[f.Index]
		if f.Local && f != s.NameField() {
			args[f.Index] = nil
		}
		if v == nil || f.Required || f.Local || f.Default != nil {
			continue
		}
		without := slices.Clone(args)
		without[f.Index] = nil
		if i.Kind.Complete != nil {
			i.Kind.Complete(without)
		}
		restored := without[f.Index]
		if restored != nil && f.Type.Same(restored, v) || restored == nil && empty(v) {
			args[f.Index] = nil
		}
	}
	return args
}

func empty(v value.Value) bool {
	switch v := value.Reveal(v).(type) {
	case string:
		return v == ""
	case value.List:
		return len(v) == 0
	case *value.Map:
		return v.Len() == 0
	}
	return false
}

// page is a script on its way to text.
type page struct {
	in     Input
	out    *Output
	text   strings.Builder
	at     int // lines written
	failed map[*Item]error
}

func (p *page) line(format string, args ...any) {
	s := fmt.Sprintf(format, args...) + "\n"
	p.text.WriteString(s)
	p.at += strings.Count(s, "\n")
}

func (p *page) comment(lines []string) {
	for _, l := range lines {
		p.line("%s", strings.TrimRight("# "+endOfLine.Replace(l), " "))
	}
}

// endOfLine keeps a comment one, whatever is quoted in it.
var endOfLine = strings.NewReplacer("\n", " ", "\r", " ")

// item writes one declaration.
func (p *page) item(i *Item) {
	begin := p.at + 1
	p.comment(i.Comment)
	call := node{open: callee(i.Kind) + "(", close: ")"}
	if i.External {
		call.items = []node{leaf(quote(i.Object.Name)), leaf("external = True")}
	} else {
		w := &writer{words: p.in.Expressions, ref: func(kind, name string) string { return p.variable(i, kind, name) }}
		args := slices.Clone(i.args)
		for name := range i.Written { // whatever it says, which may be no text
			f, _ := i.Kind.Schema.Field(name)
			args[f.Index] = name
		}
		items, err := w.arguments(i.Kind.Schema, args)
		if err != nil {
			p.failed[i] = err
		}
		if _, ok := i.Kind.Schema.Field("name"); !ok {
			items = slices.Insert(items, 0, leaf(quote(i.Object.Name)))
		}
		call.items = p.aside(i, items)
		for j, item := range call.items {
			if w := i.Written[strings.TrimSuffix(item.label, " = ")]; w != "" {
				call.items[j] = node{label: item.label, open: w}
			}
		}
		if len(i.After) > 0 {
			after := node{label: "after = ", open: "[", close: "]"}
			for _, a := range i.After {
				after.items = append(after.items, leaf(a.variable))
			}
			call.items = append(call.items, after)
		}
	}
	switch {
	case i.Kind.Scope == "engine" && p.in.Engine != "":
		call.items = append(call.items, leaf("engine = "+engineVariable))
	case i.Kind.Scope == "swarm" && p.in.Swarm && !p.meant(i.Kind):
		call.items = append(call.items, leaf("cluster = "+swarmVariable))
	}
	if i.variable != "" {
		call.label = i.variable + " = "
	}
	var b strings.Builder
	call.write(&b, 0, 0)
	p.line("%s", b.String())
	p.out.lines[i] = [2]int{begin, p.at}
}

// meant reports whether a call that names no scope is of this kind.
func (p *page) meant(k *resource.Kind) bool {
	for _, other := range p.in.Kinds {
		if other.Name == k.Name {
			return other.Scope == k.Scope
		}
	}
	return true
}

// callee is what a script calls to declare a kind.
func callee(k *resource.Kind) string {
	if k.Opens != "" {
		return k.Name + ".init"
	}
	return k.Name
}

// Texts that are longer become files, where there may be some.
const (
	longText  = 1000
	longLines = 20
)

// aside moves long texts of an item into files.
func (p *page) aside(i *Item, items []node) []node {
	if !p.in.Beside {
		return items
	}
	for _, f := range i.Kind.Schema.Fields() {
		s, ok := value.Reveal(i.args[f.Index]).(string)
		if !ok || len(s) < longText && strings.Count(s, "\n") < longLines {
			continue
		}
		for j, item := range items {
			if item.label == f.Name+" = " {
				items[j] = node{label: item.label, open: "read_file(" + quote(p.file(i, s)) + ")"}
			}
		}
	}
	return items
}

// file puts a text beside the script, under a name like the item's.
func (p *page) file(i *Item, content string) string {
	name := strings.Map(func(r rune) rune {
		if r < 0x80 && (isWord(r) || r == '.' || r == '-') {
			return r
		}
		return '_'
	}, i.Object.Name)
	base := path.Join(i.Kind.Name+"s", strings.TrimLeft(name, "."))
	file := base
	for n := 2; ; n++ {
		if _, taken := p.out.Files[file]; !taken {
			break
		}
		file = fmt.Sprintf("%s_%d", base, n)
	}
	p.out.Files[file] = content
	return file
}

// FileNames returns the paths of the files, sorted.
func (o *Output) FileNames() []string { return slices.Sorted(maps.Keys(o.Files)) }
