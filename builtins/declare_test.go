package builtins_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

// evaluate runs a script with all builtins; files are modules beside it.
func evaluate(t testing.TB, src string, files map[string]string) (*resource.Program, diag.List) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	rec := builtins.NewRecorder(&builtins.Inputs{}, registry.Kinds())
	s := lang.NewSession(lang.Options{Root: dir, Predeclared: rec.Predeclared()})
	if _, err := s.ExecSource(context.Background(), "x.star", []byte(src)); err != nil {
		return nil, diag.From(err)
	}
	p, problems := rec.Program()
	return p, problems
}

func TestDeclarationErrors(t *testing.T) {
	const head = "project('p')\nc = swarm.init()\n"
	for _, tt := range []struct{ name, src, want string }{ // want: line:col-endline:endcol message
		{"unknown argument", `service("web", image = "nginx", replica = 4)`, `3:33-3:44 service: unexpected argument "replica" (did you mean "replicas"?)`},
		{"an argument of another provider", "azure('westeurope')\nvm('v', size = 'Standard_B2s')", `4:9-4:30 vm: unexpected argument "size" (one in azure() has it: say which with provider =)`},
		{"wrong type", `service("web", image = "nginx", replicas = "4")`, `3:33-3:47 service: replicas: got "4", want int`},
		{"bad enum", `service("web", image = "nginx", mode = "globl")`, `(did you mean "global"?)`},
		{"range", `service("web", image = "nginx", replicas = -1)`, "service: replicas: "},
		{"missing", `service("web")`, "3:1-3:15 service: missing argument image"},
		{"no name", `service(image = "nginx")`, "service: missing argument name"},
		{"name that is no text", `service(4, image = "nginx")`, "3:9-3:10 service: the name must be plain text, got int"},
		{"in two swarms", "h = host('h', '192.0.2.1'); k = host('k', '192.0.2.2')\na = swarm.init(h, name = 'a')\nb = swarm.init(k, name = 'b')\nswarm.join(k, a)", "docker.k cannot be in swarm.b and in swarm.a: an engine is in one swarm"},
		{"joining two swarms", "h = host('h', '192.0.2.1')\nx = swarm.init(engine('tcp://192.0.2.3:1', name = 'x'), name = 'b')\nswarm.join(h, c)\nswarm.join(h, x)", "docker.h cannot be in swarm.main and in swarm.b"},
		{"a machine whose address comes in an apply", "v = vm('v', provider = local())\nhost('h', v.public_ip)", "4:11-4:22 host: vm.v.public_ip is not known before an apply, and is needed to look at what is there"},
		{"an engine whose address does", "v = vm('v', provider = local())\nengine(format('tcp://{}:1', v.public_ip), name = 'e')", "engine: tcp://${vm.v.public_ip}:1 is not known before an apply"},
		{"two machines of one name", "h = host('m', '192.0.2.1'); v = vm('m', provider = local())\nswarm.join(h, c)\nvolume('v', engine = v)", "volume: vm.m and host.m have the same name, which their engines would have too (name one of the machines otherwise)"},
		{"an engine of the other machine", "h = host('m', '192.0.2.1'); v = vm('m', provider = local())\nswarm.join(h, c)\ndocker_install(v)", "docker.m is declared twice"},
		{"twice", "network('n')\nnetwork('n')", "network.n is declared twice"},
		{"a struct of its own", `service("web", image = "nginx", ports = [port("x")])`, `3:47-3:50 port: target: got "x", want int`},
		{"the wrong struct", `service("web", image = "nginx", ports = [update_policy()])`, "service: ports[0]: got update_policy(...), want port(...) or a dict"},
		{"the wrong handle", "n = network('n')\nservice('web', image = 'nginx', secrets = [n])", "service: secrets[0].secret: got network.n, want secret"},
		{"a deferred value of the wrong type", "n = network('n')\nservice('web', image = 'nginx', replicas = n.id)", "service: replicas: got network.n.id (string), want int"},
		{"an attribute that is not there", "n = network('n')\nx = n.idd", "did you mean"},
		{"comparing what is not known", "n = network('n')\nif n.id == 'x': pass", "network.n.id"},
		{"after", "service('web', image = 'nginx', after = ['x'])", "service: after[0]: got string, want a resource"},
		{"replace_on a secret", "secret('pw', value = 'x', lifecycle = lifecycle(replace_on = ['1']))", "rotate = ... makes a new version"},
		{"replace_on a config", "config('c', content = 'x', lifecycle = lifecycle(replace_on = ['1']))", "put what shall renew it into its content"},
		{"ignore_changes", "service('web', image = 'nginx', lifecycle = lifecycle(ignore_changes = ['replica']))", `(did you mean "replicas"?)`},
		{"timeout", "service('web', image = 'nginx', timeout = 'soon')", `service: timeout: got "soon", want a duration such as "60s"`},
		{"a negative timeout", "service('web', image = 'nginx', timeout = -1)", `service: timeout: got -1, want a duration`},
		{"cluster", "service('web', image = 'nginx', cluster = 4)", "service: cluster: got int, want swarm.init(...)"},
		{"two clusters", "d = swarm.init(engine('unix:///x', name = 'b'), name = 'two')\nservice('web', image = 'nginx')", "service: there are 2 swarms (say which one with cluster =)"},
		{"two azures of one name", "azure('westeurope')\nazure('northeurope')", "give each one of its own"},
		{"two engines of one name", "engine('unix:///a', name = 'b')\nengine('unix:///c', name = 'b')", `two engines are named "b"`},
		{"an engine without a name", "engine('unix:///a')", "an engine other than the environment's needs a name"},
		{"project twice", "project('q')", "project() is called twice"},
		{"moved to nothing", "moved('network.a', 'network.b')", "moved: network.b is not declared"},
		{"moved between kinds", "n = network('b')\nmoved('secret.a', n)", `moved: "secret.a" is not the address of a network`},
		{"too many positional", `secret("s", "a", "b", "c")`, "too many positional arguments"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := evaluate(t, head+tt.src, nil)
			var got []string
			for _, d := range problems {
				line := fmt.Sprintf("%d:%d-%d:%d %s", d.Pos.Line, d.Pos.Col, d.Pos.EndLine, d.Pos.EndCol, d.Summary)
				if d.Hint != "" {
					line += " (" + d.Hint + ")"
				}
				got = append(got, line)
			}
			if len(got) != 1 || !strings.Contains(got[0], tt.want) {
				t.Errorf("got %d problems:\n%s\nwant one with %q", len(got), strings.Join(got, "\n"), tt.want)
			}
		})
	}
}

// Both places are named where an address is declared twice.
func TestTwiceNamesBoth(t *testing.T) {
	_, problems := evaluate(t, "project('p')\nswarm.init()\nnetwork('n')\n\nnetwork('n')", nil)
	if len(problems) != 1 || problems[0].Pos.Line != 5 || len(problems[0].Related) != 1 || problems[0].Related[0].Pos.Line != 3 {
		t.Errorf("got %+v", problems)
	}
}

// A bad call does not hide the ones after it.
func TestAllErrors(t *testing.T) {
	src := "project('p')\nswarm.init()\n"
	for i := range 50 {
		src += fmt.Sprintf("service('s%d', image = 'nginx', replica = 1)\n", i)
	}
	_, problems := evaluate(t, src, nil)
	if len(problems) != 50 {
		t.Errorf("got %d problems, want 50", len(problems))
	}
}

func TestModulesDoNotDeclare(t *testing.T) {
	_, problems := evaluate(t, "load('m.star', 'f')\nproject('p')\nf()", map[string]string{"m.star": "network('n')\ndef f(): network('m')\n"})
	if len(problems) != 1 || !strings.Contains(problems[0].Summary, "network is called while its module is loaded") || problems[0].Pos.File != "m.star" {
		t.Errorf("got %v", problems)
	}
}

func TestSwarmInitComesFirst(t *testing.T) {
	_, problems := evaluate(t, "project('p')\nnetwork('n')\nswarm.init()", nil)
	if len(problems) != 1 || !strings.Contains(problems[0].Summary, "comes after something that needs it") {
		t.Errorf("got %v", problems)
	}
}

func TestNoProject(t *testing.T) {
	_, problems := evaluate(t, "swarm.init()", nil)
	if len(problems) != 1 || !strings.Contains(problems[0].Hint, "project(") {
		t.Errorf("got %v", problems)
	}
}

func TestDeclarations(t *testing.T) {
	p, problems := evaluate(t, `
project("shop", env = "test")
e = engine("tcp://10.0.0.1:2376", name = "far", tls_ca = "ca.pem")
c = swarm.init(e, name = "blue", advertise_addr = "10.0.0.1")
n = network("back")
local = network("side", engine = e, driver = "bridge")
s = secret("pw", generate = 20)
w = service("web", image = "nginx", networks = [n], secrets = [s, secret_ref(s, target = "other", mode = 0o400)],
            ports = ["8080:80", port(443, published = 8443)], env = {"TOKEN": c.worker_token, "ID": "net-" + n.id},
            update = update_policy(delay = 5), stop_grace_period = 3, limit_cpu = 0.5, limit_memory = "64m",
            after = [local], timeout = "90s", wait = False, lifecycle = lifecycle(replace_on = [n, "x"]))
print(w.replicas, w.image, n.name, w.update.delay, w == w, {w: 1}[w])
moved("service.old", w)
output("id", c.id)
`, nil)
	if problems != nil {
		t.Fatal(problems)
	}
	var got []string
	for _, d := range p.Declarations {
		got = append(got, string(d.Address)+" in "+d.Scope)
	}
	want := "swarm.blue in engine.far\nswarm.blue/network.back in swarm.blue\nengine.far/network.side in engine.far\nswarm.blue/secret.pw in swarm.blue\nswarm.blue/service.web in swarm.blue"
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("got:\n%s\nwant:\n%s", s, want)
	}
	web := p.Declarations[4]
	if !web.NoWait || web.Timeout.String() != "1m30s" || len(web.After) != 1 || len(web.Lifecycle.ReplaceOn) != 2 {
		t.Errorf("common arguments: %+v", web)
	}
	field := func(name string) value.Value {
		f, _ := web.Kind.Schema.Field(name)
		return web.Args[f.Index]
	}
	if g := field("stop_grace_period"); g != int64(3e9) {
		t.Errorf("stop_grace_period = %v", g)
	}
	if f, _ := web.Kind.Schema.Field("update"); !strings.Contains(f.Type.Format(field("update")), "delay = 5s") {
		t.Errorf("update = %s: a duration is read once", f.Type.Format(field("update")))
	}
	if !value.Sensitive(field("env")) {
		t.Error("a join token is not sensitive in an environment variable")
	}
	if len(p.Moves) != 1 || p.Moves[0].From != "swarm.blue/service.old" || p.Moves[0].To != "swarm.blue/service.web" {
		t.Errorf("moves: %+v", p.Moves)
	}
	if p.Project != "shop/test" || len(p.Scopes) != 2 || len(p.Outputs) != 1 {
		t.Errorf("program: %+v", p)
	}
}

// A declared network that is named in plain text comes first, as by its handle.
func TestPlainNamesOrder(t *testing.T) {
	p, problems := evaluate(t, `
project("shop")
swarm.init()
service("web", image = "nginx", networks = ["back", attachment("front"), "theirs"])
network("back")
network("edge", name = "front")
`, nil)
	if problems != nil {
		t.Fatal(problems)
	}
	if got := fmt.Sprint(p.Declarations[1].After); got != "[swarm.main/network.back swarm.main/network.edge]" {
		t.Errorf("web comes after %s", got)
	}
}

// What a machine's resource needs comes first where it is declared, without a
// handle or after =.
func TestNeedsOrder(t *testing.T) {
	p, problems := evaluate(t, `
project("shop")
m = host("m", "192.0.2.1")
file(m, "/srv/app/etc/conf", content = "x", owner = "app")
directory(m, "/srv/app/etc", group = "app")
command(m, "seed", run = "true", user = "app", cwd = "/srv/app/etc/d")
firewall(m)
fail2ban(m)
unattended_upgrades(m)
docker_install(m, users = ["app"])
directory(m, "/srv/app")
user(m, "app")
for name in ["ufw", "fail2ban", "python3-systemd", "unattended-upgrades"]:
    package(m, name)
directory(host("other", "192.0.2.2"), "/srv")
`, nil)
	if problems != nil {
		t.Fatal(problems)
	}
	for i, want := range []string{
		`[host.m/directory["/srv/app/etc"] host.m/directory["/srv/app"] host.m/user.app]`,
		`[host.m/directory["/srv/app"] host.m/user.app]`,
		`[host.m/directory["/srv/app/etc"] host.m/directory["/srv/app"] host.m/user.app]`,
		`[host.m/package.ufw]`,
		`[host.m/package.fail2ban host.m/package.python3-systemd]`,
		`[host.m/package.unattended-upgrades]`,
		`[host.m/user.app]`,
	} {
		if d := p.Declarations[i]; fmt.Sprint(d.After) != want {
			t.Errorf("%s comes after %s, want %s", d.Address, d.After, want)
		}
	}
}

// An input without a value is one error, wherever it is used.
func TestInputWithoutValueOnce(t *testing.T) {
	_, problems := evaluate(t, `
project("shop")
h = host("h", var("ip"), port = var("port", type = "int"), key = var("key"))
e = engine(env("NOT_SET_AT_ALL"), name = var("name"))
`, nil)
	for _, p := range problems {
		if !strings.Contains(p.Summary, "has no value") && !strings.Contains(p.Summary, "is not set") {
			t.Errorf("also said: %s", p.Summary)
		}
	}
	if len(problems) != 5 {
		t.Errorf("got %d problems, want one for each input", len(problems))
	}
}

// The machine of a swarm that another project manages is that project's member.
func TestExternalSwarmOfHost(t *testing.T) {
	p, problems := evaluate(t, `
project("shop")
theirs = swarm.init(host("m", "192.0.2.1"), external = True)
service("web", image = "nginx", cluster = theirs)
`, nil)
	if problems != nil {
		t.Fatal(problems)
	}
	for _, d := range p.Declarations {
		if d.Kind.Name == "node" {
			t.Errorf("%s is declared", d.Address)
		}
	}
}

// What reads back from a handle may be given to another.
func TestHandlesReadBack(t *testing.T) {
	p, problems := evaluate(t, `
project("shop")
swarm.init()
a = service("a", image = "nginx", stop_grace_period = "1m30s", limit_cpu = 0.5, limit_memory = "64m", ports = ["8080:80"],
            update = update_policy(delay = 5), env = {"A": "1"}, healthcheck = healthcheck("true", interval = "3s"))
b = service("b", image = a.image, stop_grace_period = a.stop_grace_period, limit_cpu = a.limit_cpu, limit_memory = a.limit_memory,
            ports = a.ports, update = a.update, env = a.env, healthcheck = healthcheck("true", interval = a.healthcheck.interval))
if a.stop_grace_period != "1m30s" or a.limit_cpu != 0.5 or a.limit_memory != 64 << 20:
    fail(a.stop_grace_period, a.limit_cpu, a.limit_memory)
`, nil)
	if problems != nil {
		t.Fatal(problems)
	}
	a, b := p.Declarations[1], p.Declarations[2]
	for i, f := range a.Kind.Schema.Fields() {
		if f.Name != "name" && !value.Equal(a.Args[i], b.Args[i]) {
			t.Errorf("%s: %s became %s", f.Name, f.Type.Format(a.Args[i]), f.Type.Format(b.Args[i]))
		}
	}
}

// Without swarm.init the engine's own swarm is meant, as somebody else's.
func TestImplicitSwarm(t *testing.T) {
	p, problems := evaluate(t, "project('p')\nnetwork('n')\nnetwork('m')", nil)
	if problems != nil {
		t.Fatal(problems)
	}
	if d := p.Declarations[0]; d.Address != "swarm.default" || !d.External || d.Scope != "engine.default" {
		t.Errorf("got %+v", d)
	}
	if len(p.Declarations) != 3 || p.Declarations[2].Address != "swarm.default/network.m" {
		t.Errorf("got %d declarations", len(p.Declarations))
	}
}

// A swarm.join of the host that the swarm begins on says more of it, and takes
// nothing back.
func TestJoinOfTheFirst(t *testing.T) {
	for _, tt := range []struct{ src, want string }{
		{"h = host('h', '192.0.2.1')\nc = swarm.init(h, advertise_addr = '192.0.2.1', availability = 'drain')\nn = swarm.join(h, c, labels = {'a': 'b'})", "manager 192.0.2.1 drain"},
		{"h = host('h', '192.0.2.1')\nc = swarm.init(h, advertise_addr = '192.0.2.1')\nn = swarm.join(h, c, role = 'worker', advertise_addr = '192.0.2.9', availability = 'pause')", "worker 192.0.2.9 pause"},
		{"e = engine('tcp://192.0.2.1:1', name = 'e')\nc = swarm.init(e)\nn = swarm.join(e, c)", "manager <nil> <nil>"},
		{"h = host('h', '192.0.2.1'); k = host('k', '192.0.2.2')\nc = swarm.init(h)\nn = swarm.join(k, c)", "worker <nil> <nil>"},
	} {
		p, problems := evaluate(t, "project('p')\n"+tt.src, nil)
		if problems.Err() != nil {
			t.Fatal(problems)
		}
		nodes := slices.DeleteFunc(p.Declarations, func(d *resource.Declaration) bool { return d.Kind.Name != "node" })
		d := nodes[len(nodes)-1]
		var got []string
		for _, name := range []string{"role", "advertise_addr", "availability"} {
			f, _ := d.Kind.Schema.Field(name)
			got = append(got, fmt.Sprint(d.Args[f.Index]))
		}
		if text := strings.Join(got, " "); text != tt.want {
			t.Errorf("%s\nis %s, want %s", tt.src, text, tt.want)
		}
	}
}
