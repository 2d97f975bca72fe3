package docs

import (
	_ "embed"
	"html/template"
	"io"
	"strings"

	"github.com/swarmscript/swarmscript/builtins"
)

// The page's parts. They are put into one file, which loads nothing else.
var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageJS string
)

// family is a group of the page's sidebar.
type family struct {
	Title    string
	Sections []*section
}

// section is one builtin on the page.
type section struct {
	ID, Title string
	Signature template.HTML
	Load      template.HTML
	Doc       template.HTML
	Lives     template.HTML
	Summary   string
	Args      []argumentHTML
	Outputs   []argumentHTML
	Kind      bool
	Examples  []template.HTML
}

// argumentHTML is one argument, or output.
type argumentHTML struct {
	ID, Name string
	Type     template.HTML
	Required bool
	Facts    []template.HTML
	Doc      template.HTML
}

// pageData is what the page is made from.
type pageData struct {
	CSS      template.CSS
	JS       template.JS
	Families []family
	Common   []argumentHTML
	Flags    []flagHTML
}

type flagHTML struct {
	Command, Flag string
	Why           template.HTML
}

// HTML writes the whole reference as one page that needs nothing else.
func HTML(w io.Writer) error {
	t, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return err
	}
	data, err := page()
	if err != nil {
		return err
	}
	return t.Execute(w, data)
}

func page() (*pageData, error) {
	modules, err := Modules()
	if err != nil {
		return nil, err
	}
	kinds, structs, functions := family{Title: "Kinds"}, family{Title: "Values for arguments"}, family{Title: "Functions"}
	p := &pageData{CSS: template.CSS(pageCSS), JS: template.JS(pageJS)}
	all := All()
	link := linker(all, modules)
	for _, e := range all {
		s := sectionOf(e, link)
		switch {
		case e.Kind != nil:
			kinds.Sections = append(kinds.Sections, s)
		case e.Struct:
			structs.Sections = append(structs.Sections, s)
		default:
			functions.Sections = append(functions.Sections, s)
		}
	}
	p.Families = []family{kinds, structs, functions}
	for _, m := range modules {
		f := family{Title: m.Name}
		for _, e := range m.Functions {
			f.Sections = append(f.Sections, sectionOf(e, link))
		}
		p.Families = append(p.Families, f)
	}
	for _, a := range builtins.CommonArguments {
		p.Common = append(p.Common, argumentHTML{ID: "common." + a.Name, Name: a.Name, Type: typeHTML(a.Type, nil), Doc: inline(a.Doc)})
	}
	for _, f := range Flagless {
		p.Flags = append(p.Flags, flagHTML{f.Command, f.Flag, inline(f.Why)})
	}
	return p, nil
}

// linker returns what finds the place of a builtin that a script calls.
func linker(all []*Entry, modules []*Module) func(string) string {
	known := map[string]bool{}
	for _, e := range all {
		known[e.Name] = true
	}
	for _, m := range modules {
		for _, f := range m.Functions {
			known[f.Name] = true
		}
	}
	return func(name string) string {
		if !known[name] {
			return ""
		}
		return "#" + name
	}
}

func sectionOf(e *Entry, link func(string) string) *section {
	s := &section{ID: e.Name, Title: e.Name, Doc: inline(e.Doc), Summary: summary(e.Doc), Kind: e.Kind != nil}
	s.Signature = highlight(e.Signature, func(string) string { return "" })
	if e.Module != "" {
		s.Load = highlight(`load("`+e.Module+`", "`+e.Name+`")`, func(string) string { return "" })
	}
	if e.Kind != nil {
		s.Lives = inline("Lives " + scopes(e.Scopes) + ". As `" + strings.ReplaceAll(e.Command, ", ", "` and `") + "`.")
		if e.Command == "" {
			s.Lives = inline("Lives " + scopes(e.Scopes) + ".")
		}
	}
	for _, r := range e.Rows {
		s.Args = append(s.Args, argumentOf(e.Name, r))
	}
	for _, o := range e.Outputs {
		a := argumentHTML{ID: e.Name + ".out." + o.Name, Name: o.Name, Type: typeHTML(o.Type, nil), Doc: inline(o.Doc)}
		if note := outputNote(o); note != "" {
			a.Facts = append(a.Facts, inline(note))
		}
		s.Outputs = append(s.Outputs, a)
	}
	for _, x := range examplesOf(e) {
		s.Examples = append(s.Examples, highlight(x, link))
	}
	return s
}

func argumentOf(entry string, r Row) argumentHTML {
	a := argumentHTML{ID: entry + "." + r.Name, Name: r.Name, Type: typeHTML(r.Type, r.Elements), Doc: inline(r.Doc)}
	fact := func(label, text string) {
		a.Facts = append(a.Facts, inline(label+" `"+text+"`"))
	}
	switch d := r.Default; {
	case d == "required":
		a.Required = true
	case d == leftAlone || strings.HasPrefix(d, leftTo):
		a.Facts = append(a.Facts, inline("if not given, "+d))
	case d != "":
		fact("default", d)
	}
	if r.Flag != "" {
		a.Facts = append(a.Facts, inline("`"+strings.ReplaceAll(r.Flag, ", ", "`, `")+"`"))
	}
	if r.API != "" {
		a.Facts = append(a.Facts, inline("since API "+r.API))
	}
	if r.Change != "" && r.Change != "in place" {
		a.Facts = append(a.Facts, inline("a change: "+r.Change))
	}
	return a
}

// typeHTML links the struct that a type is made of.
func typeHTML(name string, elements []string) template.HTML {
	for _, s := range elements {
		if before, after, ok := strings.Cut(name, s); ok {
			return inline(before) + template.HTML(`<a href="#`+template.HTMLEscapeString(s)+`">`) + inline(s) + "</a>" + inline(after)
		}
	}
	return inline(name)
}
