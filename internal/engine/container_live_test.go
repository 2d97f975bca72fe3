package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// What Docker can change in place changes in place: the process goes on.
func TestContainerInPlace(t *testing.T) {
	onRigs(t, func(r *rig) {
		r.e.Docker("network", "create", "--subnet", "10.91.0.0/24", "n1")
		r.e.Docker("network", "create", "--subnet", "10.92.0.0/24", "n2")
		a := args{"name": "live", "image": "swarmtest/web:1"}
		r.apply("live", declare(r, a))
		started := func() string { return r.e.Docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", "live") }
		before := started()
		for _, step := range []struct {
			diff    string
			changes []value.Value
		}{
			{"restart", []value.Value{"restart", "on-failure:3"}},
			{"restart", []value.Value{"restart", "always"}},
			{"restart", []value.Value{"restart", nil}},
			{"cpu_shares memory", []value.Value{"memory", "64m", "cpu_shares", int64(512)}},
			{"memory", []value.Value{"memory", "128m"}},
			{"memory memory_reservation", []value.Value{"memory", "96m", "memory_reservation", "32m"}},
			{"cpus", []value.Value{"cpus", 0.5}},
			{"cpus", []value.Value{"cpus", 0.75}},
			{"cpuset_cpus", []value.Value{"cpuset_cpus", "0"}},
			{"cpuset_mems", []value.Value{"cpuset_mems", "0"}},
			{"pids_limit", []value.Value{"pids_limit", int64(100)}},
			{"pids_limit", []value.Value{"pids_limit", nil}},
			{"networks", []value.Value{"networks", seq("bridge", "n1")}},
			{"networks", []value.Value{"networks", seq(dict("network", "n1", "aliases", seq("a", "b"), "ip", "10.91.0.9"), "n2")}},
			{"networks", []value.Value{"networks", seq(dict("network", "n1", "aliases", seq("c")), "n2")}},
			{"networks", []value.Value{"networks", nil}},
		} {
			a = a.with(step.changes...)
			want := declare(r, a)
			if got := r.diff("live", want); got != step.diff {
				r.Errorf("%v: the plan shows %q, want %q", step.changes, got, step.diff)
			}
			r.apply("live", want)
		}
		if started() != before {
			r.Error("the process was not left alone")
		}
		r.remove("live")

		// With a swap limit of its own, that changes in place too.
		b := args{"name": "swap", "image": "swarmtest/web:1", "memory": "64m", "memory_swap": "128m", "cpu_period": int64(50000), "cpu_quota": int64(25000)}
		r.apply("swap", declare(r, b))
		b = b.with("memory", "96m", "memory_swap", "200m", "cpu_period", int64(60000), "cpu_quota", int64(30000))
		if got := r.diff("swap", declare(r, b)); got != "cpu_period cpu_quota memory memory_swap" {
			r.Errorf("the plan shows %q", got)
		}
		r.apply("swap", declare(r, b))
		for _, change := range []struct {
			want string
			kv   []value.Value
		}{
			{"!memory_swap", []value.Value{"memory_swap", nil}},
			{"!cpus !cpu_period !cpu_quota", []value.Value{"cpus", 0.5, "cpu_period", nil, "cpu_quota", nil}},
			{"!state", []value.Value{"state", "completed"}},
		} {
			if got := r.diff("swap", declare(r, b.with(change.kv...))); got != change.want {
				r.Errorf("%v: the plan shows %q, want %q", change.kv, got, change.want)
			}
		}
	})
}

// A container is brought back whatever was done to it by hand.
func TestContainerDrift(t *testing.T) {
	onRigs(t, func(r *rig) {
		r.e.Docker("network", "create", "n1")
		a := args{"name": "web", "image": "swarmtest/web:1", "memory": "64m", "cpus": 0.5, "restart": "on-failure:2", "networks": seq(dict("network", "n1", "aliases", seq("w")))}
		want := declare(r, a)
		r.apply("web", want)
		for _, step := range []struct{ byHand, diff string }{
			{"update --memory 32m --memory-swap 32m web", "memory"},
			{"update --cpus 1 --pids-limit 9 web", "cpus pids_limit"},
			{"update --cpu-shares 9 --memory-reservation 9m --cpuset-cpus 0 --restart always web", "restart !cpu_shares !cpuset_cpus !memory_reservation"},
			{"network disconnect n1 web", "networks"},
			{"network connect bridge web", "networks"},
			{"stop --time 1 web", "state"},
			{"kill web", "state"},
			{"pause web", "state"},
		} {
			r.e.Docker(strings.Fields(step.byHand)...)
			if got := r.diff("web", want); got != step.diff {
				r.Errorf("docker %s: the plan shows %q, want %q", step.byHand, got, step.diff)
			}
			if strings.Contains(step.diff, "!") {
				r.remove("web")
			}
			r.apply("web", want)
		}
		r.e.Docker("rename", "web", "other")
		if r.live("web") != nil || r.live("other").Mark.Address != "container.web" {
			r.Error("a renamed container is not found by its mark")
		}
		req := r.request("web", want)
		req.Live = r.live("other")
		if _, err := (containerHandler{}).Update(context.Background(), r.conn, req); err != nil {
			r.Fatal(err)
		}
		r.same("web", want, "renamed back")
	})
}

// What a container is doing decides when a step is done, and what is said when
// it goes wrong.
func TestContainerSettles(t *testing.T) {
	onRigs(t, func(r *rig) {
		for _, test := range []struct {
			name string
			args args
			want []string // nothing where it goes well
		}{
			{"ends", args{"image": "swarmtest/fail:1"}, []string{"does not run", "exited (1)", "last lines of its log:", "Database is uninitialized"}},
			{"loops", args{"image": "swarmtest/fail:1", "restart": "always"}, []string{"does not stay up: Docker has started it 3 times again", "exited (1)"}},
			{"done", args{"command": "exit 0"}, []string{"ended with 0, and shall run", `state = "completed"`}},
			{"job", args{"command": "exit 0", "state": "completed"}, nil},
			{"badjob", args{"command": "exit 3", "state": "completed"}, []string{"does not run", "exited (3)"}},
			{"healthy", args{"image": "swarmtest/health:1"}, nil},
			{"sick", args{"image": "swarmtest/health:1", "env": dict("UNHEALTHY", "1")}, []string{"is unhealthy", "its health check exited with 1", "unhealthy"}},
			{"typo", args{"entrypoint": "/nosuch"}, []string{"it was made, but does not start", "/nosuch"}},
			{"stopped", args{"state": "stopped", "image": "swarmtest/fail:1"}, nil},
			{"weight", args{"blkio_weight": int64(300)}, []string{"is not what was asked for", "blkio_weight: asked for 300, Docker made it 0"}},
			{"noimage", args{"image": "127.0.0.1:1/nosuch:1"}, []string{"pull 127.0.0.1:1/nosuch:1", "refused"}},
			{"never", args{"image": "swarmtest/nosuch:1", "pull": "never"}, []string{"o such image"}},
		} {
			a := args{"name": test.name, "image": "swarmtest/web:1", "stop_timeout": "1s"}
			for k, v := range test.args {
				a[k] = v
			}
			err := r.try(test.name, declare(r, a))
			switch {
			case test.want == nil && err != nil:
				r.Errorf("%s: %v", test.name, err)
			case test.want != nil:
				contains(r, err, test.want...)
			default:
				r.same(test.name, declare(r, a), test.name)
			}
		}
		// A job that failed runs again; one that has ended well does not.
		if got := r.diff("badjob", declare(r, args{"name": "badjob", "image": "swarmtest/web:1", "command": "exit 3", "state": "completed", "stop_timeout": "1s"})); got != "state" {
			r.Errorf("a failed job shows as %q", got)
		}
		if o := r.live("sick"); o.Unsettled != "unhealthy" {
			r.Errorf("an unhealthy container is %q", o.Unsettled)
		}

		// The time that a step has is the time that it takes.
		slow := declare(r, args{"name": "slow", "image": "swarmtest/sleep:1", "state": "completed"})
		req := r.request("slow", slow)
		o, err := containerHandler{}.Create(context.Background(), r.conn, req)
		if err != nil {
			r.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err = containerHandler{}.Settle(ctx, r.conn, req, o)
		contains(r, err, "did not converge in 1s")
		if !errors.As(err, new(*resource.NotConverged)) {
			r.Errorf("got %T", err)
		}
	})
}

// The stop signal and its time are a container's own, and its anonymous volumes
// outlive it.
func TestContainerRemoved(t *testing.T) {
	onRigs(t, func(r *rig) {
		r.apply("deaf", declare(r, args{"name": "deaf", "image": "swarmtest/web:1", "stop_signal": "SIGHUP", "stop_timeout": "1s", "volumes": seq("/data", "named:/named")}))
		r.e.Docker("pause", "deaf")
		volumes := len(strings.Fields(r.e.Docker("volume", "ls", "--quiet")))
		r.remove("deaf")
		if got := len(strings.Fields(r.e.Docker("volume", "ls", "--quiet"))); got != volumes || volumes != 2 {
			r.Errorf("%d of %d volumes are left", got, volumes)
		}
	})
}

func TestJudge(t *testing.T) {
	running := container.State{Running: true, Status: container.StateRunning, StartedAt: "2026-01-01T00:00:00Z"}
	before := func(s container.State) *resource.Object {
		return &resource.Object{Native: &liveContainer{inspect: container.InspectResponse{ContainerJSONBase: &container.ContainerJSONBase{State: &s}}}}
	}
	other := running
	other.StartedAt = "2025-01-01T00:00:00Z"
	restarting := container.State{Running: true, Restarting: true, Status: container.StateRestarting, ExitCode: 1}
	for _, test := range []struct {
		name     string
		state    container.State
		restarts int
		want     string
		before   *resource.Object
		watched  time.Duration
		over     bool
		why      string
	}{
		{"just started", running, 0, stateRunning, nil, 0, false, ""},
		{"stayed up", running, 0, stateRunning, nil, proveTime, true, ""},
		{"ran before", running, 0, stateRunning, before(running), 0, true, ""},
		{"ran before, restarted often then", running, 9, stateRunning, before(running), 0, true, ""},
		{"was started again", running, 0, stateRunning, before(other), 0, false, ""},
		{"restarts", restarting, 1, stateRunning, nil, time.Hour, false, ""},
		{"restarts for ever", restarting, 3, stateRunning, before(restarting), 0, true, "does not stay up: Docker has started it 3 times again"},
		{"shall stop", running, 0, stateStopped, before(running), 0, false, ""},
		{"job runs", running, 0, stateCompleted, nil, time.Hour, false, ""},
	} {
		c := &container.InspectResponse{ContainerJSONBase: &container.ContainerJSONBase{State: &test.state, RestartCount: test.restarts}}
		if over, why := judge(c, test.want, test.before, test.watched); over != test.over || why != test.why {
			t.Errorf("%s: got %v %q", test.name, over, why)
		}
	}
}

// What a person reads of a container that does not run, or not as it shall.
func TestContainerEnds(t *testing.T) {
	healthy := func(status string) *container.Health { return &container.Health{Status: status} }
	for _, test := range []struct {
		state     container.State
		given     given
		end       string
		unsettled string
		is        string
	}{
		{container.State{Status: container.StateCreated}, nil, "created, not started", "", stateStopped},
		{container.State{Status: container.StateExited, ExitCode: 137, OOMKilled: true}, nil, "exited (137), out of memory", "", stateStopped},
		{container.State{Status: container.StateCreated, ExitCode: 128, Error: "port is already allocated"}, nil, "port is already allocated", "", stateStopped},
		{container.State{Status: container.StateRestarting, Running: true, Restarting: true, ExitCode: 1}, nil, "exited (1)", "restarting: exited (1)", stateRunning},
		{container.State{Status: container.StateRunning, Running: true, Health: healthy(container.Unhealthy)}, nil, "exited (0)", "unhealthy", stateRunning},
		{container.State{Status: container.StateRunning, Running: true, Health: healthy(container.Starting)}, nil, "exited (0)", "not healthy yet", stateRunning},
		{container.State{Status: container.StateRunning, Running: true, Health: healthy(container.Healthy)}, nil, "exited (0)", "", stateRunning},
		{container.State{Status: container.StatePaused, Running: true, Paused: true}, nil, "exited (0)", "", "paused"},
		{container.State{Status: container.StateRunning, Running: true}, given{"state:completed"}, "exited (0)", "still runs", stateCompleted},
		{container.State{Status: container.StateExited}, given{"state:completed"}, "exited (0)", "", stateCompleted},
		{container.State{Status: container.StateExited, ExitCode: 2}, given{"state:completed"}, "exited (2)", "", stateStopped},
	} {
		s := &test.state
		if end, why, is := endText(s), unsettled(s, test.given), stateOf(s, test.given); end != test.end || why != test.unsettled || is != test.is {
			t.Errorf("%+v: got %q, %q, %q", test.state, end, why, is)
		}
	}
}
