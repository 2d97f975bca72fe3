package plan

// Going returns the scopes that a plan would take away or make anew, each with
// what it lives in, those on a machine that is not to run, and those that would stop
// being what another scope is reached through: whose object there goes, or changes.
func Going(in Input) map[string]bool {
	b := newBuilder(in)
	b.moves()
	b.renew()
	if !in.Options.Destroy {
		b.ordered = b.order()
		for _, d := range b.ordered {
			b.declare(d)
		}
	}
	b.claim()
	b.prune()
	going := map[string]bool{}
	for addr := range b.idle {
		going[addr] = true
	}
	for addr := range b.index {
		if addr != "" && (b.goes(addr) || b.anew(addr)) {
			going[addr] = true
		}
	}
	for _, c := range b.deletes {
		if on := c.Live.Mark.On; on != "" && !c.Ends {
			going[on] = true
		}
	}
	for a, c := range b.changes {
		if d := b.decls[a]; d.On != "" && c.Action == Update && d.Kind.StepsDown != nil && d.Kind.StepsDown(c.Fields) {
			going[d.On] = true
		}
	}
	return going
}
