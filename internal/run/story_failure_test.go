package run

import (
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/diag"
)

// proved are arguments of a service whose tasks run only once they are healthy.
// Without them, on a busy computer, a program seems to be well for as long as it
// takes to fail.
const proved = `, healthcheck = healthcheck(["CMD", "/swarmtest", "health"], interval = "500ms", timeout = "30s")`

// A database that exits with 1 over and over: the apply says what a person
// would have dug out, goes on with what does not need it, says so again, and
// repairs it once the script is right.
func TestStoryNeverConverges(t *testing.T) {
	onBoth(t, func(f *fixture) {
		script := func(image string) string {
			return `
db = svc("never_db", image = "` + image + `", update = update_policy(monitor = "1s")` + proved + `)
api = svc("never_api", after = [db])
svc("never_page", after = [api])
svc("never_other")
`
		}
		why := []string{"service.never_db: does not converge: its tasks fail again and again", "task never_db.1 on " + f.e.Hostname + " exited with 1",
			"times in", "[ERROR] [Entrypoint]: Database is uninitialized", "You need to specify one of MARIADB_ROOT_PASSWORD",
			"service.never_api: skipped because of service.never_db", "service.never_page: skipped because of service.never_db"}
		f.Script(script("swarmtest/fail:1"))
		r := f.ApplyEnds(apply.ExitNotConverged, why...)
		if ok, failed, skipped := r.Count(); ok != 1 || failed != 1 || skipped != 2 {
			f.Errorf("%d ok, %d failed, %d skipped", ok, failed, skipped)
		}
		// Again: the service is as declared, and still does not run, but for the
		// moments in which it is tried again.
		f.eventually("the plan shows that it does not run", func() bool {
			got := lines(f.Plan().Plan)
			return len(got) == 3 && strings.HasPrefix(got[0], "service.never_db (0/1 running")
		})
		f.ApplyEnds(apply.ExitNotConverged, why...)
		f.Script(script("swarmtest/web:1"))
		f.Repaired("~ service.never_db: image", "+ service.never_api", "+ service.never_page")
	})
}

// An update that fails and is rolled back is a failure, and the difference is
// there again.
func TestStoryRolledBack(t *testing.T) {
	onBoth(t, func(f *fixture) {
		script := func(image string) string {
			return `
svc("back_web", image = "` + image + `", replicas = 2, update = update_policy(monitor = "2s", on_failure = "rollback"), rollback = update_policy(monitor = "100ms")` + proved + `)
`
		}
		f.Script(script("swarmtest/web:1"))
		f.Apply()
		f.Script(script("swarmtest/fail:1"))
		f.ApplyEnds(apply.ExitNotConverged, "did not converge and was rolled back", "rolled back to version ", "exited with 1",
			"Database is uninitialized")
		if got := f.Docker("service", "inspect", "back_web", "--format", "{{.Spec.TaskTemplate.ContainerSpec.Image}}"); got != "swarmtest/web:1" {
			f.Errorf("the image is %s", got)
		}
		f.PlanShows("~ service.back_web: image")
		f.Script(script("swarmtest/web:2"))
		f.Repaired("~ service.back_web: image")
	})
}

// An update that fails and is paused; the next one goes on.
func TestStoryPaused(t *testing.T) {
	onNewest(t, func(f *fixture) {
		script := func(image string) string {
			return `svc("pause_web", image = "` + image + `", replicas = 2, update = update_policy(monitor = "2s")` + proved + `)`
		}
		f.Script(script("swarmtest/web:1"))
		f.Apply()
		f.Script(script("swarmtest/fail:1"))
		f.ApplyEnds(apply.ExitNotConverged, "its update was paused", "exited with 1", "it stays half updated until the next update")
		f.Script(script("swarmtest/web:2"))
		f.Repaired("~ service.pause_web: image")
	})
}

// Why tasks do not start.
func TestStoryCannotStart(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.opts.AllowPending = true
		f.Script(`
svc("start_image", image = "swarmtest/missing:9", timeout = "12s")
svc("start_where", constraints = ["node.labels.zone==nowhere"])
svc("start_port", ports = [port(8080, published = 8092, mode = "host")], replicas = 2)
svc("start_fine")
`)
		// What the plan foresees to be pending is not waited for.
		r := f.ApplyEnds(apply.ExitNotConverged, "service.start_image: ", "No such image: swarmtest/missing:9")
		if ok, failed, _ := r.Count(); ok != 3 || failed != 1 {
			f.Errorf("%d ok, %d failed", ok, failed)
		}
		f.Script(`
svc("start_image", image = "swarmtest/web:1")
svc("start_where")
svc("start_port", ports = [port(8080, published = 8092, mode = "host")], replicas = 1)
svc("start_fine")
`)
		f.Repaired("~ service.start_image: image", "~ service.start_where: constraints", "~ service.start_port: replicas")
	})
}

// What nobody could foresee: a stranger takes the port of the only node while the
// apply runs. The report says what the scheduler says.
func TestStoryPortTakenMeanwhile(t *testing.T) {
	onBoth(t, func(f *fixture) {
		script := func(timeout string) {
			f.Script(`
fine = svc("late_fine", replicas = 0)
svc("late_web", ports = [port(8080, published = 8096, mode = "host")], after = [fine], timeout = "` + timeout + `")
`)
		}
		script("15s")
		r, err := f.Carry(f.Plan(), func(o *ApplyOptions) {
			o.Sink = func(e apply.Event) {
				if e.Type != apply.Finished || e.Address.Name() != "late_fine" {
					return
				}
				f.Docker("service", "create", "--detach", "--no-resolve-image", "--name=late_stranger", "--publish=mode=host,published=8096,target=8080", "swarmtest/web:1")
				f.eventually("the stranger has the port", func() bool { return f.verdict("late_stranger") == "1 running" })
			}
		})
		f.ended(r, err, apply.ExitNotConverged, "service.late_web: did not converge in 15s", "task late_web.1 pending: no suitable node",
			"host-mode port already in use on 1 node", "0 of 1 tasks are as they should be")
		if ok, failed, _ := r.Count(); ok != 1 || failed != 1 {
			f.Errorf("%d ok, %d failed", ok, failed)
		}
		// Now it is foreseen, until the stranger goes.
		f.foresees(f.Plan(), diag.Warning, map[string]string{"late_web": "its task cannot be placed"})
		f.Docker("service", "rm", "late_stranger")
		script("3m")
		f.Apply()
		f.PlanIsEmpty()
		f.destroyed()
	})
}

// A published port that another service of the swarm holds.
func TestStoryPortTaken(t *testing.T) {
	onBoth(t, func(f *fixture) {
		take := func() {
			f.Docker("service", "create", "--detach", "--no-resolve-image", "--replicas=0", "--name=taken_stranger", "--publish=8093:8080", "swarmtest/web:1")
		}
		f.Script(`
fine = svc("taken_fine", replicas = 0)
svc("taken_web", replicas = 0, ports = [port(8080, published = 8093)], after = [fine])
`)
		take()
		f.ApplyEnds(apply.ExitError, "service.taken_web: port 8093/tcp is published by service taken_stranger, unmanaged already")
		if left := f.Names("service"); len(left) > 0 {
			f.Errorf("a refused apply made %v", left)
		}
		f.Docker("service", "rm", "taken_stranger")

		// Somebody takes it while the apply runs.
		r, err := f.Carry(f.Plan(), func(o *ApplyOptions) {
			o.Sink = func(e apply.Event) {
				if e.Type == apply.Finished && e.Address.Name() == "taken_fine" {
					take()
				}
			}
		})
		f.ended(r, err, apply.ExitFailed, "service.taken_web: port '8093' is already in use by service 'taken_stranger'")
		if ok, failed, _ := r.Count(); ok != 1 || failed != 1 {
			f.Errorf("%d ok, %d failed", ok, failed)
		}
		f.Docker("service", "rm", "taken_stranger")
		f.Repaired("+ service.taken_web")
	})
}

// A published port that moves from one service to another in one apply: also
// from one that goes, and where the port is taken first.
func TestStoryPortMoves(t *testing.T) {
	onNewest(t, func(f *fixture) {
		const at = `, replicas = 0, ports = [port(8080, published = 8094)])`
		f.Script(`svc("moves_z"` + at)
		f.Apply()
		f.Script(`svc("moves_a"` + at)
		f.Repaired("+ service.moves_a", "- service.moves_z (no longer declared)")
		f.Script(`
svc("moves_a", replicas = 0)
svc("moves_b"` + at)
		f.Repaired("~ service.moves_a: ports", "+ service.moves_b")
	})
}

// --detach, wait = False and timeout = bound what an apply waits for.
func TestStoryWaiting(t *testing.T) {
	onNewest(t, func(f *fixture) {
		const ill = `, healthcheck = healthcheck("/nothing", start_period = "60s")`
		f.Script(`
svc("wait_never", image = "swarmtest/fail:1", wait = False)
svc("wait_short"` + ill + `, timeout = "1s")
`)
		f.ApplyEnds(apply.ExitNotConverged, "service.wait_short: did not converge in 1s")
		if p := f.Plan(); !p.Plan.Empty() {
			f.Errorf("there is a change:\n%s", show(p.Plan))
		}
		f.Script(`
svc("wait_never", image = "swarmtest/fail:1", env = {"A": "1"})
svc("wait_short"` + ill + `, env = {"A": "1"})
`)
		f.Apply(func(o *Options) { o.Detach = true }) // who waits is told that neither converges
	})
}

// A job that failed for good is not what was asked for: the next run says so,
// and runs it again.
func TestStoryFailedJob(t *testing.T) {
	onBoth(t, func(f *fixture) {
		script := func(code string) {
			f.Script(`
def job(name, mode = "replicated-job", **restart):
    service(name, mode = mode, image = "swarmtest/fail:1", command = ["exit", "` + code + `"], no_resolve_image = True, restart = restart_policy(delay = "100ms", **restart))
job("job_once", condition = "none")
job("job_tried", condition = "on-failure", max_attempts = 1)
job("job_nodes", mode = "global-job", condition = "none")
`)
		}
		script("3")
		failed := []string{"service.job_once: does not converge: its task failed, and is not started again", "task job_once.0 on " + f.e.Hostname + " exited with 3",
			"task job_nodes." + f.e.Hostname + " exited with 3", "task job_tried.0 on "}
		f.ApplyEnds(apply.ExitNotConverged, failed...)
		again := []string{"~ service.job_once (0/1 completed, 1 failed: run again)", "~ service.job_tried (0/1 completed, 1 failed: run again)",
			"~ service.job_nodes (0/1 completed, 1 failed: run again)"}
		f.PlanShows(again...)
		f.ApplyEnds(apply.ExitNotConverged, failed...)
		f.PlanShows(again...)
		script("0")
		f.Repaired("~ service.job_once: command", "~ service.job_tried: command", "~ service.job_nodes: command")
	})
}
