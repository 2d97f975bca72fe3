package run

import (
	"context"
	"net"
	"testing"
)

// A session over a real swarm: look, plan, apply, see what came of it, change
// it, see the difference.
func TestSessionStory(t *testing.T) {
	onBoth(t, func(f *fixture) {
		secret := f.Hide("hunter2-hidden")
		d := newDesk(t, Options{Env: func(name string) (string, bool) { return secret, name == "PW" }}, "")
		d.types(`project("`+f.project+`")`, "=")
		d.types(`cluster = swarm.init(engine("`+f.host+`", name = "lab"), external = True)`, "=")
		d.types(`def svc(name, **kw):
    return service(name, image = "swarmtest/web:1", no_resolve_image = True, stop_grace_period = "1s",
        update = update_policy(monitor = "100ms"), **kw)`, "=")
		name := "session"
		d.types(`web = svc("`+name+`", env = {"PW": env("PW", sensitive = True)})`, "=")
		d.types(`live("service.`+name+`")`, "!there is no service."+name)
		d.types(`[c.action for c in diff()]`, `=["create"]`)
		d.types(`diff(web).fields[0]`, `=struct(after = "swarmtest/web:1", before = None, path = "image")`)
		d.types(`[diff(web).before, diff(web).after["image"]]`, `=[{}, "swarmtest/web:1"]`)
		d.types(`plan()`, "Plan: 1 to add, 0 to change")
		d.types(`p = plan()`, "Plan: 1 to add")
		d.types(`[p.add, p.empty, len(p.changes)]`, "=[1, False, 1]")

		d.types(`apply()`, "Plan: 1 to add") // it asks, and the answer is no
		if d.asked != 1 || len(f.Names("service")) != 0 {
			t.Fatalf("asked %d times, made %v", d.asked, f.Names("service"))
		}
		d.yes = true
		d.types(`r = apply()`, "Plan: 1 to add")
		d.types(`[r.done, r.failed, r.exit_code]`, "=[1, 0, 0]")
		d.types(`plan().empty`, "No changes.")
		d.types(`diff()`, "=no changes")
		d.types(`bool(diff(web))`, "=False")

		d.types(`w = live(web)`, "=")
		d.types(`[w.name, w.replicas, w.kind, w.project]`, `=["`+name+`", 1, "service", "`+f.project+`"]`)
		d.types(`w.id == live("service")["`+name+`"].id`, "=True")
		d.types(`w.env`, `=(sensitive value)`)
		f.say(d.types(`w`, "swarm.main/service."+name+"\n  id  "))
		f.say(d.types(`live()`, "service."+name))
		d.types(`live("network")["ingress"].driver`, `="overlay"`)
		d.types(`live().service["nothing"]`, `!live: there is no "nothing"`)
		d.types(`live("servce")`, `!live: there is no kind "servce" (did you mean "service"?)`)
		d.types(`web.id`, "=(known after apply: service."+name+".id)") // opaque as ever

		d.types(`svc("`+name+`", replicas = 2, env = {"PW": env("PW", sensitive = True)})`, "=<swarm.main/service."+name+">")
		d.types(`diff("service.`+name+`")`, "\n  replicas  1 -> 2")
		d.types("apply(auto_approve = True)\n1 // 0", "!division")
		d.types(`live(web).replicas`, "=2") // what was applied is so, whatever came after
		d.types(`diff()`, "=no changes")
		d.types(`svc("`+name+`", replicas = 2)`, "=<swarm.main/service."+name+">")
		f.say(d.types(`live(web)`, "env       ")) // that it was sensitive is remembered
		f.say(d.types(`diff(web)`, "env"))
		f.say(d.types(`[diff(web).fields, live(web).env]`, "(sensitive value)"))
		f.say(d.types(`[diff(web).before, diff(web).after]`, "(sensitive value)"))
		d.types(`svc("`+name+`_away", constraints = ["node.labels.zone==none"])`, "=<swarm.main/service."+name+"_away>")
		d.types(`diff("service.`+name+`_away").findings`, `=["error: its task cannot be placed"]`)
		d.types(`diff("service.`+name+`_away")`, "error: its task cannot be placed")
		d.types(`undeclare("service.`+name+`_away")`, "=")
		d.types(`undeclare(web)`, "=")
		f.say(d.types(`diff()`, "- swarm.main/service."+name+", no longer declared"))
		d.types(`apply().done`, "Plan: 0 to add, 0 to change, 0 to replace, 1 to delete")
		if left := f.Names("service"); len(left) != 0 {
			t.Errorf("left are %v", left)
		}
		if d.asked != 3 {
			t.Errorf("asked %d times", d.asked)
		}
	})
}

// Without a script live() looks where the docker CLI would.
func TestSessionLooksAround(t *testing.T) {
	f := newFixture(t, shared[1].in(t))
	t.Setenv("DOCKER_HOST", f.host)
	d := newDesk(t, Options{}, "")
	f.say(d.types("live()", "\n  network.bridge"))
	d.types("live()", "swarm.default\n")
	d.types("live('swarm')[0].address", `="swarm.default"`)
	d.types("live('swarm')[0].worker_token", "=(sensitive value)")
	d.types("diff()", "=no changes") // looking declared nothing
}

// What does not answer is cancelled like anything else, and the session goes on.
func TestSessionCancelsAPlan(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		conn, err := silent.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		cancel() // it is being waited for
		<-t.Context().Done()
	}()
	d := newDesk(t, Options{}, "")
	d.types("project('p')\nengine('tcp://"+silent.Addr().String()+"', name = 'e')", "=<engine.e>")
	for range 2 {
		if _, err := d.Eval(ctx, "plan()"); err == nil {
			t.Fatal("there is a plan")
		}
	}
	d.types("1 + 1", "=2")
}
