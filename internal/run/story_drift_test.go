package run

import (
	"sync"
	"testing"

	"github.com/swarmscript/swarmscript/internal/apply"
)

// Every kind changed in the script, then by hand with the docker CLI: the plan
// shows just that, and an apply repairs it.
func TestStoryDrift(t *testing.T) {
	onBoth(t, func(f *fixture) {
		script := func(tier, image, motd string) string {
			return `
net = network("drift_net", driver = "overlay", attachable = True, labels = {"tier": "` + tier + `"})
pw = secret("drift_pw", value = "drift-password-1", labels = {"tier": "` + tier + `"})
conf = config("drift_motd", content = "` + motd + `", labels = {"tier": "` + tier + `"})
svc("drift_web", image = "` + image + `", replicas = 2, networks = [net], secrets = [pw], configs = [conf], env = {"A": "1"}, labels = {"tier": "` + tier + `"})
`
		}
		f.Hide("drift-password-1")
		f.Script(script("a", "swarmtest/web:1", "hello"))
		f.Repaired("+ network.drift_net", "+ secret.drift_pw", "+ config.drift_motd", "+ service.drift_web")

		// The script changes.
		f.Script(script("a", "swarmtest/web:2", "hello"))
		f.Repaired("~ service.drift_web: image")
		f.Script(script("a", "swarmtest/web:2", "good day"))
		f.Repaired("+/- config.drift_motd: content", `~ service.drift_web: configs["drift_motd"].config`)

		// A person changes the service.
		f.Docker("service", "scale", "--detach", "drift_web=4")
		f.Repaired("~ service.drift_web: replicas")
		f.Docker("service", "update", "--detach", "--no-resolve-image", "--image", "swarmtest/web:3", "--env-add", "A=2", "--env-add", "B=1", "drift_web")
		f.Repaired(`~ service.drift_web: image env["A"] env["B"]`)
		f.Docker("service", "update", "--detach", "--label-add", "tier=x", "--label-add", "theirs=kept", "drift_web")
		f.Repaired(`~ service.drift_web: labels["tier"]`)
		if got := f.Docker("service", "inspect", "drift_web", "--format", "{{.Spec.Labels.theirs}}"); got != "kept" {
			t.Errorf("a label that is not ours is %q", got)
		}

		// A person removes everything, one after the other.
		f.Docker("service", "rm", "drift_web")
		f.Repaired("+ service.drift_web")
		f.Docker("service", "rm", "drift_web")
		for _, kind := range []string{"network", "secret", "config"} {
			for _, name := range f.Names(kind) {
				f.eventually(name+" can be removed", func() bool {
					_, err := f.e.TryDocker(kind, "rm", name)
					return err == nil
				})
			}
		}
		f.eventually("the network is gone", func() bool { return len(f.Names("network")) == 0 })
		f.Repaired("+ network.drift_net", "+ secret.drift_pw", "+ config.drift_motd", "+ service.drift_web")
	})
}

// A service that is fully there again while the secret that it uses was removed
// cannot be: the engine refuses. What is removed under a stopped service is.
func TestStoryDriftOfUsed(t *testing.T) {
	onNewest(t, func(f *fixture) {
		f.Script(`
net = network("used_net", driver = "overlay", labels = {"tier": "a"})
svc("used_web", replicas = 1, networks = [net])
`)
		f.Apply()
		id := f.Docker("network", "inspect", "used_net", "--format", "{{.ID}}")
		f.Docker("service", "update", "--detach", "--network-rm", "used_net", "used_web")
		f.eventually("the network can be removed", func() bool {
			_, err := f.e.TryDocker("network", "rm", "used_net")
			return err == nil
		})
		f.eventually("the network is gone", func() bool { return len(f.Names("network")) == 0 })
		f.Repaired("+ network.used_net", `~ service.used_web: networks["used_net"]`)
		if f.Docker("network", "inspect", "used_net", "--format", "{{.ID}}") == id {
			t.Error("the network was never gone")
		}
	})
}

// A changed label of a network is a replacement, as Docker cannot change it;
// of a secret and a config it is an update.
func TestStoryLabels(t *testing.T) {
	onBoth(t, func(f *fixture) {
		script := func(tier string) string {
			return `
net = network("label_net", driver = "overlay", labels = {"tier": "` + tier + `"})
pw = secret("label_pw", value = "label-password", labels = {"tier": "` + tier + `"})
conf = config("label_motd", content = "hello", labels = {"tier": "` + tier + `"})
svc("label_web", replicas = 1, networks = [net], secrets = [pw], configs = [conf])
`
		}
		f.Hide("label-password")
		f.Script(script("a"))
		f.Apply()
		f.Script(script("b"))
		f.Repaired(`-/+ network.label_net: labels["tier"]`, `~ secret.label_pw: labels["tier"]`, `~ config.label_motd: labels["tier"]`,
			"-/+ service.label_web (uses network.label_net, which is replaced)")
		if got := f.Docker("network", "inspect", "label_net", "--format", "{{.Labels.tier}}"); got != "b" {
			t.Errorf("the network's label is %q", got)
		}
	})
}

// A network that an engine still lists while it removes it: what uses it says
// so, and the next run makes it again.
func TestStoryNetworkGoesAway(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.Script(`
net = network("away_net", driver = "overlay")
svc("away_web", replicas = 0, networks = [net])
`)
		f.Apply()
		f.Docker("service", "rm", "away_web")
		p := f.Plan()
		f.shows(p, "+ service.away_web")
		var once sync.Once
		r, err := f.Carry(p, func(o *ApplyOptions) {
			o.Sink = func(e apply.Event) {
				if e.Type == apply.Started {
					once.Do(func() {
						f.Docker("network", "rm", "away_net")
						f.eventually("the network is gone", func() bool { _, err := f.e.TryDocker("network", "inspect", "away_net"); return err != nil })
					})
				}
			}
		})
		f.ended(r, err, apply.ExitStale, "service.away_web: network away_net went away meanwhile: run it again")
		f.Repaired("+ network.away_net", "+ service.away_web")
	})
}
