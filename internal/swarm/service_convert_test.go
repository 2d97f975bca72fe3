package swarm

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Each argument is converted by exactly one entry.
func TestConversionsAreComplete(t *testing.T) {
	seen := map[string]int{"labels": 1}
	for _, c := range conversions {
		for _, f := range c.fields {
			seen[f]++
		}
	}
	for _, f := range ServiceSchema.Fields() {
		if f.Doc == "" || !f.Local && f.Flag == "" && f.Name != "stdin_open" { // which compose files have, and no flag
			t.Errorf("%s has no doc or no flag", f.Name)
		}
		if want := 1; !f.Local && seen[f.Name] != want {
			t.Errorf("%s is converted %d times", f.Name, seen[f.Name])
		}
	}
}

// randomArgs picks some of the rows of the real engine's test, each as one or
// the other value.
func randomArgs(t testing.TB, rnd *rand.Rand) value.Struct {
	a := args{"name": "x", "image": "nginx:1.27@sha256:" + strings.Repeat("ab", 32)}
	for _, row := range each {
		switch rnd.IntN(3) {
		case 0:
			a[row.field] = row.a
		case 1:
			a[row.field] = row.b
		}
	}
	if _, ok := a["log_opts"]; ok {
		a["log_driver"] = "json-file"
	}
	a["replicas"] = int64(rnd.IntN(4))
	switch rnd.IntN(4) {
	case 0:
		a["mode"] = "global"
		delete(a, "replicas")
		delete(a, "replicas_max_per_node")
	case 1:
		a["mode"] = "replicated-job"
		delete(a, "update")
		delete(a, "rollback")
	}
	return declare(t, a)
}

var testIDs = liveIDs{
	secrets: map[string]string{"sec1": "s1", "sec2": "s2"},
	configs: map[string]string{"conf1": "c1", "conf2": "c2"},
}

var testNames = liveNames{
	networks: map[string]string{"idn1": "n1", "idn2": "n2"},
	configs:  map[string]string{"c1": "conf1", "c2": "conf2"},
}

// stored is what a swarm makes of a spec: through JSON, names of networks
// become IDs.
func stored(t testing.TB, s swarm.ServiceSpec) swarm.ServiceSpec {
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var out swarm.ServiceSpec
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	for i, n := range out.TaskTemplate.Networks {
		if !strings.HasPrefix(n.Target, "id") {
			out.TaskTemplate.Networks[i].Target = "id" + n.Target
		}
	}
	return out
}

func normal(s *swarm.ServiceSpec) value.Struct { return ServiceSchema.Encode(fromDocker(s, testNames)) }

func noDiff(t testing.TB, want value.Struct, live *swarm.ServiceSpec, when string) {
	t.Helper()
	for _, c := range ServiceSchema.Diff(want, normal(live), nil) {
		if c.Field.Name != "labels" {
			t.Errorf("%s: %s: want %s, live %s", when, c.Path, c.Type.Format(c.After), c.Type.Format(c.Before))
		}
	}
}

// For any two specs: written, one reads back as itself; changed into the
// other, it reads back as that one; changed into itself, not a byte moves; and
// what we do not know stays.
func TestConversionLaws(t *testing.T) {
	for seed := range uint64(400) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		a, b := randomArgs(t, rnd), randomArgs(t, rnd)
		when := fmt.Sprintf("seed %d", seed)
		made, err := toDocker(a, nil, nil, testIDs)
		if err != nil {
			t.Fatal(when, err)
		}
		made.Labels = map[string]string{labelImage: "x"}
		live := stored(t, made)
		noDiff(t, a, &live, when+" made")

		live.TaskTemplate.ForceUpdate = 7
		p := copyOf(live.TaskTemplate.ContainerSpec.Privileges)
		p.NoNewPrivileges = true
		live.TaskTemplate.ContainerSpec.Privileges = p
		before := stored(t, live)
		same, err := toDocker(a, normal(&live), &live, testIDs)
		if err != nil {
			t.Fatal(when, err)
		}
		if !reflect.DeepEqual(stored(t, same), live) {
			t.Errorf("%s: an update that changes nothing changed\n%+v\nto\n%+v", when, live, same)
		}
		mode, _ := ServiceSchema.Field("mode")
		if !value.Equal(a[mode.Index], b[mode.Index]) {
			continue // a replacement
		}
		next, err := toDocker(b, normal(&live), &live, testIDs)
		if err != nil {
			t.Fatal(when, err)
		}
		if !reflect.DeepEqual(live, before) {
			t.Errorf("%s: the observed service was written to", when)
		}
		changed := stored(t, next)
		noDiff(t, b, &changed, when+" changed")
		if next.TaskTemplate.ForceUpdate != 7 || !next.TaskTemplate.ContainerSpec.Privileges.NoNewPrivileges {
			t.Errorf("%s: lost what is not ours", when)
		}
	}
}

// A service of others, with everything left out, is our defaults.
func TestDefaultsOfTheEngine(t *testing.T) {
	live := swarm.ServiceSpec{TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: "nginx:latest@sha256:" + strings.Repeat("0", 64)}}}
	noDiff(t, declare(t, args{"name": "x", "image": "nginx"}), &live, "defaults")
}

func TestImages(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("a", 64)
	for _, test := range []struct {
		script, live, label string
		same                bool
	}{
		{"nginx", "nginx:latest", "", true},
		{"nginx", "nginx:latest" + digest, "", true},
		{"docker.io/library/nginx:1", "nginx:1" + digest, "", true},
		{"nginx:1", "nginx:2" + digest, "", false},
		{"nginx" + digest, "nginx" + digest, "", true},
		{"nginx:1" + digest, "nginx:1" + digest, "nginx:1" + digest, true},
		{"nginx:1" + digest, "nginx:1@sha256:" + strings.Repeat("b", 64), "nginx:1" + digest, false},
		{"r.example:5000/a/b:v1", "r.example:5000/a/b:v1" + digest, "", true},
	} {
		live := swarm.ServiceSpec{TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: test.live}}}
		if test.label != "" {
			live.Labels = map[string]string{labelImage: test.label}
		}
		want := declare(t, args{"name": "x", "image": test.script})
		if got := len(ServiceSchema.Diff(want, normal(&live), nil)) == 0; got != test.same {
			t.Errorf("%s and %s: same is %v, want %v", test.script, test.live, got, test.same)
		}
	}
}

// The file of a secret has its declared name, whatever its version is called,
// and a new version shows under it.
func TestSecretVersions(t *testing.T) {
	ref := value.Ref{Address: "swarm.main/secret.db_password"}
	declared := declare(t, args{"name": "x", "image": "a", "secrets": list(ref, "plain")})
	resolve := func(name string) value.Struct {
		out, problems := ServiceSchema.Resolve(declared, func(value.Ref) (value.Value, bool) { return name, true })
		if problems != nil {
			t.Fatal(problems)
		}
		completeService(out)
		return out
	}
	ids := liveIDs{secrets: map[string]string{"db_password-a1": "1", "plain": "2"}}
	made, err := toDocker(resolve("db_password-a1"), nil, nil, ids)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range made.TaskTemplate.ContainerSpec.Secrets {
		if s.SecretName == "db_password-a1" && (s.File.Name != "db_password" || s.SecretID != "1") {
			t.Errorf("reference %+v, file %+v", s, s.File)
		}
	}
	noDiff(t, resolve("db_password-a1"), &made, "made")
	for _, want := range []value.Struct{resolve("db_password-b2"), declared} {
		changes := ServiceSchema.Diff(want, normal(&made), nil)
		if len(changes) != 1 || changes[0].Path != `secrets["db_password"].secret` || changes[0].Before != "db_password-a1" {
			t.Errorf("a new version shows as %+v", changes)
		}
	}
}

func TestShortForms(t *testing.T) {
	for _, test := range []struct{ field, short, want string }{
		{"ports", "8080:80", `[port(target = 80, published = 8080)]`},
		{"ports", "53:53/udp", `[port(target = 53, published = 53, protocol = "udp")]`},
		{"ports", "published=8080,target=80,mode=host", `[port(target = 80, published = 8080, mode = "host")]`},
		{"ports", "8000-8001:80-81", ""},
		{"ports", "127.0.0.1:80:80", `[port(target = 80, published = 80, host_ip = "127.0.0.1")]`},
		{"mounts", "type=bind,src=/a,dst=/b,ro", `[mount(target = "/b", type = "bind", source = "/a", readonly = true)]`},
		{"mounts", "source=data,target=/d", `[mount(target = "/d", source = "data")]`},
		{"mounts", "type=bind,src=./a,dst=/b", ""},
		{"mounts", "type=image,src=a,dst=/b", `[mount(target = "/b", type = "image", source = "a")]`},
		{"mounts", "type=floppy,src=a,dst=/b", ""},
		{"mounts", "type=bind,src=/a,dst=/b,bind-propagation=far", ""},
		{"mounts", "type=bind,src=/a,dst=/b,ro,bind-recursive=writable", `[mount(target = "/b", type = "bind", source = "/a", readonly = true, bind_recursive = "writable")]`},
		{"networks", "name=Net,alias=web,driver-opt=a=b", `[attachment(network = "Net", aliases = ["web"], driver_opts = {"a": "b"})]`},
		{"networks", "alias=web", ""},
		{"secrets", "s", `[secret_ref(secret = "s", target = "s")]`},
		{"secrets", "source=s,target=t,mode=0400", `[secret_ref(secret = "s", target = "t", mode = 0400)]`},
		{"secrets", "target=t", ""},
		{"configs", "source=s,uid=7", `[config_ref(config = "s", target = "s", uid = "7")]`},
		{"ulimits", "nofile=1024:2048", `[ulimit(name = "nofile", soft = 1024, hard = 2048)]`},
		{"ulimits", "nosuch=1", ""},
		{"hosts", "db:10.0.0.300", ""},
		{"constraints", "node.role = worker", ""},
		{"constraints", " node.role  !=  manager ", `["node.role!=manager"]`},
		{"placement_prefs", "binpack=x", ""},
	} {
		f, _ := ServiceSchema.Field(test.field)
		got, err := f.Check(list(test.short))
		switch {
		case test.want == "" && err == nil:
			t.Errorf("%s %q: no error, got %s", test.field, test.short, f.Type.Format(got))
		case test.want != "" && err != nil:
			t.Errorf("%s %q: %v", test.field, test.short, err)
		case test.want != "" && f.Type.Format(got) != test.want:
			t.Errorf("%s %q: got %s, want %s", test.field, test.short, f.Type.Format(got), test.want)
		}
	}
}

func TestServiceCheck(t *testing.T) {
	for _, test := range []struct {
		args args
		want string
	}{
		{args{"mode": "global", "replicas": int64(2)}, "replicas: a global service has one task on each node"},
		{args{"mode": "global", "replicas_max_per_node": int64(2)}, "replicas_max_per_node: a global"},
		{args{"max_concurrent": int64(2)}, "max_concurrent: is for mode replicated-job"},
		{args{"mode": "global-job", "update": dict()}, "update: a job is not rolled"},
		{args{"replicas": int64(-1)}, "replicas: got -1, want at least 0"},
		{args{"healthcheck": dict("cmd", "x", "disable", true)}, "healthcheck.cmd: conflicts with disable"},
		{args{"healthcheck": dict("cmd", list("curl"))}, "begins with CMD"},
		{args{"healthcheck": dict("interval", "1us")}, "healthcheck.interval: want at least 1ms"},
		{args{"endpoint_mode": "dnsrr", "ports": list("80:80")}, "the routing mesh needs endpoint_mode vip"},
		{args{"ports": list("127.0.0.1:80:80")}, "host_ip is for containers"},
		{args{"mounts": list("type=image,src=a,dst=/b")}, "a service cannot mount an image"},
		{args{"mounts": list("type=bind,src=/a,dst=/b,ro,bind-recursive=writable")}, "bind_recursive writable is for containers"},
		{args{"networks": list("name=a,ip=10.0.0.5")}, "networks: a: ip is for containers"},
		{args{"networks": list("name=a,mac-address=02:42:ac:11:00:02")}, "mac_address is for containers"},
		{args{"ports": list("80:80", "80:81")}, "80/tcp is published twice"},
		{args{"mounts": list("target=/a", "type=tmpfs,target=/a")}, "/a is mounted on twice"},
		{args{"mounts": list(dict("type", "bind", "target", "/a"))}, "a bind mount needs source"},
		{args{"mounts": list(dict("target", "/a", "tmpfs_size", "1m"))}, "tmpfs_size is for type tmpfs, this is volume"},
		{args{"secrets": list("a", "source=b,target=a")}, "secrets: two of them have the target a"},
		{args{"networks": list("a", "name=a,alias=b")}, "networks: a is there twice"},
		{args{"rollback": dict("on_failure", "rollback")}, "a rollback cannot be rolled back"},
		{args{"update": dict("max_failure_ratio", 1.5)}, "got 1.5, want 0 to 1"},
		{args{"cap_add": list("chown"), "cap_drop": list("CAP_CHOWN")}, "CAP_CHOWN is in cap_add too"},
		{args{"ulimits": list(dict("name", "nofile", "soft", int64(5), "hard", int64(4)))}, "above the hard limit"},
		{args{"credential_spec": dict("file", "a", "registry", "b")}, "give one of config, file, registry"},
		{args{"reserve_memory": "2g", "limit_memory": "1g"}, "reserve_memory: is above limit_memory"},
		{args{"hostname": strings.Repeat("x", 64)}, "longer than 63"},
		{args{"limit_memory": "1m"}, "limit_memory: want at least 4m"},
		{args{"reserve_memory": "1m"}, "reserve_memory: want at least 4m"},
	} {
		in := make(value.Struct, len(ServiceSchema.Fields()))
		test.args["name"], test.args["image"] = "x", "a"
		for name, v := range test.args {
			f, _ := ServiceSchema.Field(name)
			in[f.Index] = v
		}
		out, problems := ServiceSchema.CheckAll(in)
		if problems == nil {
			problems = checkService(out)
		}
		if len(problems) != 1 || !strings.Contains(problems.Error(), test.want) {
			t.Errorf("%v: got %q, want %q", test.args, problems.Error(), test.want)
		}
	}
}

func FuzzShortForms(f *testing.F) {
	for _, row := range each {
		if l, ok := row.a.(value.List); ok {
			if s, ok := l[0].(string); ok {
				f.Add(s)
			}
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, name := range []string{"image", "command", "credential_spec", "mounts", "networks", "ports", "secrets", "configs", "ulimits", "hosts", "constraints", "placement_prefs", "cap_add"} {
			field, _ := ServiceSchema.Field(name)
			in := value.Value(s)
			if field.Type.Kind == schema.ListOf && name != "command" {
				in = list(s)
			}
			once, err := field.Check(in)
			if err != nil {
				continue
			}
			if twice, err := field.Check(once); err != nil || !value.Equal(once, twice) {
				t.Errorf("%s %q: %s, checked again %s: %v", name, s, field.Type.Format(once), field.Type.Format(twice), err)
			}
		}
	})
}
