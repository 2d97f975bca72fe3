package run

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/operate"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// On several nodes: tasks are spread anew over a node that came back, a command
// finds the engine of its container or says which it is, and a node that is
// down is told.
func TestStoryRebalance(t *testing.T) {
	t.Parallel()
	s := testengine.StartSwarm(t, 1, 2)
	s.Images()
	f := newFixture(t, s.Managers[0])
	worker := s.Workers[1]
	f.Script(`svc("spread_web", replicas = 4, update = update_policy(parallelism = 0, monitor = "100ms"))
svc("spread_all", mode = "global")`)
	f.Docker("node", "update", "--availability", "drain", worker.Hostname)
	f.Apply()
	l := f.Attach()
	var nothing *operate.ErrNothing
	if _, err := operate.Rebalance(f.Context(), l.service(f, "spread_web")); !errors.As(err, &nothing) {
		t.Errorf("it is spread over those that take tasks: %v", err)
	}
	f.Docker("node", "update", "--availability", "active", worker.Hostname)

	a, err := operate.Rebalance(f.Context(), l.service(f, "spread_web"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "all tasks start anew so that 1 can move: mgr-0 2"; !strings.HasPrefix(a.Reason, want) || !strings.Contains(a.Reason, worker.Hostname+" 0 -> 1") {
		t.Errorf("it says %q", a.Reason)
	}
	acts, _ := f.act(l, a, nil)
	if len(acts.Warnings) > 0 || !acts.Interrupts() {
		t.Errorf("warnings %q, interrupts %t", acts.Warnings, acts.Interrupts())
	}
	if _, err := operate.Rebalance(f.Context(), l.service(f, "spread_web")); !errors.As(err, &nothing) {
		t.Errorf("again: %v", err)
	}
	f.PlanIsEmpty()

	states, err := l.States(f.Context())
	if err != nil {
		t.Fatal(err)
	}
	there := "" // a task on the worker
	for _, row := range operate.Tasks([]*operate.Service{l.service(f, "spread_web")}, false) {
		if row.Node == worker.Hostname {
			there = row.Name
		}
	}
	_, err = operate.Locate(f.Context(), states, l.Engines, there)
	if err == nil || !strings.Contains(detail(err), there+" on "+worker.Hostname+" ("+worker.Addr+")") || !strings.Contains(detail(err), "DOCKER_HOST=ssh://USER@"+worker.Addr) {
		t.Errorf("a task of another node: %v", err)
	}
	everywhere := "spread_all." + worker.Hostname
	_, err = operate.Locate(f.Context(), states, l.Engines, everywhere)
	if err == nil || !strings.Contains(detail(err), "there is "+everywhere+" on "+worker.Hostname+" ("+worker.Addr+")") {
		t.Errorf("a global service's task on another node: %v", err)
	}
	if target, err := operate.Locate(f.Context(), states, l.Engines, "spread_web"); err != nil || target.Task == there {
		t.Errorf("any task: %v, %v", target, err)
	}
	f.Script(`
engine("` + worker.Host + `", name = "other")
svc("spread_all", mode = "global")
svc("spread_web", replicas = 4, update = update_policy(parallelism = 0, monitor = "100ms"))`)
	l = f.Attach()
	target, err := operate.Locate(f.Context(), states, l.Engines, there)
	if err != nil || target.Task != there {
		t.Fatalf("with its engine in the script: %v, %v", target, err)
	}
	if code, err := operate.Exec(f.Context(), target, operate.ExecOptions{Command: []string{"/swarmtest", "exit", "9"}, Stdout: &f.said, Stderr: &f.said}); code != 9 || err != nil {
		t.Errorf("exit code %d, %v", code, err)
	}

	worker.Kill()
	for begun := time.Now(); ; time.Sleep(time.Second) {
		states, err := f.Attach().States(f.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, nodes := operate.Status(states); len(nodes) == 1 && nodes[0].Down && nodes[0].Name == worker.Hostname && strings.HasPrefix(nodes[0].Text, "down: ") {
			break
		}
		if time.Since(begun) > 3*time.Minute {
			t.Fatal("nobody tells that the node is down")
		}
	}
}
