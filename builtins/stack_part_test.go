package builtins_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// partFiles are a compose file with one part of each kind that a stack may have.
var partFiles = map[string]string{
	"Dockerfile": "FROM scratch\n",
	"motd.txt":   "hello\n",
	"compose.yml": `
services:
  web: {image: web, build: ".", configs: [motd], secrets: [pw], depends_on: [db]}
  db: {image: postgres}
networks: {back: {}}
configs: {motd: {file: motd.txt}}
secrets: {pw: {file: motd.txt}}
`,
}

// inStack evaluates a script about the stack of these files on one of two engines, and
// returns what it declares, by the short addresses.
func inStack(t *testing.T, src string) map[string]*resource.Declaration {
	t.Helper()
	p, problems := evaluate(t, `project("p")
a = engine("tcp://192.0.2.1:2375", name = "a")
b = engine("tcp://192.0.2.2:2375", name = "b")
swarm.init(a)
s = stack("s", wait = False, timeout = "1m")
`+src, partFiles)
	if problems != nil {
		t.Fatalf("%s\n%v", src, problems)
	}
	out := map[string]*resource.Declaration{}
	for _, d := range p.Declarations {
		out[d.Address.Short()] = d
	}
	return out
}

// partLists are two elements for each list that is not of any texts, and two entries
// for such a dict.
var partLists = map[string][2]string{
	"add_hosts":         {`"a:192.0.2.8"`, `"b:192.0.2.9"`},
	"cap_add":           {`"NET_ADMIN"`, `"CHOWN"`},
	"cap_drop":          {`"NET_RAW"`, `"KILL"`},
	"configs":           {`config_ref("a")`, `config_ref("b", target = "/b", mode = "0400")`},
	"constraints":       {`"node.role==worker"`, `"node.labels.a==b"`},
	"dns":               {`"192.0.2.8"`, `"192.0.2.7"`},
	"generic_resources": {`"GPU": 1`, `"SSD": 2`},
	"hosts":             {`"a:192.0.2.8"`, `"b:192.0.2.9"`},
	"mounts":            {`mount(source = "a", target = "/a")`, `mount(type = "tmpfs", target = "/b", tmpfs_size = "1m")`},
	"networks":          {`attachment("a", aliases = ["x"])`, `"b"`},
	"placement_prefs":   {`"spread=node.labels.b"`, `"spread=node.labels.a"`},
	"ports":             {`port(80)`, `"81:81"`},
	"secrets":           {`secret_ref("a")`, `secret_ref("b", target = "c", mode = "0400")`},
	"subnets":           {`"10.9.0.0/24"`, `subnet("10.8.0.0/24", gateway = "10.8.0.9")`},
	"sysctls":           {`"net.core.somaxconn": "1"`, `"net.ipv4.ip_forward": "1"`},
	"tags":              {`"web:1"`, `"web:2"`},
	"ulimits":           {`ulimit("nofile", soft = 1, hard = 2)`, `"nproc=3"`},
	"build.secrets":     {`"a": "motd.txt"`, `"b": "motd.txt"`},
}

// Every list and dict of a part gets more, and more after that: it is as if all had
// been said at once.
func TestExtendEveryList(t *testing.T) {
	called := map[string]string{"build": "web", "config": "motd", "network": "default", "secret": "pw", "service": "web"}
	for _, k := range registry.Kinds() {
		if called[k.Name] == "" || k.Name != "build" && k.Scope != "swarm" {
			continue
		}
		for _, f := range k.Schema.Fields() {
			form, isList := "[%s]", f.Type.Kind == schema.ListOf
			samples, ok := partLists[k.Name+"."+f.Name]
			if !ok {
				samples, ok = partLists[f.Name]
			}
			switch {
			case !isList && f.Type.Kind != schema.MapOf, k.Name+"."+f.Name == "build.content", f.Name == "platforms": // which is found; of which there is one
				continue
			case !isList:
				form = "{%s}"
				if !ok {
					samples = [2]string{`"a": "1"`, `"b": "2"`}
				}
			case !ok:
				samples = [2]string{`"b"`, `"a"`}
			}
			t.Run(k.Name+"."+f.Name, func(t *testing.T) {
				args := func(of ...string) string { return f.Name + " = " + fmt.Sprintf(form, strings.Join(of, ", ")) }
				part := fmt.Sprintf("s.%s(%q)", k.Name, called[k.Name])
				if f.Name == "driver_opts" {
					part += ".override(value = None, driver = 'vault')"
				}
				said := func(src string) value.Value {
					d := inStack(t, src)
					for _, name := range []string{k.Name + ".s_" + called[k.Name], "build." + called[k.Name], "build.s-web"} {
						if d[name] != nil {
							return d[name].Args[f.Index]
						}
					}
					t.Fatalf("%v has no %s", d, k.Name)
					return nil
				}
				want := said(part + ".override(" + args(samples[:]...) + ")")
				got := said(part + ".override(" + args() + ").extend(" + args(samples[0]) + ").extend(" + args(samples[1]) + ").extend(" + args() + ")")
				if want == nil || !value.Equal(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
			})
		}
	}
}

// What every part takes is as override says it, and as if nothing had been said of
// what is None; extend adds to what comes first.
func TestOverrideOfCommonArguments(t *testing.T) {
	first := func(d *resource.Declaration) string { return fmt.Sprint(d.After) }
	kept := func(d *resource.Declaration) string { return fmt.Sprint(d.Lifecycle) }
	waits := func(d *resource.Declaration) string { return fmt.Sprint(!d.NoWait, d.Timeout) }
	const protect = "w.override(lifecycle = lifecycle(prevent_destroy = True, ignore_changes = ['replicas']))\n"
	for _, tt := range []struct {
		src  string
		of   func(*resource.Declaration) string
		want string
	}{
		{"", first, "[swarm.main/service.s_db]"},
		{"w.override(replicas = 2)", first, "[swarm.main/service.s_db]"},
		{"w.override(after = [])", first, "[]"},
		{"w.override(after = None)", first, "[]"},
		{"w.override(after = [s.network('default')])", first, "[swarm.main/network.s_default]"},
		{"w.extend(after = [s.network('default')])", first, "[swarm.main/service.s_db swarm.main/network.s_default]"},
		{"w.extend(after = None)", first, "[swarm.main/service.s_db]"},
		{"", waits, "false 1m0s"},
		{"w.extend(env = {'A': '1'})", waits, "false 1m0s"},
		{"w.override(wait = True)", waits, "true 1m0s"},
		{"w.override(wait = None, timeout = None)", waits, "true 0s"},
		{"w.override(wait = True).override(wait = False, timeout = 5)", waits, "false 5s"},
		{protect, kept, "{true [replicas] []}"},
		{protect + "w.override(replicas = 2)", kept, "{true [replicas] []}"},
		{protect + "w.override(lifecycle = lifecycle(prevent_destroy = False))", kept, "{false [] []}"},
		{protect + "w.override(lifecycle = None)", kept, "{false [] []}"},
	} {
		d := inStack(t, "w = s.service('web')\n"+tt.src)
		if got := tt.of(d["service.s_web"]); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.src, got, tt.want)
		}
	}
}

// A build of a stack is copied where override says, like one of the script's own.
func TestOverrideCopiesBuild(t *testing.T) {
	for _, call := range []string{"override(copy_to = [a, b], tags = ['web:2'])", "extend(copy_to = b, tags = ['web:2'])"} {
		d := inStack(t, "s.build('web')."+call)
		var copies []*resource.Declaration
		for _, c := range d {
			if c.Kind.Name == "image_copy" {
				copies = append(copies, c)
			}
		}
		if len(copies) != 1 || copies[0].Scope != "engine.b" || d["service.s_web"].Follows == nil || d["service.s_web"].Follows[0] != copies[0].Address {
			t.Fatalf("%s: copies %v, and the service waits for %v", call, copies, d["service.s_web"].Follows)
		}
		if f, _ := copies[0].Kind.Schema.Field("tags"); !strings.Contains(fmt.Sprint(copies[0].Args[f.Index]), "web:2") {
			t.Errorf("%s: the copy has the tags %v", call, copies[0].Args[f.Index])
		}
	}
}
