package host_test

import (
	"context"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/host"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// Every argument of a package, on both releases.
func TestPackage(t *testing.T) {
	t.Parallel()
	for _, image := range []string{"debian-12", "debian-13"} {
		t.Run(image, func(t *testing.T) {
			t.Parallel()
			w := start(t, image)
			pkg := func(name string, a args) *resource.Declaration { return w.declare(host.PackageKind, name, a) }

			w.apply(list("create package.tree"), pkg("tree", nil))
			w.sh("command -v tree")
			version := w.sh("dpkg-query -W -f '${Version}' tree")
			w.apply(nil, pkg("tree", args{"version": version}))
			w.apply(nil, pkg("tree", args{"version": version[:3] + "*"}))
			w.apply(list("update package.tree: hold"), pkg("tree", args{"hold": true}))
			want(t, "what is held", w.sh("apt-mark showhold"), "tree")
			w.sh("apt-mark unhold tree")
			w.apply(list("update package.tree: hold"), pkg("tree", args{"hold": true}))
			w.apply(list("update package.tree: hold"), pkg("tree", args{"hold": false}))

			w.sh("dpkg -r tree")
			w.apply(list("create package.tree"), pkg("tree", args{"version": version[:3] + "*"}))
			w.apply(list("update package.tree: installed"), pkg("tree", args{"installed": false, "purge": true}))
			want(t, "the package's state", w.sh("dpkg-query -W -f '${Status}' tree 2>/dev/null || true"), "")
			w.apply(list("create package.tree"), pkg("tree", args{"recommends": false}))
			w.renew(pkg("tree", args{"recommends": false}))
			w.apply(nil) // forgotten, not removed
			w.sh("command -v tree")

			w.fails(decls(pkg("tree", args{"version": "99*"})), "no source of the machine has tree in a version 99*; there is "+version)
			w.fails(decls(pkg("no-such-package-here", nil)), "no source of the machine has a package no-such-package-here")
			w.fails(decls(pkg("openssh-client", args{"installed": false})), "its removal would take others with it", "openssh-server")
			w.fails(decls(pkg("mail-transport-agent", nil)), "mail-transport-agent")
		})
	}
}

// Packages of Debian's own repositories, which have tens of thousands.
func TestPackageOfDebian(t *testing.T) {
	t.Parallel()
	for _, image := range []string{"debian-12", "debian-13"} {
		t.Run(image, func(t *testing.T) {
			t.Parallel()
			w := startBare(t, image)
			pkg := func(name string, a args) *resource.Declaration { return w.declare(host.PackageKind, name, a) }

			w.apply(list("create package.tree"), pkg("tree", nil))
			version := w.sh("dpkg-query -W -f '${Version}' tree")
			w.apply(list("update package.tree: installed"), pkg("tree", args{"installed": false, "purge": true}))
			w.apply(list("create package.tree"), pkg("tree", args{"version": version[:3] + "*"}))
			w.fails(decls(pkg("tree", args{"version": "99*"})), "no source of the machine has tree in a version 99*; there is "+version)
			w.fails(decls(pkg("no-such-package-here", nil)), "no source of the machine has a package no-such-package-here")
			w.fails(decls(pkg("mail-transport-agent", nil)), "mail-transport-agent", "no installation candidate")
		})
	}
}

// Packages that can be installed at the same time are, and each has its own
// error. One that waits for dpkg's lock says for whom.
func TestPackagesTogether(t *testing.T) {
	t.Parallel()
	w := start(t, "debian-12")
	w.apply(list("create package.tree"), w.declare(host.PackageKind, "tree", nil)) // the lists are fetched
	runs := w.sh("grep -c '^Commandline' /var/log/apt/history.log")
	var wg sync.WaitGroup
	errs := map[string]error{}
	var mu sync.Mutex
	var all []*resource.Declaration
	for _, name := range []string{"bc", "dc", "ed", "no-such-package-here"} {
		all = append(all, w.declare(host.PackageKind, name, nil))
	}
	for _, s := range w.steps(all) {
		wg.Go(func() {
			err := w.carryOut(s)
			mu.Lock()
			defer mu.Unlock()
			errs[s.change.Address.Name()] = err
		})
	}
	wg.Wait()
	for name, err := range errs {
		if (err != nil) != (name == "no-such-package-here") {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.sh("dpkg -s bc dc ed >/dev/null")
	if now := w.sh("grep -c '^Commandline' /var/log/apt/history.log"); now != "2" || runs != "1" {
		t.Errorf("apt-get ran %s times before and %s after, want one more", runs, now)
	}

	held := make(chan string, 100)
	s := w.steps(decls(w.declare(host.PackageKind, "gawk", nil)))[0]
	w.sh(`nohup setsid sh -c 'exec 9>/var/lib/dpkg/lock-frontend; exec sleep 3600' >/dev/null 2>&1 & sleep 0.5`)
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	go func() {
		ch := s.change
		_, err := s.kind.Handler.Create(ctx, w.c, &resource.Request{
			Address: ch.Address, Args: ch.Args, Mark: ch.Mark,
			Progress: func(p resource.Progress) { held <- p.Text },
		})
		done <- err
	}()
	select {
	case text := <-held:
		if !strings.Contains(text, "waiting for dpkg's lock, held by process") || !strings.Contains(text, "sleep 3600") {
			t.Errorf("it says %q", text)
		}
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	}
	// It waits as long as the step may, and no longer.
	_, err := s.kind.Handler.Create(ctx, w.connect(), &resource.Request{
		Address: s.change.Address, Args: s.change.Args, Mark: s.change.Mark, Timeout: time.Second, Progress: func(resource.Progress) {},
	})
	if err == nil || !regexp.MustCompile(`^dpkg's lock is held by process \d+ \(sleep 3600\), and has been for 1s: wait until that ends, or end it, and run it again`).MatchString(err.Error()) {
		t.Errorf("it ended with %v", err)
	}
	w.sh("pkill -xf 'sleep 3600'")
	if err := <-done; err != nil {
		t.Error(err)
	}
	w.sh("dpkg -s gawk >/dev/null")
}

// What goes wrong is told as it is, and the next run converges.
func TestPackageErrors(t *testing.T) {
	t.Parallel()
	w := startBare(t, "debian-12")
	tree := w.declare(host.PackageKind, "tree", nil)

	w.sh(`mkdir -p /root/kept/conf; mv /etc/apt/sources.list* /root/kept/; mkdir -p /etc/apt/sources.list.d; echo 'deb http://127.0.0.1:9/debian bookworm main' >/etc/apt/sources.list
grep -rl -i proxy /etc/apt/apt.conf.d | while read -r f; do mv "$f" /root/kept/conf/; done`)
	w.fails(decls(tree), "the package lists cannot be brought up to date: check the network, a proxy, and /etc/apt/sources.list", "127.0.0.1:9", "Connection refused")
	w.sh("rm -r /etc/apt/sources.list*; mv /root/kept/sources.list* /etc/apt/; find /root/kept/conf -type f -exec mv -t /etc/apt/apt.conf.d {} +")

	w.sh("mount -t tmpfs -o size=64k tmpfs /var/cache/apt/archives; mkdir -p /var/cache/apt/archives/partial")
	w.fails(decls(w.declare(host.PackageKind, "cpp", nil)), "the disk is full: make room there, and run it again", "/var/cache/apt/archives")
	w.sh("umount /var/cache/apt/archives")
	w.apply(list("create package.tree"), tree)
}
