package plan

import (
	"fmt"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Status is what is known of a scope.
type Status int

const (
	Present     Status = iota // it answered
	Absent                    // it does not exist: whoever opens it says so
	Unreachable               // it did not answer, which is not the same as absent
)

// ScopeState is a scope and what was observed in it.
type ScopeState struct {
	Scope  *resource.Scope
	Status Status
	Obs    *resource.Observation // where Present
	// Off is set on an Absent scope whose machine, or engine, is there and does not
	// run: what is in it is compared again when it does.
	Off bool
	Err error // where Unreachable, or Off
}

// off returns the machine, or engine, that a scope lies on where that does not
// run, and will not after this plan; "" otherwise.
func (b *builder) off(scope string) string {
	machine := ""
	for in := scope; in != "" && b.index[in] != nil && b.index[in].State.Off; in = b.livesIn(value.Address(in)) {
		machine = in
	}
	// One that is still being made, or started, is waited for.
	if c := b.changes[value.Address(machine)]; machine == "" || c != nil && (c.Changes() || c.Unsettled != "") {
		return ""
	}
	return machine
}

// turnOff notes that a machine is not to run: what is in it is left as it is. Nothing
// is known of that any more, whatever was seen of it.
func (b *builder) turnOff(machine value.Address) {
	for addr, ix := range b.index {
		for in := addr; in != ""; in = b.livesIn(value.Address(in)) {
			if in == string(machine) {
				st := &ScopeState{Scope: ix.State.Scope, Status: Absent, Off: true, Err: fmt.Errorf("%s %w", machine, resource.ErrOff)}
				b.index[addr], b.idle[addr] = NewIndex(st, b.in.Program.Project), machine
				b.plan.Off[addr] = true
				break
			}
		}
	}
}

// leave reports whether a declaration is about what is on a machine that is not to
// run, or needs to know something of that, and leaves it as it is.
func (b *builder) leave(d *resource.Declaration, ch *Change) bool {
	why := b.idle[d.Scope]
	if why == "" && ch != nil && d.On != "" && ch.Action == Create {
		why = b.idle[d.On]
	}
	text := why.Short() + " is not to run"
	if why == "" && ch != nil && (d.Kind.Verify != nil || !value.Known(ch.Args)) {
		for _, r := range d.Refs() {
			if c := b.changes[r.Address]; c != nil && c.Left != "" {
				why, text = r.Address, c.Left
			}
		}
	}
	if why == "" {
		return false
	}
	b.changes[d.Address] = &Change{Address: d.Address, Kind: d.Kind, Scope: d.Scope, Decl: d, Args: d.Args, Left: text}
	return true
}

// onState is what a scope that makes an object will be when the object is
// decided about: one that is made anew is nothing yet.
func (b *builder) onState(on string) *ScopeState {
	st := b.index[on].State
	if b.anew(on) {
		return &ScopeState{Scope: st.Scope, Status: Absent}
	}
	return st
}

// anew reports whether a scope comes to be in this plan, with what opens it or
// with what that lives in. What is on a machine that is powered off is there, and
// is compared when it runs. It is asked for each of many declarations in one
// scope, once what opens that is decided.
func (b *builder) anew(scope string) bool {
	known, asked := b.fresh[scope]
	if asked {
		return known
	}
	for a := value.Address(scope); a != "" && !known; a = value.Address(b.livesIn(a)) {
		c := b.changes[a]
		known = c != nil && (c.Action == Replace || c.Action == Create && !b.isOff(c.Scope))
	}
	b.fresh[scope] = known
	return known
}

// isOff reports whether a scope is there, and powered off.
func (b *builder) isOff(scope string) bool { return b.index[scope] != nil && b.index[scope].State.Off }

// futureAPI is the API that a scope will speak which does not exist yet: that
// of where it is going to be opened.
func (b *builder) futureAPI(scope string) string {
	opener := b.decls[value.Address(scope)]
	if opener == nil {
		return ""
	}
	if ix := b.index[opener.Scope]; ix != nil && ix.State.Obs != nil {
		return ix.State.Obs.API
	}
	return b.futureAPI(opener.Scope)
}
