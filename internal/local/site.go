package local

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moby/sys/atomicwriter"

	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
)

// Config says where machines are to be.
type Config struct {
	// Site tells sets of machines apart that have nothing in common, not even a
	// bridge. Projects share one; "" is the computer's usual one, "main".
	Site string
	// Subnet is where the site's machines have their addresses, as
	// "10.213.0.0/16"; "" chooses one that the computer has no route into.
	Subnet string
}

// Check finds what is wrong with it, by the fields' names in a script. It looks
// at nothing else, so that a script can be told before anything is contacted.
func (c Config) Check() (ps schema.Problems) {
	if c.Site != "" && !siteName().MatchString(c.Site) {
		ps = append(ps, &schema.Problem{Path: "site", Msg: fmt.Sprintf("got %q, want a small letter and up to 7 small letters and digits after it", c.Site)})
	}
	if c.Subnet != "" {
		if _, err := parseSubnet(c.Subnet); err != nil {
			ps = append(ps, &schema.Problem{Path: "subnet", Msg: err.Error()})
		}
	}
	return ps
}

// A Site is a bridge, its subnet, and the machines on it.
type Site struct {
	name  string
	dir   string
	cache string
	want  netip.Prefix // invalid: any
	// mounts is the kernel's table of mounts, which tells where its cgroups are.
	mounts string

	asking  sync.Mutex // who asks the computer's apt
	mirrors *mirrors   // what it said; nil before
}

const (
	sitesDir  = "/var/lib/swarmscript/local"
	ownMounts = "/proc/self/mountinfo"
)

var (
	errSystem = errors.New("local machines need Linux: use host() for machines that exist, or engine() for the Docker Engine of this computer")
	errRoot   = errors.New("local machines need root: run it with sudo, use host() for machines that exist, or engine() for the Docker Engine of this computer")

	siteName = pattern.Of(`^[a-z][a-z0-9]{0,7}$`)
)

// needed are the programs that machines need from the computer, and the packages
// that hold them.
var needed = [][2]string{
	{"ip", "iproute2"}, {"iptables", "iptables"}, {"iptables-restore", "iptables"}, {"unshare", "util-linux"}, {"nsenter", "util-linux"}, {"pivot_root", "util-linux"},
	{"mount", "mount"}, {"umount", "mount"},
}

// Open returns a site. It writes nothing: what a site needs is made with its
// first machine, and goes with its last one.
func Open(cfg Config) (*Site, error) {
	if ps := cfg.Check(); ps != nil {
		return nil, ps
	}
	if runtime.GOOS != "linux" {
		return nil, errSystem
	}
	if os.Geteuid() != 0 {
		return nil, errRoot
	}
	var programs, packages []string
	for _, n := range needed {
		if _, err := lookPath(n[0]); err != nil {
			programs = append(programs, n[0])
			if !slices.Contains(packages, n[1]) {
				packages = append(packages, n[1])
			}
		}
	}
	if len(programs) > 0 {
		return nil, fmt.Errorf("local machines need %s: install %s", strings.Join(programs, ", "), strings.Join(packages, ", "))
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	s := &Site{name: "main", cache: filepath.Join(cache, "swarmscript", "local"), mounts: ownMounts}
	if cfg.Site != "" {
		s.name = cfg.Site
	}
	if cfg.Subnet != "" {
		if s.want, err = parseSubnet(cfg.Subnet); err != nil {
			return nil, err
		}
	}
	s.dir = filepath.Join(sitesDir, s.name)
	return s, nil
}

// OtherSites returns the names of the sites, but for this one, that have machines,
// as local(site = NAME) has them; the usual one has "main".
func (s *Site) OtherSites() []string {
	found, _ := filepath.Glob(filepath.Join(filepath.Dir(s.dir), "*", "*", recordFile)) // the pattern is a right one
	var out []string
	for _, file := range found {
		if name := filepath.Base(filepath.Dir(filepath.Dir(file))); name != s.name && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

func parseSubnet(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil || !p.Addr().Is4() || p.Bits() < 8 || p.Bits() > 28 || p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("got %q, want an IPv4 network such as 10.213.0.0/16, of 8 to 28 bits", text)
	}
	return p, nil
}

// Name is what the site is called.
func (s *Site) Name() string { return s.name }

// bridge is the name of the site's bridge, and the comment on its firewall rules.
func (s *Site) bridge() string { return "ss-" + s.name }

// cgroup is the parent of the cgroups of the site's machines, and of nothing
// else: with the last machine it is removed, and all that is empty in it.
func (s *Site) cgroup() string { return "/swarmscript-local-" + s.name }

func (s *Site) file(name string) string { return filepath.Join(s.dir, name) }

// lock keeps others from what the site's machines share: numbers, the bridge and
// its rules.
func (s *Site) lock(ctx context.Context) (*os.File, error) {
	if err := os.MkdirAll(sitesDir, 0o700); err != nil {
		return nil, err
	}
	// One lock for all sites: two that look for a free subnet would find the same.
	return lockFile(ctx, filepath.Join(sitesDir, "lock"))
}

// List returns the site's machines in the order of their numbers, those too that
// are broken. It writes nothing.
func (s *Site) List() ([]*Machine, error) {
	all, err := s.folders()
	if err != nil {
		return nil, err
	}
	var out []*Machine
	for _, m := range all {
		if m.Ready || m.abandoned() {
			out = append(out, m)
		}
	}
	return out, nil
}

// Find returns a machine of a project by its name, or an error that is
// [resource.ErrMissing].
func (s *Site) Find(project, name string) (*Machine, error) {
	all, err := s.List()
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		if m.Project == project && m.Name == name {
			return m, nil
		}
	}
	return nil, fmt.Errorf("machine %s of %s: %w", name, project, resource.ErrMissing)
}

// folders returns the machines of all folders, those too that are being made or
// that somebody failed to make: they are not Ready.
func (s *Site) folders() ([]*Machine, error) {
	paths, err := filepath.Glob(s.file("m[0-9]*"))
	if err != nil {
		return nil, err
	}
	var out []*Machine
	for _, path := range paths {
		m := &Machine{site: s}
		if _, err := fmt.Sscanf(filepath.Base(path), "m%d", &m.Number); err != nil || path != m.dir() {
			continue // not ours
		}
		switch err := m.load(); {
		case errors.Is(err, os.ErrNotExist) && !exists(path):
			continue // gone meanwhile
		case err != nil && !errors.Is(err, os.ErrNotExist):
			return nil, err
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b *Machine) int { return a.Number - b.Number })
	return out, nil
}

// Create makes a machine, which is off. A name that the project has in use is an
// error that is [resource.ErrExists]. Progress is told what is being done.
func (s *Site) Create(ctx context.Context, spec Spec, progress func(string)) (*Machine, error) {
	if spec.User == "" {
		spec.User = "root"
	}
	if err := spec.Check(); err != nil {
		return nil, err
	}
	base, err := s.Prepare(ctx, spec.Image, progress)
	if err != nil {
		return nil, err
	}
	m, lock, err := s.claim(ctx, spec, base)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	progress("prepares its first boot")
	err = m.prepare(ctx)
	if err == nil {
		err = s.forgive(ctx, m)
	}
	if err == nil {
		m.Ready = true
		err = m.save()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("machine %s: %w", spec.Name, err), m.wipe(context.WithoutCancel(ctx)))
	}
	return m, nil
}

// claim takes a number for a machine and returns it with its lock. It clears away
// what dead processes left.
func (s *Site) claim(ctx context.Context, spec Spec, base string) (*Machine, *os.File, error) {
	lock, err := s.lock(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer lock.Close()
	if err := s.sweep(ctx); err != nil {
		return nil, nil, err
	}
	subnet, err := s.subnet(ctx)
	if err != nil {
		return nil, nil, err
	}
	all, err := s.folders()
	if err != nil {
		return nil, nil, err
	}
	taken := map[int]bool{}
	for _, m := range all {
		taken[m.Number] = true
		if m.Project == spec.Project && m.Name == spec.Name {
			return nil, nil, fmt.Errorf("machine %s of %s: %w", spec.Name, spec.Project, resource.ErrExists)
		}
	}
	number := 1
	for taken[number] {
		number++
	}
	address, err := machineAddress(subnet, number)
	if err != nil {
		return nil, nil, err
	}
	m := &Machine{
		site: s, ID: rand.Text(), Number: number, Address: address, Spec: spec, Base: base, Created: time.Now().UTC(),
	}
	if err := os.Mkdir(m.dir(), 0o700); err != nil {
		return nil, nil, err
	}
	own, err := lockFile(ctx, m.file("lock"))
	if err != nil {
		return nil, nil, err
	}
	if err := m.save(); err != nil {
		return nil, nil, errors.Join(err, own.Close())
	}
	return m, own, nil
}

// sweep removes what dead processes left behind: folders of machines that were
// not finished and that nobody is working on. The site's lock is held.
func (s *Site) sweep(ctx context.Context) error {
	gone, err := filepath.Glob(s.file("gone-*"))
	if err != nil {
		return err
	}
	for _, dir := range gone {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	all, err := s.folders()
	if err != nil {
		return err
	}
	for _, m := range all {
		if m.Ready {
			continue
		}
		own, err := tryLockFile(m.file("lock"), os.O_CREATE)
		if own == nil && (err == nil || errors.Is(err, os.ErrNotExist)) {
			continue // somebody works on it, or has just removed it
		}
		if err != nil {
			return err
		}
		if err = m.empty(ctx); err == nil {
			err = s.drop(ctx, m)
		}
		own.Close()
		if err != nil {
			return fmt.Errorf("a machine that an earlier run left: %w", err)
		}
	}
	return nil
}

// Collect removes what dead processes left behind, and the site's bridge and
// rules if it has no machine.
func (s *Site) Collect(ctx context.Context) error {
	lock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := s.sweep(ctx); err != nil {
		return err
	}
	all, err := s.folders()
	if err != nil || len(all) > 0 {
		return err
	}
	if err := s.vacate(ctx); err != nil {
		return err
	}
	return os.RemoveAll(s.dir)
}

// drop removes what is left of a machine that is empty. Before the last one goes,
// what all of them shared does: after a crash in between somebody still sees that
// there is something to remove. The site's lock is held.
func (s *Site) drop(ctx context.Context, m *Machine) error {
	all, err := s.folders()
	if err != nil {
		return err
	}
	last := !slices.ContainsFunc(all, func(o *Machine) bool { return o.Number != m.Number })
	if last {
		if err := s.vacate(ctx); err != nil {
			return err
		}
	}
	// Out of the way in one step, as others may be waiting for its lock.
	gone := s.file("gone-" + rand.Text())
	if err := os.Rename(m.dir(), gone); err != nil {
		return err
	}
	if last {
		gone = s.dir
	}
	return os.RemoveAll(gone)
}

// vacate removes what the site's machines share, but for its folder. The site's
// lock is held.
func (s *Site) vacate(ctx context.Context) error {
	if err := s.removeNetwork(ctx); err != nil {
		return err
	}
	s.removeCgroups(s.cgroup())
	return nil
}

// writeJSON replaces a file in one step.
func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return atomicwriter.WriteFile(path, append(text, '\n'), 0o600)
}

func readJSON(path string, v any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%s is damaged: %w", path, err)
	}
	return nil
}
