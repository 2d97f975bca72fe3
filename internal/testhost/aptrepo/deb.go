package aptrepo

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// deb is a package to be made.
type deb struct {
	name, version, depends, conflicts string
	files                             map[string]string // where each is, by where it is to be
	texts                             map[string]string // contents
	scripts                           map[string]string // postinst and the like
}

func (d deb) file() string {
	return d.name + "_" + strings.NewReplacer(":", "-", "~", "-").Replace(d.version) + ".deb"
}

func (d deb) control() string {
	return fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: Test <test@example.com>\nDepends: %s\nConflicts: %s\nReplaces: %s\nDescription: made for a test\n",
		d.name, d.version, d.depends, d.conflicts, d.conflicts)
}

// build makes the package in a folder, and returns what a list of packages says of it.
func (d deb) build(tb testing.TB, to string) string {
	tb.Helper()
	dir := tb.TempDir()
	put := func(path, text string, mode os.FileMode) {
		must(tb, os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o755))
		must(tb, os.WriteFile(filepath.Join(dir, path), []byte(text), mode))
	}
	for path, from := range d.files {
		text, err := os.ReadFile(from)
		must(tb, err)
		put(path, string(text), 0o755)
	}
	for path, text := range d.texts {
		put(path, text, 0o644)
	}
	put("DEBIAN/control", d.control(), 0o644)
	for name, text := range d.scripts {
		put("DEBIAN/"+name, text, 0o755)
	}
	must(tb, os.Chmod(dir, 0o755))
	file := filepath.Join(to, d.file())
	dpkg(tb, "--root-owner-group", "-Zgzip", "-z1", "-b", dir, file)
	return entry(tb, d.control(), file)
}

// dpkg runs dpkg-deb, and returns what it prints.
func dpkg(tb testing.TB, args ...string) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "dpkg-deb", args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("%s: %v\n%s", cmd, err, stderr.String())
	}
	return string(out)
}

// entry is a package in a list of packages, by what its control file says.
func entry(tb testing.TB, control, file string) string {
	tb.Helper()
	text := read(tb, file)
	return fmt.Sprintf("%s\nFilename: pool/%s\nSize: %d\nSHA256: %x\n\n", strings.TrimSpace(control), filepath.Base(file), len(text), sha256.Sum256([]byte(text)))
}
