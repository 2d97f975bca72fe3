package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/swarmscript/swarmscript/internal/packetfilter"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// A Machine is what its folder says; whether it runs is asked of the kernel.
type Machine struct {
	// ID is unique for ever.
	ID string
	// Number is the machine's place on its site. Its folder, link, address and
	// cgroups are named by it. It is free again when the machine is destroyed.
	Number  int
	Address netip.Addr
	Spec
	// Base is the folder of its image's base.
	Base    string
	Created time.Time
	// HostKey is the public one of its SSH server, as a line of authorized_keys.
	HostKey string
	// Apart are the machines that it cannot reach: their addresses, by their IDs.
	Apart map[string]netip.Addr `json:",omitempty"`
	// Filter is what is around it, nil where nothing is.
	Filter *packetfilter.Filter `json:",omitempty"`
	// Ready is set when the machine is complete, until somebody begins to destroy
	// it. One that is not and that nobody works on is [Broken].
	Ready bool

	site *Site
}

// dir is short, as everything with a path in the machine's mounts counts it.
func (m *Machine) dir() string { return m.site.file("m" + strconv.Itoa(m.Number)) }

func (m *Machine) file(name string) string { return filepath.Join(m.dir(), name) }

func (m *Machine) link() string { return "ss" + m.site.name + "-" + strconv.Itoa(m.Number) }

func (m *Machine) cgroup() string { return m.site.cgroup() + "/m" + strconv.Itoa(m.Number) }

// mac is the same whenever a machine has this number: others remember for a while
// at which link an address was.
func (m *Machine) mac() string {
	return fmt.Sprintf("02:53:4c:00:%02x:%02x", m.Number>>8, m.Number&0xff)
}

// KeyFile is the path of the private key that the machine's user is reached
// with.
func (m *Machine) KeyFile() string { return m.file("id_ed25519") }

// LogFile is the path of what the machine wrote before its own log began.
func (m *Machine) LogFile() string { return m.file("boot.log") }

// recordFile holds what a Machine says.
const recordFile = "machine.json"

func (m *Machine) save() error { return writeJSON(m.file(recordFile), m) }

func (m *Machine) load() error { return readJSON(m.file(recordFile), m) }

// lock keeps others from changing the machine, and reads what it is now: another
// process may have changed it. A machine that is gone is [resource.ErrMissing].
func (m *Machine) lock(ctx context.Context) (*os.File, error) {
	gone := fmt.Errorf("machine %s of %s: %w", m.Name, m.Project, resource.ErrMissing)
	if !exists(m.dir()) {
		return nil, gone
	}
	lock, err := lockFile(ctx, m.file("lock"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, gone
	}
	if err != nil {
		return nil, err
	}
	now := &Machine{site: m.site, Number: m.Number}
	if err = now.load(); err == nil && now.ID == m.ID {
		*m = *now
		return lock, nil
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = gone // its number may be another machine's by now
	}
	return nil, errors.Join(err, lock.Close())
}

// change does something to the machine while nobody else does.
func (m *Machine) change(ctx context.Context, do func() error) error {
	lock, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer lock.Close()
	if !m.Ready {
		return fmt.Errorf("machine %s is %s: whoever made or destroyed it was interrupted; destroy it, or apply its script", m.FullName(), Broken)
	}
	return do()
}

// abandoned reports whether the machine is not complete and nobody is at work on
// it.
func (m *Machine) abandoned() bool {
	if m.Ready || m.ID == "" {
		return false
	}
	lock, err := tryLockFile(m.file("lock"), 0)
	if lock != nil {
		lock.Close()
	}
	return err == nil && lock != nil
}

// SetLabels changes what is kept for whoever made the machine.
func (m *Machine) SetLabels(ctx context.Context, labels map[string]string) error {
	return m.change(ctx, func() error {
		m.Labels = labels
		return m.save()
	})
}

// SetLimits changes what the machine may use, at once.
func (m *Machine) SetLimits(ctx context.Context, l Limits) error {
	if err := l.check(); err != nil {
		return err
	}
	return m.change(ctx, func() error {
		m.Limits = l
		if err := m.save(); err != nil || m.pid() == 0 {
			return err
		}
		return m.writeLimits()
	})
}

// Destroy ends the machine and removes all that belongs to it. A machine that is
// gone is no error.
func (m *Machine) Destroy(ctx context.Context) error {
	lock, err := m.lock(ctx)
	if errors.Is(err, resource.ErrMissing) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	// If this is not finished, it is broken: whoever looks sees that it has to go.
	m.Ready = false
	if err := m.save(); err != nil {
		return err
	}
	return m.wipe(ctx)
}

// wipe removes the machine, and with the site's last one what they shared. Its
// lock is held.
func (m *Machine) wipe(ctx context.Context) error {
	if err := m.empty(ctx); err != nil {
		return err
	}
	lock, err := m.site.lock(ctx)
	if err != nil {
		return err
	}
	defer lock.Close()
	return m.site.drop(ctx, m)
}

// empty removes all that is the machine's own but the record that says what it
// was. Its lock is held.
func (m *Machine) empty(ctx context.Context) error {
	if err := m.end(ctx); err != nil {
		return err
	}
	entries, err := os.ReadDir(m.dir())
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == "lock" || e.Name() == recordFile {
			continue
		}
		if err := os.RemoveAll(m.file(e.Name())); err != nil {
			return err
		}
	}
	return nil
}
