package docs

import (
	"html/template"
	"strings"

	"github.com/swarmscript/swarmscript/internal/pattern"
)

// tokens are the parts of a script that get a colour: comments, strings,
// numbers, words.
var tokens = pattern.Of(`#[^\n]*|"""(?s:.*?)"""|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\b\d[\w.]*|[A-Za-z_]\w*(?:\.init)?`)

var keywords = words(`and break continue def elif else for if in lambda load not or pass return True False None`)

func words(s string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(s) {
		out[w] = true
	}
	return out
}

// highlight writes a script as HTML: a builtin is a link to its description.
func highlight(src string, link func(name string) string) template.HTML {
	var b strings.Builder
	at := 0
	for _, m := range tokens().FindAllStringIndex(src, -1) {
		b.WriteString(template.HTMLEscapeString(src[at:m[0]]))
		b.WriteString(colour(src[m[0]:m[1]], src[m[1]:], link))
		at = m[1]
	}
	b.WriteString(template.HTMLEscapeString(src[at:]))
	return template.HTML(b.String())
}

// colour writes one part, given what follows it: a name that is called is a
// builtin's, or a function's; one before a single = is an argument's.
func colour(t, rest string, link func(string) string) string {
	text := template.HTMLEscapeString(t)
	class := ""
	switch c := t[0]; {
	case c == '#':
		class = "c"
	case c == '"' || c == '\'':
		class = "s"
	case c >= '0' && c <= '9':
		class = "n"
	case keywords[t] && t != "load":
		class = "k"
	case strings.HasPrefix(rest, "("):
		if href := link(t); href != "" {
			return `<a class="f" href="` + template.HTMLEscapeString(href) + `">` + text + `</a>`
		}
		class = "f"
	default:
		return text
	}
	return `<span class="` + class + `">` + text + `</span>`
}

// inline writes a sentence of the documentation: what is between backticks is
// code.
func inline(s string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(s, "`") {
		text := template.HTMLEscapeString(part)
		if i%2 == 1 {
			text = "<code>" + text + "</code>"
		}
		b.WriteString(text)
	}
	return template.HTML(b.String())
}
