package swarm

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/testengine"
	"github.com/swarmscript/swarmscript/internal/value"
)

var quickly = dict("monitor", "500ms")

// settle applies and waits, and returns the error and the last progress.
func (r *rig) settle(name string, a value.Struct, change ...func(*resource.Request)) (resource.Progress, error) {
	r.Helper()
	req, h := r.request(name, a), serviceHandler{}
	for _, f := range change {
		f(req)
	}
	var last resource.Progress
	req.Progress = func(p resource.Progress) { last = p }
	var o *resource.Object
	var err error
	if req.Live == nil {
		o, err = h.Create(context.Background(), r.conn, req)
	} else {
		o, err = h.Update(context.Background(), r.conn, req)
	}
	if err != nil {
		r.Fatal(err)
	}
	err = h.Settle(context.Background(), r.conn, req, o)
	return last, err
}

func (r *rig) converges(name string, a value.Struct, change ...func(*resource.Request)) resource.Progress {
	r.Helper()
	began := time.Now()
	last, err := r.settle(name, a, change...)
	if err != nil {
		r.Errorf("%s: %v", name, err)
	}
	r.Logf("%s converged in %s", name, time.Since(began).Round(10*time.Millisecond))
	return last
}

func TestServiceSettles(t *testing.T) {
	for _, v := range engines {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, v)
			testengine.Images(r.e)
			var wg sync.WaitGroup // t.Parallel would allow as many as there are cores; these only wait
			for name, test := range map[string]func(*rig){
				"lifecycle": testLifecycle, "failing": testFailing, "rollback": testRollback, "paused": testPaused,
				"global": testGlobal, "unschedulable": testUnschedulable, "many": testMany, "jobs": testJobs,
			} {
				wg.Go(func() {
					t.Run(name, func(t *testing.T) {
						test(&rig{t, r.e.In(t), r.conn, r.api})
					})
				})
			}
			wg.Wait()
		})
	}
}

func testLifecycle(r *rig) {
	r.e.Docker("network", "create", "--driver=overlay", "back")
	base := args{
		"name": "web", "image": testengine.Web1, "replicas": int64(2), "networks": list("back"), "update": dict("monitor", "500ms", "parallelism", int64(0)),
		"stop_grace_period": "1s", "restart": dict("delay", "100ms"), "endpoint_mode": "dnsrr",
	}
	a := declare(r, base)
	p := r.converges("web", a)
	if p.Done != 2 || p.Total != 2 {
		r.Errorf("progress %+v, want 2 of 2", p)
	}
	r.same("web", a, "running")
	if o := r.live("web"); o.Unsettled != "" || len(o.Uses) != 1 {
		r.Errorf("unsettled %q, uses %q", o.Unsettled, o.Uses)
	}
	tasks := func() string { return r.e.Docker("service", "ps", "--quiet", "--filter=desired-state=running", "web") }
	was := tasks()

	base["labels"] = dict("k", "v")
	a = declare(r, base)
	r.converges("web", a)
	if tasks() != was {
		r.Error("a label restarted tasks")
	}
	base["replicas"] = int64(3)
	r.converges("web", declare(r, base))
	if got := tasks(); len(strings.Fields(got)) != 3 {
		r.Errorf("tasks: %s", got)
	}
	base["image"] = testengine.Web2
	a = declare(r, base)
	r.converges("web", a)
	if got := r.e.Docker("service", "ps", "--format={{.Image}}", "--filter=desired-state=running", "web"); strings.Count(got, "web:2") != 3 {
		r.Errorf("running:\n%s", got)
	}
	was = tasks()
	r.converges("web", a, func(q *resource.Request) { q.Restart = true })
	if tasks() == was {
		r.Error("Restart renewed nothing")
	}
	r.same("web", a, "restarted")

	// Somebody else wrote in between.
	stale := r.request("web", declare(r, base))
	r.e.Docker("service", "update", "--detach", "--no-resolve-image", "--label-add=x=y", "web")
	if _, err := (serviceHandler{}).Update(context.Background(), r.conn, stale); !errors.Is(err, resource.ErrConflict) {
		r.Errorf("a stale update: %v, want ErrConflict", err)
	}
	if o := r.live("web"); strings.Join(o.Mark.Owned()["labels"], " ") != "k" {
		r.Errorf("owned %q", o.Mark.Owned())
	}
	r.same("web", a, "somebody's label")
	if _, err := (serviceHandler{}).Create(context.Background(), r.conn, stale); !errors.Is(err, resource.ErrExists) {
		r.Errorf("a second create: %v, want ErrExists", err)
	}
	q := r.request("web", a)
	q.Args = nil
	if err := (serviceHandler{}).Delete(context.Background(), r.conn, q); err != nil {
		r.Error(err)
	}
	if err := (serviceHandler{}).Delete(context.Background(), r.conn, q); err != nil {
		r.Errorf("a second delete: %v", err)
	}
	r.e.Docker("network", "rm", "back")
}

func failure(r *rig, err error) *resource.NotConverged {
	r.Helper()
	var nc *resource.NotConverged
	if !errors.As(err, &nc) {
		r.Fatalf("got %v, want NotConverged", err)
	}
	r.Logf("%s", nc)
	return nc
}

func contains(r *rig, text string, parts ...string) {
	r.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			r.Errorf("%q is not in:\n%s", p, text)
		}
	}
}

// proved makes a service's tasks run only once they are healthy. Without it, on a
// busy computer, a program seems to be well for as long as it takes to fail.
var proved = dict("cmd", list("CMD", "/swarmtest", "health"), "interval", "500ms", "timeout", "30s")

func testFailing(r *rig) {
	a := declare(r, args{"name": "db", "image": testengine.Fail, "healthcheck": proved, "update": dict("monitor", "3s"), "restart": dict("delay", "100ms")})
	_, err := r.settle("db", a)
	contains(r, failure(r, err).Error(), "fail again and again", "task db.1 on "+r.e.Hostname, "exited with 1 (3 times in ", "last lines of its log:", "password option is not specified")
	a = declare(r, args{"name": "once", "image": testengine.Fail, "healthcheck": proved, "update": dict("monitor", "3s"), "restart": dict("condition", "none")})
	_, err = r.settle("once", a)
	contains(r, failure(r, err).Error(), "once.1 on "+r.e.Hostname+" exited with 1")
	a = declare(r, args{"name": "noimage", "image": "swarmtest/nothing:1", "update": quickly, "restart": dict("delay", "100ms")})
	_, err = r.settle("noimage", a)
	contains(r, failure(r, err).Error(), "was rejected: ", "o such image: swarmtest/nothing:1")
}

func testRollback(r *rig) {
	base := args{"name": "api", "image": testengine.Web1, "healthcheck": proved, "update": dict("monitor", "2s", "on_failure", "rollback"), "rollback": quickly, "stop_grace_period": "1s", "restart": dict("delay", "100ms"), "endpoint_mode": "dnsrr"}
	r.converges("api", declare(r, base))
	base["command"] = list("exit", "3")
	_, err := r.settle("api", declare(r, base))
	nc := failure(r, err)
	contains(r, nc.Error(), "was rolled back", "api.1 on "+r.e.Hostname+" exited with 3", "rolled back to version ")
	if got := r.diff("api", declare(r, base)); got != "command" {
		r.Errorf("after the rollback the plan shows %q", got)
	}
}

func testPaused(r *rig) {
	base := args{"name": "stop", "image": testengine.Web1, "healthcheck": proved, "update": dict("monitor", "2s"), "stop_grace_period": "1s", "restart": dict("delay", "100ms"), "endpoint_mode": "dnsrr"}
	r.converges("stop", declare(r, base))
	base["command"] = list("exit", "3")
	bad := declare(r, base)
	_, err := r.settle("stop", bad)
	contains(r, failure(r, err).Error(), "its update was paused", "exited with 3")
	if o := r.live("stop"); !o.Stuck || o.Unsettled != "its update is paused" {
		r.Errorf("stuck %v, unsettled %q", o.Stuck, o.Unsettled)
	}
	r.same("stop", bad, "paused")
	delete(base, "command")
	r.converges("stop", declare(r, base))
}

func testGlobal(r *rig) {
	a := declare(r, args{"name": "agent", "mode": "global", "image": testengine.Sleep, "update": quickly, "stop_grace_period": "1s"})
	if p := r.converges("agent", a); p.Done != 1 || p.Total != 1 {
		r.Errorf("progress %+v", p)
	}
	r.same("agent", a, "global")
	a = declare(r, args{"name": "nowhere", "mode": "global", "image": testengine.Sleep, "constraints": list("node.labels.none==x")})
	if p := r.converges("nowhere", a); p.Total != 0 {
		r.Errorf("progress %+v", p)
	}
}

func testUnschedulable(r *rig) {
	a := declare(r, args{"name": "big", "image": testengine.Sleep, "reserve_memory": "1000g"})
	q := r.request("big", a)
	var texts []string
	q.Progress = func(p resource.Progress) { texts = append(texts, p.Text) }
	o, err := (serviceHandler{}).Create(context.Background(), r.conn, q)
	if err != nil {
		r.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	nc := failure(r, (serviceHandler{}).Settle(ctx, r.conn, q, o))
	contains(r, nc.Error(), "did not converge in 15s", "big.1 pending: no suitable node (insufficient resources on 1 node)")
	contains(r, strings.Join(texts, "\n"), "no suitable node")
	if o := r.live("big"); o.Unsettled != "0/1 running" || o.Stuck {
		r.Errorf("unsettled %q, stuck %v", o.Unsettled, o.Stuck)
	}
}

// testMany waits for many services at once: the calls are those of one.
func testMany(r *rig) {
	const n = 12
	r.conn = r.dial()
	began := time.Now()
	defer func() {
		// Two lists each 250 ms, and at once for each that begins to wait; beside
		// them the nodes, the image, the version. Twice that is allowed, for what a
		// busy machine repeats; a poll for each service would be twelve times it.
		reads := r.conn.docker.Requests().Reads
		if most := 4*(int64(time.Since(began)/tickMin)+2*n+2) + 6; reads > most {
			r.Errorf("%d reading calls, want at most %d", reads, most)
		}
		r.Logf("%d services made, watched and removed with %d reading calls", n, reads)
	}()
	done := make(chan error, n)
	for i := range n {
		go func() {
			name := "many" + string(rune('a'+i))
			q := r.request(name, declare(r, args{"name": name, "image": testengine.Sleep, "update": quickly, "stop_grace_period": "1s"}))
			h := serviceHandler{}
			o, err := h.Create(context.Background(), r.conn, q)
			if err == nil {
				err = h.Settle(context.Background(), r.conn, q, o)
			}
			if q.Live = o; err == nil {
				err = h.Delete(context.Background(), r.conn, q)
			}
			done <- err
		}()
	}
	for range n {
		if err := <-done; err != nil {
			r.Error(err)
		}
	}
}

func testJobs(r *rig) {
	a := declare(r, args{"name": "job", "mode": "replicated-job", "replicas": int64(2), "image": testengine.Fail, "command": list("exit", "0"), "restart": dict("condition", "none")})
	r.converges("job", a)
	r.same("job", a, "job")
	a = declare(r, args{"name": "gjob", "mode": "global-job", "image": testengine.Fail, "command": list("exit", "0"), "restart": dict("condition", "on-failure")})
	r.converges("gjob", a)
	r.same("gjob", a, "job")
}
