package local

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// A partition is made in both machines' own tables of neighbours: each thinks
// that the other's address is at a link that is not there, so what it sends is
// lost without a word, as on a broken wire. It needs nothing of the kernel, does
// not meet the machine's own firewall, and goes with the machine's network.

// Partition keeps two machines of a site from reaching each other, until
// [Heal], also when they boot anew. The computer reaches both.
func Partition(ctx context.Context, a, b *Machine) error {
	if a.ID == b.ID {
		return errors.New("a machine cannot be parted from itself")
	}
	if a.site.dir != b.site.dir {
		return fmt.Errorf("machines %s and %s do not reach each other anyway: they are on different sites", a.Name, b.Name)
	}
	return errors.Join(a.partFrom(ctx, b), b.partFrom(ctx, a))
}

func (m *Machine) partFrom(ctx context.Context, o *Machine) error {
	return m.change(ctx, func() error {
		if m.Apart == nil {
			m.Apart = map[string]netip.Addr{}
		}
		m.Apart[o.ID] = o.Address
		if err := m.save(); err != nil {
			return err
		}
		return m.part(ctx)
	})
}

// part makes what Apart says true of a machine that runs, or is about to.
func (m *Machine) part(ctx context.Context) error {
	for _, address := range m.Apart {
		if err := m.neighbour(ctx, "replace", address.String(), "lladdr", nowhere, "nud", "permanent", "dev", "eth0"); err != nil {
			return err
		}
	}
	return nil
}

// Heal lets two machines reach each other again. Two that do are left as they
// are.
func Heal(ctx context.Context, a, b *Machine) error {
	is := func(o *Machine) func(string, netip.Addr) bool {
		return func(id string, _ netip.Addr) bool { return id == o.ID }
	}
	return errors.Join(a.heal(ctx, is(b)), b.heal(ctx, is(a)))
}

// HealAll lets all machines of the site reach each other again.
func (s *Site) HealAll(ctx context.Context) error {
	return s.healAll(ctx, func(string, netip.Addr) bool { return true })
}

// forgive takes back what still keeps others from a new machine's address: that
// of one which is gone.
func (s *Site) forgive(ctx context.Context, m *Machine) error {
	return s.healAll(ctx, func(_ string, a netip.Addr) bool { return a == m.Address })
}

func (s *Site) healAll(ctx context.Context, from func(id string, address netip.Addr) bool) error {
	all, err := s.List()
	if err != nil {
		return err
	}
	var errs []error
	for _, m := range all {
		if len(m.Apart) == 0 || !m.Ready {
			continue
		}
		if err := m.heal(ctx, from); !errors.Is(err, resource.ErrMissing) { // gone meanwhile
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// heal undoes the machine's side of some partitions.
func (m *Machine) heal(ctx context.Context, from func(id string, address netip.Addr) bool) error {
	return m.change(ctx, func() error {
		for id, address := range m.Apart {
			if !from(id, address) {
				continue
			}
			// Flushing is deleting without minding that there is nothing.
			if err := m.neighbour(ctx, "flush", "to", address.String(), "dev", "eth0", "nud", "permanent"); err != nil {
				return err
			}
			delete(m.Apart, id)
		}
		return m.save()
	})
}

// neighbour changes the table of a machine that runs.
func (m *Machine) neighbour(ctx context.Context, args ...string) error {
	if m.pid() == 0 {
		return nil
	}
	_, err := m.inside(ctx, append([]string{"ip", "neighbour"}, args...)...)
	return err
}
