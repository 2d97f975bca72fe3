package plan

// Restrict blocks every step of a plan that would delete or replace what an
// earlier plan, the one a person approved, did not show. The other steps stay:
// a creation, an update or a no-op may have become any of the others since.
func Restrict(now, shown *Plan) {
	type key struct {
		address string
		id      string
	}
	allowed := map[key]Action{}
	for _, c := range shown.Changes {
		if c.Live != nil && (c.Action == Delete || c.Action == Replace) {
			allowed[key{string(c.Address), c.Live.ID}] = c.Action
		}
	}
	for _, c := range now.Changes {
		if c.Action != Delete && c.Action != Replace || c.Blocked != "" {
			continue
		}
		switch was, ok := allowed[key{string(c.Address), c.Live.ID}]; {
		case !ok && c.Action == Delete:
			c.Blocked = "it would now be deleted"
		case !ok || was != c.Action:
			c.Blocked = "it would now be replaced"
		}
	}
}
