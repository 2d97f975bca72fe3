package build

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// A file that may not be read is an error that names it, unless it is left out.
func TestUnreadable(t *testing.T) {
	dir := folder(t, map[string]string{"Dockerfile": "FROM scratch", "sub/key": "x"})
	if err := os.Chmod(filepath.Join(dir, "sub/key"), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	var err error
	if asNobody(t, func() { _, err = Open(dir, "Dockerfile") }); os.Getuid() == 0 && (err == nil || !strings.Contains(err.Error(), "permission denied")) {
		t.Errorf("a folder that may not be read gives %v", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c, err := Open(dir, "Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	asNobody(t, func() { _, err = c.Digests(t.Context()) })
	if err == nil || err.Error() != "sub/key in the context: permission denied (a line in .dockerignore leaves it out)" {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".dockerignore"), []byte("sub/key\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if c, err = Open(dir, "Dockerfile"); err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	asNobody(t, func() { got, err = c.Digests(t.Context()) })
	if err != nil || got["sub/"] == "" || got["sub/key"] != "" {
		t.Errorf("got %v, %v", got, err)
	}
}

// asNobody runs f with the rights to files that a user without any has. Root has
// them all; only this thread lets go of them.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Getuid() != 0 {
		f()
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const nobody = 65534
	if err := syscall.Setfsuid(nobody); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setfsuid(0)
	f()
}

// A secret in a long output is hidden, wherever the output is cut.
func TestTail(t *testing.T) {
	o := &Options{Secrets: map[string][]byte{"pw": []byte("pass-phrase")}}
	for n := range 12 {
		l := tail{hide: o.hide}
		l.add(strings.Repeat("x", n))
		for range 4 * tailBytes / len("pass-phrase\n") {
			l.add("pass-phr")
			l.add("ase\n")
		}
		if got := o.hide(strings.Join(l.lines(), "\n")); strings.Contains(got, "phr") {
			t.Fatalf("it shows %s", got)
		}
	}
}
