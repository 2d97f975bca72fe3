package builtins

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

// content makes the content of what may be given by a file or a template of
// the script's folder. Those arguments are gone afterwards: what is declared is
// the content, however it came about.
func (c *call) content() {
	at := func(name string) *schema.Field {
		f, _ := c.kind.Schema.Field(name)
		return f
	}
	if at("template") == nil {
		return
	}
	take := func(name string) value.Value {
		v := c.decl.Args[at(name).Index]
		c.decl.Args[at(name).Index] = nil
		return v
	}
	vars, sensitive := take("vars"), take("sensitive")
	var given []string
	for _, name := range []string{"content", "content_base64", "source", "template"} {
		if c.decl.Args[at(name).Index] != nil {
			given = append(given, name)
		}
	}
	source, template := take("source"), take("template")
	switch {
	case len(given) > 1:
		c.report(given[1], -1, "%s: %s cannot be given beside %s", c.d.name, given[1], given[0])
		return
	case vars != nil && template == nil:
		c.report("vars", -1, "%s: vars are those of a template, which is not given", c.d.name)
		return
	}
	for _, path := range []value.Value{source, template} {
		if _, ok := path.(string); path != nil && !ok {
			c.report(given[0], -1, "%s: %s: the path must be known when the script runs", c.d.name, given[0])
			return
		}
	}
	to := "content"
	var text value.Value
	switch {
	case source != nil:
		data, err := lang.FromThread(c.thread).ReadFile(c.thread, source.(string))
		if err != nil {
			c.report("source", -1, "%s: source: %v", c.d.name, err)
			return
		}
		text = string(data)
		if !utf8.Valid(data) || strings.Contains(text.(string), "\x00") {
			to, text = "content_base64", base64.StdEncoding.EncodeToString(data)
		}
	case template != nil:
		text = c.filled(template.(string), vars)
	case len(given) == 1:
		to = given[0]
		text = c.decl.Args[at(to).Index]
	}
	if sensitive == true && text != nil && !value.Sensitive(text) {
		text = value.Secret{V: text}
	}
	c.decl.Args[at(to).Index] = text
}

// filled returns the text of a template, nil where it has none.
func (c *call) filled(path string, vars value.Value) value.Value {
	m, ok := vars.(*value.Map)
	if vars == nil {
		m, ok = value.NewMap(nil), true
	}
	if !ok {
		c.report("vars", -1, "%s: vars must be known when the script runs; its values need not be", c.d.name)
		return nil
	}
	v, err := fill(c.thread, path, m)
	if err != nil {
		c.report("template", -1, "%s: %v", c.d.name, err)
		return nil
	}
	return v
}
