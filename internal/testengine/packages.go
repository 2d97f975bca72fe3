package testengine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A PackageImage is an image of programs that Debian packages, with all that they depend on. The packages are unpacked,
// not installed: none of their scripts runs, so accounts and links that these would make are said here.
type PackageImage struct {
	Name       string   // as "swarmtest/mariadb:1"
	Packages   []string // of Debian
	Accounts   []string // beside root; their numbers count from 100
	Links      []string // "/usr/bin/awk -> mawk"
	Without    []string // parts of the paths of files that are large and not needed
	Entrypoint []string
	Cmd        []string
}

// LoadPackages loads an image made of Debian's packages on engines. It is made when it is first asked for, which needs a
// Debian mirror, and kept in the user's cache folder by the packages' versions: there is a new one when Debian has.
func LoadPackages(tb testing.TB, image PackageImage, engines ...*Engine) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	began := time.Now()
	path, err := image.once(ctx)
	if err != nil {
		tb.Fatalf("image %s: %v", image.Name, err)
	}
	found := time.Now()
	for _, e := range engines {
		e.In(tb).Docker("load", "--quiet", "--input", path)
	}
	tb.Logf("image %s: made in %s, loaded in %s", image.Name, found.Sub(began).Round(time.Millisecond), time.Since(found).Round(time.Millisecond))
}

// made are the archives that this process has asked for, by their images: to ask apt for the versions takes seconds.
var made sync.Map

func (p PackageImage) once(ctx context.Context) (string, error) {
	key := fmt.Sprintf("%#v", p)
	if path, ok := made.Load(key); ok {
		return path.(string), nil
	}
	path, err := p.archive(ctx)
	if err == nil {
		made.Store(key, path)
	}
	return path, err
}

// archive is the path of the image for `docker load`.
func (p PackageImage) archive(ctx context.Context) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(filepath.Dir(cache), "packages")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	// One process after the other: they may want the same image.
	lock, err := lockFile(filepath.Join(dir, "lock"), true)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	apt := packageSet{names: p.Packages, dir: dir}
	versions, err := apt.resolve(ctx)
	if err != nil {
		return "", err
	}
	key := sha256.Sum256(fmt.Appendf(nil, "%d\n%#v\n%s", imageFormat, p, versions))
	path := filepath.Join(dir, fmt.Sprintf("%x.tar", key[:10]))
	if exists(path) {
		return path, nil
	}
	debs, err := os.MkdirTemp(dir, "debs")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(debs)
	if err := apt.download(ctx, debs); err != nil {
		return "", err
	}
	return path, p.build(ctx, debs, path)
}

// A packageSet is packages with all that they depend on, as if nothing were installed on this computer.
type packageSet struct {
	names []string
	dir   string // for what apt keeps, which is not the computer's own
}

// resolve names the files of all packages, with their versions and digests. Lists of packages that are missing or old are
// brought up to date.
func (s packageSet) resolve(ctx context.Context) (string, error) {
	out, err := s.install(ctx, "--print-uris")
	if err != nil {
		if err := apt(ctx, "update", "-o", "DPkg::Lock::Timeout=300"); err != nil {
			return "", err
		}
		out, err = s.install(ctx, "--print-uris")
	}
	return out, err
}

func (s packageSet) download(ctx context.Context, into string) error {
	_, err := s.install(ctx, "--download-only", "-o", "Dir::Cache::archives="+into)
	if err == nil {
		return nil
	}
	// The mirror may have newer packages than the lists.
	if err := apt(ctx, "update", "-o", "DPkg::Lock::Timeout=300"); err != nil {
		return err
	}
	_, err = s.install(ctx, "--download-only", "-o", "Dir::Cache::archives="+into)
	return err
}

func (s packageSet) install(ctx context.Context, how ...string) (string, error) {
	status := filepath.Join(s.dir, "status")
	if err := os.WriteFile(status, nil, 0o644); err != nil {
		return "", err
	}
	args := append([]string{"install", "-qq", "-y", "--no-install-recommends",
		"-o", "Dir::State::status=" + status, "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=", "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root"}, how...)
	cmd := exec.CommandContext(ctx, "apt-get", append(args, s.names...)...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("packages %s: %w", strings.Join(s.names, ", "), errors.Join(errors.New(strings.TrimSpace(said.String())), err))
	}
	return string(out), nil
}
