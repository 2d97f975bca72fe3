package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// behind puts a proxy between the project and its engine.
func (f *fixture) behind() *testengine.FaultProxy {
	p := testengine.Proxy(f.T, f.e)
	f.host = p.Host
	return p
}

// once checks that each kind has these objects under the project's mark, once
// each; a version's hash is not told.
func (f *fixture) once(kind string, want ...string) {
	f.Helper()
	got := f.Names(kind)
	for i, s := range got {
		if kind == "secret" || kind == "config" {
			got[i] = s[:strings.LastIndex(s, "-")]
		}
	}
	if !slices.Equal(got, append([]string{}, want...)) {
		f.Errorf("of kind %s there are %v, want %v", kind, got, want)
	}
}

// A power cut in the middle of an apply.
func TestStoryPowerCut(t *testing.T) {
	t.Parallel()
	for i, v := range []testengine.Version{testengine.Debian20, testengine.Docker28} {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, testengine.Start(t, v))
			testengine.Images(f.e)
			f.Bare(strings.ReplaceAll(prelude, ", external = True", `, advertise_addr = var("addr")`) + `
net = network("cut_net", driver = "overlay")
pw = secret("cut_pw", generate = 20)
conf = config("cut_conf", content = "x")
for n in ["a", "b", "c"]:
    svc("cut_" + n, networks = [net], secrets = [pw], configs = [conf], replicas = 2)
`)
			p := f.Plan()
			cut := make(chan struct{})
			var started atomic.Int32
			go func() {
				<-cut
				f.e.Kill()
			}()
			r, err := f.Carry(p, func(o *ApplyOptions) {
				o.Sink = func(e apply.Event) {
					f.sink(e)
					if e.Type == apply.Started && started.Add(1) == int32(3+2*i) {
						close(cut)
					}
				}
			})
			f.ended(r, err, apply.ExitUnreachable, "Docker Engine at unix://")
			if _, err := f.TryPlan(); err == nil {
				f.PlanShows(blockedLines(f.Plan())...)
			}
			f.e.Restart()
			f.eventually("the swarm is back", func() bool {
				p, err := f.TryPlan()
				return err == nil && len(p.Plan.Unreachable) == 0
			})
			f.Apply(func(o *Options) { o.LockTimeout = 3 * time.Minute })
			f.PlanIsEmpty()
			f.once("network", "cut_net")
			f.once("secret", "cut_pw")
			f.once("config", "cut_conf")
			f.once("service", "cut_a", "cut_b", "cut_c")
		})
	}
}

// blockedLines are the lines of a plan, all of which must say that a scope is
// unreachable.
func blockedLines(p *Planned) []string {
	return slices.DeleteFunc(lines(p.Plan), func(s string) bool {
		return !strings.Contains(s, "unreachable") && !strings.Contains(s, "cannot be reached")
	})
}

// An engine that refuses connections is not one without objects: nothing is
// pruned and nothing made, and what another engine holds is cared for.
func TestStoryRefused(t *testing.T) {
	onNewest(t, func(f *fixture) {
		proxy := f.behind()
		f.Script(`svc("ref_a", replicas = 0)` + "\n" + `svc("ref_b", replicas = 0)`)
		f.Apply()
		proxy.Refuse(true)
		f.Script(`svc("ref_a", replicas = 0)`)
		p := f.Plan()
		if !p.Plan.Empty() || !errors.Is(p.Plan.Unreachable["engine.lab"], resource.ErrUnreachable) {
			f.Errorf("the plan is:\n%s%v", show(p.Plan), p.Plan.Unreachable)
		}
		f.says(fmt.Sprint(p.Plan.Unreachable), []string{"connection refused", "is the engine running?"})
		r, err := f.Carry(p)
		f.ended(r, err, apply.ExitUnreachable)
		proxy.Refuse(false)
		f.once("service", "ref_a", "ref_b")
		f.Repaired("- service.ref_b (no longer declared)")

		// Refused between plan and apply.
		f.Script(`svc("ref_c", replicas = 0)`)
		p = f.Plan()
		proxy.Refuse(true)
		r, err = f.Carry(p)
		f.ended(r, err, apply.ExitUnreachable, "connection refused")
		proxy.Refuse(false)
		f.once("service", "ref_a")
	})
}

// One of two engines refuses: the other's part is done, and the code says it.
func TestStoryOneOfTwoRefused(t *testing.T) {
	onNewest(t, func(f *fixture) {
		far := testengine.Proxy(f.T, shared[0].in(t))
		f.Script(`
far = swarm.init(engine("` + far.Host + `", name = "far"), name = "far", external = True)
service("half_far", image = "swarmtest/web:1", replicas = 0, cluster = far)
service("half_near", image = "swarmtest/web:1", replicas = 0, cluster = cluster)
`)
		far.Refuse(true)
		r := f.ApplyEnds(apply.ExitUnreachable, "swarm.far: unreachable", "service.half_far: skipped because of swarm.far")
		if ok, _, _ := r.Count(); ok != 1 {
			f.Errorf("%d steps went well", ok)
		}
		f.once("service", "half_near")
		far.Refuse(false)
		f.Repaired("+ service.half_far")
	})
}

const fewThings = `
net = network("%[1]s_net", driver = "overlay")
pw = secret("%[1]s_pw", generate = 20)
conf = config("%[1]s_conf", content = "x")
svc("%[1]s_web", replicas = 0, networks = [net], secrets = [pw], configs = [conf])
`

// The answer to the n-th write is lost, for every n: the same run goes on, or
// the next one does, and there is one of each.
func TestStoryLostAnswers(t *testing.T) {
	onBoth(t, func(f *fixture) {
		proxy := f.behind()
		for n := 0; ; n++ {
			name := fmt.Sprintf("lose%d", n)
			f.project = notInName.ReplaceAllString(strings.ToLower(f.Name()), "-") + "-" + name
			f.Script(fmt.Sprintf(fewThings, name))
			left, lost := n, ""
			proxy.Fault(func(c testengine.Call) testengine.Fault {
				if !c.Write() {
					return testengine.Pass
				}
				if left--; left == -1 {
					lost = c.Method + " " + c.Path
					return testengine.LoseBack
				}
				return testengine.Pass
			})
			p := f.Plan()
			r, err := f.Carry(p)
			code, text := ending(r, err)
			proxy.Reset()
			if lost == "" {
				f.wentWell(r, err)
				f.Logf("an apply of these is %d writes", n)
				break
			}
			if code != apply.ExitOK {
				f.Fatalf("write %d, %s: %d %s", n, lost, code, text)
			}
			f.PlanIsEmpty()
			for _, kind := range []string{"network", "secret", "config"} {
				f.once(kind, map[string]string{"network": name + "_net", "secret": name + "_pw", "config": name + "_conf"}[kind])
			}
			f.once("service", name+"_web")
		}
	})
}

// The same, and the engine is gone from there on.
func TestStoryDropped(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 2, 4, 5} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, shared[1].in(t))
			proxy := f.behind()
			name := fmt.Sprintf("drop%d", n)
			f.Script(fmt.Sprintf(fewThings, name))
			p := f.Plan()
			proxy.DropAfter(n)
			r, err := f.Carry(p)
			f.ended(r, err, apply.ExitUnreachable, "lost the connection to the Docker Engine")
			proxy.Reset()
			f.Apply(func(o *Options) { o.LockTimeout = 3 * time.Minute })
			f.PlanIsEmpty()
			f.once("network", name+"_net")
			f.once("secret", name+"_pw")
			f.once("config", name+"_conf")
			f.once("service", name+"_web")
		})
	}
}

// A second operator writes with the docker CLI, at the worst moment.
func TestStorySecondOperator(t *testing.T) {
	onBoth(t, func(f *fixture) {
		script := func(image string) string {
			return `svc("second_web", image = "` + image + `", replicas = 1)` + "\n" +
				`config("second_conf", content = "x", labels = {"image": "` + image + `"})`
		}
		f.Script(script("swarmtest/web:1"))
		f.Apply()
		f.Script(script("swarmtest/web:2"))
		p := f.Plan()
		f.Docker("service", "update", "--detach", "--no-resolve-image", "--env-add", "A=1", "--label-add", "theirs=1", "second_web")
		f.wentWell(f.Carry(p))
		f.PlanIsEmpty()

		// Between the observation and the write.
		f.Script(script("swarmtest/web:3"))
		wrote := false
		r, err := f.Carry(f.Plan(), func(o *ApplyOptions) {
			o.Sink = func(e apply.Event) {
				if e.Type == apply.Started && e.Address.Kind() == "service" && !wrote {
					wrote = true
					f.Docker("service", "update", "--detach", "--no-resolve-image", "--env-add", "B=1", "second_web")
				}
			}
		})
		f.wentWell(r, err)
		f.PlanIsEmpty()
		if got := f.Docker("service", "inspect", "second_web", "--format", "{{.Spec.TaskTemplate.ContainerSpec.Env}} {{.Spec.Labels.theirs}}"); got != "[] 1" {
			f.Errorf("the service has %s", got)
		}

		// It goes while it is being changed.
		f.Script(script("swarmtest/web:1"))
		r, err = f.Carry(f.Plan(), func(o *ApplyOptions) {
			o.Sink = func(e apply.Event) {
				if e.Type == apply.Started && e.Address.Kind() == "service" && wrote {
					wrote = false
					f.Docker("service", "rm", "second_web")
				}
			}
		})
		f.wentWell(r, err) // it is made again
		f.PlanIsEmpty()
	})
}

// 20.10 is asked for a field that it does not have: told before any write,
// also where the swarm does not exist yet.
func TestStoryTooNew(t *testing.T) {
	t.Parallel()
	f := newFixture(t, testengine.Start(t, testengine.Debian20))
	proxy := f.behind()
	const services = `
svc("new_oom", oom_score_adj = 100)
svc("new_health", healthcheck = healthcheck("true", start_interval = "1s"))
svc("new_sub", mounts = [mount(target = "/data", source = "v", volume_subpath = "x")])
`
	want := []string{"service.new_oom: oom_score_adj: needs engine API 1.46, this engine speaks 1.41",
		"service.new_health: healthcheck.start_interval: needs engine API 1.44", "service.new_sub: mounts[0].volume_subpath: needs engine API 1.45"}
	f.Bare(strings.ReplaceAll(prelude, ", external = True", `, advertise_addr = var("addr")`) + services)
	f.PlanFails(want...)
	f.Docker("swarm", "init", "--advertise-addr", f.e.Addr)
	f.Script(services)
	f.PlanFails(want...)
	if n := proxy.Writes(); n != 0 {
		f.Errorf("%d writes", n)
	}
}

// Between plan and apply things change, so that something would be deleted or
// replaced that was not shown: that branch stops, the others go on.
func TestStoryStale(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.Script(`
net = network("stale_net", driver = "overlay")
svc("stale_user", replicas = 0, networks = [net])
`)
		f.Apply()
		f.Script(`
net = network("stale_net", driver = "overlay")
svc("stale_user", replicas = 0, networks = [net], env = {"A": "1"})
svc("stale_free", replicas = 0)
`)
		p := f.Plan()
		f.shows(p, `~ service.stale_user: env["A"]`, "+ service.stale_free")

		f.Docker("service", "rm", "stale_user")
		f.eventually("the network can be removed", func() bool {
			_, err := f.e.TryDocker("network", "rm", "stale_net")
			return err == nil
		})
		f.eventually("the network is gone", func() bool { return len(f.Names("network")) == 0 })
		mark := func(address string) []string {
			return []string{"--label", "swarmscript.project=" + f.project, "--label", "swarmscript.address=swarm.main/" + address}
		}
		f.Docker(append(append([]string{"network", "create", "--driver=overlay", "--internal"}, mark("network.stale_net")...), "stale_net")...)
		f.Docker(append(append([]string{"service", "create", "--detach", "--no-resolve-image", "--replicas=0", "--name=stale_gone"}, mark("service.stale_gone")...), "swarmtest/web:1")...)

		r, err := f.Carry(p)
		f.ended(r, err, apply.ExitStale, "network.stale_net: the plan did not show this: it would now be replaced",
			"service.stale_gone: the plan did not show this: it would now be deleted", "service.stale_user: skipped because of network.stale_net")
		f.once("service", "stale_free", "stale_gone")
		f.Repaired("-/+ network.stale_net: internal", "+ service.stale_user", "- service.stale_gone (no longer declared)")
	})
}

// The first interrupt lets running steps end and begins no new ones; a second
// one cancels.
func TestStoryInterrupted(t *testing.T) {
	onNewest(t, func(f *fixture) {
		f.Script(`
a = svc("stop_a", replicas = 0)
b = svc("stop_b", replicas = 0, after = [a])
`)
		stop := make(chan struct{})
		r, err := f.Carry(f.Plan(), func(o *ApplyOptions) {
			o.Stop = stop
			o.Sink = func(e apply.Event) {
				if e.Type == apply.Started {
					close(stop)
				}
			}
		})
		f.ended(r, err, apply.ExitInterrupted)
		f.once("service", "stop_a")
		f.Script(`svc("stop_c", image = "swarmtest/missing:1")`)
		ctx, cancel := context.WithCancel(context.Background())
		r, err = f.Plan().Apply(ctx, ApplyOptions{Why: f.why, Sink: func(e apply.Event) {
			if e.Type == apply.Progressed {
				cancel()
			}
		}})
		f.ended(r, err, apply.ExitInterrupted)
		f.Script(`svc("stop_c")`)
		f.Apply() // the lease was given back
		f.PlanIsEmpty()
	})
}
