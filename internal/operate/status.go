package operate

import (
	"github.com/docker/docker/api/types/swarm"

	swarmkind "github.com/swarmscript/swarmscript/internal/swarm"
)

// ServiceStatus is how a service is, as `swarmscript status` says it.
type ServiceStatus struct {
	Swarm    string   `json:"swarm,omitempty"`
	Name     string   `json:"name"`
	Project  string   `json:"project,omitempty"`
	Mode     string   `json:"mode"`
	Running  int      `json:"running"` // of a job, the tasks that completed
	Desired  int      `json:"desired"`
	Job      bool     `json:"job,omitempty"`
	Problems []string `json:"problems,omitempty"`
	Waits    string   `json:"waits,omitempty"`
}

// Fine reports whether there is nothing to look at.
func (s *ServiceStatus) Fine() bool { return len(s.Problems) == 0 && s.Waits == "" }

// NodeStatus is a node that somebody should look at.
type NodeStatus struct {
	Swarm string `json:"swarm,omitempty"`
	Name  string `json:"name"`
	Role  string `json:"role"`
	Text  string `json:"text"` // "down: heartbeat failure", "drained"
	Down  bool   `json:"down"` // it should not be so: a drained node is somebody's wish
}

// Status judges all that was loaded.
func Status(states []*State) (services []ServiceStatus, nodes []NodeStatus) {
	for _, st := range states {
		for _, s := range st.Services {
			services = append(services, s.status())
		}
		for i := range st.Nodes {
			if n, odd := nodeStatus(&st.Nodes[i]); odd {
				n.Swarm = st.Swarm.Address
				nodes = append(nodes, n)
			}
		}
	}
	return services, nodes
}

func (s *Service) status() ServiceStatus {
	c := swarmkind.ConditionOf(&s.Service, s.Tasks, s.State.Host)
	return ServiceStatus{
		Swarm: s.State.Swarm.Address, Name: s.Spec.Name, Project: s.Mark.Project, Mode: modeOf(s.Spec.Mode),
		Running: c.Done, Desired: c.Total, Problems: c.Problems, Waits: c.Waits,
		Job: s.Spec.Mode.ReplicatedJob != nil || s.Spec.Mode.GlobalJob != nil,
	}
}

func modeOf(m swarm.ServiceMode) string {
	switch {
	case m.Global != nil:
		return "global"
	case m.ReplicatedJob != nil:
		return "replicated-job"
	case m.GlobalJob != nil:
		return "global-job"
	}
	return "replicated"
}

// nodeStatus says what is odd about a node.
func nodeStatus(n *swarm.Node) (NodeStatus, bool) {
	out := NodeStatus{Name: n.Description.Hostname, Role: string(n.Spec.Role)}
	if out.Name == "" {
		out.Name = n.ID
	}
	switch {
	case n.Status.State != swarm.NodeStateReady:
		out.Text, out.Down = string(n.Status.State), true
		if n.Status.Message != "" {
			out.Text += ": " + n.Status.Message
		}
	case n.ManagerStatus != nil && n.ManagerStatus.Reachability == swarm.ReachabilityUnreachable:
		out.Text, out.Down = "not reached by the other managers", true
	case n.Spec.Availability != swarm.NodeAvailabilityActive:
		out.Text = map[swarm.NodeAvailability]string{
			swarm.NodeAvailabilityDrain: "drained: it takes no tasks", swarm.NodeAvailabilityPause: "paused: it takes no new tasks",
		}[n.Spec.Availability]
	}
	return out, out.Text != ""
}
