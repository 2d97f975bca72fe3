package builtins

import (
	"errors"
	"fmt"
	"slices"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

// lifecycleValue is what lifecycle() returns.
type lifecycleValue struct {
	starlark.NoneType // nothing can be done with it but pass it on
	resource.Lifecycle
}

func (*lifecycleValue) String() string { return "lifecycle(...)" }
func (*lifecycleValue) Type() string   { return "lifecycle" }

// Truth is true, unlike that of None, which it borrows the rest from.
func (*lifecycleValue) Truth() starlark.Bool { return starlark.True }

// Hash is an error: it holds lists.
func (*lifecycleValue) Hash() (uint32, error) { return 0, errors.New("unhashable type: lifecycle") }

// lifecycle(prevent_destroy=False, ignore_changes=[], replace_on=[]) changes
// how a resource is treated.
func lifecycle(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var prevent bool
	var ignore *starlark.List
	var on starlark.Value
	if err := starlark.UnpackArgs(b.Name(), args, kwargs,
		"prevent_destroy?", &prevent, "ignore_changes?", &ignore, "replace_on?", &on); err != nil {
		return nil, err
	}
	l := &lifecycleValue{Lifecycle: resource.Lifecycle{PreventDestroy: prevent}}
	if ignore != nil {
		for i := range ignore.Len() {
			s, ok := starlark.AsString(ignore.Index(i))
			if !ok {
				return nil, fmt.Errorf("lifecycle: ignore_changes[%d]: got %s, want the name of an argument", i, ignore.Index(i).Type())
			}
			l.IgnoreChanges = append(l.IgnoreChanges, s)
		}
	}
	if on != nil && on != starlark.None {
		v, err := lang.ToValue(on)
		if err != nil {
			return nil, fmt.Errorf("lifecycle: replace_on: %w", err)
		}
		list, ok := v.(value.List)
		if !ok {
			list = value.List{v}
		}
		l.ReplaceOn = list
	}
	return l, nil
}

func (c *call) lifecycle(v starlark.Value) {
	l, ok := v.(*lifecycleValue)
	if !ok {
		c.report("lifecycle", -1, "%s: lifecycle: got %s, want lifecycle(...)", c.d.name, v.Type())
		return
	}
	names := c.kind.Schema.FieldNames()
	for _, f := range l.IgnoreChanges {
		if !slices.Contains(names, f) {
			c.report("lifecycle", -1, "%s: lifecycle: ignore_changes: there is no argument %q", c.d.name, f).Hint = diag.DidYouMean(f, names)
		}
	}
	if len(l.ReplaceOn) > 0 && c.kind.Unmarked {
		c.report("lifecycle", -1, "%s: lifecycle: replace_on: nothing on a %s could keep what it was", c.d.name, c.d.name)
	}
	if len(l.ReplaceOn) > 0 && c.kind.Versioned {
		p := c.report("lifecycle", -1, "%s: lifecycle: replace_on: a %s is renewed by another version, which only its content makes", c.d.name, c.d.name)
		p.Hint = "put what shall renew it into its content"
		if _, ok := c.kind.Schema.Field("rotate"); ok {
			p.Hint = "rotate = ... makes a new version"
		}
	}
	if len(l.ReplaceOn) > 0 && c.kind.Find != nil {
		c.report("lifecycle", -1, "%s: lifecycle: replace_on: a %s is not made by the script, so it cannot be made anew", c.d.name, c.d.name)
	}
	c.decl.Lifecycle = l.Lifecycle
	for i, on := range l.ReplaceOn { // a resource as a whole stands for its ID
		if r, ok := on.(value.Ref); ok && r.Output == "" {
			r.Output, r.Type = "id", "string"
			c.decl.Lifecycle.ReplaceOn = slices.Clone(c.decl.Lifecycle.ReplaceOn)
			c.decl.Lifecycle.ReplaceOn[i] = r
		}
	}
}
