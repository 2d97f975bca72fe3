package run

import (
	"io/fs"
	"slices"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/docs"
	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/stdlib"
)

// Complete returns what could stand in the place of text[from:pos], sorted. The
// text is an input that nobody has finished; what it says is not evaluated.
func (s *Session) Complete(text string, pos int) (from int, found []string) {
	pos = min(max(pos, 0), len(text))
	text = text[:pos]
	at := scan(text)
	if at.comment {
		return pos, nil
	}
	if at.quote >= 0 {
		from = at.content
		found = s.inString(text, at)
	} else {
		from = pos - len(word().FindString(text))
		found = s.words(text, from, at)
	}
	prefix := text[from:]
	found = slices.DeleteFunc(found, func(c string) bool { return !strings.HasPrefix(c, prefix) })
	slices.Sort(found)
	return from, slices.Compact(found)
}

var (
	word     = pattern.Of(`[A-Za-z_][A-Za-z0-9_]*$`)
	path     = pattern.Of(`[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*|\[("[^"\\\n]*"|'[^'\\\n]*'|[0-9]+)\])*$`)
	named    = pattern.Of(`([A-Za-z_][A-Za-z0-9_]*)\s*=\s*$`)
	keywords = []string{"and", "break", "continue", "def", "elif", "else", "for", "if", "in", "lambda", "load", "not", "or", "pass", "return"}
)

// words completes a name: an attribute after a dot, otherwise an argument's or
// any that there is.
func (s *Session) words(text string, from int, at position) []string {
	before := text[:from]
	if strings.HasSuffix(before, ".") {
		if v, ok := s.value(path().FindString(before[:len(before)-1])).(starlark.HasAttrs); ok {
			return v.AttrNames()
		}
		return nil
	}
	var out []string
	if b := at.innermost(); b != nil && b.char == '(' && strings.TrimSpace(text[b.arg:from]) == "" {
		for _, p := range s.parameters(b.callee) {
			if !slices.Contains(b.used, p) && strings.HasPrefix(p, text[from:]) {
				out = append(out, p+" = ")
			}
		}
	}
	if len(out) > 0 { // names are for values, which rarely come first
		return out
	}
	if from == len(text) { // no letter yet
		if strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:]) == "" {
			return []string{"    "}
		}
		return nil
	}
	out = append(out, keywords...)
	for _, names := range s.names() {
		out = append(out, names.Keys()...)
	}
	return out
}

// names are all that an input can refer to, those first that hide others.
func (s *Session) names() []starlark.StringDict {
	return []starlark.StringDict{s.vars, s.own, s.script.session.Predeclared(), starlark.Universe}
}

// value looks an expression up that needs no evaluation: a name, its attributes
// and elements. It is nil where there is none.
func (s *Session) value(expr string) starlark.Value {
	if expr == "" || len(expr) > 1000 {
		return nil
	}
	e, err := (&syntax.FileOptions{}).ParseExpr("", expr, 0)
	if err != nil {
		return nil
	}
	return s.lookUp(e)
}

func (s *Session) lookUp(e syntax.Expr) starlark.Value {
	switch e := e.(type) {
	case *syntax.Ident:
		for _, names := range s.names() {
			if v := names[e.Name]; v != nil {
				return v
			}
		}
	case *syntax.DotExpr:
		if x, ok := s.lookUp(e.X).(starlark.HasAttrs); ok {
			v, _ := x.Attr(e.Name.Name)
			return v
		}
	case *syntax.IndexExpr:
		key, ok := e.Y.(*syntax.Literal)
		if !ok {
			return nil
		}
		x := s.lookUp(e.X)
		if i, ok := key.Value.(int64); ok {
			if list, ok := x.(starlark.Indexable); ok && int(i) < list.Len() {
				return list.Index(int(i))
			}
			return element(x, starlark.MakeInt64(i))
		}
		if name, ok := key.Value.(string); ok {
			return element(x, starlark.String(name))
		}
	}
	return nil
}

func element(x, key starlark.Value) starlark.Value {
	if m, ok := x.(starlark.Mapping); ok {
		if v, found, err := m.Get(key); found && err == nil {
			return v
		}
	}
	return nil
}

// parameters are the names of the arguments that a function takes.
func (s *Session) parameters(callee string) []string {
	var out []string
	switch fn := s.value(callee).(type) {
	case *starlark.Function:
		for i := range fn.NumParams() {
			if name, _ := fn.Param(i); i < fn.NumParams()-starred(fn) {
				out = append(out, name)
			}
		}
	case *starlark.Builtin:
		if fn.Receiver() != nil {
			return nil
		}
		for _, b := range ownBuiltins() {
			if s.own[b.name] == fn {
				return b.params
			}
		}
		e, err := docs.Find(fn.Name())
		if err != nil {
			return nil
		}
		for _, r := range e.Rows {
			out = append(out, r.Name)
		}
		if e.Kind != nil {
			for _, a := range builtins.CommonArguments {
				out = append(out, a.Name)
			}
		}
	}
	return out
}

// starred counts *args and **kwargs.
func starred(fn *starlark.Function) int {
	n := 0
	for _, has := range []bool{fn.HasVarargs(), fn.HasKwargs()} {
		if has {
			n++
		}
	}
	return n
}

// inString completes text in quotes: a key, one of an argument's few values, an
// address, a module.
func (s *Session) inString(text string, at position) []string {
	before := strings.TrimRight(text[:at.quote], " \t")
	quote := text[at.quote : at.quote+1]
	if at.content-at.quote != 1 { // three quotes, which hold prose
		return nil
	}
	if strings.HasSuffix(before, "[") {
		if keys := keysOf(s.value(path().FindString(before[:len(before)-1]))); keys != nil {
			return each(keys, quote+"]")
		}
	}
	b := at.innermost()
	if b == nil || b.char != '(' {
		return nil
	}
	if m := named().FindStringSubmatch(text[b.arg:at.quote]); m != nil {
		return each(s.enum(b.callee, m[1]), quote)
	}
	if strings.TrimSpace(text[b.arg:at.quote]) != "" {
		return nil
	}
	switch b.callee {
	case "load":
		return each(modules(), quote)
	case "help":
		var names []string
		for _, e := range docs.All() {
			names = append(names, e.Name)
			for _, r := range e.Rows {
				names = append(names, e.Name+"."+r.Name)
			}
		}
		return each(names, quote)
	case "diff", "undeclare", "live", "moved":
		program, _ := s.rec.Current()
		var names []string
		for _, d := range program.Declarations {
			names = append(names, d.Address.Short())
		}
		if b.callee == "live" {
			for _, k := range registry.Kinds() {
				names = append(names, k.Name)
			}
		}
		return each(names, quote)
	}
	return nil
}

func each(list []string, end string) []string {
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = e + end
	}
	return out
}

// keysOf are the text keys of a value that is found by them.
func keysOf(v starlark.Value) []string {
	switch v := v.(type) {
	case *objects:
		if v.of != nil {
			return v.kinds()
		}
		return v.names()
	case *changes:
		var out []string
		for _, c := range v.list {
			out = append(out, c.c.Address.Short())
		}
		return out
	case *starlark.Dict:
		var out []string
		for _, k := range v.Keys() {
			if text, ok := starlark.AsString(k); ok && !strings.ContainsAny(text, "\"'\\\n") {
				out = append(out, text)
			}
		}
		return out
	}
	return nil
}

// enum is the values that an argument can have, where they are few.
func (s *Session) enum(callee, arg string) []string {
	b, ok := s.value(callee).(*starlark.Builtin)
	if !ok || b.Receiver() != nil {
		return nil
	}
	find := func(of *schema.Struct) []string {
		f, ok := of.Field(arg)
		if !ok {
			return nil
		}
		t := f.Type
		for t.Elem != nil {
			t = t.Elem
		}
		return t.Enum
	}
	kinds := registry.Kinds()
	if i := slices.IndexFunc(kinds, func(k *resource.Kind) bool { return k.Name == strings.TrimSuffix(b.Name(), ".init") }); i >= 0 {
		return find(kinds[i].Schema)
	}
	for _, st := range builtins.Structs(kinds) {
		if st.Name == b.Name() {
			return find(st)
		}
	}
	return nil
}

// modules are the labels of the standard library's.
func modules() []string {
	var out []string
	_ = fs.WalkDir(stdlib.FS, ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(p, ".star") && !strings.HasSuffix(p, "_test.star") {
			out = append(out, "@stdlib//"+p)
		}
		return nil
	})
	return out
}
