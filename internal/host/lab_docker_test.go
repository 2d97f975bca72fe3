package host_test

import (
	"testing"

	"github.com/swarmscript/swarmscript/internal/host"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// A machine of a lab has Docker's own repository, with the versions that there were, and
// the distribution's packages.
func TestDockerOnLab(t *testing.T) {
	t.Parallel()
	for image, distribution := range map[string]string{"debian-12": "20.10.24", "debian-13": "26.1.5"} {
		t.Run(image, func(t *testing.T) {
			t.Parallel()
			w := startLab(t, image)
			w.apply(list("create docker.m"), w.docker(nil))
			want(t, "the newest", w.info(".ServerVersion"), `"28.5.2"`)
			want(t, "what is held", w.sh("apt-mark showhold"), "containerd.io\ndocker-buildx-plugin\ndocker-ce\ndocker-ce-cli\ndocker-compose-plugin")
			want(t, "the units", w.sh("systemctl is-active docker.service docker.socket containerd.service; systemctl is-enabled docker.service"), "active\nactive\nactive\nenabled")

			old := args{"version": "28.3"}
			w.apply(nil, w.docker(args{"version": "28.5"}))
			w.apply(list("update docker.m: version"), w.docker(old))
			want(t, "the old one", w.info(".ServerVersion"), `"28.3.3"`)
			w.sh("apt-mark unhold docker-ce-cli")
			w.apply(list("update docker.m: hold"), w.docker(old))
			w.sh("systemctl stop docker.socket docker.service")
			w.apply(list("update docker.m"), w.docker(old))
			w.sh("systemctl disable -q docker.service; rm /etc/apt/sources.list.d/docker.sources")
			w.apply(list("update docker.m: channel"), w.docker(old))
			w.fails(decls(w.docker(args{"version": "19.03"})), "there is no docker-ce 19.03; there is 28.5.2, 28.5.1")

			w.apply(list("update docker.m: source"), w.docker(args{"source": "distribution"}))
			want(t, "the distribution's", w.dockerEngine(), distribution)
			w.sh("touch /var/lib/docker/ours")
			w.apply(list("delete docker.docker"))
			want(t, "what is left", w.sh("ls /usr/sbin/dockerd /usr/bin/docker /var/lib/docker/ours 2>/dev/null || true"), "/var/lib/docker/ours")
		})
	}
}

// dockerEngine is the engine's version as its program says it.
func (w *world) dockerEngine() string {
	w.t.Helper()
	return w.sh("dockerd --version | sed 's/Docker version //; s/[+,].*//'")
}

// The settings of an engine of a lab: what dockerd refuses is refused.
func TestDockerSettingsOnLab(t *testing.T) {
	t.Parallel()
	w := startLab(t, "debian-12")
	daemon := func(m args) *resource.Declaration { return w.docker(args{"daemon": m}) }
	w.sh("mkdir -p /etc/docker; echo '{\"debug\": true}' >/etc/docker/daemon.json; useradd ann; useradd bob")
	w.apply(list("create docker.m"), daemon(args{"log-opts": args{"max-size": "10m"}, "max-concurrent-downloads": 5}))
	w.sh(`grep -q '"debug": true' /etc/docker/daemon.json`)
	pid := w.pid()
	w.apply(list(`update docker.m: daemon["labels"] daemon["max-concurrent-downloads"]`), daemon(args{"log-opts": args{"max-size": "10m"}, "max-concurrent-downloads": 6, "labels": []string{"a=b"}}))
	want(t, "the process, which was not restarted", w.pid(), pid)
	w.apply(list(`update docker.m: daemon["labels"] daemon["log-opts"]`), daemon(args{"max-concurrent-downloads": 6}))

	w.fails(decls(daemon(args{"max-concurrent-downloads": 6, "no-such-key": true})), "dockerd does not take these settings, so nothing was changed; it speaks of no-such-key", "the following directives don't match any configuration option: no-such-key")
	w.fails(decls(daemon(args{"max-concurrent-downloads": "six"})), "cannot unmarshal string into Go struct field Config.max-concurrent-downloads of type int")
	w.fails(decls(daemon(args{"max-concurrent-downloads": 6, "storage-driver": "no-such-driver"})), "the engine did not come up with these settings; it runs with the old ones again", "no-such-driver")
	w.apply(nil, daemon(args{"max-concurrent-downloads": 6}))

	w.apply(list("update docker.m: users"), w.docker(args{"daemon": args{"max-concurrent-downloads": 6}, "users": []string{"ann", "bob"}}))
	want(t, "the group", w.sh("getent group docker | cut -d: -f4"), "ann,bob")
	want(t, "who may use it", w.sh("runuser -u ann -- docker info -f '{{.ServerVersion}}'"), "28.5.2")
	w.sh("! runuser -u daemon -- docker info 2>/dev/null")
	w.apply(list(`update docker.m: daemon["max-concurrent-downloads"] users`), w.docker(args{"users": []string{"bob"}}))

	hosts := args{"hosts": []string{"unix:///var/run/docker.sock"}}
	w.apply(list(`update docker.m: daemon["hosts"] users`), daemon(hosts))
	w.sh("test -f /etc/systemd/system/docker.service.d/swarmscript.conf; docker info >/dev/null")
	w.apply(list(`update docker.m: daemon["hosts"]`), w.docker(nil))
	w.sh("test ! -e /etc/systemd/system/docker.service.d/swarmscript.conf; docker info >/dev/null")
	w.apply(list("delete docker.docker"))
}

// Sources of packages that are not simulated fail, and say so.
func TestSourcesOnLab(t *testing.T) {
	t.Parallel()
	w := startLab(t, "debian-13")
	w.fails(decls(w.docker(args{"repository": "https://mirror.example/docker"})), "mirror.example", "not simulated")
	w.sh("echo 'deb http://ppa.example/x stable main' >/etc/apt/sources.list.d/x.list")
	w.fails(decls(w.declare(host.PackageKind, "tree", nil)), "the package lists cannot be brought up to date", "not simulated: a repository that is neither Debian's nor Docker's")
	w.sh("rm /etc/apt/sources.list.d/x.list")
	w.apply(list("create package.tree"), w.declare(host.PackageKind, "tree", nil))
	w.fails(decls(w.declare(host.PackageKind, "no-such-package", nil)), "no source of the machine has a package no-such-package")
}
