package remote_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/testengine"
	"github.com/swarmscript/swarmscript/internal/testhost"
)

// A machine that hangs is noticed under a running command, within about 15
// seconds; one that was restarted is found again.
func TestMachineThatHangsAndRestarts(t *testing.T) {
	host := testhost.Start(t, "debian-13")
	h := dial(t, onHost(t, host))
	done := make(chan error)
	go func() {
		_, err := h.Run(t.Context(), remote.Command{Script: "touch /run/began; sleep 1000"})
		done <- err
	}()
	host.Sh("while [ ! -e /run/began ]; do sleep 0.1; done")
	host.Pause()
	if err := <-done; !errors.Is(err, remote.ErrMayHaveRun) || !errors.Is(err, resource.ErrUnreachable) || !strings.Contains(err.Error(), "it stopped answering") {
		t.Errorf("paused: %v", err)
	}
	host.Resume()
	if res, err := h.Run(t.Context(), remote.Command{Script: "hostname"}); err != nil || strings.TrimSpace(string(res.Stdout)) != host.Name {
		t.Errorf("resumed: %q, %v", res.Stdout, err)
	}

	host.Stop()
	host.Start()
	if _, err := h.Run(t.Context(), remote.Command{Script: "test ! -e /run/began"}); err != nil {
		t.Errorf("restarted: %v", err)
	}
	if n := h.Used().Dials; n < 3 {
		t.Errorf("%d dials, want one for each time", n)
	}
}

// What a file keeps, and what it does not.
func TestPut(t *testing.T) {
	h := dial(t, machine(t, testengine.StartBareSSHD(t)))
	dir := t.TempDir()
	path := filepath.Join(dir, "it's a file\n")
	put := func(text string, o remote.PutOptions) {
		t.Helper()
		if err := h.Put(t.Context(), path, []byte(text), o); err != nil {
			t.Fatal(err)
		}
	}
	is := func(text string, mode os.FileMode, uid string) {
		t.Helper()
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		owner := strings.TrimSpace(must(t, "stat", "-c", "%u", path))
		if err != nil || string(got) != text || info.Mode() != mode || owner != uid {
			t.Errorf("%q, %v, owner %s, %v; want %q, %v, %s", got, info.Mode(), owner, err, text, mode, uid)
		}
	}
	put("one", remote.PutOptions{})
	is("one", 0o644, "0")
	put("", remote.PutOptions{Mode: 0o750, Owner: "65534"})
	is("", 0o750, "65534")
	put("kept", remote.PutOptions{})
	is("kept", 0o750, "65534")
	put("set", remote.PutOptions{Mode: 0o755 | os.ModeSetuid, Owner: "root", Group: "0"})
	is("set", 0o755|os.ModeSetuid, "0")

	target := filepath.Join(dir, "target")
	if err := errors.Join(os.Remove(path), os.WriteFile(target, []byte("target"), 0o600), os.Symlink(target, path)); err != nil {
		t.Fatal(err)
	}
	put("not followed", remote.PutOptions{})
	is("not followed", 0o644, "0")
	if text, _ := os.ReadFile(target); string(text) != "target" {
		t.Errorf("the link's target holds %q", text)
	}

	for _, tt := range []struct {
		path string
		o    remote.PutOptions
		want string
	}{
		{dir, remote.PutOptions{}, dir + " is a folder"},
		{"/none/file", remote.PutOptions{}, "No such file or directory"},
		{path, remote.PutOptions{Owner: "no-such-user"}, "invalid user: ‘no-such-user’"},
	} {
		if err := h.Put(t.Context(), tt.path, nil, tt.o); err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "'no-such-user'", "‘no-such-user’"), tt.want) {
			t.Errorf("%s: %v, want %q", tt.path, err, tt.want)
		}
	}
	if files, _ := os.ReadDir(dir); len(files) != 2 {
		t.Errorf("left behind: %v", files)
	}
}

// A full disk: the file is as it was, and the message is the kernel's.
func TestPutOnFullDisk(t *testing.T) {
	host := testhost.Start(t, "debian-12", testhost.User("deploy"))
	host.Sh("mkdir /small; mount -t tmpfs -o size=64k none /small; echo before > /small/file")
	h := dial(t, onHost(t, host))
	err := h.Put(t.Context(), "/small/file", make([]byte, 1<<20), remote.PutOptions{Root: true})
	if err == nil || !strings.Contains(err.Error(), "No space left on device") || errors.Is(err, resource.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
	if got := host.Sh("cat /small/file; ls /small"); got != "before\nfile" {
		t.Errorf("the folder holds %q", got)
	}
	if err := h.Put(t.Context(), "/etc/secret", []byte("s"), remote.PutOptions{}); err == nil || !strings.Contains(err.Error(), "Permission denied") {
		t.Errorf("without root: %v", err)
	}
	if err := h.Put(t.Context(), "/etc/secret", []byte("s"), remote.PutOptions{Root: true, Mode: 0o600}); err != nil || host.Sh("stat -c '%a %U %s' /etc/secret") != "600 root 1" {
		t.Errorf("with root: %v", err)
	}
}

// Output beyond what we keep is an error, and the command ends.
func TestTooMuchOutput(t *testing.T) {
	h := dial(t, machine(t, testengine.StartBareSSHD(t)))
	_, err := h.Run(t.Context(), remote.Command{Script: "head -c 40000000 /dev/zero"})
	if err == nil || !strings.Contains(err.Error(), "it wrote more than 32 MiB") {
		t.Errorf("got %v", err)
	}
	big := bytes.Repeat([]byte("x"), 20<<20)
	res, err := h.Run(t.Context(), remote.Command{Script: "cat", Stdin: big})
	if err != nil || !bytes.Equal(res.Stdout, big) {
		t.Errorf("%d bytes came back, %v", len(res.Stdout), err)
	}
	if _, err := h.Run(t.Context(), remote.Command{Script: "exit 4", Stdin: big}); err == nil || !strings.Contains(err.Error(), "exit code 4") {
		t.Errorf("input that nobody reads: %v", err)
	}
	if _, err := h.Run(t.Context(), remote.Command{Script: strings.Repeat("#", 200<<10)}); err == nil || !strings.Contains(err.Error(), "put the script into a file") {
		t.Errorf("a long script: %v", err)
	}
}

// A command whose caller gives up is ended there, with what it started.
func TestCancelEndsTheCommand(t *testing.T) {
	h := dial(t, machine(t, testengine.StartBareSSHD(t)))
	file := filepath.Join(t.TempDir(), "pids")
	if err := exec.Command("mkfifo", file).Run(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := h.Run(ctx, remote.Command{Script: `sleep 1000 & echo $$ $! > "$1"; wait`, Args: []string{file}})
		done <- err
	}()
	pids, err := os.ReadFile(file) // ends when the command has written them
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for _, pid := range strings.Fields(string(pids)) {
		for n := 0; ; n++ {
			text, err := os.ReadFile("/proc/" + pid + "/stat")
			if err != nil || strings.Contains(string(text), ") Z ") {
				break
			}
			if n == 1000 {
				t.Fatalf("process %s lives: %s", pid, text)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}
