package builtins_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// TestRefused declares what a swarm would refuse in the middle of an apply, or
// take and give back differently for ever.
func TestRefused(t *testing.T) {
	const head = "project('p')\nc = swarm.init()\n"
	service := func(arg string) string { return `service("w", image = "nginx", ` + arg + `)` }
	for _, tt := range []struct{ src, want string }{
		{`service("a/b", image = "nginx")`, `service: name: got "a/b", want letters`},
		{`service("a b", image = "nginx")`, `service: name: got "a b"`},
		{`service("ünï", image = "nginx")`, `service: name: got "ünï"`},
		{`service("a-", image = "nginx")`, `service: name: got "a-"`},
		{`service("a.b", image = "nginx")`, `service: name: got "a.b"`},
		{`service("a" * 64, image = "nginx")`, `service: name: has 64 characters`},
		{`service("a" * 63, image = "nginx")`, ``},
		{`service("a-_b", image = "nginx")`, ``},
		{`network("a" * 64)`, `network: name: has 64 characters, and a swarm allows 63`},

		{service(`env = {"A=B": "x"}`), `service: env: "A=B" is not the name of a variable`},
		{service(`env = {"": "x"}`), `service: env: a key is empty`},
		{service(`env = {"A\0": "x"}`), `service: env: a key has a NUL byte`},
		{service(`sysctls = {"": "x"}`), `service: sysctls: a key is empty`},
		{service(`log_driver = "json-file", log_opts = {"": "x"}`), `service: log_opts: a key is empty`},
		{service(`generic_resources = {"": 1}`), `service: generic_resources: a key is empty`},
		{service(`labels = {"": "x"}`), `service: labels: a key is empty`},
		{`attachment("n", driver_opts = {"": "x"})`, `attachment: driver_opts: a key is empty`},

		{service(`labels = {"swarmscript.project": "x"}`), `service: labels: "swarmscript.project" is reserved`},
		{service(`container_labels = {"swarmscript.x": "x"}`), `service: container_labels: "swarmscript.x" is reserved`},
		{service(`mounts = [mount(target = "/a", volume_labels = {"swarmscript.x": "x"})]`), `"swarmscript.x" is reserved`},
		{`network("n", labels = {"swarmscript.x": "x"})`, `network: labels: "swarmscript.x" is reserved`},
		{`network("n", engine = engine(), labels = {"swarmscript.x": "x"})`, `network: labels: "swarmscript.x" is reserved`},
		{`secret("n", value = "x", labels = {"swarmscript.x": "x"})`, `secret: labels: "swarmscript.x" is reserved`},
		{`config("n", content = "x", labels = {"swarmscript.x": "x"})`, `config: labels: "swarmscript.x" is reserved`},
		{service(`labels = {"swarmscripts": "x", "a=b": "c"}`), ``},

		{service(`dns = ["notip"]`), `service: dns[0]: got "notip", want an IP address`},
		{service(`dns = ["10.0.0.1", "fe80::1"]`), ``},
		{service(`stop_signal = "SIGFOO"`), `service: stop_signal: got "SIGFOO", want a signal`},
		{service(`stop_signal = "sigterm"`), ``},
		{service(`stop_signal = "QUIT"`), ``},
		{service(`stop_signal = "RTMIN+3"`), ``},
		{service(`stop_signal = "9"`), ``},
		{service(`stop_signal = "0"`), `service: stop_signal: got "0"`},
		{service(`ulimits = [ulimit("nofiles", 1)]`), `service: ulimits: there is no limit "nofiles" (did you mean "nofile"?)`},
		{service(`replicas = 1 << 40`), `service: replicas: got 1099511627776, want at most 1000000`},
		{service(`ports = [80]`), ``},
		{service(`ports = [70000]`), `service: ports[0].target: got 70000, want 1 to 65535`},

		{`engine("http://x", name = "q")`, `3:8-3:18 engine: host: got "http://x", want unix://`},
		{`engine("foo://x", name = "q")`, `engine: host: got "foo://x", want unix://`},
		{`engine(name = "q", host = "unix://")`, `3:20-3:36 engine: host: got "unix://", want unix://`},
		{`engine("tcp://x:2376", name = "q")`, ``},
		{`engine("ssh://me@x", name = "q")`, ``},

		{`host("m", "a/b")`, `3:11-3:16 host: address: "a/b" is neither`},
		{`lab("../x")`, `3:5-3:11 lab: name: got "../x", want a small letter`},
		{`lab(name = "Main")`, `3:5-3:18 lab: name: got "Main", want a small letter`},
		{`vm("m", provider = lab("two"))`, ``},
		{`local(site = "../x")`, `3:7-3:20 local: site: got "../x", want a small letter`},
		{`local("Main")`, `3:7-3:13 local: site: got "Main", want a small letter`},
		{`local(subnet = "10.0.0.1/8")`, `3:7-3:28 local: subnet: got "10.0.0.1/8", want an IPv4 network such as 10.213.0.0/16`},
		{`local("shop", "10.9.0.0/16")`, ``},
	} {
		_, problems := evaluate(t, head+tt.src, nil)
		var got []string
		for _, p := range problems {
			s := p.Pos.String()
			if p.Pos.EndLine != 0 {
				s = fmt.Sprintf("%d:%d-%d:%d", p.Pos.Line, p.Pos.Col, p.Pos.EndLine, p.Pos.EndCol)
			}
			s += " " + p.Summary
			if p.Hint != "" {
				s += " (" + p.Hint + ")"
			}
			got = append(got, s)
		}
		if tt.want == "" && len(got) > 0 || tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)) {
			t.Errorf("%s:\n got %q\nwant %q", tt.src, got, tt.want)
		}
	}
}

func TestFirstCall(t *testing.T) {
	_, problems := evaluate(t, `load("m.star", "make")
project("p")
swarm.init()
make()
make()
`, map[string]string{"m.star": "def make():\n    network('n')\n"})
	if len(problems) != 1 || len(problems[0].Related) != 2 {
		t.Fatalf("got %v", problems)
	}
	first, caller := problems[0].Related[0].Pos, problems[0].Related[1].Pos
	if first.File != "m.star" || first.Line != 2 || caller.File != "x.star" || caller.Line != 4 {
		t.Errorf("the first is at %v, called from %v", first, caller)
	}
	if s := problems[0].Stack; len(s) != 2 || s[0].Pos.Line != 5 {
		t.Errorf("the second's stack is %v", s)
	}
}

const hunter2 = "hunter2 sekret"

// TestSecretsAreNotQuoted puts a secret into every field of every kind and
// struct, which mostly is wrong there, and looks for it in what is said.
func TestSecretsAreNotQuoted(t *testing.T) {
	kinds := registry.Kinds()
	problems := 0
	look := func(what string, found schema.Problems) {
		problems += len(found)
		for _, p := range found {
			if s := p.Error() + fmt.Sprint(*p); strings.Contains(s, "hunter2") || strings.Contains(s, "sekret") || strings.Contains(s, "31337") {
				t.Errorf("%s: %v", what, p)
			}
		}
	}
	secrets := []value.Value{
		hunter2, int64(31337), -31337.5, value.List{hunter2}, value.List{value.List{hunter2}},
		value.NewMap([]value.Entry{{Key: hunter2, Value: hunter2}}), "10.0.0.1/31337", "31337==", "a:31337", "type=31337,x",
	}
	check := func(name string, s *schema.Struct) {
		for _, f := range s.Fields() {
			for _, v := range secrets {
				for _, in := range wrappings(v) {
					_, err := f.Check(in)
					if err != nil {
						look(name+"."+f.Name, err.(schema.Problems))
					}
				}
			}
		}
	}
	for _, k := range kinds {
		check(k.Name, k.Schema)
		for _, f := range k.Schema.Fields() {
			if k.Check == nil {
				continue
			}
			for _, v := range append(secrets, anySecret(f.Type)...) {
				args := k.Schema.Defaults()
				args[f.Index] = value.Secret{V: v}
				look(k.Name+"'s check of "+f.Name, quietly(k, args))
			}
		}
	}
	for _, s := range builtins.Structs(kinds) {
		check(s.Name, s)
	}
	if problems < 500 {
		t.Errorf("only %d problems: the secrets are too good", problems)
	}
}

// wrappings returns a secret, and the lists, dicts and text that hold it.
func wrappings(v value.Value) []value.Value {
	s := value.Secret{V: v}
	return []value.Value{
		s, value.List{s}, value.NewMap([]value.Entry{{Key: "a", Value: s}}),
		value.Join([]value.Value{"a-", s}), value.List{value.Join([]value.Value{"a-", s})},
	}
}

// anySecret returns values of a type that hold the secret wherever text is.
func anySecret(t *schema.Type) []value.Value {
	switch t.Kind {
	case schema.StructOf:
		out := t.Struct.Defaults()
		for i, f := range t.Struct.Fields() {
			if inner := anySecret(f.Type); len(inner) > 0 {
				out[i] = inner[0]
			}
		}
		return []value.Value{out}
	case schema.ListOf:
		if inner := anySecret(t.Elem); len(inner) > 0 {
			return []value.Value{value.List{inner[0], inner[0]}}
		}
	case schema.MapOf:
		return []value.Value{value.NewMap([]value.Entry{{Key: "swarmscript." + hunter2 + "=", Value: hunter2}})}
	case schema.String:
		return []value.Value{hunter2}
	case schema.Int, schema.Duration, schema.Bytes, schema.CPUs:
		return []value.Value{int64(31337), int64(-31337), int64(31337) << 32}
	}
	return nil
}

// quietly calls a kind's check on what may have no sense.
func quietly(k *resource.Kind, args value.Struct) (found schema.Problems) {
	defer func() {
		if r := recover(); r != nil && !strings.Contains(fmt.Sprint(r), reflect.TypeFor[value.Struct]().String()) {
			panic(r)
		}
	}()
	return k.Check(args)
}

func TestSensitiveArguments(t *testing.T) {
	const head = "project('p')\nswarm.init()\npw = env('PW', default = 'hunter2 sekret', sensitive = True)\n"
	for _, arg := range []string{
		"hosts = [pw]", "replicas = pw", "limit_memory = pw", "mode = pw", "ports = [pw]", "constraints = [pw]", "placement_prefs = [pw]",
		"labels = [pw]", "stop_grace_period = pw", "healthcheck = healthcheck(interval = pw)", "healthcheck = {'interval': pw}",
		"mounts = [mount(target = '/a', type = pw)]", "mounts = [{'target': '/a', 'type': pw}]", "dns = [pw]", "stop_signal = pw", "timeout = pw",
		"ulimits = [{'name': pw, 'soft': 1}]", "ulimits = [ulimit(pw, 5, 3)]", "hostname = format('{}{}', pw, 'x' * 70)", "cap_add = [pw], cap_drop = [pw]",
		"mounts = [mount(target = '/a', source = format('./{}', pw), type = 'bind')]", "env = pw",
	} {
		_, problems := evaluate(t, head+"service('w', image = 'nginx', "+arg+")\n", nil)
		if len(problems) == 0 {
			t.Errorf("%s: no problem", arg)
		}
		for _, p := range problems {
			if s := fmt.Sprintf("%v %+v", p, *p); strings.Contains(s, "hunter2") {
				t.Errorf("%s: %s", arg, s)
			}
		}
	}
}
