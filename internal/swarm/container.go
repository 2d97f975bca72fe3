package swarm

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"

	"github.com/swarmscript/swarmscript/internal/swarm/placement"

	"github.com/swarmscript/swarmscript/internal/remote"
)

// Container is a running container of a service on one engine.
type Container struct {
	ID        string
	Task      string // "web.1"; in global mode "web." and the node's ID
	ServiceID string
}

// LocalContainers returns the running containers of a service on the engine
// that answers, in the order of their tasks. An engine that is no manager can
// be asked as well: they are found by the labels that Docker gives them.
func LocalContainers(ctx context.Context, api client.APIClient, service string) ([]Container, error) {
	list, err := api.ContainerList(ctx, container.ListOptions{Filters: filters.NewArgs(
		filters.Arg("label", "com.docker.swarm.service.name="+service), filters.Arg("status", "running"),
	)})
	if err != nil {
		return nil, remote.Err(err)
	}
	out := make([]Container, 0, len(list))
	for _, c := range list {
		name := c.Labels["com.docker.swarm.task.name"] // web.1.TASKID
		if i := strings.LastIndexByte(name, '.'); i > 0 {
			name = name[:i]
		}
		out = append(out, Container{ID: c.ID, Task: name, ServiceID: c.Labels["com.docker.swarm.service.id"]})
	}
	slices.SortFunc(out, func(a, b Container) int {
		return cmp.Or(cmp.Compare(len(a.Task), len(b.Task)), strings.Compare(a.Task, b.Task), strings.Compare(a.ID, b.ID))
	})
	return out, nil
}

// NotHere says that no container of a service runs on the engine that was
// asked.
type NotHere struct {
	Task   string   // the service, or one task of it
	Engine string   // the engine's host name
	Others []string // where its tasks run: "web.1 on wrk-1 (10.0.0.5)"
	Exist  []string // the service's tasks that run, where it is one task and not among them
	Nodes  []Place  // those nodes
}

// Place is a node, as an engine that may be reached.
type Place struct{ ID, Name, Addr string }

// Error says where its tasks run.
func (e *NotHere) Error() string {
	s := fmt.Sprintf("no container of %s runs on %s", e.Task, e.Engine)
	switch {
	case len(e.Others) > 0:
	case len(e.Exist) > 0:
		return s + "; of that service there is " + placement.Join(e.Exist)
	default:
		return s
	}
	return s + "; there is " + strings.Join(e.Others, ", ")
}

// NewNotHere finds out where the running tasks of a service are. What cannot be
// found out is left out: the engine may be no manager.
func NewNotHere(ctx context.Context, api client.APIClient, service, task string) *NotHere {
	e := &NotHere{Task: task, Engine: "this engine"}
	if info, err := api.Info(ctx); err == nil {
		e.Engine = info.Name
	}
	tasks, err := api.TaskList(ctx, swarm.TaskListOptions{Filters: filters.NewArgs(filters.Arg("service", service), filters.Arg("desired-state", "running"))})
	if err != nil {
		return e
	}
	nodes := map[string]swarm.Node{}
	list, _ := api.NodeList(ctx, swarm.NodeListOptions{})
	for _, n := range list {
		nodes[n.ID] = n
	}
	for _, t := range tasks {
		if t.Status.State != swarm.TaskStateRunning {
			continue
		}
		n := nodes[t.NodeID]
		name := fmt.Sprintf("%s.%d", service, t.Slot)
		if t.Slot == 0 {
			name = service + "." + n.Description.Hostname
		}
		if task != service && name != task {
			e.Exist = append(e.Exist, name)
			continue
		}
		e.Others = append(e.Others, fmt.Sprintf("%s on %s (%s)", name, cmp.Or(n.Description.Hostname, t.NodeID), nodeAddr(n)))
		if p := (Place{n.ID, nodeLabel(n), nodeAddr(n)}); p.Addr != "" && !slices.Contains(e.Nodes, p) {
			e.Nodes = append(e.Nodes, p)
		}
	}
	slices.Sort(e.Others)
	slices.SortFunc(e.Exist, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) }) // web.9 before web.10
	return e
}
