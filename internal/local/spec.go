package local

import (
	"errors"
	"fmt"

	"github.com/swarmscript/swarmscript/internal/pattern"
)

// Spec is what a machine is to be.
type Spec struct {
	Project string // with its environment
	Name    string // its host name
	Image   string
	User    string // "" is root; another one becomes root by sudo
	SSHKeys []string
	// GivenHostKey is the private key of its SSH server, as PEM, where whoever makes
	// it has one; nil makes one.
	GivenHostKey []byte `json:"-"`
	Limits
	// Labels are kept for whoever made it.
	Labels map[string]string
}

// Limits are what a machine may use of the computer; 0 is no limit.
type Limits struct {
	NanoCPUs int64 // billionths of a CPU
	Memory   int64 // bytes
}

var (
	hostName = pattern.Of(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	userName = pattern.Of(`^[a-z_][a-z0-9_-]{0,31}$`)
)

// Check returns all that is wrong with a specification.
func (spec Spec) Check() error {
	var errs []error
	if !hostName().MatchString(spec.Name) {
		errs = append(errs, fmt.Errorf("name: %w", errHostName(spec.Name)))
	}
	if !userName().MatchString(spec.User) {
		errs = append(errs, fmt.Errorf("user: %w", errUserName(spec.User)))
	}
	for i, key := range spec.SSHKeys {
		if err := checkKey(key); err != nil {
			errs = append(errs, fmt.Errorf("ssh key %d: %w", i+1, err))
		}
	}
	return errors.Join(append(errs, spec.Limits.check())...)
}

func errHostName(s string) error {
	return fmt.Errorf("got %q, want small letters, digits and hyphens, 63 at most, as a host name has", s)
}

func errUserName(s string) error {
	return fmt.Errorf("got %q, want small letters, digits, hyphens and underscores, 32 at most, and a letter first", s)
}

var (
	errCPUs   = errors.New("a machine needs 0.01 at least")
	errMemory = errors.New("a machine needs 64m at least")
)

// The least that a kernel takes, and systemd boots with.
const (
	leastNanoCPUs = 10_000_000
	leastMemory   = 64 << 20
)

func (l Limits) check() error {
	var errs []error
	if l.NanoCPUs != 0 && l.NanoCPUs < leastNanoCPUs {
		errs = append(errs, fmt.Errorf("cpus: %w", errCPUs))
	}
	if l.Memory != 0 && l.Memory < leastMemory {
		errs = append(errs, fmt.Errorf("memory: %w", errMemory))
	}
	return errors.Join(errs...)
}
