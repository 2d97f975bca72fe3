package run

import (
	"fmt"
	"io"
	"strings"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/docs"
	"github.com/swarmscript/swarmscript/lang"
)

// help(what=None) shows the documentation of a builtin, of one of its arguments,
// or of a function of the script.
func (s *Session) help(_ *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var what starlark.Value
	if err := starlark.UnpackArgs("help", args, kwargs, "what?", &what); err != nil {
		return nil, err
	}
	w := s.front.Out()
	if what == nil {
		return starlark.None, s.helpAll(w)
	}
	if fn, ok := what.(*starlark.Function); ok {
		return starlark.None, helpFunction(w, fn)
	}
	name, ok := starlark.AsString(what)
	if !ok {
		name = describes(what)
	}
	if name == "" {
		return starlark.None, helpValue(w, what)
	}
	return starlark.None, s.helpName(w, name)
}

// describes names the builtin that says what a value is, "" where there is none.
func describes(v starlark.Value) string {
	switch v := v.(type) {
	case *starlark.Builtin:
		if v.Receiver() == nil {
			return v.Name()
		}
	case *object:
		return v.kind.Name
	case *objects:
		return "live"
	case *change, *changes:
		return "diff"
	}
	if name, ok := strings.CutPrefix(v.String(), "<module \""); ok && v.Type() == "module" {
		return strings.TrimSuffix(name, "\">")
	}
	return builtins.Describes(v)
}

func (s *Session) helpAll(w io.Writer) error {
	var own []*docs.Entry
	for _, b := range ownBuiltins() {
		own = append(own, &docs.Entry{Name: b.name, Doc: b.doc})
	}
	return docs.Overview(w, own, "help(NAME) shows one with its arguments, help(\"service.ports\") one argument.", s.front.Width())
}

// helpName shows a builtin, or "builtin.argument".
func (s *Session) helpName(w io.Writer, name string) error {
	var own []string
	for _, b := range ownBuiltins() {
		if b.name == name {
			return docs.Text(w, &docs.Entry{Name: b.name, Signature: b.signature, Doc: b.doc}, s.front.Width())
		}
		own = append(own, b.name)
	}
	e, argument, err := docs.Named(name)
	switch {
	case err == nil && argument == "":
		return docs.Text(w, e, s.front.Width())
	case err == nil:
		return docs.Argument(w, e, argument, s.front.Width())
	}
	if fn, ok := s.vars[name].(*starlark.Function); ok {
		return helpFunction(w, fn)
	}
	if v, ok := starlark.Universe[name]; ok {
		_, err := fmt.Fprintf(w, "%s is Starlark's own %s\n", name, v.Type())
		return err
	}
	for _, e := range docs.All() {
		own = append(own, e.Name)
	}
	return &diag.Diagnostic{Summary: fmt.Sprintf("help: there is no builtin %q", name), Hint: diag.DidYouMean(name, own)}
}

// helpFunction shows a function of the script: how it is called, and its
// docstring.
func helpFunction(w io.Writer, fn *starlark.Function) error {
	var params []string
	plain := fn.NumParams() - starred(fn) // after those come *args and **kwargs
	for i := range plain {
		if i == plain-fn.NumKwonlyParams() {
			params = append(params, star(fn))
		}
		name, _ := fn.Param(i)
		if d := fn.ParamDefault(i); d != nil {
			name += "=" + lang.Repr(d)
		}
		params = append(params, name)
	}
	if fn.NumKwonlyParams() == 0 && fn.HasVarargs() {
		params = append(params, star(fn))
	}
	if fn.HasKwargs() {
		name, _ := fn.Param(fn.NumParams() - 1)
		params = append(params, "**"+name)
	}
	_, err := fmt.Fprintf(w, "%s(%s)\n", fn.Name(), strings.Join(params, ", "))
	if doc := dedent(fn.Doc()); doc != "" && err == nil {
		_, err = fmt.Fprintf(w, "\n%s\n", doc)
	}
	if err == nil {
		_, err = fmt.Fprintf(w, "\n  defined at %s:%d\n", fn.Position().Filename(), fn.Position().Line)
	}
	return err
}

// star is what stands before a function's keyword arguments.
func star(fn *starlark.Function) string {
	if !fn.HasVarargs() {
		return "*"
	}
	name, _ := fn.Param(fn.NumParams() - starred(fn))
	return "*" + name
}

// dedent indents a docstring by two, however deep it stood in its script.
func dedent(doc string) string {
	lines := strings.Split(strings.TrimSpace(doc), "\n")
	margin := -1
	for _, l := range lines[1:] {
		if text := strings.TrimLeft(l, " \t"); text != "" && (margin < 0 || len(l)-len(text) < margin) {
			margin = len(l) - len(text)
		}
	}
	for i, l := range lines {
		if i > 0 {
			l = l[min(max(margin, 0), len(l)):]
		}
		if l = strings.TrimRight(l, " \t"); l != "" {
			l = "  " + l
		}
		lines[i] = l
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n ")
}

// helpValue shows what can be asked of a value.
func helpValue(w io.Writer, v starlark.Value) error {
	if _, err := fmt.Fprintf(w, "a %s: %s\n", v.Type(), lang.Repr(v)); err != nil {
		return err
	}
	if has, ok := v.(starlark.HasAttrs); ok && len(has.AttrNames()) > 0 {
		_, err := fmt.Fprintf(w, "  has .%s\n", strings.Join(has.AttrNames(), ", ."))
		return err
	}
	return nil
}
