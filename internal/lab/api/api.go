// Package api is what a lab's process and its clients say to one another: JSON
// over HTTP on the loopback interface, with a token that is in a file of the
// lab's folder.
package api

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// The files of a lab's folder.
const (
	// StoreFile is what the lab is on disk. The process that has it open is the
	// lab's; where it is missing there is no lab.
	StoreFile = "lab.db"
	// ProcessFile says where the process answers: a [Process].
	ProcessFile = "process.json"
	LogFile     = "lab.log"
	// OwnerFile says where the owner is, of a lab that has one, such as a test's.
	OwnerFile = "owner"
	KeysDir   = "keys" // the private keys that hosts are reached with
)

// Process is a lab's running process.
type Process struct {
	PID     int
	Build   string // of its binary: another one takes its place
	Address string // host and port of the control API
	Token   string
}

// Info is what a lab says of itself.
type Info struct {
	Dir     string    `json:"dir"`
	ID      string    `json:"id"`
	PID     int       `json:"pid"`
	Build   string    `json:"-"`
	Started time.Time `json:"started"`
	Idle    string    `json:"idle"` // after how long without anybody it ends
	Hosts   int       `json:"hosts"`
	Running int       `json:"running"`
	Memory  uint64    `json:"memory"` // bytes that the process has of the computer
}

// Spec is what a host is to be.
type Spec struct {
	Project string
	Name    string
	Image   string
	User    string
	SSHKeys []string
	// GivenHostKey is the private key of its SSH server, as PEM, where whoever makes
	// it has one; it is not told again.
	GivenHostKey []byte `json:",omitempty"`
	NanoCPUs     int64  // 0: as an unlimited host has
	Memory       int64
	// Labels are kept for whoever made it.
	Labels map[string]string
}

// FullName is the name with its project.
func (s Spec) FullName() string { return s.Project + "/" + s.Name }

// State is what a host does.
type State string

// The states.
const (
	Off     State = "off"
	Running State = "running"
	Paused  State = "paused"
)

// Host is a host of a lab.
type Host struct {
	Spec
	ID      string
	Address string
	SSH     string // host and port where its SSH server really listens
	HostKey string // of its SSH server, as a line of authorized_keys
	KeyFile string // the private key of its user
	State   State
	Created time.Time
	// Boots counts how often it was powered on.
	Boots int
	// Apart are the IDs of the hosts that it does not reach.
	Apart []string
	// Engine is the version of its Docker Engine, "" while none runs.
	Engine string
	// Trouble is what went wrong on the host's side of the lab, such as a port
	// that another program of the computer has; newest last.
	Trouble []string
}

// Change is what can be changed of a host in place.
type Change struct {
	SSHKeys          []string
	NanoCPUs, Memory int64
	Labels           map[string]string
}

// Endpoint is where a host's Docker Engine is reached without SSH.
type Endpoint struct{ Host string } // as DOCKER_HOST

// Pair names two hosts by their IDs.
type Pair struct{ A, B string }

// Lease is a project's lease as it is kept.
type Lease struct {
	Holder, Why    string
	Since, Expires time.Time
	Version        string
	Now            time.Time // the lab's clock
}

// LeaseWrite replaces a lease. Old is the version that it replaces, "" where
// there was none; a nil Next releases it.
type LeaseWrite struct {
	Project string
	Old     string
	Next    *Lease
}

// Fault makes containers go wrong. It holds for those that it picks: by image,
// service or container name, where what is empty picks all.
type Fault struct {
	ID        string `json:"id"`
	Image     string `json:"image,omitempty"`
	Service   string `json:"service,omitempty"`
	Container string `json:"container,omitempty"`
	// Effects are as the labels lab.* of a container say them, without the
	// prefix: {"exit": "3"}.
	Effects map[string]string `json:"effects"`
}

// Failure is how an error is sent.
type Failure struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

// Error is the message.
func (f *Failure) Error() string { return f.Message }

// Code tells errors apart.
type Code string

// The codes.
const (
	CodeExists   Code = "exists"
	CodeMissing  Code = "missing"
	CodeConflict Code = "conflict"
	CodeInvalid  Code = "invalid"
	CodeFailed   Code = "failed"
)

// Find picks a host by its name, its project's name before it, or its ID.
func Find(all []*Host, name string) []*Host {
	var found []*Host
	for _, h := range all {
		if h.ID == name || h.FullName() == name {
			return []*Host{h}
		}
		if h.Name == name {
			found = append(found, h)
		}
	}
	return found
}

// Reaches reports whether a host reaches another.
func (h *Host) Reaches(other *Host) bool { return !slices.Contains(h.Apart, other.ID) }

// Effect says what a fault does, as it was asked for.
func (f *Fault) Effect() string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(f.Effects)) {
		if v := f.Effects[name]; v != "" {
			name += "=" + v
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

// Target says what a fault holds for.
func (f *Fault) Target() string {
	var out []string
	for _, t := range []struct{ name, value string }{{"image", f.Image}, {"service", f.Service}, {"container", f.Container}} {
		if t.value != "" {
			out = append(out, t.name+" "+t.value)
		}
	}
	if out == nil {
		return "all containers"
	}
	return strings.Join(out, ", ")
}
