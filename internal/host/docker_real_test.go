package host_test

import (
	"testing"

	"github.com/swarmscript/swarmscript/internal/host"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/testhost/aptrepo"
)

// docker declares a machine's engine.
func (w *world) docker(a args) *resource.Declaration {
	w.t.Helper()
	return w.declare(host.DockerKind, "m", a)
}

// with is a set of arguments and one more.
func (a args) with(name string, v any) args {
	out := args{name: v}
	for k, old := range a {
		if k != name {
			out[k] = old
		}
	}
	return out
}

// Every argument of an engine from Docker's packages, on both releases.
func TestDocker(t *testing.T) {
	for _, image := range []string{"debian-12", "debian-13"} {
		t.Run(image, func(t *testing.T) {
			t.Parallel()
			w := start(t, image)
			repo := aptrepo.Serve(t, w.h)
			base := args{"repository": repo.URL, "key": repo.Key, "version": "28.5.1"}

			w.apply(list("create docker.m"), w.docker(base))
			want(t, "the package's version", w.sh("dpkg-query -W -f '${Version}' docker-ce"), "5:28.5.1-1~debian.any~test")
			want(t, "what is held", w.sh("apt-mark showhold"), "containerd.io\ndocker-ce\ndocker-ce-cli")
			w.sh("docker version")
		})
	}
}
