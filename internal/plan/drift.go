package plan

import (
	"github.com/swarmscript/swarmscript/internal/value"
)

// OnlyLook makes a plan one that changes nothing: what it would do is its
// drift, and its outputs are those of what is live.
func (p *Plan) OnlyLook() {
	byAddress := make(map[value.Address]*Change, len(p.Changes))
	var rest []*Change
	for _, c := range p.Changes {
		if byAddress[c.Address] == nil {
			byAddress[c.Address] = c
		}
		if c.Changes() {
			p.Drift = append(p.Drift, c)
			continue
		}
		still := *c
		still.Unsettled = "" // nothing is waited for
		if still.Action == Check {
			still.Action, still.Reason = NoOp, "" // nor asked
		}
		rest = append(rest, &still)
	}
	p.Changes, p.Graph, p.Owes = rest, &Graph{}, nil
	p.Outputs = nil
	for _, o := range p.Program.Outputs {
		o.Value = value.Resolve(o.Value, func(r value.Ref) (value.Value, bool) { return liveOutput(byAddress[r.Address], r.Output) })
		p.Outputs = append(p.Outputs, o)
	}
}

// liveOutput is an output of a resource as it is.
func liveOutput(c *Change, output string) (value.Value, bool) {
	if c == nil || c.Live == nil {
		return nil, false
	}
	as := *c
	as.Action, as.Args, as.Name = NoOp, c.Live.Args, c.Live.Name
	return Known(&as, output)
}
