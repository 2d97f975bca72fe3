package emit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// find returns the item that a reference of another one means: of its own scope
// first.
func (p *page) find(from *Item, kind, name string) *Item {
	var found *Item
	for _, i := range p.in.Items {
		if i != from && kind == "image" && name != "" && i.Image == name {
			return i
		}
		if i == from || i.Kind.Name != kind || i.Object.Name != name {
			continue
		}
		if i.Kind.Scope == from.Kind.Scope {
			return i
		}
		found = i
	}
	return found
}

func (p *page) variable(from *Item, kind, name string) string {
	switch i := p.find(from, kind, name); {
	case i == nil:
		return ""
	case i.Kind.Name != kind: // what builds it
		return i.variable + ".ref"
	default:
		return i.variable
	}
}

// name gives a variable to all that something refers to, and notes the order
// that this asks for.
func (p *page) name() {
	taken := map[string]bool{engineVariable: true, swarmVariable: true}
	for _, r := range p.in.Reserved {
		taken[r] = true
	}
	used := map[*Item]bool{}
	for _, i := range p.in.Items {
		i.after = nil
		if i.External {
			continue
		}
		for _, a := range i.After {
			used[a] = true
			i.after = append(i.after, a)
		}
		for _, f := range i.Kind.Schema.Fields() {
			references(f.Type, i.args[f.Index], func(kind, name string) {
				if to := p.find(i, kind, name); to != nil {
					used[to] = true
					i.after = append(i.after, to)
				}
			})
		}
	}
	for _, i := range p.in.Items {
		i.variable = ""
		if !used[i] {
			continue
		}
		plain := identifier(i.Object.Name)
		if plain != "" && plain[0] >= '0' && plain[0] <= '9' {
			plain = i.Kind.Name + "_" + plain
		}
		i.variable = plain
		if taken[plain] || plain == "" {
			i.variable = strings.Trim(plain+"_"+i.Kind.Name, "_")
		}
		for n := 2; taken[i.variable]; n++ {
			i.variable = fmt.Sprintf("%s_%s_%d", plain, i.Kind.Name, n)
		}
		taken[i.variable] = true
	}
}

// references calls fn for every name that stands where a handle may.
func references(t *schema.Type, v value.Value, fn func(kind, name string)) {
	switch x := value.Reveal(v).(type) {
	case string:
		if t.RefKind != "" {
			fn(t.RefKind, x)
		}
	case value.List:
		for _, e := range x {
			references(elem(t), e, fn)
		}
	case *value.Map:
		if x != nil {
			for _, e := range x.Entries {
				references(elem(t), e.Value, fn)
			}
		}
	case value.Struct:
		if t.Struct != nil {
			for _, f := range t.Struct.Fields() {
				references(f.Type, x[f.Index], fn)
			}
		}
	}
}

// order returns the items as they were given, but each after those that it
// refers to.
func (p *page) order() []*Item {
	done := map[*Item]bool{}
	var out []*Item
	var visit func(*Item)
	visit = func(i *Item) {
		if done[i] {
			return
		}
		done[i] = true
		for _, a := range i.after {
			visit(a)
		}
		out = append(out, i)
	}
	for _, i := range p.in.Items {
		visit(i)
	}
	return out
}

// keywords are words that Starlark keeps for itself, or for later.
var keywords = strings.Fields(`and as assert async await break class continue def del elif else except finally for from global
	if import in is lambda load nonlocal not or pass raise return try while with yield True False None`)

// identifier makes a variable's name of a live one: "db.password" is
// db_password. It is "" where nothing is left, and may begin with a digit.
func identifier(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case isWord(r) && r != '_':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
	}
	s := strings.Trim(b.String(), "_")
	if slices.Contains(keywords, s) {
		s += "_"
	}
	return s
}

func isWord(r rune) bool {
	return r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}
