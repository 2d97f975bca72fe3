package plan

import (
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// effects says of each replacement and deletion what it does to what runs, once
// it is settled what the steps are. Of updates, [Decide] has said it; what rests
// meanwhile is added.
func (b *builder) effects() {
	byLive := make(map[*resource.Object]*Change, len(b.plan.Changes))
	for _, c := range b.plan.Changes {
		if c.Live != nil {
			byLive[c.Live] = c
		}
	}
	for _, c := range b.plan.Changes {
		if c.Outage != nil {
			c.Effect += c.Outage.tell()
		}
		if c.Live == nil || c.Blocked != "" || c.Action != Replace && c.Action != Delete {
			continue
		}
		switch {
		case c.Ends: // with all else
		case c.Kind.Ending != nil:
			c.Effect = c.Kind.Ending(c.Live, c.Action == Replace)
		case c.Kind.Busy:
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
