package swarm

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"

	"github.com/swarmscript/swarmscript/internal/remote"
)

// lists is everything that is in a swarm, as its lists say it.
type lists struct {
	Services []swarm.Service
	Networks []network.Summary // of the swarm, and of the engine that answered
	Volumes  []*volume.Volume  // likewise
	Missing  []string          // why some volumes may not be listed
	Secrets  []swarm.Secret
	Configs  []swarm.Config
	Nodes    []swarm.Node
	Jobs     []swarm.Task // of the jobs that have not completed
	API      string
	Own      string // the ID of the node that is asked
}

// Networks returns the networks, those of the swarm and of the engine.
func (h *Handover) Networks() []network.Summary { return h.lists.Networks }

// Volumes returns the volumes, those of the swarm and of the engine.
func (h *Handover) Volumes() []*volume.Volume { return h.lists.Volumes }

// Missing says why some volumes may not be among them.
func (h *Handover) Missing() []string { return h.lists.Missing }

// Node returns a node by its ID, or nil.
func (h *Handover) Node(id string) *swarm.Node {
	for i := range h.lists.Nodes {
		if h.lists.Nodes[i].ID == id {
			return &h.lists.Nodes[i]
		}
	}
	return nil
}

// list reads all lists at once.
func (c *Conn) list(ctx context.Context) (*lists, error) {
	var h *Handover
	if c.hand != nil {
		h = c.hand()
	}
	l := &lists{}
	calls := []call{listServices, listSecrets, listConfigs}
	switch {
	case !h.fresh(c.docker):
		calls = append(calls, listNetworks, listVolumes, listNodes)
	case h.whole:
		*l = h.lists
		l.Missing = nil // the engine's observation has told it
		return l, nil
	default:
		*l = h.lists
		l.Missing = nil
	}
	return l, l.fetch(ctx, c.docker, calls...)
}

type call func(ctx context.Context, api client.APIClient, l *lists) error

func (l *lists) fetch(ctx context.Context, d *remote.Docker, calls ...call) error {
	var err error
	if l.API, err = d.Ready(ctx); err != nil {
		return err
	}
	errs := make([]error, len(calls))
	var wg sync.WaitGroup
	for i, f := range calls {
		wg.Go(func() { errs[i] = remote.Err(f(ctx, d.API(), l)) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err // one is enough: they all say the same of the engine
		}
	}
	return nil
}

func listServices(ctx context.Context, api client.APIClient, l *lists) (err error) {
	l.Services, err = api.ServiceList(ctx, swarm.ServiceListOptions{Status: true})
	return err
}

// listNetworks also waits for networks so new that the swarm has not given
// them their driver and subnets yet: they could not be compared.
func listNetworks(ctx context.Context, api client.APIClient, l *lists) (err error) {
	for try := 0; ; try++ {
		l.Networks, err = api.NetworkList(ctx, network.ListOptions{})
		if err != nil || try == 10 || !beingMade(l.Networks) {
			return err
		}
		if err := Pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// listVolumes also takes down the drivers that did not answer: what they have
// is not in the list.
func listVolumes(ctx context.Context, api client.APIClient, l *lists) error {
	got, err := api.VolumeList(ctx, volume.ListOptions{})
	l.Volumes = got.Volumes
	l.Missing = append(l.Missing, missingVolumes(got.Warnings)...)
	return err
}

// missingVolumes says what warnings about a list of volumes mean. A leader that is
// too old for cluster volumes has none that could be missing.
func missingVolumes(warnings []string) (out []string) {
	for _, w := range warnings {
		if !strings.Contains(w, "unknown method ListVolumes") {
			out = append(out, "volumes may be missing: "+w)
		}
	}
	return out
}

// listJobs adds the tasks of the jobs that have not completed, in one request,
// and none where there is no such job: whether one failed for good, only its
// tasks tell.
func (l *lists) listJobs(ctx context.Context, c *Conn) (err error) {
	args := filters.NewArgs()
	for i := range l.Services {
		if s := &l.Services[i]; s.JobStatus != nil && !jobDone(s) {
			args.Add("service", s.ID)
		}
	}
	if args.Len() > 0 {
		l.Jobs, err = tasksOf(ctx, c, args)
	}
	return remote.Err(err)
}

// tasksOf lists the tasks of services, and may list others. An engine asked for one that
// has just gone answers for none of them: it is then asked for all there are.
func tasksOf(ctx context.Context, c *Conn, services filters.Args) ([]swarm.Task, error) {
	got, err := c.Docker().TaskList(ctx, swarm.TaskListOptions{Filters: services})
	if cerrdefs.IsNotFound(err) {
		return c.Docker().TaskList(ctx, swarm.TaskListOptions{})
	}
	return got, err
}

func listSecrets(ctx context.Context, api client.APIClient, l *lists) (err error) {
	l.Secrets, err = api.SecretList(ctx, swarm.SecretListOptions{})
	return err
}

func listConfigs(ctx context.Context, api client.APIClient, l *lists) (err error) {
	l.Configs, err = api.ConfigList(ctx, swarm.ConfigListOptions{})
	return err
}

func listNodes(ctx context.Context, api client.APIClient, l *lists) (err error) {
	l.Nodes, err = api.NodeList(ctx, swarm.NodeListOptions{})
	return err
}

// Pause waits, or returns why ctx ended.
func Pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *lists) summary() string {
	parts := []string{count(len(l.Nodes), "node"), count(len(l.Services), "service")}
	return strings.Join(parts, ", ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (l *lists) warnings() []string {
	out := slices.Clone(l.Missing)
	for _, n := range l.Nodes {
		if n.Status.State != swarm.NodeStateReady {
			text := "node " + n.Description.Hostname + " is " + string(n.Status.State)
			if n.Status.Message != "" {
				text += ": " + n.Status.Message
			}
			out = append(out, text)
		}
	}
	return out
}
