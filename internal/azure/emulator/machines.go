package emulator

import (
	"context"
	"time"
)

// Machines are the computers behind virtual machines. Methods may be called at
// once, but for one machine one at a time.
type Machines interface {
	// Boot makes a machine, where there is none of that ID, and starts it. It ends
	// when its SSH server answers.
	Boot(ctx context.Context, m Machine) (Booted, error)
	// Power starts, stops or restarts a machine. It ends when that is done: when
	// its SSH server answers, but after Stop.
	Power(ctx context.Context, id string, p Power) error
	// Resize gives a machine other virtual CPUs and memory.
	Resize(ctx context.Context, id string, size Size) error
	// Delete ends a machine and removes it. One that is gone is no error.
	Delete(ctx context.Context, id string) error
	Runner
	// Close lets go of what is held here. Machines go on.
	Close() error
}

// Machine is what a machine is to be.
type Machine struct {
	ID    string // of its virtual machine, in small letters
	Name  string // its host name
	Image string // "debian-12" or "debian-13"
	User  string // who logs in, and becomes root by sudo
	// SSHKeys are the lines of User's authorized_keys.
	SSHKeys []string
	// CustomData is what cloud-init is given.
	CustomData []byte
	Size
}

// Size is what a machine has of the computer.
type Size struct {
	CPUs   int
	Memory int64 // bytes
}

// Booted is what is known of a machine that runs: its addresses, as other machines
// reach it, and as this computer does. Empty ones leave what Azure gave.
type Booted struct{ Private, Public string }

// Power is what is done to a machine's power.
type Power int

// Start, Stop and Restart.
const (
	Start Power = iota
	Stop
	Restart
)

// minPause is between two looks at something that is waited for.
const minPause = 20 * time.Millisecond

// noMachines only says that there are machines.
type noMachines struct{}

func (noMachines) Boot(context.Context, Machine) (Booted, error) { return Booted{}, nil }
func (noMachines) Power(context.Context, string, Power) error    { return nil }
func (noMachines) Resize(context.Context, string, Size) error    { return nil }
func (noMachines) Delete(context.Context, string) error          { return nil }
func (noMachines) Close() error                                  { return nil }
