package ui

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares text with testdata/name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; got:\n%s\nwant:\n%s\n(-update writes it)", path, got, want)
	}
}

// The kinds of a small world, with every sort of argument there is.

type testPort struct {
	Target    int    `star:"target,required"`
	Published *int   `star:"published"`
	Protocol  string `star:"protocol" default:"tcp"`
}

type testUpdate struct {
	Parallelism int           `star:"parallelism" default:"1"`
	Delay       time.Duration `star:"delay"`
}

type testAuth struct {
	User     string `star:"user"`
	Password string `star:"password,secret"`
}

type testService struct {
	Image    string            `star:"image,required"`
	Replicas *int              `star:"replicas" default:"1"`
	Command  []string          `star:"command"`
	Env      map[string]string `star:"env"`
	Labels   map[string]string `star:"labels,merge"`
	Ports    []testPort        `star:"ports,set"`
	Networks []string          `star:"networks,set" ref:"network.name"`
	Secrets  []string          `star:"secrets,set" ref:"secret.name"`
	Memory   schema.Size       `star:"limit_memory"`
	Update   testUpdate        `star:"update" default:"{}"`
	Auth     *testAuth         `star:"auth"`
	Mode     string            `star:"mode,replace" default:"replicated"`
	Token    string            `star:"token,secret"`
	Motd     string            `star:"motd"`
}

func (testPort) SchemaName() (string, string)    { return "port", "" }
func (testUpdate) SchemaName() (string, string)  { return "update_policy", "" }
func (testAuth) SchemaName() (string, string)    { return "auth", "" }
func (testService) SchemaName() (string, string) { return "service", "" }

type testSecret struct {
	Value  string            `star:"value,secret,writeonly"`
	Labels map[string]string `star:"labels,merge"`
}

type testConfig struct {
	Data string `star:"data,writeonly"`
}

type testNetwork struct {
	Driver string `star:"driver,replace" default:"overlay"`
	Subnet string `star:"subnet,replace"`
}

func kind(name string, spec any) *resource.Kind {
	return &resource.Kind{Name: name, Schema: schema.Of(spec), Scope: "swarm"}
}

var (
	serviceKind = kind("service", testService{})
	networkKind = kind("network", testNetwork{})
	secretKind  = versioned(kind("secret", testSecret{}))
	configKind  = versioned(kind("config", testConfig{}))
	volumeKind  = lossy(kind("volume", testNetwork{}))
)

func versioned(k *resource.Kind) *resource.Kind { k.Versioned = true; return k }
func lossy(k *resource.Kind) *resource.Kind     { k.DataLoss = "the data in it"; return k }

// fields makes arguments from names and values, by turns.
func fields(k *resource.Kind, pairs ...any) value.Struct {
	args := make(value.Struct, len(k.Schema.Fields()))
	for i := 0; i < len(pairs); i += 2 {
		f, ok := k.Schema.Field(pairs[i].(string))
		if !ok {
			panic("no field " + pairs[i].(string))
		}
		args[f.Index] = pairs[i+1]
	}
	return args
}

func port(target, published int64, protocol string) value.Struct {
	p := value.Struct{target, nil, protocol}
	if published > 0 {
		p[1] = published
	}
	return p
}

// change makes a change of a resource in swarm.main.
func change(k *resource.Kind, name string, a plan.Action) *plan.Change {
	c := &plan.Change{
		Address: value.NewAddress("swarm.main", k.Name, name), Kind: k, Scope: "swarm.main", Action: a,
		Decl: &resource.Declaration{Kind: k, Pos: diag.Pos{File: "cluster.star", Line: 41, Col: 6}},
	}
	c.Decl.Address = c.Address
	return c
}

func create(k *resource.Kind, name string, pairs ...any) *plan.Change {
	c := change(k, name, plan.Create)
	c.Args = fields(k, pairs...)
	return c
}

// differ makes an update, or whatever the action says, from what is live and
// what is wanted, by the schema's own comparison.
func differ(k *resource.Kind, name string, a plan.Action, live, want value.Struct) *plan.Change {
	c := change(k, name, a)
	full := make(value.Struct, len(live))
	for i, f := range k.Schema.Fields() {
		if full[i] = live[i]; full[i] == nil {
			full[i] = f.Default
		}
	}
	c.Args, c.Live = want, &resource.Object{Kind: k.Name, Name: name, Args: full}
	c.Fields = k.Schema.Diff(want, full, nil)
	return c
}

const (
	hush   = "hunter2-do-not-show" // in every place where a secret can be
	unread = "write-only-content"
)

func ref(address, output string, sensitive bool) value.Ref {
	return value.Ref{Address: value.Address(address), Output: output, Type: "string", Sensitive: sensitive}
}

func texts_(items ...string) value.List {
	var l value.List
	for _, s := range items {
		l = append(l, s)
	}
	return l
}

func version(k *resource.Kind, name, old, next string) *plan.Change {
	c := change(k, name, plan.NewVersion)
	c.Live = &resource.Object{Kind: k.Name, Name: name + "-" + old, Args: make(value.Struct, len(k.Schema.Fields()))}
	if next != "" {
		c.Name = name + "-" + next
	}
	c.Args = make(value.Struct, len(k.Schema.Fields()))
	f := k.Schema.Fields()[0]
	if f.Secret {
		c.Args[0] = value.Secret{V: hush}
	} else {
		c.Args[0] = unread
	}
	c.Fields = []schema.Change{{Path: f.Name, Field: f, Type: f.Type, After: c.Args[0], Secret: f.Secret}}
	return c
}

// everything is a plan with every action and every sort of value.
func everything() *plan.Plan {
	p := &plan.Plan{Project: "shop/staging", Unreachable: map[string]error{}}
	add := func(cs ...*plan.Change) { p.Changes = append(p.Changes, cs...) }

	add(create(networkKind, "backend", "subnet", "10.0.9.0/24"))
	add(create(serviceKind, "new",
		"image", "nginx:1.27.3", "replicas", int64(4), "command", texts_("sh", "-c", "echo \"hi\"\nsleep 1"),
		"env", value.MapOf(map[string]string{"A": "1", "LONG": "a value that goes on for quite a while, so that the line is too long for any terminal that people use"}),
		"labels", value.MapOf(map[string]string{"tier": "web"}),
		"ports", value.List{port(80, 8080, "tcp"), port(53, 0, "udp")},
		"networks", value.List{ref("swarm.main/network.backend", "name", false)},
		"limit_memory", int64(512<<20), "update", value.Struct{int64(2), int64(10 * time.Second)},
		"auth", value.Struct{"root", value.Secret{V: hush}}, "token", value.Secret{V: hush},
		"motd", "welcome\n\tto the \x1b[31mshop\x1b[0m\nzażółć 漢字\n"))
	p.Changes[len(p.Changes)-1].Findings = diag.List{{
		Pos: diag.Pos{File: "cluster.star", Line: 41, Col: 6}, Summary: "1 of 4 tasks cannot be placed",
		Detail: "n1, n2 and n3 each take 1 task: host port 80/tcp\nn4 does not satisfy node.labels.tier==web",
		Hint:   "replicas = 3 fits; or wait = False lets them be pending",
	}}
	add(create(secretKind, "api_key", "value", value.Secret{V: hush}))
	add(create(configKind, "nginx_conf", "data", unread))

	s := version(secretKind, "db_password", "a1f03c9d", "")
	s.Rolls = []value.Address{"swarm.main/service.web", "swarm.main/service.api"}
	add(s, version(configKind, "site", "77aa88bb99cc", "b77e10ffee00"))

	web := differ(serviceKind, "web", plan.Update,
		fields(serviceKind, "image", "nginx:1.27.2", "replicas", int64(4), "ports", value.List{port(80, 8080, "tcp"), port(443, 8443, "tcp")},
			"secrets", texts_("db_password-a1f03c9d"), "labels", value.MapOf(map[string]string{"tier": "web"}),
			"motd", "one\ntwo\nthree\nfour\n", "auth", value.Struct{"root", value.Secret{V: hush}}),
		fields(serviceKind, "image", "nginx:1.27.3", "replicas", int64(6), "ports", value.List{port(80, 8081, "tcp"), port(443, 8443, "tcp"), port(53, 0, "udp")},
			"secrets", value.List{ref("swarm.main/secret.db_password", "name", false)}, "labels", value.MapOf(map[string]string{"tier": "front", "owner": "team a"}),
			"motd", "one\ntwo\n3\nfour\n", "auth", value.Struct{"root", value.Secret{V: hush + "2"}},
			"command", texts_("nginx", "-g", "daemon off;")))
	web.Effect = "rolling, 2 at a time, about 40 s, no interruption"
	add(web)

	cache := differ(serviceKind, "cache", plan.Update, fields(serviceKind, "image", "redis", "limit_memory", int64(256<<20)),
		fields(serviceKind, "image", "redis", "limit_memory", int64(512<<20)))
	cache.Effect = "INTERRUPTED about 5 s: one replica, stop-first"
	cache.Findings = diag.List{{Severity: diag.Warning, Summary: "its task cannot be placed", Detail: "n1 is drained"}}
	add(cache)

	old := differ(networkKind, "front", plan.Replace, fields(networkKind, "subnet", "10.0.1.0/24"), fields(networkKind, "subnet", ref("vm.m1", "subnet", false)))
	old.Tentative = true
	add(old)
	user := differ(serviceKind, "proxy", plan.Replace, fields(serviceKind, "image", "haproxy"), fields(serviceKind, "image", "haproxy"))
	user.Reason = "uses network.front, which is replaced"
	add(user)

	moved := change(serviceKind, "renamed", plan.Update)
	moved.Remark, moved.Reason = true, "moved from service.original"
	add(moved)
	wait := change(serviceKind, "slow", plan.NoOp)
	wait.Unsettled = "2/4 running"
	add(wait, change(serviceKind, "quiet", plan.NoOp))
	lookup := change(networkKind, "shared", plan.Read)
	lookup.Deferred = true
	found := change(networkKind, "proxy-net", plan.Read)
	found.Live = &resource.Object{Name: "proxy-net"}
	add(lookup, found)

	legacy := change(serviceKind, "legacy", plan.Delete)
	legacy.Decl, legacy.Live, legacy.Reason = nil, &resource.Object{Name: "legacy"}, "no longer declared"
	gone := change(secretKind, "db_password", plan.Delete)
	gone.Live, gone.Reason = &resource.Object{Name: "db_password-00c0ffee"}, "old version"
	data := change(volumeKind, "data", plan.Delete)
	data.Live, data.Reason = &resource.Object{Name: "data"}, "no longer declared"
	add(legacy, gone, data)

	p.Outputs = []resource.OutputValue{
		{Name: "url", Value: &value.Template{Parts: []value.Value{"http://", ref("vm.m1", "public_ip", false), ":8080"}}},
		{Name: "token", Value: value.Secret{V: hush}},
		{Name: "password", Value: hush, Sensitive: true},
		{Name: "id", Value: ref("swarm.main/network.backend", "id", false)},
		{Name: "replicas", Value: int64(4)},
	}
	p.Warnings = diag.List{{Severity: diag.Warning, Pos: diag.Pos{File: "cluster.star", Line: 3, Col: 1},
		Summary: "scope swarm.old is no longer declared", Detail: "what is in it stays as it is", Hint: "destroy it before removing it from the script"}}
	return p
}

// broken is a plan of which a part could not be made.
func broken() *plan.Plan {
	p := &plan.Plan{Project: "shop/staging", Unreachable: map[string]error{
		"swarm.eu": errors.New("dial tcp 10.0.0.4:2377: connect: connection refused\nthe last answer was 3 h ago"),
	}}
	for _, n := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
		c := change(serviceKind, n, plan.NoOp)
		c.Address = value.NewAddress("swarm.eu", "service", n)
		c.Blocked = "swarm.eu is unreachable"
		p.Changes = append(p.Changes, c)
	}
	// The same name in two scopes: both are shown in full.
	p.Changes = append(p.Changes, create(serviceKind, "a", "image", "nginx"))
	p.Changes[len(p.Changes)-1].Deferred = true
	return p
}
