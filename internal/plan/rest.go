package plan

import (
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// A change of a machine may switch it off for a while. What is made by it, as a node
// of a swarm is, rests meanwhile: what runs on it runs elsewhere before. So that
// there is an elsewhere, machines do that one after another.

// rests finds what rests while machines are changed.
func (b *builder) rests() {
	for _, c := range b.plan.Changes {
		if c.Decl == nil || c.Decl.On == "" || c.Live == nil || c.Action.Drops() || c.Blocked != "" {
			continue
		}
		if _, ok := c.Kind.Handler.(resource.Rester); !ok {
			continue
		}
		for in := value.Address(c.Decl.On); in != ""; in = value.Address(b.livesIn(in)) {
			if machine := b.changes[in]; machine != nil && switchesOff(machine) {
				machine.Rests = append(machine.Rests, c.Address)
				machine.Effect += "; " + c.Address.Short() + " is drained before, and takes tasks again after"
			}
		}
	}
}

func switchesOff(c *Change) bool {
	return c.Kind.Opens != "" && c.Action == Update && c.Blocked == "" && strings.HasPrefix(c.Effect, resource.Interrupted)
}

// linkRests lets machines be switched off one after another, of one swarm.
func (b *builder) linkRests(do map[value.Address]*Node) {
	last := map[string]*Node{}
	for _, c := range b.plan.Changes {
		var scopes []string
		for _, a := range c.Rests {
			scopes = append(scopes, b.changes[a].Scope)
		}
		slices.Sort(scopes)
		for _, scope := range slices.Compact(scopes) {
			do[c.Address].after(last[scope])
			last[scope] = do[c.Address]
		}
	}
}
