package lang

import (
	"fmt"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
)

// Freezing recurses into everything that a module's globals hold. Lists, dicts,
// sets and structs remember that they are frozen; tuples, functions and bound
// methods do not, so functions that hold each other never end:
//
//	def f():
//	    def g(): return g
//	    return g
//	x = f()     # kills the process
//
// checkFreeze goes the same way first, in the same order, with a stack of its
// own.

const (
	maxFreezeDepth = 100_000    // of some 200 bytes each on the goroutine's stack
	maxFreezeNodes = 20_000_000 // visits, counting again what does not remember
)

// checkFreeze returns an error, and the global it comes from, if freezing would
// not end well.
func (s *Session) checkFreeze(globals starlark.StringDict) (string, error) {
	fz := &freezer{seen: map[starlark.Value]bool{}, left: maxFreezeNodes}
	for _, name := range globals.Keys() {
		if err := fz.run(globals[name]); err != nil {
			return name, err
		}
	}
	s.thread.Steps += uint64((maxFreezeNodes - fz.left) / 16)
	return "", nil
}

type freezer struct {
	seen map[starlark.Value]bool // containers that would be frozen by now
	left int
}

// level is a value being frozen: what it holds, and how far that is done.
type level struct {
	elems []starlark.Value
	next  int
}

func (f *freezer) run(v starlark.Value) error {
	stack := []level{{elems: []starlark.Value{v}}}
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if top.next == len(top.elems) {
			stack = stack[:len(stack)-1]
			continue
		}
		v := top.elems[top.next]
		top.next++
		if f.left--; f.left < 0 {
			return fmt.Errorf("it holds too much to be frozen when its module ends")
		}
		elems := f.holds(v)
		if len(elems) == 0 {
			continue
		}
		if len(stack) >= maxFreezeDepth {
			if fn, ok := v.(*starlark.Function); ok {
				return fmt.Errorf("function %s holds itself, by what it refers to from the function around it", fn.Name())
			}
			return fmt.Errorf("it is nested too deep: more than %d levels", maxFreezeDepth)
		}
		stack = append(stack, level{elems: elems})
	}
	return nil
}

// holds lists what Freeze of a value calls Freeze on.
func (f *freezer) holds(v starlark.Value) []starlark.Value {
	switch v := v.(type) {
	case starlark.Tuple:
		return v
	case *starlark.List:
		if !f.enter(v) {
			return nil
		}
		elems := make([]starlark.Value, v.Len())
		for i := range elems {
			elems[i] = v.Index(i)
		}
		return elems
	case *starlark.Dict:
		if !f.enter(v) {
			return nil
		}
		elems := make([]starlark.Value, 0, 2*v.Len())
		for k, e := range v.Entries() {
			elems = append(elems, k, e)
		}
		return elems
	case *starlark.Set:
		if !f.enter(v) {
			return nil
		}
		var elems []starlark.Value
		for e := range v.Elements() {
			elems = append(elems, e)
		}
		return elems
	case *starlarkstruct.Struct:
		if !f.enter(v) {
			return nil
		}
		var elems []starlark.Value
		for _, name := range v.AttrNames() {
			if e, err := v.Attr(name); err == nil {
				elems = append(elems, e)
			}
		}
		return elems
	case *starlark.Function:
		var elems []starlark.Value
		for i := 0; i < v.NumParams(); i++ {
			if e := v.ParamDefault(i); e != nil {
				elems = append(elems, e)
			}
		}
		for i := 0; i < v.NumFreeVars(); i++ {
			if _, e := v.FreeVar(i); e != nil {
				elems = append(elems, e)
			}
		}
		return elems
	case *starlark.Builtin:
		if recv := v.Receiver(); recv != nil {
			return []starlark.Value{recv}
		}
	}
	return nil
}

func (f *freezer) enter(v starlark.Value) bool {
	if f.seen[v] {
		return false
	}
	f.seen[v] = true
	return true
}
