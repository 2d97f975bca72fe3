package ui

import (
	"encoding/json"
	"io"
	"strconv"

	"github.com/swarmscript/swarmscript/internal/operate"
	"github.com/swarmscript/swarmscript/internal/plan"
)

// ProjectStatus is what `swarmscript status` shows.
type ProjectStatus struct {
	Project  string
	Where    string // what was looked at: "swarm.main: 3 nodes, 4 services"
	Services []operate.ServiceStatus
	Nodes    []operate.NodeStatus
	Plan     *plan.Plan // nil without a script, or where there is no plan
	NoPlan   error      // why there is none
}

// Fine reports whether there is nothing to look at.
func (s *ProjectStatus) Fine() bool {
	for i := range s.Services {
		if !s.Services[i].Fine() {
			return false
		}
	}
	for _, n := range s.Nodes {
		if n.Down {
			return false
		}
	}
	return s.NoPlan == nil && (s.Plan == nil || s.Plan.Empty() && len(s.Plan.Owed())+len(s.Plan.Unreachable) == 0)
}

// Status writes it for one screen: a line for each service, and below it what
// is wrong; nodes only where there is something to say; drift as a plan would
// count it.
func Status(w io.Writer, s *ProjectStatus, style Style) error {
	o := &statusPrinter{out{w: w, Style: style}}
	title := s.Project
	if title != "" {
		title += ": "
	}
	o.in(bold, clean(title+s.Where))
	o.endLine()
	o.endLine()
	width, count := 0, 0
	for _, svc := range s.Services {
		width = max(width, textWidth(clean(svc.Name)))
		count = max(count, len(ratio(svc)))
	}
	for _, svc := range s.Services {
		o.service(svc, width, count)
	}
	for _, n := range s.Nodes {
		o.str("  ")
		color := plain
		if n.Down {
			color = red
		}
		o.in(color, clean("node "+n.Name+" ("+n.Role+") is "+n.Text))
		o.endLine()
	}
	if len(s.Services)+len(s.Nodes) > 0 {
		o.endLine()
	}
	o.drift(s)
	o.flush()
	return o.err
}

type statusPrinter struct{ out }

func ratio(s operate.ServiceStatus) string {
	return strconv.Itoa(s.Running) + "/" + strconv.Itoa(s.Desired)
}

func (o *statusPrinter) service(s operate.ServiceStatus, width, count int) {
	color, word := green, "running"
	if s.Job {
		word = "completed"
	}
	switch {
	case len(s.Problems) > 0:
		color = red
	case s.Waits != "":
		color = yellow
	}
	o.str("  ")
	o.pad(clean(s.Name), width)
	o.spaces(2)
	o.in(color, string(appendPadded(nil, ratio(s), count))+" "+word)
	if s.Waits != "" && len(s.Problems) == 0 {
		o.str("   " + clean(s.Waits))
	}
	o.endLine()
	for _, p := range s.Problems {
		o.detailIn(6, p)
	}
}

// mostDrift bounds the resources that are named: the plan shows them all.
const mostDrift = 6

func (o *statusPrinter) drift(s *ProjectStatus) {
	switch {
	case s.NoPlan != nil:
		o.note(red, "no plan: ", clean(firstLine(s.NoPlan))+" (swarmscript plan says more)")
		return
	case s.Plan == nil:
		return
	}
	var names []string
	for _, c := range s.Plan.Changes {
		if c.Changes() {
			names = append(names, c.Action.Sign()+" "+clean(c.Address.Short()))
		}
	}
	for _, out := range outages(s.Plan.Unreachable) {
		o.note(red, "unreachable: ", out.scopes+": "+firstLine(out.err))
	}
	for _, w := range s.Plan.Warnings {
		o.note(yellow, "warning: ", clean(w.Summary))
	}
	var owed []string
	for _, c := range s.Plan.Owed() {
		owed = append(owed, clean(c.Address.Short()))
	}
	if len(owed) > 0 {
		o.note(red, "has not passed in the last apply: ", several(owed, mostDrift)+" (swarmscript check asks again)")
	}
	if len(names) == 0 {
		o.line("What is live is as the script says.")
		return
	}
	o.note(yellow, "not as the script says: ", several(names, mostDrift))
	o.line("swarmscript plan shows it; swarmscript apply makes it so.")
}

// StatusJSON writes it as one JSON object:
//
//	project     "shop/staging", "" without a script
//	fine        whether there is nothing to look at: the exit code is then 0
//	services[]  swarm, name, project, mode, running, desired, job, problems[], waits
//	nodes[]     those to look at: swarm, name, role, text, down
//	drift[]     what a plan would change: {address, actions}; absent without a script
//	checks[]    the addresses of those that have not passed in the last apply
//	unreachable scope: why
//	error       why there is no plan
func StatusJSON(w io.Writer, s *ProjectStatus) error {
	type drift struct {
		Address string   `json:"address"`
		Actions []string `json:"actions"`
	}
	doc := struct {
		Project     string                  `json:"project"`
		Fine        bool                    `json:"fine"`
		Services    []operate.ServiceStatus `json:"services"`
		Nodes       []operate.NodeStatus    `json:"nodes"`
		Drift       []drift                 `json:"drift,omitempty"`
		Checks      []string                `json:"checks,omitempty"`
		Unreachable map[string]string       `json:"unreachable,omitempty"`
		Error       string                  `json:"error,omitempty"`
	}{
		Project: s.Project, Fine: s.Fine(),
		Services: append([]operate.ServiceStatus{}, s.Services...), Nodes: append([]operate.NodeStatus{}, s.Nodes...),
	}
	if s.NoPlan != nil {
		doc.Error = s.NoPlan.Error()
	}
	if s.Plan != nil {
		doc.Unreachable = map[string]string{}
		for addr, err := range s.Plan.Unreachable {
			doc.Unreachable[addr] = err.Error()
		}
		for _, c := range s.Plan.Owed() {
			doc.Checks = append(doc.Checks, string(c.Address))
		}
		for _, c := range s.Plan.Changes {
			if c.Changes() {
				d := drift{Address: string(c.Address)}
				if err := json.Unmarshal([]byte(actionsJSON[c.Action]), &d.Actions); err != nil {
					return err
				}
				doc.Drift = append(doc.Drift, d)
			}
		}
	}
	return PrettyJSON(w, doc)
}
