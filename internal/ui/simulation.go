package ui

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/lab/whatif/outcome"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Simulation writes as text what a plan does to what runs: of each service where
// its tasks land, how long that takes and what is interrupted, and what waits for
// a node.
func Simulation(w io.Writer, reports []*outcome.Report, style Style) error {
	o := &out{w: w, Style: style}
	o.endLine()
	if len(reports) == 0 {
		o.line("Simulated: nothing that runs changes.")
	}
	for i, r := range reports {
		if i > 0 {
			o.endLine()
		}
		o.report(r)
	}
	o.flush()
	return o.err
}

func (o *out) report(r *outcome.Report) {
	o.str("Simulated in " + clean(r.Swarm))
	if r.Seconds > 0 {
		o.str(", about " + about(r.Seconds))
	}
	o.line(":")
	if len(r.Services) == 0 {
		o.line("  no task starts, stops or moves")
	}
	width := 0
	for i := range r.Services {
		width = max(width, textWidth(simulatedName(&r.Services[i])))
	}
	for i := range r.Services {
		o.simulated(&r.Services[i], min(width, maxColumn))
	}
	if nodes := changedNodes(r.Nodes); nodes != "" {
		o.line("  tasks on the nodes: " + nodes)
	}
	if r.Cut {
		o.line("  the simulation was ended before the swarm had settled: it shows how far it came")
	}
	for _, a := range r.Assumptions {
		o.line("  assumed: " + clean(a))
	}
}

func simulatedName(s *outcome.Service) string {
	if s.Address == "" {
		return "service " + clean(s.Name)
	}
	return clean(value.Address(s.Address).Short())
}

// simulated is a service: a line, and one for each reason to wait.
func (o *out) simulated(s *outcome.Service, width int) {
	o.str("  ")
	o.pad(simulatedName(s), width)
	o.str(fmt.Sprintf("  %d -> %d", s.Before, s.After))
	if where := shares(s); where != "" {
		o.str(": " + where)
	}
	if how := howItGoes(s); how != "" {
		o.str("; " + how)
	}
	if text := availability(s); text != "" {
		o.str(", ")
		color := plain
		if s.Interrupted > 0 || s.Down {
			color = red
		}
		o.in(color, text)
	}
	o.endLine()
	note := func(color, text string) {
		o.str("      ")
		o.in(color, clean(text))
		o.endLine()
	}
	if s.Refused != "" {
		note(red, "refused: "+s.Refused)
	}
	if s.NotReached != "" {
		note(red, "not reached: "+value.Address(s.NotReached).Short()+" does not converge")
	}
	if s.Stuck {
		note(red, "stuck: its update waits for a task that has no node, and never ends")
	}
	for _, text := range waiting(s.Pending) {
		note(yellow, text)
	}
}

// mostShares bounds the nodes that a line names.
const mostShares = 8

// shares says on which nodes there are more or fewer tasks than before.
func shares(s *outcome.Service) string {
	var parts []string
	for _, n := range s.Nodes {
		if n.Before != n.After {
			parts = append(parts, fmt.Sprintf("%s %d -> %d", clean(n.Node), n.Before, n.After))
		}
	}
	switch {
	case len(parts) == 0 && s.Before > 0 && s.After > 0:
		return "nodes as before"
	case len(parts) > mostShares:
		parts = append(parts[:mostShares], fmt.Sprintf("%d more nodes", len(parts)-mostShares))
	}
	return strings.Join(parts, ", ")
}

// howItGoes says in which way, and how long it takes.
func howItGoes(s *outcome.Service) string {
	var parts []string
	switch {
	case s.Renewed > 0 && s.AtATime < s.Renewed:
		parts = append(parts, fmt.Sprintf("rolling, %d at a time", s.AtATime))
	case s.Renewed > 1:
		parts = append(parts, fmt.Sprintf("all %d renewed at once", s.Renewed))
	case s.Renewed == 1:
		parts = append(parts, "1 task renewed")
	}
	if s.Moved > 0 {
		what := "tasks move"
		if s.Moved == 1 {
			what = "task moves"
		}
		parts = append(parts, fmt.Sprintf("%d %s", s.Moved, what))
	}
	if s.Seconds > 0 {
		parts = append(parts, "about "+about(s.Seconds))
	}
	return strings.Join(parts, ", ")
}

func availability(s *outcome.Service) string {
	switch {
	case s.Down:
		return "DOWN in the end"
	case s.Interrupted > 0:
		return "INTERRUPTED about " + about(s.Interrupted)
	case strings.HasSuffix(s.Mode, "-job"), s.Before == 0, s.After == 0:
		return ""
	case s.Renewed+s.Moved == 0:
		return ""
	case s.Fewest < s.Before:
		return fmt.Sprintf("no interruption, at least %d of %d run", s.Fewest, s.Before)
	default:
		return "no interruption"
	}
}

// waiting names the tasks that have no node, by the reason.
func waiting(list []outcome.Pending) []string {
	var reasons []string
	tasks := map[string][]string{}
	for _, p := range list {
		if !slices.Contains(reasons, p.Why) {
			reasons = append(reasons, p.Why)
		}
		tasks[p.Why] = append(tasks[p.Why], p.Task)
	}
	var out []string
	for _, why := range reasons {
		names := tasks[why]
		if len(names) > mostShares {
			names = append(names[:mostShares:mostShares], fmt.Sprintf("%d more", len(names)-mostShares))
		}
		out = append(out, "pending: "+strings.Join(names, ", ")+": "+why)
	}
	return out
}

// changedNodes are those that have another number of tasks, or come or go.
func changedNodes(nodes []outcome.Node) string {
	var parts []string
	for _, n := range nodes {
		text := fmt.Sprintf("%s %d -> %d", clean(n.Name), n.Before, n.After)
		switch {
		case n.Joins:
			text += " (joins)"
		case n.Leaves:
			text += " (leaves)"
		case n.Stuck:
			text += " (cannot be drained: its tasks have no other node)"
		case n.Before == n.After:
			continue
		}
		parts = append(parts, text)
	}
	if len(parts) > mostShares {
		parts = append(parts[:mostShares], fmt.Sprintf("%d more", len(parts)-mostShares))
	}
	return strings.Join(parts, ", ")
}

// about is a time for a person, of seconds as JSON has them.
func about(seconds float64) string {
	return resource.About(time.Duration(seconds * float64(time.Second)))
}
