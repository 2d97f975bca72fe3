package run

import (
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/value"
)

// A password moves from the environment into a secret, as it should: neither
// plan shows it, although the script does not know it any more.
func TestStorySensitiveDropped(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.Hide("an-old-password")
		f.opts.Env = func(name string) (string, bool) { return "an-old-password", name == "DROP_PW" }
		f.Script(`svc("drop_web", env = {"PW": env("DROP_PW", sensitive = True), "MODE": "x"})`)
		f.Apply()
		f.PlanIsEmpty()
		f.Script(`svc("drop_web", env = {"MODE": "y"})`)
		f.Repaired(`~ service.drop_web: env["MODE"] env["PW"]`)
		f.Script(`svc("drop_web", env = {"MODE": "z"})`)
		f.Repaired(`~ service.drop_web: env["MODE"]`)
	})
}

// A secret's and a config's values change: a new version, the services move
// over, two old versions stay for a rollback, the value is never shown.
func TestStoryRotation(t *testing.T) {
	onBoth(t, func(f *fixture) {
		script := func(n string) string {
			return `
pw = secret("rot_pw", value = env("ROT_PW"))
conf = config("rot_conf", content = "version ` + n + `")
svc("rot_web", secrets = [pw], configs = [conf], ports = [port(8080, published = 8090, mode = "host")],
    update = update_policy(monitor = "100ms", order = "stop-first"))
svc("rot_other")
`
		}
		set := func(n string) {
			f.opts.Env = func(name string) (string, bool) { return "rotated-password-" + n, name == "ROT_PW" }
			f.Script(script(n))
		}
		f.Hide("rotated-password")
		set("1")
		f.Apply()
		if got := f.Get(8090, "/secret/rot_pw"); got != "rotated-password-1" {
			t.Fatalf("the container reads %q", got)
		}
		first := f.Names("secret")

		changes := []string{"+/- secret.rot_pw: value", "+/- config.rot_conf: content",
			`~ service.rot_web: secrets["rot_pw"].secret configs["rot_conf"].config`}
		set("2")
		p := f.Plan()
		f.shows(p, changes...)
		for _, c := range p.Plan.Changes[:len(p.Plan.Changes)-1] {
			if c.Kind.Versioned && !slices.Equal(c.Rolls, []value.Address{"swarm.main/service.rot_web"}) {
				t.Errorf("%s rolls %v", c.Address, c.Rolls)
			}
		}
		f.wentWell(f.Carry(p))
		f.PlanIsEmpty()
		f.eventually("the new secret is read", func() bool { return f.Get(8090, "/secret/rot_pw") == "rotated-password-2" })
		if got := f.Get(8090, "/file?path=/rot_conf"); got != "version 2" {
			t.Errorf("the container reads %q", got)
		}

		set("3")
		f.Repaired(changes...)
		if n := len(f.Names("secret")); n != 3 {
			t.Fatalf("%d versions after two rotations", n)
		}
		set("4")
		f.Repaired(append(changes, "- config.rot_conf (old version)", "- secret.rot_pw (old version)")...)
		if now := f.Names("secret"); len(now) != 3 || slices.Contains(now, first[0]) {
			t.Fatalf("the versions are %v; the first was %v", now, first)
		}
		if n := len(f.Names("config")); n != 3 {
			t.Errorf("%d versions of the config", n)
		}

		// Back to version 3: its objects are still there.
		before := f.Names("secret")
		set("3")
		f.Repaired(`~ service.rot_web: secrets["rot_pw"].secret configs["rot_conf"].config`)
		if now := f.Names("secret"); !slices.Equal(now, before) {
			t.Errorf("a rollback made versions: %v, then %v", before, now)
		}
		f.eventually("the old secret is read", func() bool { return f.Get(8090, "/secret/rot_pw") == "rotated-password-3" })
	})
}

// A generated value is made once, and anew only with another rotate.
func TestStoryGenerated(t *testing.T) {
	onNewest(t, func(f *fixture) {
		script := func(args string) string {
			return `
pw = secret("gen_pw", generate = 32` + args + `)
svc("gen_web", secrets = [pw], ports = [port(8080, published = 8091, mode = "host")], update = update_policy(monitor = "100ms", order = "stop-first"))
`
		}
		f.Script(script(""))
		f.Apply()
		made := f.Hide(f.Get(8091, "/secret/gen_pw"))
		if len(made) != 32 || strings.ContainsAny(made, "\n ") {
			t.Fatalf("the value has %d bytes", len(made))
		}
		f.PlanIsEmpty()
		f.Apply()
		f.Docker("service", "update", "--detach", "--force", "gen_web")
		f.Apply()
		if f.Get(8091, "/secret/gen_pw") != made {
			t.Error("the value was made again")
		}
		f.Script(script(`, rotate = "2026"`))
		f.Repaired("+/- secret.gen_pw: generate rotate", `~ service.gen_web: secrets["gen_pw"].secret`)
		f.eventually("there is a new value", func() bool { return f.Get(8091, "/secret/gen_pw") != made })
		f.Hide(f.Get(8091, "/secret/gen_pw"))
	})
}
