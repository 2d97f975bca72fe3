package host_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/host"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/testhost"
	"github.com/swarmscript/swarmscript/internal/testhost/aptrepo"
	"github.com/swarmscript/swarmscript/internal/value"
)

// docker declares a machine's engine.
func (w *world) docker(a args) *resource.Declaration {
	w.t.Helper()
	return w.declare(host.DockerKind, "m", a)
}

// engine starts a machine with an engine from Docker's packages. What it
// returns are the arguments without which they are not found.
func engine(t *testing.T, image string, opts ...testhost.Option) (*world, *aptrepo.Repo, args) {
	t.Helper()
	w := start(t, image, opts...)
	repo := aptrepo.Serve(t, w.h)
	base := args{"repository": repo.URL, "key": repo.Key}
	w.apply(list("create docker.m"), w.docker(base))
	return w, repo, base
}

// info is a field of docker info.
func (w *world) info(field string) string {
	w.t.Helper()
	return w.sh("docker info -f '{{json " + field + "}}'")
}

func (w *world) pid() string { w.t.Helper(); return w.sh("systemctl show docker -p MainPID --value") }

// version is that of the package.
func (w *world) dockerVersion() string {
	w.t.Helper()
	return w.sh("dpkg-query -W -f '${Version}' docker-ce")
}

// An engine from Docker's packages, its repairs and its end, on both releases.
func TestDocker(t *testing.T) {
	t.Parallel()
	for _, image := range []string{"debian-12", "debian-13"} {
		t.Run(image, func(t *testing.T) {
			t.Parallel()
			w, _, base := engine(t, image)
			want(t, "the newest", w.dockerVersion(), "5:28.5.2-1~debian.any~test")
			want(t, "what is held", w.sh("apt-mark showhold"), "containerd.io\ndocker-ce\ndocker-ce-cli")
			want(t, "the engine", w.info(".ServerVersion"), `"28.5.2"`)

			before := w.c.Remote().Used()
			w.apply(nil, w.docker(base.With(args{"version": "28"})))
			if used := w.c.Remote().Used().Channels - before.Channels; used != 3 { // apply looks three times
				t.Errorf("three plans without a change took %d commands, want one each", used)
			}
			old := base.With(args{"version": "28.5.1"})
			w.apply(list(`update docker.m: version`), w.docker(old))
			want(t, "the old one", w.dockerVersion(), "5:28.5.1-1~debian.any~test")

			w.apply(list(`update docker.m: hold`), w.docker(old.With(args{"hold": false})))
			want(t, "what is held", w.sh("apt-mark showhold"), "")
			w.apply(list(`update docker.m: hold`), w.docker(old))
			w.sh("apt-mark unhold docker-ce-cli")
			w.apply(list(`update docker.m: hold`), w.docker(old))
			w.sh("systemctl stop docker.socket docker.service")
			w.apply(list(`update docker.m`), w.docker(old))
			w.info(".ID")
			pid := w.pid()
			w.sh("systemctl disable -q docker.service")
			w.apply(list(`update docker.m`), w.docker(old))
			want(t, "the unit", w.sh("systemctl is-enabled docker.service"), "enabled")
			want(t, "the process, which was not restarted", w.pid(), pid)

			w.sh("touch /var/lib/docker/ours")
			w.apply(list("delete docker.docker"))
			want(t, "what is left", w.sh("ls /etc/apt/sources.list.d/docker.sources /etc/apt/keyrings/docker* /usr/bin/dockerd /usr/bin/docker /var/lib/docker/ours 2>/dev/null || true"), "/var/lib/docker/ours")
		})
	}
}

// Versions and channels, and where they come from.
func TestDockerVersions(t *testing.T) {
	t.Parallel()
	w, repo, base := engine(t, "debian-12")
	for _, version := range []string{"28", "28.5", "28.5.2", "5:28.5.2-1~debian.any~test"} {
		w.apply(nil, w.docker(base.With(args{"version": version})))
	}
	w.apply(list(`update docker.m: channel version`), w.docker(base.With(args{"channel": "test", "version": "29"})))
	want(t, "that of the test channel", w.dockerVersion(), "5:29.0.0~rc.1-1~debian.any~test")
	old := base.With(args{"version": "28.5.1"})
	w.apply(list(`update docker.m: channel version`), w.docker(old))
	w.apply(nil, w.docker(base))
	w.sh("apt-get install -q -y --allow-change-held-packages docker-ce=5:28.5.2-1~debian.any~test")
	w.apply(list(`update docker.m: hold version`), w.docker(old))

	// A source as Docker's manual had it, with its key elsewhere: apt takes no two that differ.
	w.sh("cd /etc/apt; . /etc/os-release; mv keyrings/docker.asc keyrings/other.asc; rm sources.list.d/docker.sources\n" +
		"echo \"deb [arch=amd64 signed-by=/etc/apt/keyrings/other.asc] " + repo.URL + " $VERSION_CODENAME stable\" >sources.list.d/docker.list")
	w.apply(list(`update docker.m: channel key repository`), w.docker(old))
	w.sh("apt-get update -q -o APT::Update::Error-Mode=any; ls /etc/apt/sources.list.d/docker.list.save")
}

// The settings of an engine, beside those of others, and who may use it.
func TestDockerSettings(t *testing.T) {
	t.Parallel()
	w, _, base := engine(t, "debian-13", testhost.User("deploy"))
	daemon := func(m args) *resource.Declaration { return w.docker(base.With(args{"daemon": m})) }
	w.sh(`echo '{"debug": true}' >/etc/docker/daemon.json; systemctl restart docker`)

	w.apply(list(`update docker.m: daemon["log-opts"] daemon["max-concurrent-downloads"]`),
		daemon(args{"log-opts": args{"max-size": "10m"}, "max-concurrent-downloads": 5}))
	var all map[string]any
	if err := json.Unmarshal([]byte(w.sh("cat /etc/docker/daemon.json")), &all); err != nil || len(all) != 3 || all["debug"] != true {
		t.Errorf("daemon.json holds %v (%v)", all, err)
	}
	pid := w.pid()
	w.apply(list(`update docker.m: daemon["labels"] daemon["max-concurrent-downloads"]`),
		daemon(args{"log-opts": args{"max-size": "10m"}, "max-concurrent-downloads": 6, "labels": []string{"a=b"}}))
	want(t, "what dockerd has reloaded", w.info(".Labels"), `["a=b"]`)
	want(t, "the process, which was not restarted", w.pid(), pid)
	w.apply(list(`update docker.m: daemon["labels"] daemon["log-opts"]`), daemon(args{"max-concurrent-downloads": 6}))
	want(t, "what was removed", w.info(".Labels"), `[]`)
	w.sh(`sed -i 's/6/7/' /etc/docker/daemon.json`)
	w.apply(list(`update docker.m: daemon["max-concurrent-downloads"]`), daemon(args{"max-concurrent-downloads": 6}))

	registries := base.With(args{"insecure_registries": []string{"reg.example:5000"}, "registry_mirrors": []string{"https://mirror.example"}})
	w.apply(list(`update docker.m: daemon["insecure-registries"] daemon["max-concurrent-downloads"] daemon["registry-mirrors"]`), w.docker(registries))
	want(t, "the mirrors", w.info(".RegistryConfig.Mirrors"), `["https://mirror.example/"]`)
	if got := w.info(".RegistryConfig.IndexConfigs"); !strings.Contains(got, `"reg.example:5000":{"Mirrors":[],"Name":"reg.example:5000","Official":false,"Secure":false}`) &&
		!strings.Contains(got, "reg.example:5000") {
		t.Errorf("the registries are %s", got)
	}

	w.sh("useradd ann; useradd bob; usermod -a -G docker bob")
	w.apply(list(`update docker.m: daemon["insecure-registries"] daemon["registry-mirrors"] users`), w.docker(base.With(args{"users": []string{"ann", "bob"}})))
	want(t, "the group", w.sh("getent group docker | cut -d: -f4"), "bob,ann")
	w.sh("gpasswd -d ann docker")
	w.apply(list(`update docker.m: users`), w.docker(base.With(args{"users": []string{"ann", "bob"}})))
	w.apply(list(`update docker.m: users`), w.docker(base.With(args{"users": []string{}})))
	want(t, "the group without whom we added", w.sh("getent group docker | cut -d: -f4"), "bob")
	w.fails(decls(w.docker(base.With(args{"users": []string{"nobody-here"}}))), "there is no account nobody-here: declare it with user()")

	hosts := args{"hosts": []string{"unix:///var/run/docker.sock", "tcp://127.0.0.1:2375"}}
	w.apply(list(`update docker.m: daemon["hosts"]`), daemon(hosts))
	w.sh("docker -H tcp://127.0.0.1:2375 version")
	w.sh("rm -r /etc/systemd/system/docker.service.d; rm /run/docker.sock")
	w.apply(list(`update docker.m`), daemon(hosts))
	w.apply(list(`update docker.m: daemon["hosts"]`), w.docker(base))
	want(t, "the drop-in", w.sh("ls /etc/systemd/system/docker.service.d 2>/dev/null || true"), "")
	want(t, "what is left of daemon.json", w.sh("tr -d ' \n' </etc/docker/daemon.json"), `{"debug":true}`)

	deploy := w.docker(base.With(args{"users": []string{"deploy"}}))
	reached := func() {
		t.Helper()
		if summary, err := w.open(deploy); err != nil || summary != "engine 28.5.2" {
			t.Errorf("the engine is %q: %v", summary, err)
		}
	}
	reached() // by sudo
	w.apply(list(`update docker.m: users`), deploy)
	reached()
}

// open looks at what a machine's engine has, over the machine's connection.
func (w *world) open(d *resource.Declaration) (string, error) {
	w.t.Helper()
	conn, err := host.DockerKind.Handler.(resource.Opener).Open(w.t.Context(), w.c, w.observe(decls(d)).Objects[0])
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	obs, err := conn.Observe(w.t.Context(), resource.Query{Project: w.project})
	if err != nil {
		return "", err
	}
	return obs.Summary, nil
}

// What goes wrong is told as it is, leaves the engine running, and the next run
// converges.
func TestDockerErrors(t *testing.T) {
	t.Parallel()
	w, repo, base := engine(t, "debian-12")
	wrong := func(a args, texts ...string) { w.t.Helper(); w.fails(decls(w.docker(base.With(a))), texts...) }
	settings := func(m args) args { return args{"daemon": m} }
	w.sh(`echo '{"debug": true}' >/etc/docker/daemon.json; systemctl restart docker`)

	wrong(settings(args{"no-such-setting": 1}), "dockerd does not take these settings, so nothing was changed; it speaks of no-such-setting")
	wrong(settings(args{"data-root": "/proc/nowhere"}), "the engine did not come up with these settings; it runs with the old ones again", "/proc/nowhere")
	want(t, "daemon.json", w.sh("cat /etc/docker/daemon.json"), `{"debug": true}`)
	want(t, "the engine", w.sh("systemctl is-active docker"), "active")
	w.apply(nil, w.docker(base))

	wrong(args{"version": "27"}, "there is no docker-ce 27; there is 28.5.2, 28.5.1")
	wrong(args{"key": aptrepo.NewKey(t)}, repo.URL+" is signed with another key than the one that was given as key =")
	w.apply(nil, w.docker(base))
	wrong(args{"key": ""}, repo.URL+"/gpg has the fingerprint", "want 9DC858229FC7DD38854AE2D88D81803C0EBFCD88", "it is not Docker's key")
	repo.Down()
	wrong(args{"version": "28.5.1"}, repo.URL+" cannot be reached", "Connection refused")
	repo.Up(t)

	w.sh("nohup setsid sh -c 'exec 9>/var/lib/dpkg/lock-frontend; exec sleep 3600' >/dev/null 2>&1 & echo $! >/run/holder; sleep 0.3")
	s := w.steps(decls(w.docker(base.With(args{"version": "28.5.1"}))))[0]
	said, done := make(chan string, 100), make(chan error, 1)
	go func() {
		_, err := s.kind.Handler.Update(t.Context(), w.c, &resource.Request{
			Address: s.change.Address, Args: s.change.Args, Mark: s.change.Mark, Live: s.change.Live, Progress: func(p resource.Progress) { said <- p.Text },
		})
		done <- err
	}()
	for text := ""; !strings.Contains(text, "waiting for dpkg's lock, held by process"); {
		select {
		case text = <-said:
		case err := <-done:
			t.Fatalf("it did not wait: %v", err)
		}
	}
	w.sh("pkill -x sleep")
	if err := <-done; err != nil {
		t.Error(err)
	}
	w.apply(list("update docker.m: version"), w.docker(base.With(args{"version": "28.5.2"})))

	w.sh("echo '{\"debug\": true' >/etc/docker/daemon.json")
	wrong(settings(args{"max-concurrent-downloads": 5}), "/etc/docker/daemon.json is damaged: it ends before its last brace", "mend it by hand")
	w.sh("echo '{}' >/etc/docker/daemon.json; mount -t tmpfs -o size=4k tmpfs /etc/docker; echo '{}' >/etc/docker/daemon.json")
	wrong(settings(args{"labels": []string{"a=" + strings.Repeat("b", 8000)}}), "the disk is full")
	w.sh("umount /etc/docker")

	w.sh("docker swarm init --advertise-addr 127.0.0.1")
	wrong(settings(args{"live-restore": true}), "the engine is in a swarm, and dockerd does not start there with live-restore")
	w.fails(nil, "the engine is in a swarm: it must leave that first")
	w.sh("docker swarm leave -f")
	w.apply(list(`update docker.m: daemon["live-restore"]`), w.docker(base.With(settings(args{"live-restore": true}))))
	if effect := w.effect(base.With(settings(args{"live-restore": true, "mtu": 1400}))); effect != "the engine restarts; live-restore keeps its containers running" {
		t.Errorf("the effect is %q", effect)
	}
	w.apply(list("delete docker.docker"))
}

// effect is what the plan says that an update does to what runs.
func (w *world) effect(a args) string {
	w.t.Helper()
	return w.steps(decls(w.docker(a)))[0].change.Effect
}

// Debian's own packages, and one source in place of the other.
func TestDockerOfDistribution(t *testing.T) {
	t.Parallel()
	for image, version := range map[string]string{"debian-12": "20.10", "debian-13": "26.1"} {
		t.Run(image, func(t *testing.T) {
			t.Parallel()
			w := start(t, image)
			debian := args{"source": "distribution", "version": version}
			w.apply(list("create docker.m"), w.docker(debian))
			w.sh("docker version; docker swarm init --advertise-addr 127.0.0.1; docker swarm leave -f")
			if held := strings.Fields(w.sh("apt-mark showhold")); !slices.Contains(held, "docker.io") || !slices.Contains(held, "containerd") {
				t.Errorf("held are %q", held)
			}
			w.apply(list(`update docker.m: daemon["max-concurrent-downloads"]`), w.docker(debian.With(args{"daemon": args{"max-concurrent-downloads": 4}})))
			w.fails(decls(w.docker(debian.With(args{"daemon": args{"no-such-setting": 4}}))), "no-such-setting")
			w.sh("docker info")
			w.apply(list(`update docker.m: daemon["max-concurrent-downloads"]`), w.docker(debian))
			want(t, "a file of settings that were all ours", w.sh("ls /etc/docker/daemon.json 2>/dev/null || true"), "")

			repo := aptrepo.Serve(t, w.h)
			theirs := args{"repository": repo.URL, "key": repo.Key}
			w.sh("docker volume create kept")
			w.apply(list("update docker.m: key repository source"), w.docker(theirs))
			want(t, "the engine", w.info(".ServerVersion"), `"28.5.2"`)
			w.sh("docker volume inspect kept")
			w.apply(list("delete docker.docker"))
			w.apply(list("create docker.m"), w.docker(debian))
			w.sh("docker volume inspect kept")
		})
	}
}

// An engine that somebody installed is found and read, and taken over by a
// declaration; another project's is not.
func TestDockerOfOthers(t *testing.T) {
	t.Parallel()
	w := start(t, "debian-12")
	found := &resource.Declaration{Address: value.NewAddress("", "docker", "m"), Kind: host.DockerKind, Scope: "host.m",
		Args: make(value.Struct, len(host.DockerKind.Schema.Fields())), External: true}
	if obs := w.observe(decls(found)); len(obs.Objects) != 0 {
		t.Fatalf("there is %v", obs.Objects)
	}
	w.sh("apt-get update -q; apt-get install -q -y --no-install-recommends docker.io; apt-mark hold docker.io containerd runc")
	obs := w.observe(decls(found))
	if len(obs.Objects) != 1 || obs.Objects[0].Mark.Project != "" {
		t.Fatalf("found are %v", obs.Objects)
	}
	if summary, err := w.open(found); err != nil || summary != "engine 20.10.24+dfsg1" {
		t.Errorf("the engine is %q (%v)", summary, err)
	}

	debian := args{"source": "distribution"}
	w.apply(nil, w.docker(debian)) // it is as declared
	w.apply(list("update docker.m: users"), w.docker(debian.With(args{"users": []string{"daemon"}})))
	other := w.as("blog/test")
	obs = other.observe(decls(other.docker(debian)))
	want(t, "whose it is", obs.Objects[0].Mark.Project, w.project)
	w.apply(list("delete docker.docker"))
	w.sh("docker version") // we did not install it
	want(t, "the group", w.sh("getent group docker | cut -d: -f4"), "")

	w.sh("cp /usr/sbin/dockerd /usr/local/bin/dockerd; apt-get remove -q -y --allow-change-held-packages docker.io")
	w.fails(decls(w.docker(debian)), "there is a /usr/local/bin/dockerd that no package brought")
}

// The power fails while packages are installed, and while the engine restarts
// with new settings: the next run goes on from what is there.
func TestDockerPowerCut(t *testing.T) {
	t.Parallel()
	w := start(t, "debian-13")
	repo := aptrepo.Serve(t, w.h)
	base := args{"repository": repo.URL, "key": repo.Key}
	cut := func(when string, d *resource.Declaration) {
		t.Helper()
		s := w.steps(decls(d))[0]
		r := &resource.Request{Address: s.change.Address, Args: s.change.Args, Mark: s.change.Mark, Live: s.change.Live}
		runs := map[string]string{"installing": "dpkg", "restarting": "systemctl restart docker"}[when]
		begun, ended := make(chan struct{}), make(chan error, 1)
		r.Progress = func(p resource.Progress) {
			if strings.HasPrefix(p.Text, when) {
				close(begun)
			}
		}
		go func() {
			_, err := s.kind.Handler.Create(t.Context(), w.c, r)
			ended <- err
		}()
		<-begun
		for !strings.Contains(w.sh("ps ax"), runs) {
			if len(ended) > 0 {
				t.Fatalf("it was over before %s was seen: %v", runs, <-ended)
			}
		}
		w.m.Kill()
		if err := <-ended; err == nil {
			t.Error("it went well without power")
		}
		w.m.Start()
		if err := w.try(d); err != nil {
			t.Fatal(err)
		}
		if again := w.plan(d); len(again) > 0 {
			t.Errorf("the plan still has %q", again)
		}
	}
	cut("installing", w.docker(base))
	want(t, "the engine", w.info(".ServerVersion"), `"28.5.2"`)
	w.h.Sh("dpkg --audit")
	cut("restarting", w.docker(base.With(args{"daemon": args{"mtu": 1400}})))
	want(t, "the network's MTU", w.sh("docker network inspect -f '{{index .Options \"com.docker.network.driver.mtu\"}}' bridge"), "1400")
}
