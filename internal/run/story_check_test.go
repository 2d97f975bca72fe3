package run

import (
	"strings"
	"sync"
	"testing"

	"github.com/swarmscript/swarmscript/internal/apply"
)

// Checks are made when what they come after changes, and not otherwise; one
// that has not passed is made by the next apply, until it has.
func TestStoryChecks(t *testing.T) {
	onBoth(t, func(f *fixture) {
		port := "8097" // of the engine's own address
		script := func(version, want string) {
			limit := "3m" // a busy computer is slow
			if version != want {
				limit = "6s"
			}
			f.Script(strings.NewReplacer("PORT", port, "VERSION", version, "WANT", want, "LIMIT", limit).Replace(`
addr = var("addr")
web = svc("checked_web", image = "swarmtest/web:VERSION", ports = [port(8080, published = PORT, mode = "host")])
check_http(format("http://{}:PORT/health?of={}", addr, web.id), name = "health", after = [web])
check_tcp("%s:PORT" % addr, name = "port", after = [web])
check_exec(web, ["/swarmtest", "health"], name = "inside", expect_output = "^ok")
check_http("http://%s:PORT/" % addr, name = "version", after = [web], expect_body = "version WANT on", timeout = "LIMIT", interval = "200ms")
svc("checked_other", replicas = 0)
`))
		}
		all := []string{
			"<= check_http.health (after service.checked_web)", "<= check_tcp.port (after service.checked_web)",
			"<= check_exec.inside (after service.checked_web)", "<= check_http.version (after service.checked_web)",
		}
		script("1", "1")
		f.PlanShows(append(append([]string{"+ service.checked_web"}, all...), "+ service.checked_other")...)
		f.Apply()
		f.PlanIsEmpty()
		if !f.Plan().Plan.Idle() {
			t.Error("there is something left to do")
		}

		script("2", "3")
		f.PlanShows(append([]string{"~ service.checked_web: image"}, all...)...)
		f.ApplyEnds(apply.ExitNotConverged, "check_http.version", "200 OK, but its body does not match", "version 2 on", "swarmscript check asks again")
		f.PlanShows("<= check_http.version (it has not passed yet)")
		f.ApplyEnds(apply.ExitNotConverged, "version 2 on")

		script("2", "2") // only the check changes
		f.PlanShows("<= check_http.version (it has not passed yet)")
		f.Apply()
		f.PlanIsEmpty()

		p := f.Plan(func(o *Options) { o.Check = true })
		if n := p.OnlyChecks(); n != 4 {
			t.Errorf("%d checks", n)
		}
		r, err := p.Check(t.Context(), ApplyOptions{})
		f.wentWell(r, err)
		if ok, failed, skipped := r.Count(); ok != 4 || failed+skipped > 0 {
			t.Errorf("%d passed, %d failed, %d were skipped", ok, failed, skipped)
		}
	})
}

// A container of one engine, which no swarm need know of: by its handle, on its
// own engine, or by its name.
func TestExecContainer(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.Boxes(`
db = box("exec_db", image = "swarmtest/web:1", user = "7")
check_exec(db, ["/swarmtest", "health"], expect_output = "^ok", workdir = "/", user = "0")
check_exec(target = db, command = ["/swarmtest", "exit", "7"], name = "seven", expect_exit_code = 7)
check_exec("exec_db", ["/swarmtest", "exit", "3"], name = "three", engine = here, timeout = "10s")
check_exec(box("exec_idle", state = "stopped"), ["/swarmtest", "health"], name = "idle", timeout = "6s")
check_exec("exec_none", ["/swarmtest", "health"], name = "none", engine = here, after = [db], timeout = "6s")
`)
		r := f.ApplyEnds(apply.ExitNotConverged, "the command exited with 3 in exec_db, want 0",
			"container exec_idle does not run: it is created", "No such container: exec_none")
		if ok, failed, _ := r.Count(); ok != 4 || failed != 3 {
			t.Errorf("%d passed, %d failed", ok, failed)
		}
		f.Boxes(`
db = box("exec_db", image = "swarmtest/web:2", user = "7")
check_exec(db, ["/swarmtest", "health"], expect_output = "^ok")
`)
		f.PlanShows("-/+ container.exec_db: image", `<= check_exec["exec_db /swarmtest health"] (after container.exec_db)`, "- container.exec_idle (no longer declared)")
		f.Apply()
		f.PlanIsEmpty()
		f.Boxes(``)
		f.Apply()
	})
}

// The first Ctrl-C ends a check that waits. It is owed, as one that failed.
func TestStoryCheckStopped(t *testing.T) {
	onNewest(t, func(f *fixture) {
		f.Script(`
web = svc("stopped_web", replicas = 0)
check_tcp("%s:1" % var("addr"), name = "never", after = [web], timeout = "20m")
`)
		stop := make(chan struct{})
		var once sync.Once
		r, err := f.Carry(f.Plan(), func(o *ApplyOptions) {
			o.Stop = stop
			o.Sink = func(e apply.Event) {
				if e.Type == apply.Progressed && e.Address == "check_tcp.never" {
					once.Do(func() { close(stop) })
				}
			}
		})
		if err != nil || r.ExitCode() != apply.ExitInterrupted {
			t.Fatalf("%v, exit code %d", err, r.ExitCode())
		}
		f.says(f.said.String(), []string{"check_tcp.never had not passed when it was stopped: tried", "connection refused", "Interrupted. Applied 1 of 2; 1 failed."})
		f.PlanShows("<= check_tcp.never (it has not passed yet)")
		f.Script(``)
		f.Apply(func(o *Options) { o.Destroy = true })
	})
}

// What makes no check, a plan of a part or one that only looks, loses none: they
// are owed, and the next apply of everything makes them.
func TestStoryChecksLeftOut(t *testing.T) {
	onNewest(t, func(f *fixture) {
		script := func(a string) {
			f.Script(`
web = svc("left_web", replicas = 0, env = {"A": "` + a + `"})
api = svc("left_api", replicas = 0, env = {"WEB": web.id})
svc("left_other", replicas = 0)
check_tcp("%s:1" % var("addr"), name = "far", after = [api], timeout = "100ms")
`)
		}
		part := func(o *Options) { o.Targets = []string{"service.left_web"} }
		look := func(o *Options) { o.RefreshOnly = true }
		owed := "<= check_tcp.far (it has not passed yet)"
		script("1")
		f.Apply(part)
		f.Apply(func(o *Options) { o.Exclude = []string{"check_tcp.far"} })
		f.PlanShows(owed)
		f.shows(f.Plan(look))
		r, err := f.Carry(f.Plan(look))
		f.wentWell(r, err)
		f.PlanShows(owed)
		f.ApplyEnds(apply.ExitNotConverged, "check_tcp.far")
		f.Apply(part)
		f.PlanShows(owed)
		f.Script(``)
		f.Apply(func(o *Options) { o.Destroy = true })
	})
}

// A command's exit code and output are what counts; who has no container here
// says so.
func TestExec(t *testing.T) {
	onNewest(t, func(f *fixture) {
		f.Script(`
web = svc("exec_web")
nobody = svc("exec_nobody", replicas = 0)
check_exec(web, ["/swarmtest", "exit", "7"], name = "seven", expect_exit_code = 7, expect_output = "uninitialized")
check_exec(web, "/swarmtest exit 3", timeout = "15s")
check_exec(web, ["/nothing"], name = "missing", timeout = "15s")
check_exec(web, ["/swarmtest", "sleep"], name = "endless", timeout = "15s", try_timeout = "3s")
check_exec(web, ["/swarmtest", "health"], name = "output", timeout = "15s", expect_output = "^no$")
check_exec(nobody, ["/swarmtest", "health"], name = "nobody", timeout = "15s")
check_exec(web, ["/swarmtest", "health"], name = "as", user = "1234", workdir = "/")
`)
		r := f.ApplyEnds(apply.ExitNotConverged,
			`check_exec["exec_web /swarmtest exit 3"]`, "the command exited with 3 in exec_web.1, want 0", "Database is uninitialized",
			"the command did not end in 3s", `the command's output in exec_web.1 does not match "^no$"`, "its output:\n  ok",
			"no container of exec_nobody runs on")
		if ok, failed, _ := r.Count(); ok != 4 || failed != 5 {
			t.Errorf("%d passed, %d failed", ok, failed)
		}
		f.PlanShows(`<= check_exec["exec_web /swarmtest exit 3"] (it has not passed yet)`, "<= check_exec.missing (it has not passed yet)",
			"<= check_exec.endless (it has not passed yet)", "<= check_exec.output (it has not passed yet)", "<= check_exec.nobody (it has not passed yet)")
		f.Apply(func(o *Options) { o.Destroy = true })
	})
}

// A command runs in a container wherever that is: through the engine of its node,
// where the script names it. Also on a node that joins in the same apply.
func TestExecElsewhere(t *testing.T) {
	f := newMembers(t, "mgr0", "wrk0", "wrk1old")
	const web = `web = service("web", image = "swarmtest/web:1", no_resolve_image = True, endpoint_mode = "dnsrr", stop_grace_period = "1s", constraints = ["node.hostname==ON"])
check_exec(web, ["/swarmtest", "health"], name = "inside", expect_output = "^ok", timeout = "TIME")
`
	on := func(name, timeout string) string {
		return strings.NewReplacer("ON", name, "TIME", timeout).Replace(web)
	}
	f.Bare(f.cluster("mgr0", "wrk0", "") + on("wrk0", "3m"))
	p := f.Plan()
	f.shows(p, "+ swarm.main", "+ node.wrk0", "+ service.web", "<= check_exec.inside (after swarm.main, service.web)")
	f.wentWell(f.Carry(p))
	f.PlanIsEmpty()

	// A node that has joined by other means.
	f.at["wrk1old"].Docker("swarm", "join", "--token", f.Docker("swarm", "join-token", "-q", "worker"), "--advertise-addr", f.at["wrk1old"].Addr, f.e.Addr+":2377")
	f.Bare(f.cluster("mgr0", "wrk0", "") + on("wrk1old", "6s"))
	f.ApplyEnds(apply.ExitNotConverged, "no container of web runs on mgr0; there is web.1 on wrk1old ("+f.at["wrk1old"].Addr+")",
		`name it in the script, as engine("ssh://USER@`+f.at["wrk1old"].Addr+`", name = "wrk1old")`)
	f.Bare(f.cluster("mgr0", "wrk0", "wrk1old") + on("wrk1old", "3m"))
	f.PlanShows("<= check_exec.inside (it has not passed yet)")
	f.Apply()
	f.PlanIsEmpty()
}
