package run

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// File writes a file beside the script.
func (f *fixture) File(name, text string) {
	f.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
		f.Fatal(err)
	}
}

// shopFile is a compose file of two services that are quick to converge.
const shopFile = `
services:
  web:
    image: swarmtest/web:1
    stop_grace_period: 1s
    environment: {TIER: web}
    networks: [default, outside]
    configs: [{source: motd, target: /motd}]
    secrets: [password]
    depends_on: {seed: {condition: service_completed_successfully}, back: {condition: service_healthy}}
    deploy: {replicas: 2, update_config: {monitor: 100ms}, restart_policy: {delay: 500ms}}
  back:
    image: swarmtest/web:1
    stop_grace_period: 1s
    deploy: {endpoint_mode: dnsrr, update_config: {monitor: 100ms}}
  seed:
    image: swarmtest/web:1
    command: ["exit", "0"]
    deploy: {mode: replicated-job, restart_policy: {condition: none}}
networks:
  outside: {external: true, name: stack_outside}
configs: {motd: {file: motd.txt}}
secrets: {password: {file: password.txt}}
`

// A stack from its making to its end: docker knows it as one of its own, what
// drifts is repaired, changed content makes a new version, and what goes out of
// the file goes out of the swarm.
func TestStoryStack(t *testing.T) {
	onNewest(t, func(f *fixture) {
		script := func(more string) string {
			return `network("stack_outside")` + "\n" + `s = stack("story-shop", files = ["shop.yml"], resolve_image = "never")` + "\n" + more
		}
		f.File("shop.yml", shopFile)
		f.File("motd.txt", "hello")
		f.File("password.txt", f.Hide("correct horse"))
		f.Script(script(""))
		f.Repaired("+ network.stack_outside", "+ network.story-shop_default", "+ secret.story-shop_password", "+ config.story-shop_motd",
			"+ service.story-shop_back", "+ service.story-shop_seed", "+ service.story-shop_web")

		// For docker it is a stack.
		if got := f.Docker("stack", "ls", "--format", "{{.Name}} {{.Services}}"); !strings.Contains(got, "story-shop 3") {
			t.Errorf("docker stack ls: %s", got)
		}
		if got := f.Docker("stack", "services", "story-shop", "--format", "{{.Name}} {{.Replicas}}"); !strings.Contains(got, "story-shop_web 2/2") {
			t.Errorf("docker stack services: %s", got)
		}
		if got := f.Docker("stack", "ps", "story-shop", "--format", "{{.Name}}"); !strings.Contains(got, "story-shop_back.1") {
			t.Errorf("docker stack ps: %s", got)
		}
		if got := f.Docker("secret", "ls", "--format", "{{.Name}}", "--filter", "label=com.docker.stack.namespace=story-shop"); got != "story-shop_password" {
			t.Errorf("its secret is %s", got)
		}

		// What drifts is repaired.
		f.Docker("service", "update", "--detach", "--replicas=1", "--env-add=TIER=hand", "story-shop_web")
		f.Repaired(`~ service.story-shop_web: replicas env["TIER"]`)

		// Changed content makes a new version; the service follows.
		f.File("motd.txt", "hello again")
		f.File("password.txt", f.Hide("battery staple"))
		f.Repaired("+/- secret.story-shop_password: value", "+/- config.story-shop_motd: content",
			`~ service.story-shop_web: secrets["password"].secret configs["/motd"].config`)

		// The script says otherwise than the file, and more.
		f.Script(script(`
web = s.service("web").override(replicas = 1)
web.extend(env = {"MORE": "1"}, labels = {"by": "script"})
svc("story-shop-extra", networks = [s.network("default")], after = [web])
`))
		f.Repaired(`~ service.story-shop_web: replicas env["MORE"] labels["by"]`, "+ service.story-shop-extra")

		// What the file names no more goes.
		f.File("shop.yml", strings.Replace(shopFile, "\n  back:", "\n  renamed:", 1))
		f.Script(script(""))
		f.PlanFails(`service "web" names the service "back", which the files do not have`)
		f.File("shop.yml", strings.ReplaceAll(shopFile, "back:", "renamed:"))
		f.Repaired("+ service.story-shop_renamed", `~ service.story-shop_web: replicas env["MORE"] labels["by"]`,
			"- service.story-shop-extra (no longer declared)", "- service.story-shop_back (no longer declared)")

		// docker stack rm knows what to remove, and the next apply brings it back.
		// Without --detach=false: docker 28.5.2 then counts the tasks that ended over
		// its looks together, and waits forever where the sum jumps past their number.
		f.Docker("stack", "rm", "story-shop")
		f.eventually("its tasks are gone", func() bool {
			return f.Docker("ps", "--quiet", "--filter", "label=com.docker.stack.namespace=story-shop") == ""
		})
		f.eventually("its network is gone", func() bool { return !strings.Contains(f.Docker("network", "ls"), "story-shop_default") })
		p := f.Plan()
		if len(lines(p.Plan)) != 6 {
			t.Errorf("after docker stack rm the plan is %v", lines(p.Plan))
		}
		f.wentWell(f.Carry(p))
		f.PlanIsEmpty()
	})
}

// What `docker stack deploy` has made is taken over, and nothing of it is
// restarted.
func TestStoryStackAdopted(t *testing.T) {
	onNewest(t, func(f *fixture) {
		f.File("shop.yml", `
services:
  web:
    image: swarmtest/web:1
    command: ["web"]
    stop_grace_period: 1s
    environment: {B: "2", A: "1"}
    ports:
      - {target: 81, published: 21002, mode: host}
      - {target: 80, published: 21001, mode: host}
    volumes: ["logs:/logs", "data:/data", "/tmp:/tmp:ro"]
    configs: [motd]
    logging: {options: {max-size: 1m}}
    deploy:
      update_config: {order: start-first}
      placement: {constraints: ["node.role == manager"]}
volumes: {data: , logs: }
configs: {motd: {file: motd.txt}}
`)
		f.File("motd.txt", "hello")
		f.Docker("stack", "deploy", "--detach=true", "--resolve-image=never", "-c", filepath.Join(f.dir, "shop.yml"), "story-adopted")
		tasks := func() string { return f.Docker("stack", "ps", "--no-trunc", "--quiet", "story-adopted") }
		defer func() {
			if f.Failed() {
				f.Log(f.Docker("stack", "ps", "--no-trunc", "story-adopted"))
			}
		}()
		f.eventually("its task runs", func() bool {
			return strings.Contains(f.Docker("stack", "services", "story-adopted", "--format", "{{.Replicas}}"), "1/1")
		})
		before := tasks()
		f.Script(`stack("story-adopted", files = ["shop.yml"], resolve_image = "never")`)
		adopt := func(o *Options) { o.AdoptAll = true }
		p := f.Plan(adopt)
		f.shows(p, "~ network.story-adopted_default (adopted)", "~ config.story-adopted_motd (adopted)", "~ service.story-adopted_web (adopted)")
		f.wentWell(f.Carry(p))
		f.PlanIsEmpty()
		if got := tasks(); got != before {
			t.Errorf("its tasks are %s, and were %s", got, before)
		}
	})
}

// What cannot be known to be the same becomes the version before ours: it is shown, and
// goes with the stack.
func TestStoryStackAdoptedVersions(t *testing.T) {
	onNewest(t, func(f *fixture) {
		f.File("shop.yml", `
services:
  web:
    image: swarmtest/web:1
    configs: [motd, same]
    secrets: [password]
    deploy: {replicas: 0}
configs: {motd: {file: motd.txt}, same: {file: same.txt}}
secrets: {password: {file: password.txt}}
`)
		f.File("motd.txt", "hello")
		f.File("same.txt", "the same")
		f.File("password.txt", f.Hide("correct horse"))
		f.Docker("stack", "deploy", "--detach=true", "--resolve-image=never", "-c", filepath.Join(f.dir, "shop.yml"), "story-versions")
		f.File("motd.txt", "hello again")
		f.Script(`stack("story-versions", files = ["shop.yml"], resolve_image = "never")`)
		adopt := func(o *Options) { o.AdoptAll = true }
		p := f.Plan(adopt)
		f.shows(p, "~ network.story-versions_default (adopted)", "+/- secret.story-versions_password: value (adopted)", "+/- config.story-versions_motd: content (adopted)", "~ config.story-versions_same (adopted)",
			`~ service.story-versions_web: secrets["password"].secret configs["motd"].config (adopted)`)
		f.wentWell(f.Carry(p))
		f.PlanIsEmpty()
		f.Script("")
		p = f.Plan()
		said := strings.Join(lines(p.Plan), "\n")
		wants(t, said, "- secret.story-versions_password (no longer declared)", "- config.story-versions_motd (no longer declared)")
		if n := strings.Count(said, "- secret."); n != 2 {
			t.Errorf("%d versions of the secret go, want ours and docker's:\n%s", n, said)
		}
		f.wentWell(f.Carry(p))
		for _, kind := range []string{"secret", "config"} {
			if got := f.Docker(kind, "ls", "--format", "{{.Name}}", "--filter", "label=com.docker.stack.namespace=story-versions"); got != "" {
				t.Errorf("of each %s there is left %s", kind, got)
			}
		}
	})
}
