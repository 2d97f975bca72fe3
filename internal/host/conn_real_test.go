package host_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/host"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/testhost"
)

// A plan without changes is one dial and one command, whatever is declared.
func TestOneRoundTrip(t *testing.T) {
	t.Parallel()
	w := start(t, "debian-12")
	all := decls(
		w.declare(host.FileKind, "/etc/a", args{"content": "a"}),
		w.declare(host.FileKind, "/etc/b", args{"content": "b"}),
		w.declare(host.DirectoryKind, "/opt/d", nil),
		w.declare(host.PackageKind, "coreutils", nil),
		w.declare(host.CommandKind, "c", args{"run": "true"}),
		w.declare(host.UnitKind, "ssh.service", args{"running": true}),
		w.declare(host.SysctlKind, "net.ipv4.ip_forward", args{"value": 1}),
		w.declare(host.UserKind, "ops", args{"system": true, "create_home": false}),
	)
	if err := w.try(all...); err != nil {
		t.Fatal(err)
	}
	w.c = w.connect()
	if got := w.plan(all...); got != nil {
		t.Errorf("the plan has %q", got)
	}
	if got, want := w.c.Remote().Used(), (remote.Usage{Dials: 1, Commands: 1, Channels: 1}); got != want {
		t.Errorf("a plan without changes used %+v, want %+v", got, want)
	}

	f := w.c.Facts()
	if f.OS != "debian" || f.Version != "12" || f.Hostname != w.h.Name || f.Docker.Installed || f.SSH.Port != 22 {
		t.Errorf("the facts are %+v", f)
	}
	want(t, "its machine ID", f.MachineID, w.sh("cat /etc/machine-id"))
}

// All kinds work for an account that becomes root by sudo.
func TestSudo(t *testing.T) {
	t.Parallel()
	w := start(t, "debian-12", testhost.User("ops"))
	w.apply(list("create file./etc/motd.d"), w.declare(host.FileKind, "/etc/motd.d", args{"content": "hi\n", "mode": "0600"}))
	want(t, "its owner", w.sh("stat -c '%U %a' /etc/motd.d; cat /etc/motd.d"), "root 600\nhi")
	if f := w.c.Facts(); f.SSH.Port != 22 || f.SSH.Client == "" {
		t.Errorf("the connection is seen as %+v", f.SSH)
	}
}

// A clock that is off is told.
func TestClock(t *testing.T) {
	t.Parallel()
	w := start(t, "debian-12")
	w.sh(`mv /usr/bin/date /usr/bin/date.real
printf '#!/bin/sh\nexec /usr/bin/date.real -d "1 hour ago" "$@"\n' >/usr/bin/date; chmod 755 /usr/bin/date`)
	got := strings.Join(w.observe(nil).Warnings, "\n")
	if !strings.Contains(got, "the clock of "+w.h.Name+" is ") || !strings.Contains(got, "behind this computer's") {
		t.Errorf("the warnings are %q", got)
	}
}

// A full disk is told as one, and the file is what it was.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	w := start(t, "debian-12")
	w.sh("mkdir /mnt/small; mount -t tmpfs -o size=64k tmpfs /mnt/small; echo before >/mnt/small/f")
	big := w.declare(host.FileKind, "/mnt/small/f", args{"content": strings.Repeat("x", 1<<20)})
	w.fails(decls(big), "the disk is full: make room there, and run it again", "No space left on device")
	want(t, "the file", w.sh("cat /mnt/small/f; ls -A /mnt/small"), "before\nf")
	w.sh("mount -o remount,size=8m /mnt/small")
	w.apply(list("update file./mnt/small/f: content"), big)
}

// Of writers of one lease, one is first; it is read back as it was written.
func TestLease(t *testing.T) {
	t.Parallel()
	w := start(t, "debian-12")
	ctx := t.Context()
	l, now, err := w.c.ReadLease(ctx, w.project)
	if l != nil || err != nil || time.Since(now).Abs() > time.Minute {
		t.Fatalf("a new machine has %v, %v, %v", l, now, err)
	}
	var mu sync.Mutex
	var won []*resource.Lease
	var wg sync.WaitGroup
	for _, holder := range []string{"a", "b", "c", "d", "e"} {
		wg.Go(func() {
			got, err := w.c.WriteLease(ctx, w.project, nil, &resource.Lease{Holder: holder, Why: "it's a test", Since: now, Expires: now.Add(time.Minute)})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won = append(won, got)
			} else if !errors.Is(err, resource.ErrConflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Fatalf("%d writers were first", len(won))
	}
	read, _, err := w.as("shop/test").c.ReadLease(ctx, w.project)
	if err != nil || read.Holder != won[0].Holder || read.Why != "it's a test" || !read.Expires.Equal(won[0].Expires) {
		t.Fatalf("read %+v, %v, want %+v", read, err, won[0])
	}
	if other, _, err := w.c.ReadLease(ctx, "other/test"); other != nil || err != nil {
		t.Errorf("another project has %v, %v", other, err)
	}
	next, err := w.c.WriteLease(ctx, w.project, read, &resource.Lease{Holder: "f"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.c.WriteLease(ctx, w.project, read, nil); !errors.Is(err, resource.ErrConflict) {
		t.Errorf("a stale release: %v", err)
	}
	if _, err := w.c.WriteLease(ctx, w.project, next, nil); err != nil {
		t.Error(err)
	}
	if l, _, err := w.c.ReadLease(ctx, w.project); l != nil || err != nil {
		t.Errorf("after its release: %v, %v", l, err)
	}
}

// Marks that a run keeps beside the objects.
func TestSaveMarks(t *testing.T) {
	t.Parallel()
	w := start(t, "debian-12")
	file := w.declare(host.FileKind, "/etc/marked", args{"content": "x"})
	w.apply(list("create file./etc/marked"), file)
	channels := w.c.Remote().Used().Channels
	mark := resource.Mark{Project: w.project, Address: "host.m/file[\"/etc/other\"]", Triggers: "it's"}
	change := func(m map[string]resource.Mark) {
		m[w.c.Remote().Name()+" file:/etc/other"] = mark
		delete(m, w.c.Remote().Name()+" file:/etc/marked")
	}
	for range 2 {
		if err := w.c.SaveMarks(t.Context(), w.project, change); err != nil {
			t.Fatal(err)
		}
	}
	if used := w.c.Remote().Used().Channels - channels; used != 3 {
		t.Errorf("it took %d commands, want a read and a write, and a read", used)
	}
	var got []string
	for _, o := range w.observe(nil).Objects {
		got = append(got, o.ID)
		if !o.Mark.Equal(mark) {
			t.Errorf("the mark of %s is %+v", o.ID, o.Mark)
		}
	}
	want(t, "what is marked", strings.Join(got, " "), w.c.Remote().Name()+" file:/etc/other")
	w.sh("for f in /var/lib/swarmscript/project/*/marks/*; do echo x >$f; done")
	if _, err := w.c.Observe(t.Context(), resource.Query{Project: w.project}); err == nil || !strings.Contains(err.Error(), "on the machine is damaged: remove it") {
		t.Errorf("a damaged mark: %v", err)
	}
}

// A step that is cut short leaves a mark too many, never one too few: what was
// there before us comes back.
func TestCutShort(t *testing.T) {
	t.Parallel()
	w := start(t, "debian-12")
	w.sh("echo theirs >/etc/motd; mkdir /root/bin; printf '#!/bin/sh\nexit 1\n' >/root/bin/false; chmod 755 /root/bin/false; mv /usr/bin/chown /root/bin/; cp /root/bin/false /usr/bin/chown")
	motd := w.declare(host.FileKind, "/etc/motd", args{"content": "ours\n"})
	w.fails(decls(motd), "ended with 1")
	w.sh("mv /root/bin/chown /usr/bin/chown")
	want(t, "the file", w.sh("cat /etc/motd"), "theirs")
	w.apply(list("update file./etc/motd: content"), motd)
	w.apply(list("delete file./etc/motd"))
	want(t, "the file after us", w.sh("cat /etc/motd"), "theirs")
	want(t, "what is left in /etc", w.sh("find /etc -name '.swarmscript*'"), "")
}

// Without sudo nothing can be looked at, and that is told.
func TestNoSudo(t *testing.T) {
	t.Parallel()
	w := start(t, "debian-12", testhost.User("ops"))
	w.sh("mkdir /root/kept; mv /etc/sudoers.d/* /root/kept/; gpasswd -d ops sudo 2>/dev/null || true")
	_, err := w.c.Observe(t.Context(), resource.Query{Project: w.project})
	if err == nil || !strings.Contains(err.Error(), "sudo") || !strings.Contains(err.Error(), "ops") {
		t.Errorf("the error is %v", err)
	}
	t.Log(err)
	w.sh("mv /root/kept/* /etc/sudoers.d/")
	w.apply(list("create file./etc/after"), w.declare(host.FileKind, "/etc/after", args{"content": "x"}))
}
