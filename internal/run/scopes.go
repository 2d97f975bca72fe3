package run

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/host"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// without is the state of a scope whose parent was not reached.
func (v *view) without(s *resource.Scope) *plan.ScopeState {
	absent := &plan.ScopeState{Scope: s, Status: plan.Absent}
	root := ""
	for _, addr := range v.within(s) {
		outer := v.scopes[addr]
		if outer != nil && outer.State.Status == plan.Unreachable {
			root = addr
		}
		if outer != nil && outer.State.Off {
			absent.Off, absent.Err = true, fmt.Errorf("%s: %w", addr, outer.State.Err)
		}
	}
	if root != "" {
		return unreachable(s, fmt.Errorf("%s cannot be reached: %w", root, resource.ErrUnreachable))
	}
	return absent
}

// inside returns a scope and those that lie in it, the innermost first.
func (v *view) inside(addr string) []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	depth := map[string]int{}
	for other, s := range v.scopes {
		outer := v.within(s.State.Scope)
		if other == addr || slices.Contains(outer, addr) {
			depth[other] = len(outer)
		}
	}
	out := slices.Sorted(maps.Keys(depth))
	slices.SortStableFunc(out, func(a, b string) int { return depth[b] - depth[a] })
	return out
}

// within returns the scopes that a scope lies in, the innermost first: of a swarm
// its engine, of that its host.
func (v *view) within(s *resource.Scope) []string {
	var out []string
	for addr := s.Address; ; {
		parent := v.parentOf(v.entries[addr])
		if d := v.opener(&resource.Scope{Address: addr}); d != nil {
			parent = d.Scope
		}
		if parent == "" || slices.Contains(out, parent) {
			return out
		}
		out, addr = append(out, parent), parent
	}
}

// scope returns a scope by its address, nil where there is none.
func (v *view) scope(addr string) *apply.Scope {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.scopes[addr]
}

func (v *view) states() map[string]*plan.ScopeState {
	out := make(map[string]*plan.ScopeState, len(v.scopes))
	for addr, s := range v.scopes {
		out[addr] = s.State
	}
	return out
}

// hashKey is the first that there is, for scopes that keep none of their own.
func (v *view) hashKey() []byte {
	for _, addr := range slices.Sorted(maps.Keys(v.scopes)) {
		if o := v.scopes[addr].State.Obs; o != nil && o.Ledger.HashKey != nil {
			return o.Ledger.HashKey
		}
	}
	return nil
}

// leasers are the scopes whose lease an apply takes, in an order that all
// applies share: the swarms by their IDs, and engines that are in none.
func (v *view) leasers() []leaser {
	var all []leaser
	inSwarm, swarms := map[resource.Conn]bool{}, false
	for _, s := range v.scopes {
		swarms = swarms || s.State.Scope.Type == "swarm" && s.State.Status == plan.Present
		if parent := v.parent(s.State.Scope); parent != nil && s.State.Status == plan.Present {
			inSwarm[parent.Conn] = true
		}
	}
	for addr, s := range v.scopes {
		store, ok := s.Conn.(resource.Leaser)
		if !ok || s.State.Status != plan.Present || inSwarm[s.Conn] {
			continue
		}
		switch t := s.State.Scope.Type; {
		case swarms && t != "engine" && t != "swarm":
			continue // who works on the project's machines asks its swarm
		case t == "engine" && s.State.Scope.Config == nil:
			continue // or the machine that the engine is on
		}
		all = append(all, leaser{leaseName(s.State.Scope, v.scopeID(addr)), store})
	}
	slices.SortFunc(all, func(a, b leaser) int { return strings.Compare(a.name, b.name) })
	return all
}

// leaseName names what keeps a lease: a scope by the ID of what opens it.
func leaseName(s *resource.Scope, id string) string { return s.Type + " " + id }

// scopeID is the ID of the object that opens a scope, or its address.
func (v *view) scopeID(addr string) string {
	if id := v.ids[addr]; id != "" {
		return id
	}
	s := v.scopes[addr].State.Scope
	if parent := v.parent(s); parent != nil && parent.State.Obs != nil {
		if o, _ := v.openerObject(s, parent); o != nil {
			return o.ID
		}
	}
	return addr
}

// twins finds machines that the script declares under two names: what is declared
// of one would be undone for the other, and neither could have the lease.
func (v *view) twins() error {
	var problems diag.List
	first := map[string]*resource.Scope{}
	for _, s := range v.program.Scopes {
		conn, ok := v.scopes[s.Address].Conn.(*host.Conn)
		if !ok || v.scopes[s.Address].State.Obs == nil || conn.Facts() == nil || conn.Facts().Running == "" {
			continue
		}
		running := conn.Facts().Running
		if other := first[running]; other != nil {
			problems = append(problems, &diag.Diagnostic{
				Pos: s.Pos, Summary: fmt.Sprintf("%s is the same machine as %s", s.Address, other.Address),
				Detail:  "declare a machine once, and give its handle wherever it is meant",
				Related: []diag.Note{{Pos: other.Pos, Text: "the first is here"}},
			})
			continue
		}
		first[running] = s
	}
	return problems.Err()
}

// summary says in a line what was looked at. Of machines and their engines, only
// those that do not answer have a name: there may be hundreds.
func (v *view) summary() string {
	var parts []string
	there, coming, off := 0, 0, 0
	for _, addr := range slices.Sorted(maps.Keys(v.scopes)) {
		st := v.scopes[addr].State
		machine := st.Scope.Type == "host"
		nested := machine || st.Scope.Type == "engine" && st.Scope.Config == nil
		switch {
		case st.Status == plan.Unreachable:
			if outer := v.within(st.Scope); !nested || len(outer) == 0 || v.scopes[outer[0]].State.Status == plan.Present {
				parts = append(parts, addr+" (unreachable)")
			}
		case machine && st.Status == plan.Present:
			there++
		case machine && st.Off:
			off++
		case machine:
			coming++
		case nested || (st.Scope.Type == "local" || st.Scope.Type == "lab") && st.Status == plan.Present:
		case st.Off:
			parts = append(parts, addr+" (does not run)")
		case st.Status == plan.Absent:
			parts = append(parts, addr+" (does not exist yet)")
		default:
			parts = append(parts, addr+" ("+st.Obs.Summary+")")
		}
	}
	if total := there + coming + off; total > 0 {
		text := fmt.Sprintf("%d machines", total)
		if total == 1 {
			text = "1 machine"
		}
		var but []string
		if coming > 0 {
			but = append(but, fmt.Sprintf("%d not there yet", coming))
		}
		if off > 0 {
			but = append(but, fmt.Sprintf("%d powered off", off))
		}
		if but != nil {
			text += " (" + strings.Join(but, ", ") + ")"
		}
		parts = append([]string{text}, parts...)
	}
	return strings.Join(parts, ", ")
}
