package run

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// A full disk leaves the old plan whole.
func TestSaveOnFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	p := planned(t)
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(disk, 0) })
	path := filepath.Join(disk, "x.plan")
	if err := p.Save(path, testVersion); err != nil {
		t.Fatal(err)
	}
	filler, err := os.Create(filepath.Join(disk, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	for page := make([]byte, 4096); err == nil; {
		_, err = filler.Write(page)
	}
	filler.Close()
	saveFails(t, p, disk, "x.plan", "no space left on device")
	if _, err := LoadPlan(path, testVersion); err != nil {
		t.Errorf("the old plan: %v", err)
	}
}

// asNobody runs fn with the file rights of a user that has none.
func asNobody(t *testing.T, fn func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("becoming another user needs root")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with its rights
		if err := syscall.Setfsuid(65534); err != nil {
			t.Error(err)
			return
		}
		fn()
	}()
	<-done
}

// A plan is its owner's: who may not read it, or write beside it, is told so.
func TestSavedPermissions(t *testing.T) {
	p := planned(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "x.plan")
	if err := p.Save(path, testVersion); err != nil {
		t.Fatal(err)
	}
	for up := dir; up != "/"; up = filepath.Dir(up) { // so that only the file says no
		info, err := os.Stat(up)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o005 != 0o005 && strings.HasPrefix(up, os.TempDir()) {
			if err := os.Chmod(up, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	asNobody(t, func() {
		if _, err := LoadPlan(path, testVersion); err == nil || !strings.Contains(err.Error(), "x.plan: permission denied") {
			t.Errorf("reading it: %v", err)
		}
		if err := p.Save(filepath.Join(dir, "y.plan"), testVersion); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("writing beside it: %v", err)
		}
	})
}
