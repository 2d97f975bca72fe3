package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/lab/api"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// Close lets go of the connections to the process, which goes on.
func (l *Lab) Close() { l.http.CloseIdleConnections() }

// Info is what the lab's process says of itself; ErrNone where none runs. Nothing
// is started.
func (l *Lab) Info(ctx context.Context) (*api.Info, error) {
	_, info, err := l.running(ctx)
	if err != nil && ctx.Err() == nil {
		return nil, ErrNone
	}
	return info, err
}

// Hosts are the hosts of all projects, in the order in which they were made. The
// process is started where it does not run; where there is no lab there are none.
func (l *Lab) Hosts(ctx context.Context) ([]*api.Host, error) {
	if !l.Exists() {
		return nil, nil
	}
	var all []*api.Host
	return all, l.do(ctx, "GET", "/v1/hosts", nil, &all)
}

// Host returns a host by its ID.
func (l *Lab) Host(ctx context.Context, id string) (*api.Host, error) {
	h := &api.Host{}
	return h, l.do(ctx, "GET", hostPath(id), nil, h)
}

// Pick returns the host of a name, which has its project before it where several
// projects have one of that name.
func (l *Lab) Pick(ctx context.Context, name string) (*api.Host, error) {
	all, err := l.Hosts(ctx)
	if err != nil {
		return nil, err
	}
	switch found := api.Find(all, name); len(found) {
	case 1:
		return found[0], nil
	case 0:
		d := &diag.Diagnostic{Summary: fmt.Sprintf("there is no host %q in the lab", name), Hint: diag.DidYouMean(name, Names(all))}
		if len(all) == 0 {
			d.Summary, d.Hint = fmt.Sprintf("the lab in %s has no hosts", l.dir), "give the folder of another one: --lab DIR, or --chdir DIR for that of a script"
		}
		return nil, d
	default:
		var names []string
		for _, h := range found {
			names = append(names, h.FullName())
		}
		return nil, fmt.Errorf("several projects have a host %q: say %s", name, strings.Join(names, " or "))
	}
}

// Names are the shortest names by which each host can be picked.
func Names(all []*api.Host) []string {
	var out []string
	for _, h := range all {
		if name := h.Name; len(api.Find(all, name)) == 1 {
			out = append(out, name)
		} else {
			out = append(out, h.FullName())
		}
	}
	return out
}

// Create makes a host, which is off.
func (l *Lab) Create(ctx context.Context, spec api.Spec) (*api.Host, error) {
	h := &api.Host{}
	return h, l.do(ctx, "POST", "/v1/hosts", spec, h)
}

// Change changes a host in place.
func (l *Lab) Change(ctx context.Context, id string, change api.Change) (*api.Host, error) {
	h := &api.Host{}
	return h, l.do(ctx, "POST", hostPath(id), change, h)
}

// Destroy ends a host and removes it. One that is gone is no error.
func (l *Lab) Destroy(ctx context.Context, id string) error {
	err := l.do(ctx, "DELETE", hostPath(id), nil, nil)
	if errors.Is(err, resource.ErrMissing) {
		return nil
	}
	return err
}

// Verb is something that is done to a host's power.
type Verb string

// The verbs: boot, shut down in an orderly way, a power cut, and a hang.
const (
	Start  Verb = "start"
	Stop   Verb = "stop"
	Kill   Verb = "kill"
	Pause  Verb = "pause"
	Resume Verb = "resume"
)

// Do does something to a host, which it may be in the state of already.
func (l *Lab) Do(ctx context.Context, id string, v Verb) (*api.Host, error) {
	h := &api.Host{}
	return h, l.do(ctx, "POST", hostPath(id, string(v)), nil, h)
}

// Engine returns where a host's Docker Engine is reached without SSH, as
// DOCKER_HOST has it.
func (l *Lab) Engine(ctx context.Context, id string) (string, error) {
	var e api.Endpoint
	return e.Host, l.do(ctx, "POST", hostPath(id, "engine"), nil, &e)
}

// Partition keeps two hosts from reaching each other.
func (l *Lab) Partition(ctx context.Context, a, b string) error {
	return l.do(ctx, "POST", "/v1/partition", api.Pair{A: a, B: b}, nil)
}

// Heal lets two hosts reach each other again; all, where both are "".
func (l *Lab) Heal(ctx context.Context, a, b string) error {
	return l.do(ctx, "POST", "/v1/heal", api.Pair{A: a, B: b}, nil)
}

// Faults are those that hold now.
func (l *Lab) Faults(ctx context.Context) ([]*api.Fault, error) {
	if !l.Exists() {
		return nil, nil
	}
	var all []*api.Fault
	return all, l.do(ctx, "GET", "/v1/faults", nil, &all)
}

// Fault makes containers go wrong from now on.
func (l *Lab) Fault(ctx context.Context, f api.Fault) (*api.Fault, error) {
	out := &api.Fault{}
	return out, l.do(ctx, "POST", "/v1/faults", f, out)
}

// Clear takes a fault away; all, where the ID is "".
func (l *Lab) Clear(ctx context.Context, id string) error {
	return l.do(ctx, "DELETE", path.Join("/v1/faults", id), nil, nil)
}

// Reset ends the lab, and removes it with all its hosts.
func (l *Lab) Reset(ctx context.Context) error {
	if !l.Exists() {
		return nil
	}
	if err := l.do(ctx, "POST", "/v1/reset", nil, nil); err != nil {
		return err
	}
	for l.Exists() {
		if err := pause(ctx); err != nil {
			return err
		}
	}
	return nil
}

func hostPath(parts ...string) string { return path.Join(append([]string{"/v1/hosts"}, parts...)...) }

// SSH says how a host is reached.
type SSH struct {
	Host    string
	Port    string
	User    string
	Key     []byte // the user's private key, as PEM
	HostKey string // the server's public key, as a line of authorized_keys
}

// SSHOf returns how a host is reached. It does not have to run.
func SSHOf(h *api.Host) (SSH, error) {
	key, err := os.ReadFile(h.KeyFile)
	if err != nil {
		return SSH{}, err
	}
	host, port, err := net.SplitHostPort(h.SSH)
	return SSH{Host: host, Port: port, User: h.User, Key: key, HostKey: h.HostKey}, err
}

// ReadLease returns a project's lease, nil where there is none, and the lab's
// clock.
func (l *Lab) ReadLease(ctx context.Context, project string) (*resource.Lease, time.Time, error) {
	if !l.Exists() {
		return nil, time.Now(), nil
	}
	var got api.Lease
	if err := l.do(ctx, "POST", "/v1/lease/read", api.LeaseWrite{Project: project}, &got); err != nil {
		return nil, time.Time{}, err
	}
	return leaseOf(&got), got.Now, nil
}

// WriteLease replaces old by next, where old still is what holds.
func (l *Lab) WriteLease(ctx context.Context, project string, old, next *resource.Lease) (*resource.Lease, error) {
	w := api.LeaseWrite{Project: project}
	if old != nil {
		w.Old, _ = old.Version.(string)
	}
	if next != nil {
		w.Next = &api.Lease{Holder: next.Holder, Why: next.Why, Since: next.Since, Expires: next.Expires}
	}
	var got api.Lease
	if err := l.do(ctx, "POST", "/v1/lease", w, &got); err != nil {
		return nil, err
	}
	return leaseOf(&got), nil
}

func leaseOf(l *api.Lease) *resource.Lease {
	if l.Version == "" {
		return nil
	}
	return &resource.Lease{Holder: l.Holder, Why: l.Why, Since: l.Since, Expires: l.Expires, Version: l.Version}
}
