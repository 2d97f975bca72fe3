package run

import (
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// A swarm of the project's own: made, moved to another address, adopted by
// another project, and given up only with a permission.
func TestStorySwarm(t *testing.T) {
	t.Parallel()
	for _, v := range []testengine.Version{testengine.Debian20, testengine.Docker28} {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, testengine.Start(t, v))
			script := func(name, history, lifecycle, more string) string {
				return `
project(var("project"))
swarm.init(engine(var("host"), name = "lab"), name = "` + name + `", advertise_addr = var("addr"), task_history_limit = ` + history + lifecycle + `)
net = network("own_net", driver = "overlay")
conf = config("own_conf", content = "x")
service("own_web", image = "swarmtest/web:1", replicas = 0, no_resolve_image = True, networks = [net], configs = [conf], after = [conf])
` + more
			}
			f.Bare(script("main", "5", "", ""))
			f.Repaired("+ swarm.main", "+ network.own_net", "+ config.own_conf", "+ service.own_web")
			id := f.Docker("info", "--format", "{{.Swarm.Cluster.ID}}")

			// Drift of the swarm itself.
			f.Docker("swarm", "update", "--task-history-limit=9")
			f.Repaired("~ swarm.main: task_history_limit")

			// A new address: everything in the swarm has one too.
			f.Bare(script("prod", "5", "", `moved("swarm.main", "swarm.prod")`))
			f.Repaired("~ swarm.prod (moved from swarm.main)", "~ network.own_net (moved from network.own_net)",
				"~ config.own_conf (moved from config.own_conf)", "~ service.own_web (moved from service.own_web)")
			f.Bare(script("prod", "5", "", ""))
			f.PlanIsEmpty()

			// A new name for the engine, which the inventory still has by the old
			// one: the swarm is the same.
			f.Bare(strings.ReplaceAll(script("prod", "5", "", ""), `"lab"`, `"here"`))
			f.PlanIsEmpty()
			f.Docker("service", "scale", "--detach", "own_web=1")
			f.Repaired("~ service.own_web: replicas")
			f.Bare(script("prod", "5", "", ""))
			f.PlanIsEmpty()

			// Another project cannot have it by accident.
			other := f.sibling("other")
			other.Bare(`
project(var("project"))
swarm.init(engine(var("host"), name = "lab"), advertise_addr = var("addr"))
`)
			other.PlanFails("belongs to project "+f.project, "--adopt swarm.main")

			destroy := func(o *Options) { o.Destroy = true }
			f.PlanFailsWith(destroy, "swarm.prod: deleting it would lose every service, secret, config and network", "--allow-data-loss permits it")
			f.Bare(script("prod", "5", ", lifecycle = lifecycle(prevent_destroy = True)", ""))
			f.PlanFailsWith(func(o *Options) { o.Destroy, o.AllowDataLoss = true, true }, "swarm.prod: deleting it is forbidden by lifecycle(prevent_destroy = True)")
			f.Bare(script("prod", "5", "", ""))
			f.PlanIsEmpty()
			if f.Docker("info", "--format", "{{.Swarm.Cluster.ID}}") != id {
				t.Error("the swarm was made anew")
			}
			p := f.Plan(func(o *Options) { o.Destroy, o.AllowDataLoss = true, true })
			f.shows(p, "- swarm.prod")
			f.wentWell(f.Carry(p, func(o *ApplyOptions) {
				o.Sink = func(e apply.Event) {
					if strings.Contains(e.Text, "lease") {
						t.Errorf("the lease went with the swarm, and yet: %s", e.Text)
					}
				}
			}))
			if got := f.Docker("info", "--format", "{{.Swarm.LocalNodeState}}"); got != "inactive" {
				t.Errorf("the engine is %s", got)
			}
			if left := f.Docker("volume", "ls", "-q"); left != "" {
				t.Logf("volumes are left: %s", left)
			}
			f.Repaired("+ swarm.prod", "+ network.own_net", "+ config.own_conf", "+ service.own_web")
		})
	}
}

// A swarm that somebody made by hand is adopted as it is.
func TestStoryAdoptedSwarm(t *testing.T) {
	t.Parallel()
	f := newFixture(t, testengine.Start(t, testengine.Docker28))
	f.Docker("swarm", "init", "--advertise-addr", f.e.Addr)
	id := f.Docker("info", "--format", "{{.Swarm.Cluster.ID}}")
	f.Bare(`
project(var("project"))
swarm.init(engine(var("host"), name = "lab"))
config("by_conf", content = "x")
`)
	f.PlanFails("exists and is not managed by this project", "--adopt swarm.main")
	adopt := func(o *Options) { o.Adopt = []string{"swarm.main"} }
	p := f.Plan(adopt)
	f.shows(p, "~ swarm.main (adopted)", "+ config.by_conf")
	f.wentWell(f.Carry(p))
	f.PlanIsEmpty()
	if f.Docker("info", "--format", "{{.Swarm.Cluster.ID}}") != id {
		t.Error("the swarm was made anew")
	}
}
