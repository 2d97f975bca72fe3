package operate

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/swarm"

	swarmkind "github.com/swarmscript/swarmscript/internal/swarm"
)

// Task is a row of `swarmscript ps`.
type Task struct {
	Swarm   string    `json:"swarm,omitempty"`
	Project string    `json:"project,omitempty"` // whose it is, "" where nobody's of ours
	Service string    `json:"service"`
	Name    string    `json:"name"` // web.1; in global mode web.NODE
	ID      string    `json:"id"`
	Image   string    `json:"image"` // without its digest
	Node    string    `json:"node"`  // "" while it has none
	Desired string    `json:"desired_state"`
	State   string    `json:"current_state"`
	Since   time.Time `json:"since"`
	// Error is what the swarm or the engine says, in full; of a task on its way
	// that takes the place of failed ones, how those ended.
	Error    string `json:"error,omitempty"`
	Failures int    `json:"failures,omitempty"` // of its slot's tasks that the swarm remembers
	ExitCode int    `json:"exit_code,omitempty"`
	// Past is set on a task that another has taken the place of.
	Past bool `json:"past,omitempty"`
	// Bad is set where somebody should look at it.
	Bad bool `json:"-"`

	slot int
}

// Tasks returns the tasks of services: of each slot the current one, the bad
// ones first, then by service and slot; with history also those before it.
func Tasks(services []*Service, history bool) []Task {
	var out []Task
	for _, s := range services {
		out = append(out, s.rows(history)...)
	}
	worst := map[string]bool{} // slots: a task stays with those before it
	key := func(t *Task) string { return t.Swarm + "\x00" + t.Service + "\x00" + t.Name }
	for i := range out {
		if out[i].Bad {
			worst[key(&out[i])] = true
		}
	}
	slices.SortStableFunc(out, func(a, b Task) int {
		return cmp.Or(
			-cmp.Compare(rank(worst[key(&a)]), rank(worst[key(&b)])),
			strings.Compare(a.Swarm, b.Swarm), strings.Compare(a.Service, b.Service),
			cmp.Compare(a.slot, b.slot), strings.Compare(a.Name, b.Name),
			rank(a.Past)-rank(b.Past), b.Since.Compare(a.Since),
		)
	})
	return out
}

func rank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// rows are the tasks of one service.
func (s *Service) rows(history bool) []Task {
	slots := map[string][]swarm.Task{} // newest first
	for _, t := range s.Tasks {
		k := strconv.Itoa(t.Slot) + " "
		if t.Slot == 0 && s.Spec.Mode.ReplicatedJob == nil {
			k += t.NodeID
		}
		slots[k] = append(slots[k], t)
	}
	var out []Task
	for _, tasks := range slots {
		slices.SortFunc(tasks, func(a, b swarm.Task) int {
			return cmp.Or(rank(over(&a))-rank(over(&b)), b.CreatedAt.Compare(a.CreatedAt))
		})
		if !history && s.scaledAway(tasks) {
			continue
		}
		failed := failures(tasks)
		for i := range tasks {
			if i > 0 && !history {
				break
			}
			row := s.row(&tasks[i])
			row.Past = i > 0
			if i == 0 {
				row.Failures = len(failed)
				row.Bad = isBad(&tasks[0], len(failed))
				if t := &tasks[0]; row.Error == "" && len(failed) > 0 && t.Status.State != swarm.TaskStateRunning && !swarmkind.Ended(t) {
					row.Error = fmt.Sprintf("before: %s (%s)", failed[0].text, times(len(failed)))
				}
			}
			out = append(out, row)
		}
	}
	return out
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// over reports whether nothing is expected of a task any more.
func over(t *swarm.Task) bool {
	return swarmkind.Ended(t) || t.DesiredState == swarm.TaskStateShutdown || t.DesiredState == swarm.TaskStateRemove
}

// scaledAway reports whether a slot is not wanted any more: what is left of it
// is history.
func (s *Service) scaledAway(tasks []swarm.Task) bool {
	newest := &tasks[0]
	if newest.DesiredState == swarm.TaskStateRemove {
		return true
	}
	m := s.Spec.Mode.Replicated
	return over(newest) && m != nil && m.Replicas != nil && uint64(newest.Slot) > *m.Replicas
}

type failed struct{ text string }

// failures are the ends of a slot's failed tasks, the last first.
func failures(tasks []swarm.Task) []failed {
	var out []failed
	for i := range tasks {
		switch tasks[i].Status.State {
		case swarm.TaskStateFailed, swarm.TaskStateRejected:
			out = append(out, failed{swarmkind.FailureText(&tasks[i])})
		}
	}
	return out
}

// isBad reports whether a slot's newest task asks for a person.
func isBad(t *swarm.Task, failures int) bool {
	switch t.Status.State {
	case swarm.TaskStateRunning, swarm.TaskStateComplete:
		return false
	case swarm.TaskStateFailed, swarm.TaskStateRejected, swarm.TaskStateOrphaned:
		return true
	case swarm.TaskStateShutdown:
		return false
	}
	return t.Status.Err != "" || failures > 0
}

func (s *Service) row(t *swarm.Task) Task {
	st := s.State
	row := Task{
		Swarm: st.Swarm.Address, Project: s.Mark.Project, Service: s.Spec.Name, ID: t.ID,
		Name: swarmkind.TaskName(&s.Service, t, st.Host), Node: "",
		Desired: string(t.DesiredState), State: string(t.Status.State), Since: t.Status.Timestamp,
		Error: strings.TrimPrefix(t.Status.Err, "task: "), slot: t.Slot,
	}
	if t.NodeID != "" {
		row.Node = st.Host(t.NodeID)
	}
	if c := t.Spec.ContainerSpec; c != nil {
		row.Image, _, _ = strings.Cut(c.Image, "@")
	}
	if c := t.Status.ContainerStatus; c != nil {
		row.ExitCode = c.ExitCode
	}
	return row
}
