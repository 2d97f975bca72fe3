package run

import (
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/apply"
)

// What leaves the script is pruned; what is a stranger's stays.
func TestStoryPruning(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.Docker("service", "create", "--detach", "--no-resolve-image", "--name", "prune_stranger", "swarmtest/sleep:1")
		other := f.sibling("other")
		other.Script(`svc("prune_other", replicas = 0)` + "\n" + `network("prune_other_net", driver = "overlay")`)
		other.Apply()

		f.Script(`
net = network("prune_net", driver = "overlay")
pw = secret("prune_pw", value = "pruned-password")
conf = config("prune_conf", content = "x")
svc("prune_a", replicas = 1, networks = [net], secrets = [pw], configs = [conf])
svc("prune_b", replicas = 0)
`)
		f.Apply()
		f.Script(`svc("prune_b", replicas = 0)`)
		f.Repaired("- config.prune_conf (no longer declared)", "- network.prune_net (no longer declared)",
			"- secret.prune_pw (no longer declared)", "- service.prune_a (no longer declared)")
		if got := f.Names("service"); !slices.Equal(got, []string{"prune_b"}) {
			t.Errorf("left are %v", got)
		}
		f.Docker("service", "inspect", "prune_stranger")
		other.PlanIsEmpty()
	})
}

// A name that is somebody else's is refused, and can be adopted.
func TestStoryAdoption(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.Docker("service", "create", "--detach", "--no-resolve-image", "--replicas=0", "--name", "adopt_web", "--label", "theirs=1", "swarmtest/web:1")
		f.Docker("network", "create", "--driver=overlay", "adopt_net")
		f.Script(`
net = network("adopt_net", driver = "overlay")
svc("adopt_web", replicas = 0, networks = [net])
`)
		f.PlanFails("adopt_web", "exists and is not managed by this project", "--adopt service.adopt_web", "--adopt network.adopt_net")
		id := f.Docker("network", "inspect", "adopt_net", "--format", "{{.ID}}")
		adopt := func(o *Options) { o.Adopt = []string{"service.adopt_web", "network.adopt_net"} }
		p := f.Plan(adopt)
		f.shows(p, "~ network.adopt_net (adopted)", `~ service.adopt_web: stop_grace_period networks["adopt_net"] update.monitor restart.delay (adopted)`)
		f.wentWell(f.Carry(p))
		f.PlanIsEmpty()
		if f.Docker("network", "inspect", "adopt_net", "--format", "{{.ID}}") != id {
			t.Error("the network was made anew")
		}
		if f.Docker("service", "inspect", "adopt_web", "--format", "{{.Spec.Labels.theirs}}") != "1" {
			t.Error("a label is gone")
		}

		// It is another project's for others.
		other := f.sibling("other")
		other.Script(`svc("adopt_web", replicas = 0)`)
		other.PlanFails("belongs to project " + f.project)

		// It is ours now: it goes with the script.
		f.Script(``)
		f.Repaired("- network.adopt_net (no longer declared)", "- service.adopt_web (no longer declared)")
	})
}

// A stranger's config has exactly the name of our next version.
func TestStoryAdoptedConfig(t *testing.T) {
	onNewest(t, func(f *fixture) {
		f.Script(`config("adopt_conf", content = "x")`)
		f.Apply()
		name := f.Names("config")[0]
		f.Docker("config", "rm", name)
		f.e.In(t).DockerInput("x", "config", "create", name, "-")
		f.PlanFails("exists and is not managed", "--adopt config.adopt_conf")
		f.Apply(func(o *Options) { o.Adopt = []string{"config.adopt_conf"} })
		f.PlanIsEmpty()
		if got := f.Names("config"); !slices.Equal(got, []string{name}) {
			t.Errorf("the configs are %v", got)
		}
		f.PlanFailsWith(func(o *Options) { o.Adopt = []string{"config.adopt_confi"} }, "no such resource is declared", "config.adopt_conf")
	})
}

// Two projects on one swarm do not touch each other.
func TestStoryTwoProjects(t *testing.T) {
	onNewest(t, func(f *fixture) {
		a, b := f.sibling("a"), f.sibling("b")
		for _, p := range []*fixture{a, b} {
			name := p.project[strings.LastIndex(p.project, "-")+1:]
			p.Script(`
net = network("two_net_` + name + `", driver = "overlay")
pw = secret("two_pw_` + name + `", value = "two-password")
svc("two_web_` + name + `", replicas = 0, networks = [net], secrets = [pw])
`)
			p.Apply()
		}
		a.PlanIsEmpty()
		b.PlanIsEmpty()
		b.Apply(func(o *Options) { o.Destroy = true })
		a.PlanIsEmpty()
		if got := b.Names("service"); len(got) != 0 {
			t.Errorf("left are %v", got)
		}
	})
}

// moved() rewrites the mark and nothing else, where the live name stays.
func TestStoryMoved(t *testing.T) {
	onBoth(t, func(f *fixture) {
		for _, n := range []string{"1", "2"} {
			f.Script(`
net = network("moved_net", driver = "overlay")
pw = secret("moved_pw", value = "moved-password-` + n + `")
svc("moved_web", networks = [net], secrets = [pw])
`)
			f.Apply()
		}
		tasks := f.Docker("service", "ps", "-q", "moved_web")
		secrets := f.Names("secret")

		moved := `
net = network("back", name = "moved_net", driver = "overlay")
pw = secret("key", name = "moved_pw", value = "moved-password-2")
svc("site", name = "moved_web", networks = [net], secrets = [secret_ref(pw, target = "moved_pw")])
`
		f.Script(moved)
		f.PlanFails(`the name "moved_web" is held by swarm.main/service.moved_web of this project`, `moved("service.moved_web", "service.site")`)

		f.Script(moved + `
moved("network.moved_net", "network.back")
moved("secret.moved_pw", "secret.key")
moved("service.moved_web", "service.site")
`)
		f.Repaired("~ network.back (moved from network.moved_net)", "~ secret.key (moved from secret.moved_pw)",
			"~ service.site (moved from service.moved_web)")
		if got := f.Names("secret"); !slices.Equal(got, secrets) || len(got) != 2 {
			t.Errorf("the secrets were %v, now %v", secrets, got)
		}
		f.Script(moved)
		f.PlanIsEmpty()
		if got := f.Docker("service", "ps", "-q", "moved_web"); got != tasks {
			t.Errorf("tasks were renewed: %s, then %s", tasks, got)
		}

		// A new live name is a replacement.
		f.Script(strings.ReplaceAll(moved, `name = "moved_web"`, `name = "moved_page"`))
		f.Repaired("-/+ service.site: name")
		if got := f.Names("service"); !slices.Equal(got, []string{"moved_page"}) {
			t.Errorf("the services are %v", got)
		}
		f.Script(moved + `
svc("again", name = "moved_web")
`)
		f.PlanFails(`service.again has the name of service.site, "moved_web"`)
	})
}

// What is moved keeps its name where the script gives none: users go by it, a
// secret keeps its value, and moved() may stay in the script or leave it.
func TestStoryMovedKeepsItsName(t *testing.T) {
	onBoth(t, func(f *fixture) {
		for _, n := range []string{"1", "2"} {
			f.Script(`
net = network("keep_net", driver = "overlay")
conf = config("keep_conf", content = "` + n + `")
pw = secret("keep_pw", generate = 32, rotate = "` + n + `")
svc("keep_web", networks = [net], secrets = [secret_ref(pw, target = "pw")], configs = [config_ref(conf, target = "/conf")], ports = [port(8080, published = 18461, mode = "host")])
`)
			f.Apply()
		}
		password := f.Hide(f.Get(18461, "/secret/pw"))
		if len(password) != 32 {
			t.Fatalf("the secret is %q", password)
		}
		live := append(f.marked(), f.Docker("service", "ps", "-q", "keep_web"))

		after := `
net = network("mesh", driver = "overlay")
conf = config("settings", content = "2")
key = secret("key", generate = 32, rotate = "2")
svc("site", networks = [net], secrets = [secret_ref(key, target = "pw")], configs = [config_ref(conf, target = "/conf")], ports = [port(8080, published = 18461, mode = "host")])
`
		f.Script(after + `
moved("network.keep_net", "network.mesh")
moved("config.keep_conf", "config.settings")
moved("secret.keep_pw", "secret.key")
moved("service.keep_web", "service.site")
`)
		f.Repaired("~ network.mesh (moved from network.keep_net)", "~ config.settings (moved from config.keep_conf)",
			"~ secret.key (moved from secret.keep_pw)", "~ service.site (moved from service.keep_web)")
		f.Apply()
		f.Script(after)
		f.PlanIsEmpty()
		if now := append(f.marked(), f.Docker("service", "ps", "-q", "keep_web")); !slices.Equal(now, live) {
			t.Errorf("there was %v, and now there is %v", live, now)
		}
		if f.Get(18461, "/secret/pw") != password {
			t.Error("the secret has a new value")
		}
		f.Script(``)
		f.Apply()
		if now := f.marked(); len(now) != 0 {
			t.Errorf("left are %v", now)
		}
	})
}

// marked are the names of all that is the project's.
func (f *fixture) marked() (out []string) {
	for _, kind := range []string{"config", "network", "secret", "service"} {
		out = append(out, f.Names(kind)...)
	}
	return out
}

// Somebody writes to a service while its new address is written: it is decided
// again, and the old mark is still known.
func TestStoryMovedAndWritten(t *testing.T) {
	onNewest(t, func(f *fixture) {
		f.Script(`svc("both_web", replicas = 0)`)
		f.Apply()
		f.Script(`svc("site", name = "both_web", replicas = 0)` + "\n" + `moved("service.both_web", "service.site")`)
		wrote := false
		r, err := f.Carry(f.Plan(), func(o *ApplyOptions) {
			o.Sink = func(e apply.Event) {
				if e.Type == apply.Started && !wrote {
					wrote = true
					f.Docker("service", "update", "--detach", "--no-resolve-image", "--env-add", "B=1", "both_web")
				}
			}
		})
		f.wentWell(r, err)
		f.PlanIsEmpty()
		if got := f.Names("service"); !slices.Equal(got, []string{"both_web"}) {
			t.Errorf("the services are %v", got)
		}
	})
}

// A script that declares nothing any more, not even an engine: the inventory
// beside it says where to look.
func TestStoryNothingDeclared(t *testing.T) {
	onBoth(t, func(f *fixture) {
		all := `
net = network("none_net", driver = "overlay")
svc("none_web", replicas = 0, networks = [net])
`
		empty := `project(var("project"))`
		for _, change := range []func(*Options){func(*Options) {}, func(o *Options) { o.Destroy = true }} {
			f.Script(all)
			f.Apply()
			f.Bare(empty)
			p := f.Plan(change)
			if got := lines(p.Plan); len(got) != 2 || !strings.HasPrefix(got[0], "- network.none_net") || !strings.HasPrefix(got[1], "- service.none_web") {
				t.Fatalf("the plan shows %v", got)
			}
			f.wentWell(f.Carry(p))
			if left := f.marked(); len(left) > 0 {
				t.Errorf("left are %v", left)
			}
			if out := f.Docker("config", "ls", "-q", "--filter", "label=swarmscript.project="+f.project); out != "" {
				t.Errorf("its ledger is left: %s", out)
			}
			p = f.Plan(change)
			f.shows(p)
			if len(p.Plan.Warnings) != 1 {
				t.Fatalf("the warnings are %v", p.Plan.Warnings)
			}
			f.says(p.Plan.Warnings[0].Summary, []string{"the script names no engine", "nothing was looked at"})
		}
	})
}
