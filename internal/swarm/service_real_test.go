package swarm

import (
	"context"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/testengine"
	"github.com/swarmscript/swarmscript/internal/value"
)

type args map[string]value.Value

// declare is what a script's service(...) becomes.
func declare(t testing.TB, fields args) value.Struct {
	t.Helper()
	in := make(value.Struct, len(ServiceSchema.Fields()))
	for name, v := range fields {
		f, ok := ServiceSchema.Field(name)
		if !ok {
			t.Fatalf("no field %s", name)
		}
		in[f.Index] = v
	}
	out, problems := ServiceSchema.CheckAll(in)
	if problems == nil {
		problems = checkService(out)
	}
	if problems != nil {
		t.Fatal(problems)
	}
	completeService(out)
	return out
}

func dict(kv ...value.Value) *value.Map {
	var entries []value.Entry
	for i := 0; i < len(kv); i += 2 {
		entries = append(entries, value.Entry{Key: kv[i].(string), Value: kv[i+1]})
	}
	return value.NewMap(entries)
}

func list(vs ...value.Value) value.List { return vs }

// rig is a swarm of one real engine.
type rig struct {
	*testing.T
	e    *testengine.Engine
	conn *Conn
	api  string
}

func newRig(t *testing.T, v testengine.Version, opts ...testengine.Option) *rig {
	e := testengine.Start(t, v, opts...)
	e.Docker("swarm", "init", "--advertise-addr", e.Addr)
	r := &rig{T: t, e: e}
	r.conn = r.dial()
	var err error
	if r.api, err = r.conn.docker.Ready(context.Background()); err != nil {
		t.Fatal(err)
	}
	return r
}

// dial makes another connection.
func (r *rig) dial() *Conn {
	r.Helper()
	d, err := remote.Dial(remote.Endpoint{Host: r.e.Host, ConfigDir: r.TempDir()})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { d.Close() })
	return NewConn(d, nil)
}

func (r *rig) request(name string, a value.Struct) *resource.Request {
	mark := resource.Mark{Project: "shop", Address: value.Address("swarm.main/service." + name)}
	f, _ := ServiceSchema.Field("labels")
	if m, ok := a[f.Index].(*value.Map); ok && m != nil {
		for _, e := range m.Entries {
			mark.Keys = append(mark.Keys, "labels:"+e.Key)
		}
	}
	return &resource.Request{Address: mark.Address, Args: a, Mark: mark, Progress: func(resource.Progress) {}, Live: r.live(name)}
}

func (r *rig) live(name string) *resource.Object {
	r.Helper()
	obs, err := r.conn.Observe(context.Background(), resource.Query{Project: "shop"})
	if err != nil {
		r.Fatal(err)
	}
	for _, o := range obs.Objects {
		if o.Kind == "service" && o.Name == name {
			return o
		}
	}
	return nil
}

// apply makes or changes the service and returns its object.
func (r *rig) apply(name string, a value.Struct) *resource.Object {
	r.Helper()
	req, h := r.request(name, a), serviceHandler{}
	var o *resource.Object
	var err error
	if req.Live == nil {
		o, err = h.Create(context.Background(), r.conn, req)
	} else {
		o, err = h.Update(context.Background(), r.conn, req)
	}
	if err != nil {
		r.Fatal(err)
	}
	return o
}

// diff returns the names of the arguments in which the live service differs.
func (r *rig) diff(name string, a value.Struct) (fields string) {
	r.Helper()
	o := r.live(name)
	if o == nil {
		r.Fatalf("there is no service %s", name)
	}
	var out []string
	for _, c := range ServiceSchema.Diff(a, o.Args, o.Mark.Owned()) {
		if len(out) == 0 || out[len(out)-1] != c.Field.Name {
			out = append(out, c.Field.Name)
		}
	}
	return strings.Join(out, " ")
}

func (r *rig) same(name string, a value.Struct, when string) {
	r.Helper()
	o := r.live(name)
	for _, c := range ServiceSchema.Diff(a, o.Args, o.Mark.Owned()) {
		r.Errorf("%s: %s: want %s, live %s", when, c.Path, c.Type.Format(c.After), c.Type.Format(c.Before))
	}
}

// each has two values of every argument, and the docker CLI's way to change it
// by hand. The service has no replicas: nothing here needs to start.
var each = []struct {
	field  string
	a, b   value.Value
	byHand []string
}{
	{"image", "swarmtest/web:1", "swarmtest/web:2", []string{"--image=swarmtest/web:3"}},
	{"command", list("a", "b c"), "x 'y z'", []string{"--args=other"}},
	{"env", dict("A", "1", "B", "x=y", "C", nil), dict("A", "2", "E", ""), []string{"--env-add=BY=hand"}},
	{"labels", dict("tier", "web", "n", "1"), dict("tier", "db"), []string{"--label-add=tier=hand"}},
	{"container_labels", dict("c", "1"), dict("c", "2"), []string{"--container-label-add=by=hand"}},
	{"entrypoint", list("/swarmtest"), "/swarmtest web", []string{"--entrypoint=/other"}},
	{"hostname", "one", "{{.Node.Hostname}}", []string{"--hostname=hand"}},
	{"user", "1000", "1000:1000", []string{"--user=0"}},
	{"groups", list("20", "10"), list("30"), []string{"--group-add=40"}},
	{"workdir", "/tmp", "/", []string{"--workdir=/hand"}},
	{"init", true, false, []string{"--init"}},
	{"tty", true, false, []string{"--tty"}},
	{"stdin_open", true, false, []string{}}, // no flag of the CLI's sets it
	{"read_only", true, false, []string{"--read-only"}},
	{"stop_signal", "SIGINT", "SIGQUIT", []string{"--stop-signal=SIGHUP"}},
	{"stop_grace_period", "3s", "1m30s", []string{"--stop-grace-period=7s"}},
	{"isolation", "process", "hyperv", []string{"--isolation=default"}},
	{"credential_spec", "file://a.json", dict("config", "conf2"), []string{"--credential-spec=registry://hand"}},
	{"oom_score_adj", int64(-500), int64(500), []string{"--oom-score-adj=1"}},
	{"mounts", list("type=volume,source=v,target=/v,volume-driver=local,volume-opt=o=x,volume-label=l=1,volume-nocopy", "type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=0700", dict("type", "bind", "source", "/etc", "target", "/e", "readonly", true, "bind_propagation", "rslave", "bind_recursive", "disabled")),
		list(dict("target", "/v"), dict("type", "bind", "source", "/etc", "target", "/e"), "type=tmpfs,target=/u"), []string{"--mount-add=type=volume,target=/hand"}},
	{"networks", list(dict("network", "n1", "aliases", list("z", "a"), "driver_opts", dict("k", "v"))), list("n2", "name=n1,alias=q"), []string{"--network-add=n3"}},
	{"ports", list("8080:80/tcp", "target=53,published=5353,protocol=udp,mode=host", dict("target", int64(90))), list("80"), []string{"--publish-add=9999:99"}},
	{"secrets", list("sec1", "source=sec2,target=/etc/two,uid=1,gid=2,mode=0400"), list("sec2"), []string{"--secret-rm=sec2"}},
	{"configs", list("conf1", "source=conf2,target=/etc/two,uid=1,gid=2,mode=0400"), list("conf1"), []string{"--config-add=source=conf2,target=/hand"}},
	{"hosts", list("db:10.0.0.3", "six:::1", "gw:host-gateway"), list("db:10.0.0.4"), []string{"--host-add=hand:10.1.1.1"}},
	{"dns", list("1.1.1.1", "8.8.8.8"), list("9.9.9.9"), []string{"--dns-add=4.4.4.4"}},
	{"dns_search", list("a.example", "b.example"), list("c.example"), []string{"--dns-search-add=hand.example"}},
	{"dns_options", list("ndots:2"), list("rotate"), []string{"--dns-option-add=timeout:3"}},
	{"cap_add", list("net_admin", "CAP_SYS_TIME"), list("SYS_PTRACE"), []string{"--cap-add=CAP_SYSLOG"}},
	{"cap_drop", list("chown"), list("KILL", "MKNOD"), []string{"--cap-drop=CAP_FOWNER"}},
	{"ulimits", list("nofile=1024:2048", dict("name", "nproc", "soft", int64(64))), list("nofile=-1"), []string{"--ulimit-add=core=0"}},
	{"sysctls", dict("net.core.somaxconn", "1024"), dict("net.core.somaxconn", "2048"), []string{"--sysctl-add=net.ipv4.ip_forward=1"}},
	{"limit_cpu", 0.5, "1.25", []string{"--limit-cpu=2"}},
	{"limit_memory", "512m", "1g", []string{"--limit-memory=64m"}},
	{"limit_pids", int64(100), int64(200), []string{"--limit-pids=7"}},
	{"reserve_cpu", 0.25, 0.5, []string{"--reserve-cpu=.1"}},
	{"reserve_memory", "64m", "32m", []string{"--reserve-memory=16m"}},
	{"generic_resources", dict("gpu", int64(2), "ssd", int64(1)), dict("gpu", int64(1)), []string{"--generic-resource-add=fpga=1"}},
	{"constraints", list("node.role == worker", "node.labels.zone!=a"), list("node.platform.os==linux"), []string{"--constraint-add=node.hostname==hand"}},
	{"placement_prefs", list("spread=node.labels.zone", "spread=node.labels.rack"), list("spread=node.labels.rack"), []string{"--placement-pref-add=spread=node.labels.hand"}},
	{"replicas_max_per_node", int64(3), int64(5), []string{"--replicas-max-per-node=9"}},
	{"update", dict("parallelism", int64(2), "delay", "1s", "on_failure", "rollback", "monitor", "2s", "max_failure_ratio", 0.1, "order", "start-first"),
		dict("parallelism", int64(0), "max_failure_ratio", 0.123456789), []string{"--update-delay=9s"}},
	{"rollback", dict("parallelism", int64(3), "delay", "2s", "on_failure", "continue", "monitor", "3s", "max_failure_ratio", 0.3, "order", "start-first"),
		dict("monitor", int64(0), "parallelism", int64(7)), []string{"--rollback-order=stop-first"}},
	{"restart", dict("condition", "on-failure", "delay", "1s", "max_attempts", int64(3), "window", "1m"), dict("condition", "none", "delay", int64(0)), []string{"--restart-delay=8s"}},
	{"healthcheck", dict("cmd", "/swarmtest health", "interval", "1s", "timeout", "2s", "retries", int64(4), "start_period", "5s"), dict("disable", true), []string{"--health-cmd=hand", "--no-healthcheck=false"}},
	{"log_driver", "json-file", "none", []string{"--log-driver=syslog", "--log-opt=max-size=1m"}},
	{"log_opts", dict("max-size", "1m"), dict("max-size", "2m"), []string{"--log-driver=json-file", "--log-opt=max-size=3m"}},
	{"endpoint_mode", "vip", "vip", nil},
}

var engines = []testengine.Version{testengine.Debian20, testengine.Docker28}

func TestServiceFields(t *testing.T) {
	t.Parallel()
	for _, v := range engines {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, v)
			for _, n := range []string{"n1", "n2", "n3"} {
				r.e.Docker("network", "create", "--driver=overlay", n)
			}
			for _, n := range []string{"sec1", "sec2"} {
				r.e.DockerInput(n, "secret", "create", n, "-")
			}
			for _, n := range []string{"conf1", "conf2"} {
				r.e.DockerInput("{}", "config", "create", n, "-")
			}
			testFields(r)
		})
	}
}

func testFields(r *rig) {
	onHost := declare(r, args{"name": "onhost", "image": "swarmtest/web:1", "replicas": int64(0), "networks": list("host")})
	r.apply("onhost", onHost)
	r.same("onhost", onHost, "on the predefined network")

	base := args{"name": "all", "image": "swarmtest/web:1", "replicas": int64(0), "no_resolve_image": true}
	all := args{}
	for k, v := range base {
		all[k] = v
	}
	var known []string
	for _, row := range each {
		f, _ := ServiceSchema.Field(row.field)
		if f.API != "" && r.api == "1.41" {
			continue
		}
		known = append(known, row.field)
		all[row.field] = row.a
	}
	first := declare(r, all)
	r.apply("all", first)
	r.same("all", first, "created with everything")

	for _, row := range each {
		if _, ok := all[row.field]; !ok || row.byHand == nil {
			continue
		}
		was := all[row.field]
		all[row.field] = row.b
		want := declare(r, all)
		if got := r.diff("all", want); got != row.field {
			r.Errorf("%s changed: the plan shows %q", row.field, got)
		}
		r.apply("all", want)
		r.same("all", want, row.field+" changed")

		delete(all, row.field)
		if row.field == "image" {
			all["image"] = row.b
		}
		if row.field == "log_driver" {
			all[row.field] = was
		}
		want = declare(r, all)
		got := r.diff("all", want)
		if _, wasDefault := row.b.(bool); got != row.field && row.field != "image" && !(wasDefault && got == "") {
			r.Errorf("%s removed: the plan shows %q", row.field, got)
		}
		r.apply("all", want)
		r.same("all", want, row.field+" removed")
		all[row.field] = was
		if f, _ := ServiceSchema.Field(row.field); !f.Type.Same(declare(r, all)[f.Index], f.Default) {
			r.apply("all", declare(r, all))
		}
		r.same("all", declare(r, all), row.field+" given again")
	}
	r.Log("round trip of", len(known), "arguments")

	for _, row := range each {
		if _, ok := all[row.field]; !ok || len(row.byHand) == 0 {
			continue
		}
		if b, ok := row.a.(bool); ok && b { // the flag sets what was set
			all[row.field] = false
			r.apply("all", declare(r, all))
		}
		want := declare(r, all)
		cli := append([]string{"service", "update", "--detach", "--no-resolve-image"}, append(row.byHand, "all")...)
		_, err := r.e.TryDocker(cli...)
		for try := 0; err != nil && strings.Contains(err.Error(), "update out of sequence") && try < 100; try++ {
			_, err = r.e.TryDocker(cli...) // the swarm itself wrote in between: it gives out ports
		}
		if err != nil {
			r.Errorf("%s by hand: %v", row.field, err)
			continue
		}
		if got := r.diff("all", want); got != row.field {
			r.Errorf("%s by hand: the plan shows %q", row.field, got)
		}
		r.apply("all", want)
		r.same("all", want, row.field+" repaired")
	}
}
