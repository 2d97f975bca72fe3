// Package testhost gives tests real Linux hosts: the machines of package local, with systemd, sshd and apt, at an address
// that the test reaches. One starts in two to four seconds.
//
// They live on a site of their own, which all test processes share. A host belongs to the process that started it: that
// holds a lock, and where it died, the next one to start a host takes away what it left.
//
// It runs as root on Linux; elsewhere [Start] skips the test. What it needs comes from
//
//	go run ./internal/testengine/prepare
package testhost

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/local"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// ownersDir holds a locked file for each host of a test process that lives.
const ownersDir = "/var/lib/swarmscript-test/hosts"

// limit bounds what a test waits for. It is generous: computers that run many tests at once are slow.
const limit = 5 * time.Minute

// A Host is a machine for one test.
type Host struct {
	Name    string
	Address string // its IP address; sshd listens on port 22
	User    string
	Key     []byte // the private key of User, as PEM
	KeyFile string
	HostKey string // the public key of its sshd, a line of authorized_keys
	Image   string
	Base    string // the folder that the image was made of

	machine *local.Machine
	tb      testing.TB
}

// An Option changes how a host is made.
type Option func(*local.Spec)

// Name sets the host name. The default is random.
func Name(name string) Option { return func(s *local.Spec) { s.Name = name } }

// User is who logs in, and becomes root by sudo without a password. The default is root.
func User(name string) Option { return func(s *local.Spec) { s.User = name } }

// CPUs limits what the host may use of the computer's.
func CPUs(n float64) Option { return func(s *local.Spec) { s.NanoCPUs = int64(n * 1e9) } }

// Memory limits it, in bytes.
func Memory(n int64) Option { return func(s *local.Spec) { s.Memory = n } }

// needed are programs and the Debian packages that hold them.
var needed = map[string]string{
	"/usr/sbin/debootstrap":                          "debootstrap",
	"/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
	"/usr/sbin/iptables":                             "iptables",
	"/usr/bin/ssh":                                   "openssh-client",
}

// Prepare installs and makes all that hosts need, and does nothing when it is there.
func Prepare(ctx context.Context, log io.Writer) error {
	if err := testengine.Install(ctx, log, needed); err != nil {
		return err
	}
	site, err := open()
	if err != nil {
		return err
	}
	for _, image := range local.Images() {
		said := false
		if _, err := site.Prepare(ctx, image, func(string) {
			if !said {
				fmt.Fprintln(log, "making the base of", image)
			}
			said = true
		}); err != nil {
			return err
		}
	}
	return nil
}

// open returns the site of all hosts, the same one for the whole process: it asks the computer's apt once.
var open = sync.OnceValues(func() (*local.Site, error) { return local.Open(local.Config{Site: "test"}) })

// Start boots a host from an image, "debian-12" or "debian-13", and destroys it at the test's end. It skips the test only
// where hosts cannot be: away from Linux, or without root.
func Start(tb testing.TB, image string, opts ...Option) *Host {
	tb.Helper()
	site, err := open()
	if err != nil {
		tb.Skip(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	must(tb, os.MkdirAll(ownersDir, 0o711))
	sweep(ctx, tb, site)
	id := strings.ToLower(rand.Text())
	spec := local.Spec{Project: id, Name: "h" + id[:6], Image: image}
	for _, opt := range opts {
		opt(&spec)
	}
	owner, err := local.TryLock(filepath.Join(ownersDir, id))
	must(tb, err)
	m, err := site.Create(ctx, spec, func(string) {})
	if err != nil {
		owner.Close()
		tb.Fatal(err)
	}
	h := &Host{Name: m.Name, Address: m.Address.String(), User: m.User, KeyFile: m.KeyFile(), HostKey: m.HostKey, Image: image, Base: m.Base,
		machine: m, tb: tb}
	tb.Cleanup(func() {
		defer owner.Close()
		h.do(m.Destroy)
		must(tb, os.Remove(owner.Name()))
	})
	h.Key, err = os.ReadFile(m.KeyFile())
	must(tb, err)
	h.Start()
	return h
}

// sweep destroys the hosts of test processes that died.
func sweep(ctx context.Context, tb testing.TB, site *local.Site) {
	tb.Helper()
	all, err := site.List()
	must(tb, err)
	for _, m := range all {
		owner, err := local.TryLock(filepath.Join(ownersDir, m.Project))
		must(tb, err)
		if owner == nil {
			continue // it lives
		}
		err = m.Destroy(ctx)
		os.Remove(owner.Name())
		owner.Close()
		must(tb, err)
	}
}

// TakeSite gives a test a site of machines for itself, empty, for tests of local() that look at all of a site. The
// function that it returns destroys what is on it; where the test process dies before, the next one does.
func TakeSite() (*local.Site, func() error, error) {
	if err := os.MkdirAll(ownersDir, 0o711); err != nil {
		return nil, nil, err
	}
	left, err := filepath.Glob(filepath.Join(ownersDir, sitePrefix+"*"))
	if err != nil {
		return nil, nil, err
	}
	for _, path := range left {
		name := strings.TrimPrefix(filepath.Base(path), sitePrefix)
		if _, destroy, err := claim(name); err != nil {
			return nil, nil, err
		} else if destroy == nil {
			continue // its test runs
		} else if err := destroy(); err != nil {
			return nil, nil, fmt.Errorf("the site %s of an earlier test: %w", name, err)
		}
	}
	return claim("x" + strings.ToLower(rand.Text())[:7])
}

// Site is TakeSite for one test, after which what is on it is destroyed.
func Site(tb testing.TB) *local.Site {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("machines need root")
	}
	site, destroy, err := TakeSite()
	must(tb, err)
	tb.Cleanup(func() {
		if err := destroy(); err != nil {
			tb.Error(err)
		}
	})
	return site
}

// sitePrefix begins the names of the owners' files of whole sites.
const sitePrefix = "site-"

// claim makes a site this process's. Where it is another one's there is no function.
func claim(name string) (*local.Site, func() error, error) {
	owner, err := local.TryLock(filepath.Join(ownersDir, sitePrefix+name))
	if err != nil || owner == nil {
		return nil, nil, err
	}
	site, err := local.Open(local.Config{Site: name})
	if err != nil {
		owner.Close()
		return nil, nil, err
	}
	return site, func() error {
		defer owner.Close()
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		all, err := site.List()
		for _, m := range all {
			err = errors.Join(err, m.Destroy(ctx))
		}
		return errors.Join(err, site.Collect(ctx), os.Remove(owner.Name()))
	}, nil
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func (h *Host) do(f func(context.Context) error) {
	h.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	must(h.tb, f(ctx))
}

// Start boots the host after [Host.Stop] or [Host.Kill]. Address, keys and data are the same.
func (h *Host) Start() {
	h.tb.Helper()
	h.do(func(ctx context.Context) error { return h.machine.Start(ctx, func(string) {}) })
}

// Stop shuts the host down in an orderly way.
func (h *Host) Stop() { h.tb.Helper(); h.do(h.machine.Stop) }

// Kill is a power cut.
func (h *Host) Kill() { h.tb.Helper(); h.do(h.machine.Kill) }

// Pause makes the whole host hang: connections stay open, and nobody answers. Resume wakes it.
func (h *Host) Pause() { h.tb.Helper(); h.do(h.machine.Pause) }

// Resume undoes Pause.
func (h *Host) Resume() { h.tb.Helper(); h.do(h.machine.Resume) }

// Partition keeps the host and another one from reaching each other. The test reaches both.
func (h *Host) Partition(other *Host) {
	h.tb.Helper()
	h.do(func(ctx context.Context) error { return local.Partition(ctx, h.machine, other.machine) })
}

// Heal undoes a partition.
func (h *Host) Heal(other *Host) {
	h.tb.Helper()
	h.do(func(ctx context.Context) error { return local.Heal(ctx, h.machine, other.machine) })
}

// Run runs a program on the host as root and returns its standard output without the last line's end. It does not go
// through SSH. The test fails if the program does.
func (h *Host) Run(program string, args ...string) string {
	h.tb.Helper()
	out, err := h.TryRun(program, args...)
	must(h.tb, err)
	return out
}

// Sh is Run for a script of /bin/sh.
func (h *Host) Sh(script string) string { h.tb.Helper(); return h.Run("/bin/sh", "-c", script) }

// TryRun is Run for what may fail. The error holds what the program wrote on standard error.
func (h *Host) TryRun(program string, args ...string) (string, error) {
	pid := h.machine.PID()
	if pid == 0 {
		return "", fmt.Errorf("the host %s is off", h.Name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	cmd := exec.CommandContext(ctx, "/usr/bin/nsenter", append([]string{"--target", strconv.Itoa(pid),
		"--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--", "/usr/bin/env", "-i", path, "HOME=/root", program}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSuffix(stdout.String(), "\n"), nil
}
