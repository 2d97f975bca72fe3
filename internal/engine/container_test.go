package engine

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// elsewhere are values of arguments that no engine here takes, by which
// TestContainerConversion is their proof.
var elsewhere = args{
	"isolation": "hyperv", "cpu_count": int64(2), "cpu_percent": int64(50), "io_maxbandwidth": "10m", "io_maxiops": int64(100),
	"storage_opts": dict("size", "10g"), "cpu_rt_period": int64(1000), "cpu_rt_runtime": int64(500), "platform": "linux/arm64/v8",
}

// made is what an engine makes of arguments: what it does not fill in comes
// back as it was, through JSON; the rest is the image's, or its own.
func made(t testing.TB, a value.Struct) *container.InspectResponse {
	t.Helper()
	var s ContainerSpec
	if err := containerSchema.Decode(a, &s); err != nil {
		t.Fatal(err)
	}
	g := givenBy(a, &s)
	labels := resource.Mark{Project: "shop"}.Labels(s.Labels)
	g.note(labels)
	endpoints := map[string]*network.EndpointSettings{}
	for i, e := range s.endpoints() {
		endpoints[s.Networks[i].Network] = e
	}
	c := &container.InspectResponse{
		ContainerJSONBase: &container.ContainerJSONBase{
			ID: "0123456789abcdef", Name: "/" + s.Name, HostConfig: s.hostConfig(g),
			State: &container.State{Status: container.StateRunning, Running: true},
		},
		Config: s.config(labels), NetworkSettings: &container.NetworkSettings{Networks: endpoints},
	}
	if s.State == stateStopped {
		c.State = &container.State{Status: container.StateCreated}
	}
	fill := func(to *string, with string) {
		if *to == "" {
			*to = with
		}
	}
	fill(&c.Config.User, "image")
	fill(&c.Config.WorkingDir, "/image")
	fill(&c.Config.StopSignal, "SIGIMAGE")
	fill(&c.Config.Hostname, "0123456789ab")
	fill(&c.HostConfig.Runtime, "runc")
	fill(&c.HostConfig.LogConfig.Type, "json-file")
	c.Config.Env = append(c.Config.Env, "IMAGE=1")
	if c.HostConfig.ShmSize == 0 {
		c.HostConfig.ShmSize = 64 << 20
	}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var out container.InspectResponse
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return &out
}

// For any arguments: a container that was made of them reads back as they are,
// whatever the image and the engine fill in.
func TestContainerConversion(t *testing.T) {
	values := maps.Clone(elsewhere)
	for _, row := range each {
		values[row.field] = row.a
	}
	fields := slices.Sorted(maps.Keys(values))
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		a := args{"name": "x1", "image": "nginx"}
		for _, n := range fields {
			if rnd.IntN(2) == 0 {
				a[n] = values[n]
			}
		}
		want, err := tryDeclare(a)
		if err != nil {
			continue // some do not go together
		}
		c := made(t, want)
		for _, ch := range containerSchema.Diff(want, containerArgs(c, names{}, readGiven(c.Config.Labels, nil)), nil) {
			t.Errorf("seed %d: %s: want %s, live %s", seed, ch.Path, ch.Type.Format(ch.After), ch.Type.Format(ch.Before))
		}
		// Without one of them there is a difference, and only in it.
		for n := range a {
			rest, err := tryDeclare(a.with(n, nil))
			if err != nil || n == "env" || n == "labels" || n == "hostname" {
				continue
			}
			for _, ch := range containerSchema.Diff(rest, containerArgs(c, names{}, readGiven(c.Config.Labels, nil)), nil) {
				if ch.Field.Name != n {
					t.Errorf("seed %d: without %s, %s differs", seed, n, ch.Path)
				}
			}
		}
	}
	for n, v := range elsewhere {
		a := declare(t, args{"name": "x1", "image": "nginx", n: v})
		c := made(t, a)
		var got []string
		for _, ch := range containerSchema.Diff(declare(t, args{"name": "x1", "image": "nginx"}), containerArgs(c, names{}, readGiven(c.Config.Labels, nil)), nil) {
			got = append(got, ch.Field.Name)
		}
		if !slices.Equal(got, []string{n}) {
			t.Errorf("%s removed: %q differ", n, got)
		}
	}
}

func TestContainerCheck(t *testing.T) {
	for _, test := range []struct {
		args args
		want string
	}{
		{args{"name": "x"}, `name: got "x", want at least two letters`},
		{args{"restart": "sometimes"}, "unknown policy 'sometimes'"},
		{args{"restart": "always:3"}, "restart"},
		{args{"state": "completed", "restart": "always"}, "started again: want no or on-failure"},
		{args{"stop_timeout": "1500ms"}, "stop_timeout: got 1.5s, and Docker counts whole seconds"},
		{args{"network": "backend"}, `belongs in networks = ["backend"]`},
		{args{"network": "container:"}, "want a container's name after the colon"},
		{args{"network": "host", "networks": seq("a")}, `networks: it has no network of its own with network = "host"`},
		{args{"network": "host", "ports": seq("80")}, `network = "host" publishes none`},
		{args{"network": "container:db", "hostname": "x"}, "hostname: belongs to the container whose network it shares"},
		{args{"networks": seq("host")}, `give network = "host"`},
		{args{"networks": seq("a", "name=a,alias=b")}, "a is there twice"},
		{args{"networks": seq("name=bridge,alias=b")}, "declare a network"},
		{args{"pid": "db"}, "pid: got \"db\", want host or container:NAME"},
		{args{"uts": "host", "hostname": "x"}, "hostname and domainname do not go with it"},
		{args{"ports": seq(dict("target", int64(80), "mode", "host"))}, "mode is for services"},
		{args{"ports": seq("80:80", "80:81")}, "80/tcp is published twice"},
		{args{"ports": seq("8000-8001:80")}, "ports"},
		{args{"volumes": seq("./data:/data")}, "want a volume's name or an absolute path"},
		{args{"volumes": seq("data")}, "want where it is mounted too, as in data:/data"},
		{args{"volumes": seq("data:data")}, `"data" is not an absolute path in the container`},
		{args{"volumes": seq("data:/data"), "tmpfs": dict("/data", "")}, "/data is in tmpfs too"},
		{args{"mounts": seq("type=volume,target=/a"), "volumes": seq("b:/a")}, "/a is in mounts too"},
		{args{"mounts": seq(dict("type", "cluster", "source", "x", "target", "/x"))}, "cluster volumes are for services"},
		{args{"devices": seq("null")}, "want /dev/x"},
		{args{"expose": seq("http")}, "want a port such as 80"},
		{args{"gpus": "some"}, "gpus"},
		{args{"security_opts": seq("seccomp=/profile.json")}, `"seccomp=" + read_file(...)`},
		{args{"security_opts": seq("apparmor")}, "want key=value"},
		{args{"cpus": 0.5, "cpu_quota": int64(1000)}, "cpus: stands for cpu_period and cpu_quota"},
		{args{"memory": "1m"}, "memory: want at least 6m"},
		{args{"memory_swap": "1g"}, "memory_swap: needs memory"},
		{args{"memory": "1g", "memory_swap": "512m"}, "memory_swap: is below memory"},
		{args{"memory": "1g", "memory_reservation": "2g"}, "memory_reservation: is above memory"},
		{args{"blkio_weight": int64(5)}, "want 10 to 1000"},
		{args{"labels": dict("swarmscript.x", "1")}, "is reserved"},
		{args{"env": dict("A=B", "1")}, "it contains ="},
		{args{"stop_signal": "SIGTERN"}, "want a signal such as SIGTERM"},
		{args{"log_driver": "none", "log_opts": dict("a", "b")}, "log_driver none has no options"},
		{args{"platform": "a/b/c/d"}, "want os/architecture"},
	} {
		_, err := tryDeclare(args{"name": "web", "image": "nginx"}.with(flat(test.args)...))
		contains(t, err, test.want)
	}
	// What is not known yet is checked when it is.
	ref := value.Ref{Address: "container.db", Output: "ip_address", Type: "string"}
	if _, err := tryDeclare(args{"name": "web", "image": "nginx", "hosts": seq(ref), "network": value.Ref{Address: "container.db"}, "env": dict("A", ref)}); err != nil {
		t.Error(err)
	}
}

func flat(a args) []value.Value {
	var out []value.Value
	for k, v := range a {
		out = append(out, k, v)
	}
	return out
}

func TestContainerNormalForms(t *testing.T) {
	for _, test := range []struct {
		got  interface{ Normal() (string, error) }
		want string
	}{
		{RestartPolicy("on-failure:0"), "on-failure"},
		{RestartPolicy("on-failure:3"), "on-failure:3"},
		{Link("db"), "db:db"},
		{Link("/db:/web/alias"), "db:alias"}, // as the API shows it
		{VolumesFrom("db:rw"), "db"},
		{VolumesFrom("db:ro"), "db:ro"},
		{ExposedPort("80"), "80/tcp"},
		{ExposedPort("8000-8010/udp"), "8000-8010/udp"},
		{Bind("data:/data:rw"), "data:/data"},
		{Bind("/a:/b:z,ro"), "/a:/b:ro,z"},
		{Bind("/anonymous"), "/anonymous"},
		{Bind(`C:\data:D:\data:ro`), `C:\data:D:\data:ro`},
		{Device("/dev/fuse"), "/dev/fuse:/dev/fuse:rwm"},
		{Device("/dev/fuse:rw"), "/dev/fuse:/dev/fuse:rw"},
		{Device("vendor.com/gpu=0"), "vendor.com/gpu=0"},
		{SecurityOpt("apparmor:unconfined"), "apparmor=unconfined"},
		{SecurityOpt(`seccomp={ "a": 1 }`), `seccomp={"a":1}`},
		{GPUs("all"), "count=all"},
		{GPUs("2"), "count=2"},
		{GPUs(`"device=0,1"`), `"device=0,1"`},
		{GPUs("driver=nvidia,capabilities=compute"), "count=1,driver=nvidia,capabilities=compute"},
	} {
		got, err := test.got.Normal()
		if err != nil || got != test.want {
			t.Errorf("%v: got %q, %v, want %q", test.got, got, err, test.want)
		}
	}
}

// A normal form is its own normal form.
func FuzzContainerForms(f *testing.F) {
	for _, s := range []string{"on-failure:3", "db:alias", "80/tcp", "data:/data:ro", "/dev/fuse:rw", "seccomp={}", `"device=0,1",driver=x`, "8000-9000/udp", `C:\a:D:\b`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, v := range []func(string) interface{ Normal() (string, error) }{
			func(s string) interface{ Normal() (string, error) } { return RestartPolicy(s) },
			func(s string) interface{ Normal() (string, error) } { return Link(s) },
			func(s string) interface{ Normal() (string, error) } { return VolumesFrom(s) },
			func(s string) interface{ Normal() (string, error) } { return ExposedPort(s) },
			func(s string) interface{ Normal() (string, error) } { return Bind(s) },
			func(s string) interface{ Normal() (string, error) } { return Device(s) },
			func(s string) interface{ Normal() (string, error) } { return SecurityOpt(s) },
			func(s string) interface{ Normal() (string, error) } { return GPUs(s) },
			func(s string) interface{ Normal() (string, error) } { return Namespace(s) },
		} {
			once, err := v(s).Normal()
			if err != nil {
				continue
			}
			if twice, err := v(once).Normal(); err != nil || twice != once {
				t.Errorf("%T %q: %q, then %q, %v", v(s), s, once, twice, err)
			}
		}
	})
}
