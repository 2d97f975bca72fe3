package run

import (
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/testengine"
	"github.com/swarmscript/swarmscript/internal/ui"
)

// One project reads what another has made, and what nobody has: it passes on
// what it finds, follows it, and never touches it.
func TestStoryLookup(t *testing.T) {
	onBoth(t, func(f *fixture) {
		other := f.sibling("other")
		theirs := `
net = network("look_net", driver = "overlay", labels = {"zone": "b"})
pw = secret("look_pw", value = "` + f.Hide("looked-up-password") + `")
conf = config("look_conf", content = "x")
svc("look_web", replicas = 0, networks = [net], secrets = [pw], env = {"A": "1", "PW": var("pw", default = "` + f.Hide("hidden-from-lookup") + `", sensitive = True)}, constraints = ["node.role==manager"], limit_cpu = 0.5, limit_memory = "64m",
    ports = [port(80, published = 18080)], stop_grace_period = "7s", update = update_policy(delay = "3s", parallelism = 2))
`
		other.Script(theirs)
		other.Apply()
		f.e.In(f.T).DockerInput("n", "config", "create", "--label", "by=hand", "look_nobodys", "-")

		f.Script(`
web = lookup("service", "look_web")
net = lookup("network", "look_net")
svc("look_copy", image = web.image, replicas = web.replicas, networks = [net], secrets = [lookup("secret", "look_pw")], env = web.env, constraints = web.constraints,
    limit_cpu = web.limit_cpu, limit_memory = web.limit_memory, stop_grace_period = web.stop_grace_period, update = web.update, labels = net.labels,
    configs = [lookup("config", "look_nobodys"), lookup("config", "look_conf")], hostname = "of-" + web.stop_grace_period)
output("image", web.image)
output("update", web.update)
output("ports", web.ports)
`)
		p := f.Plan()
		f.shows(p, "+ service.look_copy")
		var b strings.Builder
		if err := ui.Plan(&b, p.Plan, ui.PlanOptions{}); err != nil {
			t.Fatal(err)
		}
		if text := b.String(); !strings.Contains(text, "<= read") || !strings.Contains(text, "swarmtest/web:1") || !strings.Contains(text, `"delay": "3s"`) || !strings.Contains(text, `"published": 18080`) || strings.Contains(text, "known after apply") {
			t.Errorf("what was looked up is not in the plan:\n%s", text)
		}
		f.wentWell(f.Carry(p))
		f.PlanIsEmpty()
		for field, want := range map[string]string{
			".Spec.TaskTemplate.Placement.Constraints":                     "[node.role==manager]",
			".Spec.TaskTemplate.ContainerSpec.StopGracePeriod":             "7s",
			".Spec.TaskTemplate.ContainerSpec.Hostname":                    "of-7s",
			".Spec.TaskTemplate.Resources.Limits.NanoCPUs":                 "500000000",
			".Spec.UpdateConfig.Delay":                                     "3s",
			".Spec.Labels.zone":                                            "b",
			"index .Spec.TaskTemplate.ContainerSpec.Env 1":                 "PW=hidden-from-lookup",
			"index .Spec.TaskTemplate.ContainerSpec.Env 0":                 "A=1",
			"len .Spec.TaskTemplate.ContainerSpec.Configs":                 "2",
			"(index .Spec.TaskTemplate.ContainerSpec.Secrets 0).File.Name": "look_pw",
		} {
			if got := f.Docker("service", "inspect", "look_copy", "--format", "{{"+field+"}}"); got != want {
				t.Errorf("%s is %s, want %s", field, got, want)
			}
		}

		// It follows what the other changes, a new version too.
		other.Script(strings.NewReplacer(`"7s"`, `"9s"`, `"x"`, `"y"`).Replace(theirs))
		other.Apply()
		f.Repaired(`~ service.look_copy: hostname stop_grace_period configs["look_conf"].config`)

		// What is not there is an error, with what is.
		f.Script(`lookup("service", "look_wbe")`)
		f.PlanFails(`there is no service "look_wbe"`, `did you mean "look_web"?`)
		// What this project has made is not looked up.
		f.Script(`lookup("service", "look_copy")`)
		f.PlanFails(`service "look_copy" is this project's, but is only read`)

		f.Script(`lookup("service", "look_web"); lookup("config", "look_nobodys")`)
		f.Repaired("- service.look_copy (no longer declared)")
		f.Script("")
		f.PlanIsEmpty()
		other.PlanIsEmpty()
	})
}

// What is looked up in a swarm that the same apply makes is looked up then.
func TestStoryLookupLater(t *testing.T) {
	t.Parallel()
	f := newFixture(t, testengine.Start(t, testengine.Docker28, testengine.Hostname("mgr-0")))
	testengine.Images(f.e)
	f.Bare(strings.ReplaceAll(prelude, ", external = True", `, advertise_addr = var("addr")`) + `
n = lookup("node", "mgr-0")
node("mgr-0x")
ingress = lookup("network", "ingress")
svc("web", replicas = 0, hostname = "on-" + n.hostname, labels = {"driver": ingress.driver, "role": n.role})
`)
	f.ApplyEnds(4, `there is no node of the host name "mgr-0x"`)
	f.Bare(strings.ReplaceAll(prelude, ", external = True", `, advertise_addr = var("addr")`) + `
n = lookup("node", "mgr-0")
ingress = lookup("network", "ingress")
svc("web", replicas = 0, hostname = "on-" + n.hostname, labels = {"driver": ingress.driver, "role": n.role})
`)
	f.Apply()
	f.PlanIsEmpty()
	if got := f.Docker("service", "inspect", "web", "--format", "{{.Spec.TaskTemplate.ContainerSpec.Hostname}} {{.Spec.Labels.driver}} {{.Spec.Labels.role}}"); got != "on-mgr-0 overlay manager" {
		t.Errorf("what was looked up is %s", got)
	}
}
