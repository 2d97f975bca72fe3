package local

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// A partition is made in both machines' own tables of neighbours: each thinks
// that the other's address is at a link that is not there, so what it sends is
// lost without a word, as on a broken wire. It needs nothing of the kernel, does
// not meet the machine's own firewall, and goes with the machine's network.

// Partition keeps two machines of a site from reaching each other, until
// [Machine.Heal], also when they boot anew. The computer reaches both.
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
		if !slices.Contains(m.Apart, o.ID) {
			m.Apart = append(m.Apart, o.ID)
			if err := m.save(); err != nil {
				return err
			}
		}
		return m.part(ctx)
	})
}

// part makes what Apart says true of a machine that runs, or is about to.
func (m *Machine) part(ctx context.Context) error {
	return m.neighbours(ctx, func(address string) []string {
		return []string{"replace", address, "lladdr", nowhere, "nud", "permanent", "dev", "eth0"}
	})
}

// Heal undoes all partitions of the machine, its own side of them: the other one
// is healed as well for two to reach each other.
func (m *Machine) Heal(ctx context.Context) error {
	return m.change(ctx, func() error {
		err := m.neighbours(ctx, func(address string) []string {
			return []string{"delete", address, "dev", "eth0"}
		})
		if err != nil {
			return err
		}
		m.Apart = nil
		return m.save()
	})
}

// neighbours changes the entries of those that the machine is apart from.
func (m *Machine) neighbours(ctx context.Context, change func(address string) []string) error {
	pid := m.pid()
	if pid == 0 || len(m.Apart) == 0 {
		return nil
	}
	all, err := m.site.List()
	if err != nil {
		return err
	}
	for _, o := range all {
		if !slices.Contains(m.Apart, o.ID) {
			continue
		}
		args := append([]string{"--target", strconv.Itoa(pid), "--net", "ip", "neighbour"}, change(o.Address.String())...)
		if _, err := run(ctx, "nsenter", args...); err != nil {
			return err
		}
	}
	return nil
}
