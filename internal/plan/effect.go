package plan

import (
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// effects says of each step what it does to what runs, once it is settled what
// the steps are.
func (b *builder) effects() {
	byLive := make(map[*resource.Object]*Change, len(b.plan.Changes))
	for _, c := range b.plan.Changes {
		if c.Live != nil {
			byLive[c.Live] = c
		}
	}
	for _, c := range b.plan.Changes {
		if c.Live == nil || c.Blocked != "" || c.Action != Update && c.Action != Replace && c.Action != Delete {
			continue
		}
		if c.Kind.Effect != nil {
			s := resource.Step{Live: c.Live, Changes: c.Fields, Anew: c.Action == Replace, Restart: c.Restart}
			if c.Action != Delete {
				s.Args = c.Args
			}
			c.Effect = c.Kind.Effect(s)
		}
		if c.Kind.Busy && c.Action != Update {
			c.Effect = b.effectOnUsers(c, byLive)
		}
	}
}

// effectOnUsers says what becomes of those who use what is replaced or deleted,
// and cannot be while they do.
func (b *builder) effectOnUsers(c *Change, byLive map[*resource.Object]*Change) string {
	ix := b.index[c.Scope]
	if ix == nil {
		return ""
	}
	var anew, leave []value.Address
	for _, o := range ix.usersOf(c.Live.ID) {
		switch u := byLive[o]; {
		case u == nil || u.Action == Delete:
		case u.Action == Replace:
			anew = append(anew, u.Address)
		default:
			leave = append(leave, u.Address)
		}
	}
	switch {
	case len(anew) > 0:
		return resource.Interrupted + ": it takes " + names(anew) + " with it"
	case len(leave) > 0:
		return "after " + names(leave) + " let go of it"
	}
	return ""
}

// names joins short addresses, sorted.
func names(list []value.Address) string {
	var out []string
	for _, a := range list {
		out = append(out, a.Short())
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), ", ")
}
