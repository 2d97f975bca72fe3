package scripttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/lab"
	"github.com/swarmscript/swarmscript/internal/lab/api"
)

// Lab is what a test does with the machines of its lab.
type Lab interface {
	// Hosts returns its machines by name.
	Hosts(ctx context.Context) ([]Host, error)
	// Engine says where the engine of a machine is reached, as DOCKER_HOST.
	Engine(ctx context.Context, host string) (string, error)
	// Act does something to a machine.
	Act(ctx context.Context, act Act, host string) error
	// Partition cuts what passes between two machines, Heal joins all that is cut.
	Partition(ctx context.Context, a, b string) error
	Heal(ctx context.Context) error
	// Fault makes containers go wrong, Mend takes all that back.
	Fault(ctx context.Context, f Fault) error
	Mend(ctx context.Context) error
	// Log is what the lab's log has, line by line.
	Log() []string
	// End ends the lab's process and removes the lab.
	End(ctx context.Context) error
}

// Host is a machine of a lab.
type Host struct {
	Name    string
	Address string
	State   string // "running", "off", "paused"
}

// Act is something that happens to a machine.
type Act string

// What happens to machines.
const (
	Kill    Act = "kill"   // its power goes
	Stop    Act = "stop"   // it is shut down
	Start   Act = "start"  // it is switched on
	Pause   Act = "pause"  // it stands still, with all that is on it
	Resume  Act = "resume" // it goes on
	Restart Act = "restart"
)

// Fault makes containers go wrong that it picks by image, service and name; what
// is empty picks all.
type Fault struct {
	Image, Service, Container string
	// Effects are as the labels lab.* of a container say them, without the prefix.
	Effects map[string]string
}

// ownLab is a lab that goes with this process, however that ends.
type ownLab struct {
	*lab.Lab
	owner io.Closer
}

// OwnLab begins a lab in a folder, whose process starts when it is needed.
func OwnLab(dir string) (Lab, error) {
	l, err := lab.Open(dir)
	if err != nil {
		return nil, err
	}
	owner, err := l.Own()
	if err != nil {
		return nil, err
	}
	return &ownLab{l, owner}, nil
}

// Hosts implements [Lab].
func (l *ownLab) Hosts(ctx context.Context) ([]Host, error) {
	all, err := l.Lab.Hosts(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Host, len(all))
	for i, h := range all {
		out[i] = Host{Name: h.Name, Address: h.Address, State: string(h.State)}
	}
	slices.SortStableFunc(out, func(a, b Host) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Engine implements [Lab].
func (l *ownLab) Engine(ctx context.Context, name string) (string, error) {
	h, err := l.Pick(ctx, name)
	if err != nil {
		return "", err
	}
	return l.Lab.Engine(ctx, h.ID)
}

// Act implements [Lab].
func (l *ownLab) Act(ctx context.Context, act Act, name string) error {
	h, err := l.Pick(ctx, name)
	if err != nil {
		return err
	}
	if act == Restart {
		if _, err := l.Do(ctx, h.ID, lab.Stop); err != nil {
			return err
		}
		act = Start
	}
	_, err = l.Do(ctx, h.ID, lab.Verb(act))
	return err
}

// Partition implements [Lab].
func (l *ownLab) Partition(ctx context.Context, a, b string) error {
	from, err := l.Pick(ctx, a)
	if err != nil {
		return err
	}
	to, err := l.Pick(ctx, b)
	if err != nil {
		return err
	}
	return l.Lab.Partition(ctx, from.ID, to.ID)
}

// Heal implements [Lab].
func (l *ownLab) Heal(ctx context.Context) error { return l.Lab.Heal(ctx, "", "") }

// Fault implements [Lab].
func (l *ownLab) Fault(ctx context.Context, f Fault) error {
	_, err := l.Lab.Fault(ctx, api.Fault{Image: f.Image, Service: f.Service, Container: f.Container, Effects: f.Effects})
	return err
}

// Mend implements [Lab].
func (l *ownLab) Mend(ctx context.Context) error { return l.Clear(ctx, "") }

// Log implements [Lab].
func (l *ownLab) Log() []string {
	text, err := os.ReadFile(filepath.Join(l.Dir(), api.LogFile))
	if err != nil {
		return nil // it never ran
	}
	return strings.Split(string(bytes.TrimSpace(text)), "\n")
}

// End implements [Lab]. Should its process not end when it is asked to, it does
// once it has no owner.
func (l *ownLab) End(ctx context.Context) error {
	_, info := l.Info(ctx)
	var err error
	if !errors.Is(info, lab.ErrNone) {
		if err = l.Reset(ctx); err != nil {
			err = fmt.Errorf("the test's lab did not end: %w", err)
		}
	}
	l.Close()
	return errors.Join(err, l.owner.Close(), os.RemoveAll(l.Dir()))
}
