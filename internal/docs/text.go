package docs

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// List writes all builtins, for a terminal of that many columns; 0 for no limit.
func List(w io.Writer, width int) error {
	return Overview(w, nil, "swarmscript docs NAME shows one with its arguments, docs service.ports one argument.", width)
}

// Overview is List with what a session has of its own, and with a last line of its
// own.
func Overview(w io.Writer, session []*Entry, last string, width int) error {
	p := &printer{w: w, width: width}
	if session != nil {
		p.linef("Of this session")
		for _, e := range session {
			p.named(16, e.Name, summary(e.Doc))
		}
		p.linef("")
	}
	section := func(title string, pick func(*Entry) bool) {
		p.linef("%s", title)
		for _, e := range All() {
			if pick(e) {
				p.named(16, e.Name, summary(e.Doc))
			}
		}
		p.linef("")
	}
	section("Kinds", func(e *Entry) bool { return e.Kind != nil })
	section("Values made for their arguments", func(e *Entry) bool { return e.Struct })
	section("Functions", func(e *Entry) bool { return e.Kind == nil && !e.Struct })
	modules, err := Modules()
	if err != nil {
		return err
	}
	p.linef("Standard library")
	for _, m := range modules {
		p.named(21, m.Name, summary(m.Doc))
	}
	p.linef("")
	p.wrap(0, last)
	return p.err
}

// ModuleText writes a module of the standard library for a terminal.
func ModuleText(w io.Writer, m *Module, width int) error {
	p := &printer{w: w, width: width}
	p.linef("%s", m.Name)
	p.linef("")
	p.wrap(2, plain(m.Doc))
	for _, f := range m.Functions {
		p.linef("")
		if p.err == nil {
			p.err = Text(w, f, width)
		}
	}
	return p.err
}

// summary is the first clause.
func summary(doc string) string {
	doc, _, _ = strings.Cut(plain(doc), ". ")
	doc, _, _ = strings.Cut(doc, ": ")
	return strings.TrimSuffix(doc, ".")
}

// Text writes one entry for a terminal of that many columns; 0 for no limit.
func Text(w io.Writer, e *Entry, width int) error {
	p := &printer{w: w, width: width}
	column := 12
	for _, r := range e.Rows {
		column = max(column, len(r.Name))
	}
	p.hang("", 4, e.Signature)
	p.linef("")
	p.wrap(2, plain(e.Doc))
	if e.Module != "" {
		p.linef("")
		p.linef("  load(%q, %q)", e.Module, e.Name)
	}
	if e.Command != "" {
		p.linef("")
		where := "Lives " + scopes(e.Scopes) + "."
		if e.Command != "" {
			where = "As " + e.Command + ". " + where
		}
		p.wrap(2, where)
	}
	if len(e.Rows) > 0 {
		p.linef("")
		p.linef("Arguments")
	}
	for _, r := range e.Rows {
		p.linef("")
		p.argument(column, r)
	}
	if e.Kind != nil {
		p.linef("")
		p.linef("Arguments of every kind")
		p.linef("")
		for _, a := range builtins.CommonArguments {
			p.named(column+1, a.Name, a.Type)
			p.wrap(6, a.Doc)
		}
	}
	if len(e.Outputs) > 0 {
		p.linef("")
		p.linef("Outputs, known once it exists")
		p.linef("")
		for _, o := range e.Outputs {
			note := outputNote(o)
			if note != "" {
				note = "; " + note
			}
			p.named(column+1, o.Name, o.Type+note)
			p.wrap(6, o.Doc)
		}
	}
	return p.err
}

func (p *printer) argument(column int, r Row) {
	p.named(column+1, r.Name, strings.Join(facts(r), "; "))
	p.wrap(6, plain(r.Doc))
}

// Named returns the entry of a name; where that is BUILTIN.ARGUMENT, also the
// argument's name.
func Named(name string) (e *Entry, argument string, err error) {
	e, err = Find(name)
	if err == nil {
		return e, "", nil
	}
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		if e, ferr := Find(name[:i]); ferr == nil {
			return e, name[i+1:], nil
		}
	}
	return nil, "", err
}

// Argument writes one argument or output of an entry, and the structs that it is
// made of.
func Argument(w io.Writer, e *Entry, name string, width int) error {
	p := &printer{w: w, width: width}
	names := []string{}
	for _, r := range e.Rows {
		if r.Name == name {
			p.linef("%s", e.Name)
			p.argument(len(name), r)
			for _, s := range r.Elements {
				if st, err := Find(s); err == nil && p.err == nil {
					p.linef("")
					p.err = Text(w, st, width)
				}
			}
			return p.err
		}
		names = append(names, r.Name)
	}
	for _, a := range builtins.CommonArguments {
		if e.Kind != nil && a.Name == name {
			p.linef("%s", e.Name)
			p.named(len(name)+1, a.Name, a.Type)
			p.wrap(6, a.Doc)
			return p.err
		}
		names = append(names, a.Name)
	}
	for _, o := range e.Outputs {
		if o.Name == name {
			p.linef("%s", e.Name)
			p.named(len(name)+1, o.Name, o.Type+"; an output, known once it exists")
			p.wrap(6, o.Doc)
			return p.err
		}
		names = append(names, o.Name)
	}
	return &diag.Diagnostic{Summary: fmt.Sprintf("%s has no argument %q", e.Name, name), Hint: diag.DidYouMean(name, names)}
}

// facts are what there is to say of an argument beside its purpose.
func facts(r Row) []string {
	out := []string{r.Type}
	switch {
	case r.Default == "required":
		out = append(out, "required")
	case r.Default == leftAlone, strings.HasPrefix(r.Default, leftTo):
		out = append(out, "if not given, "+plain(r.Default))
	case r.Default != "":
		out = append(out, "default "+r.Default)
	}
	if r.Flag != "" {
		out = append(out, r.Flag)
	}
	if r.API != "" {
		out = append(out, "since API "+r.API)
	}
	if r.Change != "" && r.Change != "in place" {
		out = append(out, "a change: "+r.Change)
	}
	return out
}

func outputNote(o resource.Output) string {
	var words []string
	if o.Sensitive {
		words = append(words, "sensitive")
	}
	if !o.Stable {
		words = append(words, "an update may change it")
	}
	return strings.Join(words, ", ")
}

// plain is Markdown's text without its marks.
func plain(s string) string { return strings.ReplaceAll(s, "`", "") }

type printer struct {
	w     io.Writer
	width int
	err   error
}

func (p *printer) linef(format string, args ...any) {
	if p.err == nil {
		_, p.err = io.WriteString(p.w, strings.TrimRight(fmt.Sprintf(format, args...), " ")+"\n")
	}
}

// wrap writes text indented, broken between words.
func (p *printer) wrap(indent int, text string) {
	p.hang(strings.Repeat(" ", indent), indent, text)
}

// named writes text beside a name, in a column of its own; what does not fit goes
// on below it.
func (p *printer) named(column int, name, text string) {
	p.hang(fmt.Sprintf("  %-*s ", column, name), min(column+3, max(p.width, narrowest)/2), text)
}

// narrowest is a terminal for which nothing is broken further.
const narrowest = 40

// hang writes text after the beginning of a line, broken between words; the lines
// after the first are indented.
func (p *printer) hang(first string, indent int, text string) {
	line, empty := first, true
	for _, word := range strings.Fields(text) {
		if !empty && p.width > 0 && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > max(p.width, narrowest) {
			p.linef("%s", line)
			line, empty = strings.Repeat(" ", indent), true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	p.linef("%s", line)
}
