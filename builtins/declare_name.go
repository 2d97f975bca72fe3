package builtins

import (
	"strings"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// nameIndex is the place of the name among the positional arguments, -1 where it
// has none.
func (d *declarer) nameIndex(k *resource.Kind) int {
	switch {
	case k.Unnamed != nil || d.defaultName != "" || d.joins || k.Single:
		return -1
	case d.scopeFirst:
		return 1
	}
	return 0
}

// hostName is the name of what has none of its own: that of its machine.
func (c *call) hostName(scope starlark.Value) string {
	if c.d.joins {
		if e, ok := c.on.(*EngineHandle); ok {
			return value.Address(e.scope.Address).Name()
		}
		scope = c.on
	} else if c.kind.Scope != "host" || !c.kind.Single {
		return ""
	}
	_, name, _ := hostOf(scope)
	return name
}

// unnamed is the name that the arguments make.
func (c *call) unnamed() string {
	name := c.kind.Unnamed(c.decl.Args)
	if required := c.kind.Schema.Required(); name == "" && len(required) > 0 && c.decl.Args[required[0].Index] == nil {
		return "" // which is reported
	}
	if !isName(name) {
		c.report("", -1, "%s: its arguments make no name that could be shown", c.d.name).Hint = "give it one: name ="
		return ""
	}
	return name
}

func isName(s string) bool {
	return s != "" && len(s) <= 255 && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func (c *call) nameArg(v starlark.Value, arg string, index int) string {
	s, ok := v.(starlark.String)
	if !ok {
		c.report(arg, index, "%s: the name must be plain text, got %s", c.d.name, v.Type())
		return ""
	}
	if !isName(string(s)) {
		c.report(arg, index, "%s: %q is not a name", c.d.name, string(s))
		return ""
	}
	return string(s)
}

// called puts the name into the field of what the object is called where it
// lives, which may have a normal form.
func (c *call) called(f *schema.Field, name string, index int) {
	if f.LiveName {
		c.set(f, starlark.String(name), "", index)
		return
	}
	c.decl.Args[f.Index] = name
}
