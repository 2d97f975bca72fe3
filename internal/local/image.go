package local

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// images are what machines can be made from, by the suites of Debian that they
// are.
var images = map[string]string{"debian-12": "bookworm", "debian-13": "trixie"}

// Images returns the names of the images, sorted.
func Images() []string {
	var names []string
	for name := range images {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// basePackages are those of every base beside Debian's required ones: what the
// machines of a cloud have, as far as it makes sense here.
var basePackages = []string{
	"systemd", "systemd-sysv", "dbus", "openssh-server", "ca-certificates", "iproute2", "iptables", "sudo", "procps", "curl", "gnupg",
}

// masked are units that make no sense on a machine without hardware, or would
// fail there.
var masked = []string{"systemd-modules-load.service", "systemd-udevd.service", "console-getty.service", "getty.target"}

// recipe is all that a base depends on.
type recipe struct {
	Version  int // of the code that makes it
	Suite    string
	Packages []string
	Masked   []string
	Mirrors  mirrors
}

// digest tells bases apart that were made in different ways.
func (r recipe) digest() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings and numbers
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6])
}

// Prepare makes the base of an image, which takes about a minute, and does
// nothing where it is in the cache. It returns its folder. Progress is told what
// is being done.
func (s *Site) Prepare(ctx context.Context, image string, progress func(string)) (string, error) {
	suite, ok := images[image]
	if !ok {
		return "", fmt.Errorf("there is no image %q%s: it is one of %s", image, didYouMean(image, Images()), strings.Join(Images(), ", "))
	}
	r := recipe{Version: 1, Suite: suite, Packages: basePackages, Masked: masked, Mirrors: s.computersMirrors(ctx)}
	dir := filepath.Join(s.cache, image+"-"+r.digest())
	if exists(dir) {
		return dir, nil
	}
	if err := os.MkdirAll(s.cache, 0o755); err != nil {
		return "", err
	}
	progress("makes the base of " + image + ", or waits for another run that does")
	lock, err := lockFile(ctx, filepath.Join(s.cache, image+".lock"))
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if exists(dir) {
		return dir, nil // made by another run meanwhile
	}
	if strings.ContainsAny(dir, `:,\`) {
		return "", fmt.Errorf("the cache folder %s cannot hold a file system: its path must have no colon, comma or backslash (XDG_CACHE_HOME sets another)", s.cache)
	}
	part := filepath.Join(s.cache, image+".part")
	err = os.RemoveAll(part) // of a run that died
	if err == nil {
		err = r.make(ctx, part, progress)
	}
	if err == nil {
		err = os.Rename(part, dir)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("the base of %s: %w", image, err), os.RemoveAll(part))
	}
	return dir, nil
}

// make fills a folder.
func (r recipe) make(ctx context.Context, dir string, progress func(string)) error {
	if _, err := lookPath("debootstrap"); err != nil {
		return errors.New("debootstrap is missing: install the packages debootstrap and debian-archive-keyring")
	}
	if err := r.debootstrap(ctx, dir, progress); err != nil {
		return err
	}
	progress("clean up")
	return r.finish(dir)
}

// debootstrap runs it in namespaces of its own, so that what it mounts and starts
// goes with it. It is ended with us.
func (r recipe) debootstrap(ctx context.Context, dir string, progress func(string)) error {
	cmd := exec.CommandContext(ctx, "/usr/bin/unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
		"debootstrap", "--variant=minbase", "--include="+strings.Join(r.Packages, ","), r.Suite, dir, r.Mirrors.Main)
	cmd.Env = append(os.Environ(), "PATH="+systemPath, "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	cmd.SysProcAttr = tied()
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = cmd.Stdout
	// The kernel ends the child when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return err
	}
	var last []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := strings.TrimPrefix(lines.Text(), "I: ")
		progress(line)
		last = append(last[max(0, len(last)-9):], line)
	}
	if err := errors.Join(lines.Err(), cmd.Wait()); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("debootstrap %s from %s: %w\n%s", r.Suite, r.Mirrors.Main, err, strings.Join(last, "\n"))
	}
	return nil
}

// finish takes away what must not be the same on two machines, and what only
// takes place.
func (r recipe) finish(dir string) error {
	var errs []error
	for _, pattern := range []string{
		"etc/ssh/ssh_host_*", "var/lib/dbus/machine-id", "etc/resolv.conf", "etc/hostname", "var/cache/apt/archives/*.deb",
		"var/cache/apt/*.bin", "var/lib/apt/lists/*", "var/log/*.log", "var/log/apt/*", "etc/apt/sources.list",
	} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		errs = append(errs, err)
		for _, p := range paths {
			errs = append(errs, os.RemoveAll(p))
		}
	}
	write := func(path, text string) {
		errs = append(errs, os.WriteFile(filepath.Join(dir, path), []byte(text), 0o644))
	}
	write("etc/machine-id", "")
	write("etc/apt/sources.list.d/debian.sources", r.Mirrors.sources(r.Suite))
	if len(r.Mirrors.Settings) > 0 {
		write("etc/apt/apt.conf.d/90computer", strings.Join(r.Mirrors.Settings, "\n")+"\n")
	}
	for _, unit := range r.Masked {
		errs = append(errs, os.Symlink("/dev/null", filepath.Join(dir, "etc/systemd/system", unit)))
	}
	return errors.Join(errs...)
}
