package ui

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/operate"
)

// Tasks writes a table of tasks, what is wrong with one in full below it. The
// columns that would say the same in every line are left out.
func Tasks(w io.Writer, tasks []operate.Task, now time.Time, style Style) error {
	swarms, projects := map[string]bool{}, map[string]bool{}
	for _, t := range tasks {
		swarms[t.Swarm], projects[t.Project] = true, true
	}
	table := Table{Head: []string{"TASK", "NODE", "DESIRED", "CURRENT", "IMAGE"}}
	if len(projects) > 1 {
		table.Head = append([]string{"PROJECT"}, table.Head...)
	}
	if len(swarms) > 1 {
		table.Head = append([]string{"SWARM"}, table.Head...)
	}
	for _, t := range tasks {
		name := t.Name
		if t.Past {
			name = ` \_ ` + name // as docker shows it
		}
		cells := []string{name, orDash(t.Node), t.Desired, t.State + " " + ago(now, t.Since), t.Image}
		if len(projects) > 1 {
			cells = append([]string{orDash(t.Project)}, cells...)
		}
		if len(swarms) > 1 {
			cells = append([]string{orDash(t.Swarm)}, cells...)
		}
		row := Row{Cells: cells, Bad: t.Bad, Old: t.Past}
		if t.Error != "" {
			row.Below = []string{taskError(t)}
		}
		table.Rows = append(table.Rows, row)
	}
	return WriteTable(w, table, style)
}

func taskError(t operate.Task) string {
	if !t.Past && t.Failures > 1 && !strings.HasPrefix(t.Error, "before: ") {
		return fmt.Sprintf("%s (%d tasks of this slot failed)", t.Error, t.Failures)
	}
	return t.Error
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// ago says how long ago a time was, as roughly as docker does.
func ago(now, t time.Time) string {
	d := max(now.Sub(t), 0) // two clocks
	switch {
	case t.IsZero():
		return ""
	case d < time.Second:
		return "just now"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}
