package swarm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

type networkHandler struct{ scope string }

func dockerOf(c resource.Conn) client.APIClient { return c.(remote.Client).Docker() }

// Create implements [resource.Handler].
func (h networkHandler) Create(ctx context.Context, c resource.Conn, r *resource.Request) (*resource.Object, error) {
	var spec NetworkSpec
	if err := networkSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	api := dockerOf(c)
	made, err := api.NetworkCreate(ctx, spec.Name, spec.options(r.Mark))
	if err != nil {
		return nil, remote.Err(err)
	}
	n, err := h.inspect(ctx, api, made.ID, time.Second)
	if err != nil {
		return nil, err
	}
	o := networkObject(n)
	if spec.ConfigFrom != nil {
		o.Mark = r.Mark
		if marker, ok := c.(resource.Marker); ok {
			err = marker.SaveMarks(ctx, r.Mark.Project, func(m map[string]resource.Mark) { m[made.ID] = r.Mark })
		}
	}
	return o, err
}

// inspect reads a network once it has its driver and subnets, or as it is when
// the time is up.
func (h networkHandler) inspect(ctx context.Context, api client.APIClient, id string, wait time.Duration) (network.Inspect, error) {
	for deadline := time.Now().Add(wait); ; {
		n, err := api.NetworkInspect(ctx, id, network.InspectOptions{Scope: h.scopeFilter()})
		if err != nil || !unallocated(n) || time.Now().After(deadline) {
			return n, remote.Err(err)
		}
		if err := Pause(ctx, 50*time.Millisecond); err != nil {
			return n, err
		}
	}
}

// allocateTime is how long a swarm may take to give a network its addresses;
// it takes milliseconds.
const allocateTime = 10 * time.Second

// Settle implements [resource.Settler].
func (h networkHandler) Settle(ctx context.Context, c resource.Conn, r *resource.Request, o *resource.Object) error {
	if o.Unsettled == "" {
		return nil
	}
	n, err := h.inspect(ctx, dockerOf(c), o.ID, allocateTime)
	if err != nil || !unallocated(n) {
		return err
	}
	return &resource.NotConverged{
		Address: r.Address,
		Summary: fmt.Sprintf("got no addresses in %s", allocateTime),
		Detail: "The swarm accepted the network, but did not give it its driver and subnets: a task on it would never start.\n" +
			"The log of the engine that is the leader says why (\"Failed allocation for network\").\n" +
			"Docker Engine 28 does this to overlay networks with IPv6 subnets; 20.10 does not.",
	}
}

func (h networkHandler) scopeFilter() string {
	if h.scope == "swarm" {
		return "swarm"
	}
	return ""
}

func (s *NetworkSpec) options(mark resource.Mark) network.CreateOptions {
	o := network.CreateOptions{
		Attachable: s.Attachable, Internal: orZero(s.Internal), Ingress: s.Ingress, ConfigOnly: s.ConfigOnly,
		EnableIPv4: s.IPv4, Options: maps.Clone(s.Options), Labels: mark.Labels(s.Labels), Driver: orZero(s.Driver),
	}
	if s.Scope != nil && (*s.Scope != "swarm" || o.Driver != "overlay") && *s.Scope != "local" {
		o.Scope = *s.Scope
	}
	if orZero(s.Encrypted) {
		if o.Options == nil {
			o.Options = map[string]string{}
		}
		o.Options[optEncrypted] = ""
	}
	if s.ConfigFrom != nil {
		o.ConfigFrom = &network.ConfigReference{Network: *s.ConfigFrom}
		o.Labels = nil // refused beside config_from
		return o
	}
	o.EnableIPv6 = s.IPv6
	if s.IPAMDriver == nil && len(s.IPAMOptions) == 0 && s.Subnets == nil {
		return o
	}
	o.IPAM = &network.IPAM{Driver: "default", Options: s.IPAMOptions}
	if s.IPAMDriver != nil {
		o.IPAM.Driver = *s.IPAMDriver
	}
	if s.Subnets != nil {
		for _, b := range *s.Subnets {
			c := network.IPAMConfig{Subnet: string(b.CIDR), Gateway: string(orZero(b.Gateway)), IPRange: string(orZero(b.IPRange))}
			for k, v := range orZero(b.AuxAddress) {
				if c.AuxAddress == nil {
					c.AuxAddress = map[string]string{}
				}
				c.AuxAddress[k] = string(v)
			}
			o.IPAM.Config = append(o.IPAM.Config, c)
		}
	}
	return o
}

func orZero[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// Update implements [resource.Handler]. Nothing of a network can be changed:
// the executor writes a changed mark into the ledger.
func (networkHandler) Update(_ context.Context, _ resource.Conn, r *resource.Request) (*resource.Object, error) {
	return nil, fmt.Errorf("%s: a network cannot be changed", r.Address)
}

// leaveTime is how long Delete waits for the tasks that a network still has:
// they have been told to stop when it is called.
const leaveTime = time.Minute

// Delete implements [resource.Handler]. Docker refuses while tasks are being
// removed, and removes the network itself in its own time.
func (h networkHandler) Delete(ctx context.Context, c resource.Conn, r *resource.Request) error {
	api := dockerOf(c)
	id := r.Live.ID
	deadline := time.Now().Add(leaveTime)
	wait := 50 * time.Millisecond
	for gone := false; ; {
		var err error
		if !gone {
			err = remote.Err(api.NetworkRemove(ctx, id))
			gone = err == nil
		}
		if gone || remote.IsNotFound(err) {
			_, err = api.NetworkInspect(ctx, id, network.InspectOptions{})
			if remote.IsNotFound(err) {
				var listed bool
				if listed, err = stillListed(ctx, api, id); !listed {
					return err
				}
			}
			if err = remote.Err(err); err == nil {
				err = errors.New("it is being removed")
			}
		}
		if !busyNetwork(err) && !gone || ctx.Err() != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("network %s is still there after %s: %w", r.Live.Name, leaveTime, err)
		}
		r.Progress(resource.Progress{Text: "waiting for its tasks to leave"})
		if err := Pause(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, time.Second)
	}
}

// stillListed reports whether an engine lists a network that it does not find any
// more: it does so for a moment where it was just setting up its part of the
// routing mesh.
func stillListed(ctx context.Context, api client.APIClient, id string) (bool, error) {
	l, err := api.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("id", id))})
	return len(l) > 0, remote.Err(err)
}

// busyNetwork reports whether a removal is refused for what is leaving. A
// service that uses the network is not leaving.
func busyNetwork(err error) bool {
	if err == nil {
		return false
	}
	s := err.Error()
	return strings.Contains(s, "has active endpoints") || strings.Contains(s, "in use by task")
}
