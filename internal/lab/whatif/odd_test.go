package whatif

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"
)

func being(s swarm.NodeState) func(*swarm.Node) {
	return func(n *swarm.Node) { n.Status.State = s }
}

func job(completions, concurrent uint64) func(*swarm.ServiceSpec) {
	return func(s *swarm.ServiceSpec) {
		s.Mode = swarm.ServiceMode{ReplicatedJob: &swarm.ReplicatedJob{MaxConcurrent: &concurrent, TotalCompletions: &completions}}
	}
}

// Live swarms are not always in order. What is odd in one neither ends a simulation
// nor keeps it from ending.
func TestOddSwarms(t *testing.T) {
	grow := func(in *Input) *Input { return in.create(spec("new", 2)) }
	const grown = "new 0 -> 2: a 0 -> 1, b 0 -> 1, in 6 s"
	never := func(s *swarm.ServiceSpec) { s.TaskTemplate.RestartPolicy = &swarm.RestartPolicy{Condition: "none"} }
	// ends is a service whose last task is in another state.
	ends := func(in *Input, s swarm.TaskState, change func(*swarm.Task)) *Input {
		last := &in.Tasks[len(in.Tasks)-1]
		last.Status.State = s
		if change != nil {
			change(last)
		}
		return in
	}
	jobs := func(in *Input) *Input {
		last := &in.Services[len(in.Services)-1]
		last.JobStatus = &swarm.JobStatus{}
		for i := range in.Tasks {
			in.Tasks[i].JobIteration, in.Tasks[i].DesiredState = &swarm.Version{}, swarm.TaskStateComplete
		}
		return in
	}
	tests := []struct {
		name string
		in   *Input
		want string
	}{
		{"a node that is down", grow((&Input{Nodes: append(nodes("a b"), node("c", being(swarm.NodeStateDown)))}).live(spec("web", 2), "a b")), grown},
		{"a node of which nothing is known, and a task that is being made there", grow(ends((&Input{Nodes: append(nodes("a b"), node("c", being(swarm.NodeStateUnknown)))}).live(spec("web", 1), "c"), swarm.TaskStatePreparing, nil)), grown},
		{"a node that is disconnected", grow((&Input{Nodes: append(nodes("a b"), node("c", being(swarm.NodeStateDisconnected)))}).live(spec("web", 1), "c")), grown},
		{"a paused node keeps its tasks", grow((&Input{Nodes: append(nodes("a b"), node("c", func(n *swarm.Node) { n.Spec.Availability = swarm.NodeAvailabilityPause }))}).live(spec("web", 1), "c")), grown},
		{"a task on a node that is not there", grow(swarmOf("a b").live(spec("web", 2), "a gone")), grown},
		{"a task of a service that is not there", grow(&Input{Nodes: nodes("a b"), Tasks: []swarm.Task{{ID: "x", ServiceID: "y", NodeID: "id-a", Status: swarm.TaskStatus{State: "running"}}}}), grown},
		{"a task in a state of later times", grow(ends(swarmOf("a b").live(spec("web", 2), "a b"), "floating", nil)), "new 0 -> 2: a 0 -> N, b 0 -> N, in 6 s"},
		{"a task that failed and is not started again", grow(ends(swarmOf("a b").live(spec("web", 2, never), "a b"), swarm.TaskStateFailed, nil)), "new 0 -> 2: a 0 -> N, b 0 -> N, in 6 s"},
		{"a job that runs where it is drained", grow(jobs((&Input{Nodes: append(nodes("a b"), node("c", drained))}).live(spec("job", 1, job(1, 1)), "c"))), grown},
		{"a job that runs on a node that is down", grow(jobs((&Input{Nodes: append(nodes("a b"), node("c", being(swarm.NodeStateDown)))}).live(spec("job", 1, job(1, 1)), "c"))), grown},
		{"a job that has completed", grow(ends(jobs(swarmOf("a b").live(spec("job", 1, job(1, 1)), "a")), swarm.TaskStateComplete, nil)), grown},
		{"a plugin's service", grow(&Input{Nodes: nodes("a b"), Services: []swarm.Service{{ID: "p", Spec: swarm.ServiceSpec{TaskTemplate: swarm.TaskSpec{PluginSpec: nil, Runtime: swarm.RuntimePlugin}}}}}), grown},
		{"an update that is paused", grow(func() *Input {
			in := swarmOf("a b").live(spec("web", 2), "a b")
			in.Services[0].UpdateStatus = &swarm.UpdateStatus{State: swarm.UpdateStatePaused}
			in.Tasks[0].Spec.ForceUpdate = 7
			return in
		}()), grown},
		{"cluster volumes are left out", swarmOf("a b").create(spec("web", 1, func(s *swarm.ServiceSpec) {
			s.TaskTemplate.ContainerSpec.Mounts = []mount.Mount{{Type: mount.TypeCluster, Source: "vol", Target: "/data"}}
		})), "web 0 -> 1: N 0 -> 1, in 6 s"},
		{"a constraint that is none", swarmOf("a").create(spec("web", 1, demands("nonsense"))),
			"web 0 -> 0: refused: constraint expected one operator from ==, !="},
		{"a node that is down leaves", (&Input{Nodes: append(nodes("a"), node("c", being(swarm.NodeStateDown)))}).live(spec("web", 1), "c").step(Step{Node: &NodeStep{Address: "node.c", ID: "id-c"}}), ""},
		{"no node", grow(&Input{}), "new 0 -> 0: new.1: no suitable node, new.2: no suitable node"},
		{"services that are not there", swarmOf("a").remove("web"), " 0 -> 0: refused: service id-web not found"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, got := simulate(t, tt.in)
			if !matchN(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// A simulation ends when it is cancelled, and by itself when it takes too long.
func TestEnds(t *testing.T) {
	in := swarmOf("a b").live(spec("web", 20), "a b a b a b a b a b a b a b a b a b a b").update(spec("web", 20, image("app:2")))
	in.Limit = 500 * time.Millisecond
	r, err := Simulate(t.Context(), *in)
	if err != nil || !r.Cut {
		t.Errorf("%v, %+v", err, r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Simulate(ctx, *in); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
	loop := swarmOf("a").create(spec("x", 1)).create(spec("y", 1))
	loop.Steps[0].After = []int{1}
	if _, err := Simulate(t.Context(), *loop); err == nil {
		t.Error("steps that wait for each other are taken")
	}
}
