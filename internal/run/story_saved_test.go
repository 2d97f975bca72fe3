package run

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/apply"
)

const testVersion = "1.2.3"

// Save plans, and writes the plan to a file.
func (f *fixture) Save(change ...func(*Options)) string {
	f.Helper()
	path := filepath.Join(f.dir, "saved.plan")
	if err := f.Plan(change...).Save(path, testVersion); err != nil {
		f.Fatalf("save: %v", err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(bytes.SplitN(data, []byte("\n"), 3)[2]))
	if err != nil {
		f.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		f.Fatal(err)
	}
	f.say(string(text))
	return path
}

// Saved plans what a file holds.
func (f *fixture) Saved(path string) (*Planned, error) {
	f.Helper()
	file, err := LoadPlan(path, testVersion)
	if err != nil {
		f.Fatalf("load: %v", err)
	}
	opts := f.opts
	opts.Vars = nil
	p, err := PlanSaved(context.Background(), file, opts)
	f.Cleanup(func() { p.Close() })
	return p, err
}

// IsStale checks that a saved plan is refused, for that reason.
func (f *fixture) IsStale(path string, texts ...string) {
	f.Helper()
	p, err := f.Saved(path)
	if err == nil {
		f.Fatalf("the plan is not stale: %s", strings.Join(lines(p.Plan), "\n"))
	}
	if code := apply.ExitCodeOf(err, apply.ExitError); code != apply.ExitStale {
		f.Errorf("the exit code is %d: %v", code, err)
	}
	f.says(detail(err), texts)
}

// A saved plan is applied as it is, or not at all: also where something
// changes after it was compared, before the lease is taken.
func TestStorySaved(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.Hide("saved-password")
		script := func(image string) string {
			return `
net = network("saved_net", driver = "overlay")
pw = secret("saved_pw", value = "saved-password")
svc("saved_web", image = "` + image + `", networks = [net], secrets = [pw], env = {"A": "1"})
`
		}
		f.Script(script("swarmtest/web:1"))
		path := f.Save()
		p, err := f.Saved(path)
		if err != nil {
			f.Fatal(detail(err))
		}
		f.wentWell(f.Carry(p))
		f.PlanIsEmpty()
		f.IsStale(path, "service.saved_web: the plan would create it, which is not to be done any more")

		f.Script(script("swarmtest/web:2"))
		path = f.Save()
		if p, err = f.Saved(path); err != nil {
			f.Fatal(detail(err))
		}
		f.Docker("service", "scale", "--detach", "saved_web=2")
		r, err := f.Carry(p)
		f.ended(r, err, apply.ExitStale, "the plan leaves replicas as it is, and it would now change: 2 -> 1")
		if got := f.Docker("service", "inspect", "saved_web", "--format", "{{.Spec.TaskTemplate.ContainerSpec.Image}}"); got != "swarmtest/web:1" {
			t.Errorf("the image is %s: something was applied", got)
		}
		f.Docker("service", "rm", "saved_web")
		f.IsStale(path, "service.saved_web: the plan would update it, and it would now be created")
	})
}

// What a value is made of that nobody sees is compared too.
func TestStorySavedToken(t *testing.T) {
	onNewest(t, func(f *fixture) {
		f.Script(`svc("token_web", env = {"PASSWORD": format("{}-{}", var("pw", "one", sensitive = True), "x")})`)
		path := f.Save(func(o *Options) { o.Vars = append(o.Vars, "pw="+f.Hide("first-password")) })
		file, err := LoadPlan(path, testVersion)
		if err != nil {
			t.Fatal(err)
		}
		for pw, code := range map[string]int{"second-password": apply.ExitStale, "first-password": apply.ExitOK} {
			opts := f.opts
			opts.Vars = []string{"pw=" + pw}
			p, err := PlanSaved(context.Background(), file, opts)
			if got := apply.ExitCodeOf(err, apply.ExitError); got != code {
				t.Errorf("%s: %d, want %d: %v", pw, got, code, err)
			}
			p.Close()
		}
		f.IsStale(path, "variable pw is not given now")

		// A file of variables is read again from where it was.
		file2 := filepath.Join(f.dir, "vars.toml")
		give := func(pw string) {
			if err := os.WriteFile(file2, []byte("pw = \""+f.Hide(pw)+"\"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		give("third-password")
		path = f.Save(func(o *Options) { o.VarFiles = []string{file2} })
		give("fourth-password")
		f.IsStale(path, "var-file "+file2+" has changed")
		give("third-password")
		p, err := f.Saved(path)
		if err != nil {
			t.Fatal(err)
		}
		f.wentWell(f.Carry(p))
	})
}

// Another engine at the same place is not the one that was planned for.
func TestStorySavedElsewhere(t *testing.T) {
	onNewest(t, func(f *fixture) {
		dir, err := os.MkdirTemp("", "plan") // a socket's path is short
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		socket := filepath.Join(dir, "s")
		point := func(host string) {
			os.Remove(socket)
			if err := os.Symlink(strings.TrimPrefix(host, "unix://"), socket); err != nil {
				t.Fatal(err)
			}
		}
		point(f.e.Host)
		f.host = "unix://" + socket
		f.Script(`svc("elsewhere_web")`)
		path := f.Save()
		point(shared[0].in(t).Host)
		f.IsStale(path, "engine.lab is another one: its ID is ", "swarm.main is another one")
		point("unix:///nowhere")
		_, err = f.Saved(path)
		if code := apply.ExitCodeOf(err, apply.ExitError); code != apply.ExitUnreachable {
			t.Errorf("of an engine that does not answer the code is %d: %v", code, err)
		}
		point(f.e.Host)
		p, err := f.Saved(path)
		if err != nil {
			t.Fatal(err)
		}
		f.wentWell(f.Carry(p))
	})
}

// A part of a project is planned and applied, and the rest is left alone.
func TestStoryTargets(t *testing.T) {
	onBoth(t, func(f *fixture) {
		script := func(image string, more string) string {
			return `
net = network("part_net", driver = "overlay")
pw = secret("part_pw", value = "part-password")
svc("part_web", image = "` + image + `", networks = [net], secrets = [pw])
svc("part_api", image = "` + image + `", networks = [net])
` + more
		}
		target := func(list ...string) func(*Options) { return func(o *Options) { o.Targets = list } }
		exclude := func(list ...string) func(*Options) { return func(o *Options) { o.Exclude = list } }
		replace := func(list ...string) func(*Options) { return func(o *Options) { o.Replace = list } }
		f.Hide("part-password")
		f.Script(script("swarmtest/web:1", `svc("part_old")`))
		f.PlanFailsWith(target("service.part_wbe"), "--target service.part_wbe: there is no such resource", `did you mean "service.part_web"`)
		f.shows(f.Plan(target("service.part_api")), "+ network.part_net", "+ service.part_api")
		f.shows(f.Plan(exclude("secret.*")), "+ network.part_net", "+ service.part_api", "+ service.part_old")
		f.shows(f.Plan(target("swarm.main")), "+ network.part_net", "+ secret.part_pw", "+ service.part_web", "+ service.part_api", "+ service.part_old")
		f.Apply(target("service.part_api"))
		f.PlanShows("+ secret.part_pw", "+ service.part_web", "+ service.part_old")
		f.Apply()

		// Something changes, something goes: only what is named, with what it needs.
		f.Script(script("swarmtest/web:2", ""))
		f.shows(f.Plan(target("swarm.main/service.part_web")), "~ service.part_web: image")
		f.shows(f.Plan(target("service.part_old")), "- service.part_old (no longer declared)")
		f.shows(f.Plan(exclude("service.part_old", "service.part_web")), "~ service.part_api: image")
		f.Apply(exclude("service.part_old", "service.part_web"))
		f.shows(f.Plan(replace("service.part_web"), target("service.part_web")), "-/+ service.part_web: image (--replace)")
		id := f.Docker("service", "inspect", "part_web", "--format", "{{.ID}}")
		f.Apply(replace("service.part_web"), exclude("service.part_old"))
		if f.Docker("service", "inspect", "part_web", "--format", "{{.ID}}") == id {
			t.Error("the service is the same one")
		}
		f.PlanShows("- service.part_old (no longer declared)")

		// A network that goes takes with it what uses it, so that goes too.
		f.Script(`pw = secret("part_pw", value = "part-password")`)
		f.shows(f.Plan(target("network.part_net")), "- network.part_net (no longer declared)",
			"- service.part_api (no longer declared)", "- service.part_web (no longer declared)")
		f.PlanFailsWith(replace("secret.part_pw"), "--replace secret.part_pw: a secret is made anew by what is in it")
		f.shows(f.Plan(func(o *Options) { o.Destroy, o.Exclude = true, []string{"service.part_web"} }),
			"- service.part_api", "- service.part_old")
		f.Apply(func(o *Options) { o.Destroy, o.Targets = true, []string{"service.part_old"} })
		f.Apply(func(o *Options) { o.Destroy = true })
		for _, kind := range []string{"service", "network", "secret"} {
			if left := f.Names(kind); len(left) > 0 {
				t.Errorf("destroy left %v", left)
			}
		}
	})
}

// A refresh changes nothing that is live: it shows what differs, and brings
// the inventory up to date.
func TestStoryRefresh(t *testing.T) {
	onNewest(t, func(f *fixture) {
		refresh := func(o *Options) { o.RefreshOnly = true }
		f.Script(`
web = svc("refresh_web", replicas = 1)
output("id", web.id)
`)
		f.Apply(refresh) // nothing is there, and nothing is made
		f.PlanShows("+ service.refresh_web")
		f.Apply()
		f.Docker("service", "scale", "--detach", "refresh_web=2")
		if err := os.RemoveAll(filepath.Join(f.dir, ".swarmscript")); err != nil {
			t.Fatal(err)
		}
		p := f.Plan(refresh)
		if len(p.Plan.Drift) != 1 || p.Plan.Drift[0].Address != "swarm.main/service.refresh_web" || !p.Plan.Empty() {
			t.Fatalf("the drift is %v, the plan %v", p.Plan.Drift, lines(p.Plan))
		}
		if id := f.Docker("service", "inspect", "refresh_web", "--format", "{{.ID}}"); len(p.Plan.Outputs) != 1 || p.Plan.Outputs[0].Value != id {
			t.Errorf("the outputs are %v, want %s", p.Plan.Outputs, id)
		}
		f.wentWell(f.Carry(p))
		if got := f.Docker("service", "inspect", "refresh_web", "--format", "{{.Spec.Mode.Replicated.Replicas}}"); got != "2" {
			t.Errorf("there are %s replicas", got)
		}
		if entries := readHint(f.dir, f.project); len(entries) != 2 {
			t.Errorf("the inventory beside the script is %v", entries)
		}
		f.Repaired("~ service.refresh_web: replicas")
	})
}

// What compose files take from the environment may be a password: that it is another
// one is said without it.
func TestStorySavedEnvironment(t *testing.T) {
	onNewest(t, func(f *fixture) {
		f.File("shop.yml", "services:\n  web:\n    image: swarmtest/web:1\n    environment: {PW: \"${SAVED_PW}\"}\n    deploy: {replicas: 0}\n")
		f.Script(`stack("saved-env", files = ["shop.yml"], resolve_image = "never")`)
		env := func(pw string) { f.opts.Env = func(name string) (string, bool) { return pw, name == "SAVED_PW" } }
		env("first-word")
		f.Apply()
		env("second-word")
		path := f.Save()
		env("third-word")
		_, err := f.Saved(path)
		if err == nil {
			t.Fatal("the plan is not stale")
		}
		f.says(detail(err), []string{"environment variable SAVED_PW has changed", `service.saved-env_web: env["PW"] is another one`})
		if strings.Contains(detail(err), "-word") {
			t.Errorf("it shows a value:\n%s", detail(err))
		}
	})
}
