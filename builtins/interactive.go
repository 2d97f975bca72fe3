package builtins

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// An interactive session declares in many inputs. What an earlier one declared
// may be declared anew, and the new takes its place; twice in one input is a
// mistake, as in a script. An input that fails declares nothing.

// Next begins another input of a session.
func (r *Recorder) Next() {
	earlier := r.recorded.clone()
	r.earlier = &earlier
	r.inputs.earlier = slices.Clone(r.inputs.outputs)
}

// Undo takes back what was declared since [Recorder.Next].
func (r *Recorder) Undo() {
	if r.earlier == nil {
		return
	}
	r.recorded, r.earlier = *r.earlier, nil
	in := r.inputs
	in.outputs, in.earlier = in.earlier, nil
	in.byName = map[string]int{}
	for i, o := range in.outputs {
		in.byName[o.Name] = i
	}
}

// Current returns the program as it is now. It is not changed by later inputs.
func (r *Recorder) Current() (*resource.Program, diag.List) {
	now := &Recorder{inputs: &Inputs{outputs: slices.Clone(r.inputs.outputs)}, kinds: r.kinds, recorded: r.recorded.clone()}
	copies := map[*resource.Declaration]*resource.Declaration{}
	for i, d := range now.program.Declarations {
		c := *d
		c.After = slices.Clone(d.After)
		copies[d], now.program.Declarations[i] = &c, &c
	}
	for addr, d := range now.declared {
		now.declared[addr] = copies[d]
	}
	for d := range r.lookups {
		now.lookups[copies[d]] = true
	}
	for d, user := range r.found {
		now.found[copies[d]] = user
	}
	for d := range r.founders {
		now.founders[copies[d]] = true
	}
	for name, d := range now.renamed {
		now.renamed[name] = copies[d]
	}
	return now.Program()
}

// Undeclare takes back the declaration of an address, in full or short. What
// others refer to stays.
func (r *Recorder) Undeclare(address string) (value.Address, error) {
	addr, problem := r.find(address)
	if problem != nil {
		return "", problem
	}
	d := r.declared[addr]
	var users []string
	var founders []*resource.Declaration // the node of a swarm's own host goes with it
	for _, other := range r.program.Declarations {
		refers := other.Scope == string(addr) || other.On == string(addr) || slices.Contains(other.After, addr) ||
			slices.ContainsFunc(other.Refs(), func(ref value.Ref) bool { return ref.Address == addr })
		if refers && r.founders[other] && other.Scope == string(addr) {
			founders = append(founders, other)
		} else if refers && other != d {
			users = append(users, other.Address.Short())
		}
	}
	for _, o := range r.inputs.outputs {
		value.Refs(o.Value, func(ref value.Ref) {
			if ref.Address == addr {
				users = append(users, "output "+o.Name)
			}
		})
	}
	if len(users) > 0 {
		return "", &diag.Diagnostic{
			Summary: fmt.Sprintf("%s is used by %s", addr.Short(), strings.Join(slices.Compact(users), ", ")),
			Hint:    "undeclare, or declare anew, those first",
		}
	}
	for _, gone := range append(founders, d) {
		r.forget(gone)
		r.program.Declarations = slices.DeleteFunc(r.program.Declarations, func(o *resource.Declaration) bool { return o == gone })
	}
	r.swarms = slices.DeleteFunc(r.swarms, func(h *Handle) bool { return h.decl == d })
	if r.implicit != nil && r.implicit.decl == d {
		r.implicit, r.used = nil, nil
	}
	delete(r.scopes, string(addr))
	return addr, nil
}

// forget takes a declaration out of all that finds it, but leaves its place in
// the program.
func (r *Recorder) forget(d *resource.Declaration) {
	delete(r.declared, d.Address)
	delete(r.callers, d)
	delete(r.lookups, d)
	delete(r.found, d)
	delete(r.founders, d)
	maps.DeleteFunc(r.renamed, func(_ liveName, o *resource.Declaration) bool { return o == d })
	r.short = nil
}

// Observed returns the program to look around with, whether or not it could be
// planned. Where it names no scope it has the one that declarations would go to:
// the environment's engine and the swarm it is in.
func (r *Recorder) Observed() *resource.Program {
	if len(r.scopes) > 0 {
		p, _ := r.Current()
		return p
	}
	look := &Recorder{inputs: &Inputs{}, kinds: r.kinds, recorded: r.recorded.clone()}
	look.existingSwarm(&call{})
	p, _ := look.Current()
	return p
}

func (r *Recorder) isEarlier(d *resource.Declaration) bool {
	return r.earlier != nil && r.earlier.declared[d.Address] == d
}

func (r *Recorder) isEarlierScope(s *resource.Scope) bool {
	return r.earlier != nil && r.earlier.scopes[s.Address] == s
}

func (r *Recorder) isEarlierLogin(l *resource.Login) bool {
	return r.earlier != nil && slices.Contains(r.earlier.logins, l)
}

func (r *Recorder) isEarlierProject() bool {
	return r.earlier != nil && r.earlier.project == r.project
}

func (in *Inputs) isEarlier(o Output) bool {
	return slices.ContainsFunc(in.earlier, func(e Output) bool { return e.Name == o.Name && e.Pos == o.Pos })
}

// clone copies what a later declaration would change.
func (r recorded) clone() recorded {
	r.program.Declarations = slices.Clone(r.program.Declarations)
	r.program.Scopes = nil // made anew by Program
	r.declared = maps.Clone(r.declared)
	r.renamed = maps.Clone(r.renamed)
	r.scopes = maps.Clone(r.scopes)
	r.callers = maps.Clone(r.callers)
	r.lookups = maps.Clone(r.lookups)
	r.found = maps.Clone(r.found)
	r.founders = maps.Clone(r.founders)
	r.swarms = slices.Clone(r.swarms)
	r.moves = slices.Clone(r.moves)
	r.logins = slices.Clone(r.logins)
	r.short = nil
	return r
}
