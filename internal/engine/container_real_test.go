package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/testengine"
	"github.com/swarmscript/swarmscript/internal/value"
)

type args map[string]value.Value

func dict(kv ...value.Value) *value.Map {
	var entries []value.Entry
	for i := 0; i < len(kv); i += 2 {
		entries = append(entries, value.Entry{Key: kv[i].(string), Value: kv[i+1]})
	}
	return value.NewMap(entries)
}

func seq(vs ...value.Value) value.List { return vs }

// with returns a with some fields changed; nil removes one.
func (a args) with(kv ...value.Value) args {
	out := args{}
	for k, v := range a {
		out[k] = v
	}
	for i := 0; i < len(kv); i += 2 {
		out[kv[i].(string)] = kv[i+1]
		if kv[i+1] == nil {
			delete(out, kv[i].(string))
		}
	}
	return out
}

// tryDeclare is what a script's container(...) becomes, or what is wrong.
func tryDeclare(fields args) (value.Struct, error) {
	in := make(value.Struct, len(containerSchema.Fields()))
	for name, v := range fields {
		f, ok := containerSchema.Field(name)
		if !ok {
			return nil, fmt.Errorf("no field %s", name)
		}
		in[f.Index] = v
	}
	out, problems := containerSchema.CheckAll(in)
	if problems == nil {
		problems = checkContainer(out)
	}
	if problems != nil {
		return nil, problems
	}
	completeContainer(out)
	return out, nil
}

func declare(t testing.TB, fields args) value.Struct {
	t.Helper()
	out, err := tryDeclare(fields)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// rig is one real engine.
type rig struct {
	*testing.T
	e    *testengine.Engine
	conn *Conn
	api  string
}

func onRigs(t *testing.T, test func(r *rig)) {
	onEngines(t, func(t *testing.T, v testengine.Version) {
		e := testengine.Start(t, v)
		testengine.Images(e)
		r := &rig{T: t, e: e, conn: connect(t, remote.Endpoint{Host: e.Host})}
		var err error
		if r.api, err = r.conn.remote.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		test(r)
	})
}

func (r *rig) live(name string) *resource.Object {
	r.Helper()
	obs, err := r.conn.Observe(context.Background(), resource.Query{Project: "shop"})
	if err != nil {
		r.Fatal(err)
	}
	for _, o := range obs.Objects {
		if o.Kind == "container" && o.Name == name {
			return o
		}
	}
	return nil
}

func (r *rig) request(name string, a value.Struct) *resource.Request {
	mark := resource.Mark{Project: "shop", Address: value.Address("container." + name)}
	for _, field := range []string{"env", "labels"} {
		f, _ := containerSchema.Field(field)
		if m, ok := a[f.Index].(*value.Map); ok && m != nil {
			for _, e := range m.Entries {
				mark.Keys = append(mark.Keys, field+":"+e.Key)
			}
		}
	}
	return &resource.Request{Address: mark.Address, Args: a, Mark: mark, Progress: func(p resource.Progress) {
		if strings.HasPrefix(p.Text, "warning") {
			r.Log(name, p.Text)
		}
	}, Live: r.live(name)}
}

// diff returns the names of the arguments in which the live container differs;
// those that force a replacement have a "!" before them.
func (r *rig) diff(name string, a value.Struct) string {
	r.Helper()
	o := r.live(name)
	if o == nil {
		r.Fatalf("there is no container %s", name)
	}
	var out []string
	for _, c := range containerSchema.Diff(a, o.Args, o.Mark.Owned()) {
		n := c.Field.Name
		if c.Replace || replacesContainer(o, a, c) {
			n = "!" + n
		}
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return strings.Join(out, " ")
}

func (r *rig) same(name string, a value.Struct, when string) {
	r.Helper()
	o := r.live(name)
	if o == nil {
		r.Fatalf("%s: there is no container %s", when, name)
	}
	for _, c := range containerSchema.Diff(a, o.Args, o.Mark.Owned()) {
		r.Errorf("%s: %s: want %s, live %s", when, c.Path, c.Type.Format(c.After), c.Type.Format(c.Before))
	}
}

// try makes the container, or changes it in place, and waits for it.
func (r *rig) try(name string, a value.Struct) error {
	r.Helper()
	req, h := r.request(name, a), containerHandler{}
	var o *resource.Object
	var err error
	if req.Live == nil {
		o, err = h.Create(context.Background(), r.conn, req)
	} else {
		o, err = h.Update(context.Background(), r.conn, req)
	}
	if err != nil {
		return err
	}
	return h.Settle(context.Background(), r.conn, req, o)
}

func (r *rig) apply(name string, a value.Struct) {
	r.Helper()
	if err := r.try(name, a); err != nil {
		r.Fatalf("%s: %v", name, err)
	}
	r.same(name, a, "applied")
}

func (r *rig) remove(name string) {
	r.Helper()
	req := r.request(name, make(value.Struct, len(containerSchema.Fields())))
	if req.Live == nil {
		r.Fatalf("there is no container %s", name)
	}
	for range 2 { // gone already is no error
		if err := (containerHandler{}).Delete(context.Background(), r.conn, req); err != nil {
			r.Fatal(err)
		}
	}
	if r.live(name) != nil {
		r.Errorf("%s is still there", name)
	}
}

// each has two values of every argument. Nothing here needs to start.
var each = []struct {
	field string
	a, b  value.Value
}{
	{"image", "swarmtest/web:1", "swarmtest/web:2"},
	{"command", seq("web", "b c"), "x 'y z'"},
	{"env", dict("A", "1", "B", "x=y", "PATH", nil), dict("A", "2", "E", "")},
	{"labels", dict("tier", "web", "n", "1"), dict("tier", "db")},
	{"annotations", dict("a", "1"), dict("a", "2")},
	{"entrypoint", seq("/swarmtest"), "/swarmtest web"},
	{"hostname", "one", "two"},
	{"domainname", "a.example", "b.example"},
	{"user", "1000", "1000:1000"},
	{"groups", seq("20", "10"), seq("30")},
	{"workdir", "/tmp", "/etc"},
	{"init", true, false},
	{"tty", true, false},
	{"interactive", true, false},
	{"read_only", true, false},
	{"privileged", true, false},
	{"stop_signal", "SIGINT", "SIGQUIT"},
	{"stop_timeout", "3s", int64(-1)},
	{"runtime", "runc", "io.containerd.runc.v2"},
	{"restart", "on-failure:3", "unless-stopped"},
	{"networks", seq(dict("network", "n1", "aliases", seq("z", "a"), "ip", "10.91.0.9", "mac_address", "02:42:0a:5b:00:09"), "n2"), seq("n2")},
	{"links", seq("other:o"), seq("other")},
	{"ports", seq("8080:80/tcp", "127.0.0.1:5353:53/udp", int64(90)), seq("80")},
	{"publish_all", true, false},
	{"expose", seq("70", "8000-8002/udp"), seq("71/tcp")},
	{"hosts", seq("db:10.0.0.3", "six:::1", "gw:host-gateway"), seq("db:10.0.0.4")},
	{"dns", seq("1.1.1.1", "8.8.8.8"), seq("9.9.9.9")},
	{"dns_search", seq("a.example", "b.example"), seq("c.example")},
	{"dns_options", seq("ndots:2"), seq("rotate")},
	{"mounts", seq("type=volume,source=vol,target=/v,volume-driver=local,volume-label=l=1,volume-nocopy", "type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=0700",
		dict("type", "bind", "source", "/etc", "target", "/e", "readonly", true, "bind_propagation", "rslave", "bind_recursive", "disabled"), "type=volume,target=/anon"),
		seq(dict("target", "/v"), dict("type", "bind", "source", "/etc", "target", "/e"), "type=tmpfs,target=/u")},
	{"volumes", seq("/etc:/etc2:ro", "data:/data:rw", "/anonymous"), seq("data:/data")},
	{"volumes_from", seq("other:ro"), seq("other:rw")},
	{"volume_driver", "local", "local"},
	{"tmpfs", dict("/q", "size=1m", "/r", ""), dict("/q", "size=2m")},
	{"shm_size", "1m", "2m"},
	{"cap_add", seq("net_admin", "CAP_SYS_TIME"), seq("SYS_PTRACE")},
	{"cap_drop", seq("chown"), seq("KILL", "MKNOD")},
	{"security_opts", seq("no-new-privileges", "seccomp=unconfined", "systempaths=unconfined", "label=disable"), seq(`seccomp={ "defaultAction": "SCMP_ACT_ALLOW" }`)},
	{"devices", seq("/dev/null", "/dev/zero:/dev/one:rw"), seq("/dev/null:r")},
	{"device_cgroup_rules", seq("c 42:* rmw", "b 8:0 r"), seq("c 42:* r")},
	{"gpus", "all", "device=0,driver=nvidia"},
	{"ulimits", seq("nofile=1024:2048", dict("name", "nproc", "soft", int64(64))), seq("nofile=512")},
	{"sysctls", dict("net.ipv4.ip_forward", "1"), dict("net.ipv4.ip_forward", "0")},
	{"cgroup_parent", "/one", "/two"},
	{"cgroupns", "private", "host"},
	{"ipc", "shareable", "container:other"},
	{"pid", "container:other", "host"},
	{"uts", "host", nil},
	{"userns", "host", nil},
	{"cpus", 0.5, int64(1)},
	{"cpu_shares", int64(512), int64(2048)},
	{"cpu_period", int64(50000), int64(60000)},
	{"cpu_quota", int64(25000), int64(30000)},
	{"cpuset_cpus", "0", "0-1"},
	{"cpuset_mems", "0", nil},
	{"memory", "64m", "128m"},
	{"memory_reservation", "32m", "48m"},
	{"memory_swap", "200m", int64(-1)},
	{"memory_swappiness", int64(10), int64(0)},
	{"oom_kill_disable", true, false},
	{"oom_score_adj", int64(100), int64(500)},
	{"pids_limit", int64(100), int64(200)},
	{"blkio_weight", int64(300), int64(500)},
	{"blkio_weight_device", dict("/dev/null", int64(200)), dict("/dev/null", int64(300))},
	{"device_read_bps", dict("/dev/null", "1m"), dict("/dev/null", "2m")},
	{"device_write_bps", dict("/dev/null", "1m"), dict("/dev/null", "2m", "/dev/zero", "1m")},
	{"device_read_iops", dict("/dev/null", int64(10)), dict("/dev/null", int64(20))},
	{"device_write_iops", dict("/dev/null", int64(10)), dict("/dev/null", int64(20))},
	{"healthcheck", dict("cmd", "/swarmtest health", "interval", "1s", "timeout", "2s", "retries", int64(4), "start_period", "5s"), dict("disable", true)},
	{"log_driver", "json-file", "local"},
	{"log_opts", dict("max-size", "1m"), dict("max-size", "2m")},
}

// apart are arguments that do not go with others: they are made in containers
// of their own, beside what they need.
var apart = []args{
	{"network": "host", "uts": "host", "pid": "host", "ipc": "host", "userns": "host"},
	{"network": "none", "state": "stopped"},
	{"network": "container:other", "ipc": "container:other", "pid": "container:other"},
	{"links": seq("other:o"), "cpu_period": int64(50000), "cpu_quota": int64(25000)},
	{"memory": "64m", "oom_kill_disable": true},
	{"security_opts": seq("label=disable"), "privileged": true},
	{"healthcheck": dict("interval", "7s")},
	{"image": "swarmtest/health:1", "healthcheck": dict("interval", "7s")},
	{"image": "swarmtest/health:1", "healthcheck": dict("disable", true)},
	{"restart": "always", "stop_timeout": int64(0), "pids_limit": int64(-1), "init": false},
	{"image": "swarmtest/health:1"},
}

// newer are for engines that know them: 20.10 does not.
var newer = []args{
	{"mounts": seq("type=image,source=swarmtest/web:2,target=/img", "type=volume,source=vol,target=/sub,volume-subpath=a")},
	{"mounts": seq("type=bind,source=/etc,target=/e,readonly,bind-recursive=writable")},
	{"networks": seq(dict("network", "n1", "gw_priority", int64(5), "driver_opts", dict("com.docker.network.endpoint.ifname", "e9"), "mac_address", "02:42:0a:5b:00:07"), dict("network", "n2", "mac_address", "02:42:0a:5b:00:08"))},
	{"healthcheck": dict("cmd", "true", "start_interval", "2s")},
	{"devices": seq("vendor.com/device=one", "/dev/null")},
}

// notHere are arguments that an engine of this machine refuses: Windows' own,
// and what its kernel and file system lack. TestContainerConversion covers
// them.
var notHere = []string{"isolation", "cpu_count", "cpu_percent", "io_maxbandwidth", "io_maxiops", "storage_opts", "cpu_rt_period", "cpu_rt_runtime", "platform"}

// dropped are arguments that the engine drops with a warning, as it does here
// for what the kernel's cgroups lack.
var dropped = []string{"blkio_weight", "blkio_weight_device"}

func TestContainerFields(t *testing.T) {
	onRigs(t, func(r *rig) {
		for i, n := range []string{"n1", "n2", "n3"} {
			r.e.Docker("network", "create", "--subnet", fmt.Sprintf("10.9%d.0.0/24", i+1), n)
		}
		r.apply("other", declare(r, args{"name": "other", "image": "swarmtest/web:1", "ipc": "shareable"}))
		r.allFields()
		tried := apart
		if r.api != "1.41" {
			tried = append(slices.Clone(apart), newer...)
		}
		for i, a := range tried {
			name := fmt.Sprintf("apart%d", i)
			base := args{"name": name, "image": "swarmtest/web:1", "state": "stopped"}
			for k, v := range a {
				base[k] = v
			}
			want := declare(r, base)
			r.apply(name, want)
			r.same(name, want, name)
			for k := range a {
				if k == "image" || k == "state" {
					continue
				}
				if got := r.diff(name, declare(r, base.with(k, nil))); !strings.Contains(got, k) && !(k == "init" || k == "pids_limit") {
					r.Errorf("%s: %s removed: the plan shows %q", name, k, got)
				}
			}
		}
	})
}

// allFields makes two containers of every argument's two values, and looks at
// what the plan says of each change and of each removal.
func (r *rig) allFields() {
	all, other := args{"name": "all", "state": "stopped"}, args{"name": "second", "state": "stopped"}
	var known []string
	conflicts := []string{"cpu_period", "cpu_quota", "uts", "userns", "links", "oom_kill_disable"}
	for _, row := range each {
		f, _ := containerSchema.Field(row.field)
		if f.API != "" && r.api == "1.41" || slices.Contains(dropped, row.field) || slices.Contains(conflicts, row.field) {
			continue
		}
		known = append(known, row.field)
		all[row.field] = row.a
		if row.b != nil {
			other[row.field] = row.b
		}
	}
	r.apply("all", declare(r, all))
	r.apply("second", declare(r, other))
	for _, row := range each {
		if !slices.Contains(known, row.field) {
			continue
		}
		f, _ := containerSchema.Field(row.field)
		want := row.field
		if f.Replace {
			want = "!" + want
		}
		if row.b != nil && fmt.Sprint(row.a) != fmt.Sprint(row.b) {
			if got := r.diff("all", declare(r, all.with(row.field, row.b))); got != want {
				r.Errorf("%s changed: the plan shows %q", row.field, got)
			}
		}
		if row.field == "image" || row.field == "memory" {
			continue
		}
		if slices.Contains(updatable, row.field) {
			want = "!" + row.field // a limit is taken away by a new container
		}
		if got := r.diff("all", declare(r, all.with(row.field, nil))); got != want {
			r.Errorf("%s removed: the plan shows %q", row.field, got)
		}
	}
	r.Log("round trip of", len(known), "arguments")
	r.remove("all")
	r.remove("second")
}

// Every argument is in one of the tables.
func TestContainerTablesAreComplete(t *testing.T) {
	in := append(slices.Clone(notHere), "name", "state", "pull", "network")
	for _, row := range each {
		in = append(in, row.field)
	}
	for _, f := range containerSchema.Fields() {
		if !slices.Contains(in, f.Name) {
			t.Errorf("%s is tried nowhere", f.Name)
		}
	}
}

func contains(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one with %q", parts)
		return
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("the error is %q, want %q in it", err, p)
		}
	}
}
