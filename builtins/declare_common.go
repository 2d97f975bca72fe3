package builtins

import (
	"time"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/lang"
)

// CommonArguments are those that every kind's builtin takes beside its own.
var CommonArguments = []struct{ Name, Type, Doc string }{
	{"cluster", "swarm", "The swarm that it lives in; not needed where one is declared."},
	{"engine", "engine or host", "The engine that it lives on, or the host of that engine, for what does not live in a swarm."},
	{"host", "host or vm", "The machine that it lives on, for what a machine has; also the first argument."},
	{"provider", "provider", "Where a machine comes from: lab() unless told otherwise, local() or azure(...); of what Azure has, which azure(...), not needed where one is declared."},
	{"copy_to", "list of engines or hosts", "Engines that get the image too, or the hosts of engines: an image_copy on each that it is not built or pulled on."},
	{"after", "list of resources", "Resources that come first although no argument refers to them."},
	{"lifecycle", "lifecycle", "How changes are treated: lifecycle(...)."},
	{"external", "bool", "It exists and somebody else manages it: it is read, never changed."},
	{"wait", "bool", "Whether the step waits until it has converged; true unless told otherwise."},
	{"timeout", "duration", "How long the step waits for that, and before it for others to let go of a lock, such as dpkg's."},
}

// takes reports whether a kind takes a common argument: of a check there is
// nothing live to treat in one way or another.
func (c *call) takes(key string) bool {
	if key == "copy_to" {
		return isImage(c.kind)
	}
	return c.kind.Verify == nil || key == "after" || key == "timeout" || key == scopeArgument(c.kind.Scope)
}

// common treats the arguments that every kind takes.
func (c *call) common(key string, v starlark.Value) bool {
	wantBool := func() bool {
		b, ok := v.(starlark.Bool)
		if !ok {
			c.report(key, -1, "%s: %s: got %s, want bool", c.d.name, key, v.Type())
		}
		return bool(b)
	}
	if !c.takes(key) {
		return false
	}
	switch key {
	case "after":
		c.after(v)
	case "copy_to":
		c.copyTo = v
	case "lifecycle":
		if v != starlark.None {
			c.lifecycle(v)
		}
	case "external":
		c.decl.External = wantBool()
	case "wait":
		c.decl.NoWait = !wantBool()
	case "timeout":
		raw, err := lang.ToValue(v)
		if err == nil {
			raw, err = durationType.Check(raw)
		}
		n, ok := raw.(int64)
		if err != nil || !ok || n <= 0 {
			c.report(key, -1, `%s: timeout: got %s, want a duration such as "60s"`, c.d.name, lang.Repr(v))
			break
		}
		c.decl.Timeout = time.Duration(n)
	default:
		return false
	}
	return true
}

var durationType = &schema.Type{Kind: schema.Duration}

func (c *call) after(v starlark.Value) {
	if h, ok := v.(*Handle); ok {
		c.decl.After = append(c.decl.After, h.decl.Address)
		return
	}
	it, ok := v.(starlark.Iterable)
	if !ok {
		c.report("after", -1, "%s: after: got %s, want a list of resources", c.d.name, v.Type())
		return
	}
	iter := it.Iterate()
	defer iter.Done()
	var e starlark.Value
	for i := 0; iter.Next(&e); i++ {
		h, ok := e.(*Handle)
		if !ok {
			c.report("after", -1, "%s: after[%d]: got %s, want a resource", c.d.name, i, e.Type())
			continue
		}
		c.decl.After = append(c.decl.After, h.decl.Address)
	}
}
