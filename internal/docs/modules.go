package docs

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"go.starlark.net/syntax"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/stdlib"
)

// Module describes a module of the standard library, by its docstrings.
type Module struct {
	Name      string // as load() has it: "@stdlib//update.star"
	Doc       string
	Functions []*Entry
}

const stdlibPrefix = "@stdlib//"

// Modules returns the modules of the standard library, by name.
func Modules() ([]*Module, error) {
	files, err := fs.Glob(stdlib.FS, "*.star")
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	var out []*Module
	for _, f := range files {
		if strings.HasSuffix(f, "_test.star") {
			continue
		}
		src, err := fs.ReadFile(stdlib.FS, f)
		if err != nil {
			return nil, err
		}
		m, err := parseModule(stdlibPrefix+f, src)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// FindModule returns a module by its name.
func FindModule(name string) (*Module, error) {
	all, err := Modules()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, m := range all {
		if m.Name == name {
			return m, nil
		}
		names = append(names, m.Name)
	}
	return nil, &diag.Diagnostic{Summary: fmt.Sprintf("there is no module %q", name), Hint: diag.DidYouMean(name, names)}
}

// parseModule reads what a module exports. Names that begin with _ are its own.
func parseModule(name string, src []byte) (*Module, error) {
	file, err := (&syntax.FileOptions{Set: true, TopLevelControl: true, GlobalReassign: true}).Parse(name, src, 0)
	if err != nil {
		return nil, err
	}
	m := &Module{Name: name, Doc: docstring(file.Stmts)}
	for _, s := range file.Stmts {
		def, ok := s.(*syntax.DefStmt)
		if !ok || strings.HasPrefix(def.Name.Name, "_") {
			continue
		}
		m.Functions = append(m.Functions, functionOf(m, def, src))
	}
	return m, nil
}

func functionOf(m *Module, def *syntax.DefStmt, src []byte) *Entry {
	doc, args := splitDoc(docstring(def.Body))
	e := &Entry{Name: def.Name.Name, Module: m.Name, Doc: doc}
	var params []string
	for _, p := range def.Params {
		text := source(src, p)
		params = append(params, text)
		name, dflt, has := strings.Cut(text, "=")
		name = strings.TrimSpace(name)
		if name == "*" {
			continue
		}
		row := Row{Name: name, Type: "any", Doc: args[strings.TrimLeft(name, "*")], Default: "required"}
		if has {
			row.Default = strings.TrimSpace(dflt)
			row.Type = typeOfLiteral(row.Default)
		} else if strings.HasPrefix(name, "*") {
			row.Default = ""
		}
		e.Rows = append(e.Rows, row)
	}
	e.Signature = e.Name + "(" + strings.Join(params, ", ") + ")"
	return e
}

var aDuration = pattern.Of(`^"\d+(ms|s|m|h)"$`)

// typeOfLiteral is the type that a default shows.
func typeOfLiteral(s string) string {
	switch {
	case s == "True" || s == "False":
		return "bool"
	case aDuration().MatchString(s):
		return "duration"
	case strings.HasPrefix(s, `"`):
		return "string"
	case strings.HasPrefix(s, "["):
		return "list"
	case strings.HasPrefix(s, "{"):
		return "map"
	case s != "" && strings.Trim(s, "0123456789") == "":
		return "int"
	}
	return "any"
}

// docstring returns the text that a file or a function begins with.
func docstring(body []syntax.Stmt) string {
	if len(body) == 0 {
		return ""
	}
	if s, ok := body[0].(*syntax.ExprStmt); ok {
		if lit, ok := s.X.(*syntax.Literal); ok && lit.Token == syntax.STRING {
			return lit.Value.(string)
		}
	}
	return ""
}

// splitDoc takes the arguments out of a docstring: lines "name: text" under a
// line "Args:", further lines of one indented more.
func splitDoc(doc string) (text string, args map[string]string) {
	args = map[string]string{}
	before, after, ok := strings.Cut(doc, "\n    Args:\n")
	if !ok {
		before, after, _ = strings.Cut(doc, "\nArgs:\n")
	}
	last, depth := "", -1
	for _, l := range strings.Split(after, "\n") {
		word := strings.TrimSpace(l)
		if word == "" {
			continue
		}
		indent := len(l) - len(strings.TrimLeft(l, " "))
		if depth < 0 {
			depth = indent
		}
		if name, rest, ok := strings.Cut(word, ":"); ok && indent == depth {
			last, args[name] = name, strings.TrimSpace(rest)
		} else if last != "" {
			args[last] += " " + word
		}
	}
	for n, a := range args {
		args[n] = sentence(a)
	}
	return strings.Join(strings.Fields(before), " "), args
}

// sentence begins with a capital letter.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// source is the text of a node.
func source(src []byte, n syntax.Node) string {
	start, end := n.Span()
	lines := strings.SplitAfter(string(src), "\n")
	offset := func(p syntax.Position) int {
		at := 0
		for _, l := range lines[:p.Line-1] {
			at += len(l)
		}
		return at + len(string([]rune(lines[p.Line-1])[:p.Col-1]))
	}
	return string(src[offset(start):offset(end)])
}
