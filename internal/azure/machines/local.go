package machines

import (
	"context"
	"errors"
	"maps"

	"github.com/swarmscript/swarmscript/internal/azure/emulator"
	"github.com/swarmscript/swarmscript/internal/local"
	"github.com/swarmscript/swarmscript/internal/packetfilter"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// OfSite has real machines of this computer, on a site. Machines that others have
// there stay theirs. Sizes are not enforced: a computer has less than a cloud.
func OfSite(s *local.Site) emulator.Machines { return filtered{behind{siteBackend{s}, newBalancer()}} }

// filtered machines have what security groups say around them.
type filtered struct{ behind }

// Filter implements [emulator.Filtering].
func (b filtered) Filter(ctx context.Context, id string, f packetfilter.Filter) error {
	m, err := b.find(ctx, id)
	if err != nil || m == nil {
		return err
	}
	err = m.native.(*local.Machine).SetFilter(ctx, f)
	if errors.Is(err, resource.ErrMissing) {
		return nil
	}
	return err
}

type siteBackend struct{ site *local.Site }

func (b siteBackend) find(_ context.Context, id string) (*machine, error) {
	all, err := b.site.List()
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		if m.Labels[idLabel] == id {
			return fromSite(m), nil
		}
	}
	return nil, nil
}

func fromSite(m *local.Machine) *machine {
	return &machine{labels: m.Labels, address: m.Address.String(), native: m, access: func() (access, error) {
		s, err := m.SSH()
		return access{address: s.Address, user: s.User, hostKey: m.HostKey, key: s.Key, dial: m.DialSSH}, err
	}}
}

func silent(string) {}

func (b siteBackend) create(ctx context.Context, m emulator.Machine, project string, hostKey []byte) (*machine, error) {
	made, err := b.site.Create(ctx, local.Spec{
		Project: project, Name: m.Name, Image: m.Image, User: m.User, SSHKeys: m.SSHKeys, GivenHostKey: hostKey, Labels: map[string]string{idLabel: m.ID},
	}, silent)
	if err != nil {
		return nil, err
	}
	return fromSite(made), nil
}

func (b siteBackend) start(ctx context.Context, m *machine) error {
	at := m.native.(*local.Machine)
	if at.State() == local.Running {
		return nil
	}
	return at.Start(ctx, silent)
}

func (b siteBackend) stop(ctx context.Context, m *machine) error {
	at := m.native.(*local.Machine)
	if at.State() == local.Off {
		return nil
	}
	return at.Stop(ctx)
}

func (b siteBackend) resize(context.Context, *machine, emulator.Size) error { return nil }

func (b siteBackend) label(ctx context.Context, m *machine, key, value string) error {
	labels := maps.Clone(m.labels)
	labels[key] = value
	m.labels = labels
	return m.native.(*local.Machine).SetLabels(ctx, labels)
}

func (b siteBackend) destroy(ctx context.Context, m *machine) error {
	return m.native.(*local.Machine).Destroy(ctx)
}

func (b siteBackend) close() error { return nil }
