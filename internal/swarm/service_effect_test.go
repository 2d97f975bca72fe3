package swarm

import (
	"testing"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

func policy(kv ...value.Value) args { return args{"update": dict(kv...)} }

// with adds arguments to others.
func (a args) with(kv ...value.Value) args {
	out := args{}
	for k, v := range a {
		out[k] = v
	}
	for i := 0; i < len(kv); i += 2 {
		out[kv[i].(string)] = kv[i+1]
	}
	return out
}

func TestServiceEffect(t *testing.T) {
	four, hostPort := args{"replicas": int64(4)}, list(dict("target", int64(80), "published", int64(80), "mode", "host"))
	global := args{"mode": "global"}
	health := dict("cmd", list("CMD", "true"), "interval", "10s")
	const renewed = "image" // one that renews the tasks
	for _, test := range []struct {
		name    string
		was, is args
		in      []string // what differs
		runs    int64    // -1: as many as were asked for
		restart bool
		want    string
	}{
		{"labels only", four, four, []string{"labels"}, -1, false, "nothing restarts"},
		{"how it updates", four, four, []string{"update", "rollback"}, -1, false, "nothing restarts"},
		{"scaled up", four, args{"replicas": int64(6)}, []string{"replicas", "labels"}, -1, false, "in place, 2 tasks more"},
		{"scaled down", four, args{"replicas": int64(3)}, []string{"replicas"}, -1, false, "in place, 1 task fewer"},
		{"scaled to 0", four, args{"replicas": int64(0)}, []string{"replicas"}, -1, false, "INTERRUPTED: scaled to 0; its 4 tasks stop"},
		{"scaled to 0 where none runs", four, args{"replicas": int64(0)}, []string{"replicas"}, 0, false, "INTERRUPTED: scaled to 0"},
		{"scaled up from 0, and changed", args{"replicas": int64(0)}, four, []string{"replicas", renewed}, -1, false, "in place, 4 tasks more"},
		{"changed at 0", args{"replicas": int64(0)}, args{"replicas": int64(0)}, []string{renewed}, -1, false, "nothing restarts"},
		{"constraints", four, four, []string{"constraints"}, -1, false, "in place; tasks leave nodes that no longer match"},
		{"constraints and replicas", four, args{"replicas": int64(5)}, []string{"constraints", "replicas"}, -1, false, "in place, 1 task more; tasks leave nodes that no longer match"},

		{"one replica", args{}, args{}, []string{renewed}, -1, false, "INTERRUPTED about 2 s: one replica, stop-first"},
		{"one replica, replace_on", args{}, args{}, nil, -1, true, "INTERRUPTED about 2 s: one replica, stop-first"},
		{"one replica and constraints", args{}, args{}, []string{"constraints", "env"}, -1, false, "INTERRUPTED about 2 s: one replica, stop-first"},
		{"one replica that gets others", args{}, four, []string{"replicas", renewed}, -1, false, "INTERRUPTED about 2 s: one replica, stop-first"},
		{"one replica of four is left", four, args{}, []string{"replicas", renewed}, -1, false, "INTERRUPTED about 2 s: one replica is left, stop-first"},
		{"one replica with a check", args{}, args{"healthcheck": health}, []string{renewed}, -1, false, "INTERRUPTED about 12 s: one replica, stop-first"},
		{"one replica, as it is read", args{}, args{"healthcheck": dict("interval", "0s")}, []string{renewed}, -1, false, "INTERRUPTED about 2 s: one replica, stop-first"},
		{"all at once", four, four.with("update", dict("parallelism", int64(0))), []string{renewed}, -1, false, "INTERRUPTED about 2 s: all 4 replicas at once, stop-first"},
		{"more at once than there are", four, four.with("update", dict("parallelism", int64(9))), []string{renewed}, -1, false, "INTERRUPTED about 2 s: all 4 replicas at once, stop-first"},
		{"none runs", four, four, []string{renewed}, 0, false, "its tasks are renewed; none runs now"},

		{"one after the other", four, four, []string{renewed}, -1, false, "rolling, 1 at a time, about 13 s, no interruption"},
		{"two at a time", four, four.with("update", dict("parallelism", int64(2))), []string{"env"}, -1, false, "rolling, 2 at a time, about 9 s, no interruption"},
		{"two at a time of five", four, args{"replicas": int64(5)}.with("update", dict("parallelism", int64(2))), []string{"replicas", "env"}, -1, false, "rolling, 2 at a time, about 9 s, no interruption"},
		{"with a delay", four, four.with("update", dict("parallelism", int64(2), "delay", "10s")), []string{"env"}, -1, false, "rolling, 2 at a time, about 35 s, no interruption"},
		{"with a monitor", four, four.with("update", dict("parallelism", int64(2), "monitor", "200s")), []string{"env"}, -1, false, "rolling, 2 at a time, about 3 min 24 s, no interruption"},
		{"with a check", four, four.with("healthcheck", health), []string{"healthcheck"}, -1, false, "rolling, 1 at a time, about 53 s, no interruption"},
		{"with host ports", four, four.with("ports", hostPort), []string{"env"}, -1, false, "rolling, 1 at a time, about 13 s, no interruption but of each node's host port 80 in turn"},
		{"start-first", args{}, policy("order", "start-first"), []string{"env"}, -1, false, "rolling, 1 at a time, about 7 s, no interruption"},
		{"start-first with host ports", args{}, policy("order", "start-first").with("ports", hostPort), []string{"env"}, -1, false, "rolling, 1 at a time, about 7 s, no interruption; host port 80 moves to nodes where it is free"},

		{"global", global, global, []string{renewed}, 3, false, "rolling, 1 at a time, about 11 s, no interruption"},
		{"global on one node", global, global, []string{renewed}, 1, false, "INTERRUPTED about 2 s: one node, stop-first"},
		{"global, all at once", global, global.with("update", dict("parallelism", int64(0))), []string{renewed}, 3, false, "INTERRUPTED about 2 s: all 3 nodes at once, stop-first"},
		{"global, labels", global, global, []string{"labels"}, 3, false, "nothing restarts"},
		{"a job", args{"mode": "replicated-job"}, args{"mode": "replicated-job"}, []string{"labels"}, -1, false, "the job runs again"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var list []schema.Change
			for _, name := range test.in {
				f, _ := ServiceSchema.Field(name)
				list = append(list, schema.Change{Field: f, Path: name})
			}
			if got := serviceEffect(liveWith(t, test.was, test.runs), declared(t, test.is), list, test.restart); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// What goes, and what is made anew.
func TestServiceEnding(t *testing.T) {
	job := args{"mode": "replicated-job"}
	for _, test := range []struct {
		was  args
		anew bool
		runs int64
		want string
	}{
		{args{}, false, -1, "its task stops"},
		{args{"replicas": int64(3)}, false, 2, "its 2 tasks stop"},
		{args{"replicas": int64(3)}, false, 0, ""},
		{job, false, -1, ""},
		{args{}, true, -1, "INTERRUPTED about 2 s: deleted, then made anew"},
		{args{}, true, 0, ""},
		{job, true, -1, "the job runs again"},
	} {
		if got := serviceEnding(liveWith(t, test.was, test.runs), test.anew); got != test.want {
			t.Errorf("%v, anew %t, %d run: got %q, want %q", test.was, test.anew, test.runs, got, test.want)
		}
	}
}

func declared(t *testing.T, a args) value.Struct {
	t.Helper()
	return declare(t, a.with("name", "web", "image", "a"))
}

func liveWith(t *testing.T, a args, runs int64) *resource.Object {
	t.Helper()
	svc := &swarm.Service{}
	if runs >= 0 {
		svc.ServiceStatus = &swarm.ServiceStatus{RunningTasks: uint64(runs)}
	}
	return &resource.Object{Kind: "service", Name: "web", Args: declared(t, a), Native: svc}
}
