package machines

import (
	"context"
	"fmt"
	"maps"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/swarmscript/swarmscript/internal/azure/emulator"
	"github.com/swarmscript/swarmscript/internal/lab"
	"github.com/swarmscript/swarmscript/internal/lab/api"
)

// OfLab has machines in the lab of a folder, which need not be there. Hosts that
// others have there stay theirs.
func OfLab(l *lab.Lab) emulator.Machines {
	ctx, cancel := context.WithCancel(context.Background())
	b := &labBackend{lab: l, cancel: cancel}
	b.keeping.Go(func() { b.keep(ctx) })
	return behind{b, newBalancer()}
}

type labBackend struct {
	lab     *lab.Lab
	cancel  context.CancelFunc
	keeping sync.WaitGroup
}

// keepEvery is less than the time after which a lab ends that nobody uses.
const keepEvery = 10 * time.Second

// keep has the lab's process go on: a cloud's machines do not stop when nobody
// looks at them.
func (b *labBackend) keep(ctx context.Context) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_, _ = b.lab.Hosts(ctx) // whoever needs a host is told what is wrong
		}
	}
}

func (b *labBackend) find(ctx context.Context, id string) (*machine, error) {
	all, err := b.lab.Hosts(ctx)
	if err != nil {
		return nil, err
	}
	for _, h := range all {
		if h.Labels[idLabel] == id {
			return fromLab(h), nil
		}
	}
	return nil, nil
}

func fromLab(h *api.Host) *machine {
	return &machine{labels: h.Labels, address: h.Address, native: h, access: func() (access, error) {
		s, err := lab.SSHOf(h)
		at := net.JoinHostPort(s.Host, s.Port)
		return access{address: at, user: s.User, hostKey: s.HostKey, key: s.Key, dial: to(at)}, err
	}}
}

func (b *labBackend) create(ctx context.Context, m emulator.Machine, project string, hostKey []byte) (*machine, error) {
	h, err := b.lab.Create(ctx, api.Spec{
		Project: project, Name: m.Name, Image: m.Image, User: m.User, SSHKeys: m.SSHKeys, GivenHostKey: hostKey,
		NanoCPUs: int64(m.CPUs) * 1e9, Memory: m.Memory, Labels: map[string]string{idLabel: m.ID},
	})
	if err != nil {
		return nil, err
	}
	return fromLab(h), nil
}

// now takes over what the lab says of a machine after a change.
func (b *labBackend) now(m *machine, h *api.Host, err error) error {
	if err == nil {
		*m = *fromLab(h)
	}
	return err
}

func (b *labBackend) do(ctx context.Context, m *machine, verb lab.Verb) error {
	h, err := b.lab.Do(ctx, m.native.(*api.Host).ID, verb)
	return b.now(m, h, err)
}

// start boots a host, at the port that clients of Azure expect.
func (b *labBackend) start(ctx context.Context, m *machine) error {
	if err := b.do(ctx, m, lab.Start); err != nil {
		return err
	}
	if h := m.native.(*api.Host); h.SSH != net.JoinHostPort(h.Address, "22") {
		return fmt.Errorf("the lab's host %s listens at %s, and a machine of Azure does at port 22 of its address: %s", h.FullName(), h.SSH, strings.Join(h.Trouble, "; "))
	}
	return nil
}

func (b *labBackend) stop(ctx context.Context, m *machine) error { return b.do(ctx, m, lab.Stop) }

func (b *labBackend) resize(ctx context.Context, m *machine, size emulator.Size) error {
	return b.change(ctx, m, func(c *api.Change) { c.NanoCPUs, c.Memory = int64(size.CPUs)*1e9, size.Memory })
}

func (b *labBackend) label(ctx context.Context, m *machine, key, value string) error {
	return b.change(ctx, m, func(c *api.Change) { c.Labels[key] = value })
}

func (b *labBackend) change(ctx context.Context, m *machine, f func(*api.Change)) error {
	h := m.native.(*api.Host)
	c := api.Change{SSHKeys: h.SSHKeys, NanoCPUs: h.NanoCPUs, Memory: h.Memory, Labels: maps.Clone(h.Labels)}
	f(&c)
	h, err := b.lab.Change(ctx, h.ID, c)
	return b.now(m, h, err)
}

func (b *labBackend) destroy(ctx context.Context, m *machine) error {
	return b.lab.Destroy(ctx, m.native.(*api.Host).ID)
}

func (b *labBackend) close() error {
	b.cancel()
	b.keeping.Wait()
	b.lab.Close()
	return nil
}
