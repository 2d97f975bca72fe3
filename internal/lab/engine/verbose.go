package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	networktypes "github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
)

// servicesOn are the services of an overlay network with their tasks, as `docker network
// inspect --verbose` shows them. Docker's engines gossip about them; here a manager asks
// the swarm, and a worker tells of none. As in Docker, a network that no task uses on this
// node has nothing to show.
func (e *Engine) servicesOn(networkID string) map[string]networktypes.ServiceInfo {
	e.mu.Lock()
	known := e.networks[networkID] != nil
	e.mu.Unlock()
	if !known || !e.swarm.IsManager() {
		return nil
	}
	services, err := e.swarm.GetServices(swarm.ServiceListOptions{})
	if err != nil {
		return nil
	}
	tasks, err := e.swarm.GetTasks(swarm.TaskListOptions{})
	if err != nil {
		return nil
	}
	nodes, err := e.swarm.GetNodes(swarm.NodeListOptions{})
	if err != nil {
		return nil
	}
	addresses := map[string]string{}
	for _, n := range nodes {
		addresses[n.ID] = n.Status.Addr
	}
	found := map[string]networktypes.ServiceInfo{}
	for i, s := range services {
		info := networktypes.ServiceInfo{Ports: []string{}, LocalLBIndex: 256 + i, Tasks: []networktypes.Task{}}
		for _, t := range tasks {
			address := addressOn(t, networkID)
			if t.ServiceID != s.ID || t.Status.State != swarm.TaskStateRunning || address == "" {
				continue
			}
			slot := t.NodeID
			if t.Slot != 0 {
				slot = fmt.Sprint(t.Slot)
			}
			endpoint := sha256.Sum256([]byte(networkID + t.ID))
			info.Tasks = append(info.Tasks, networktypes.Task{
				Name: fmt.Sprintf("%s.%s.%s", s.Spec.Name, slot, t.ID), EndpointID: hex.EncodeToString(endpoint[:]), EndpointIP: address,
				Info: map[string]string{"Host IP": addresses[t.NodeID]},
			})
		}
		for _, vip := range s.Endpoint.VirtualIPs {
			if vip.NetworkID == networkID {
				info.VIP, _, _ = strings.Cut(vip.Addr, "/")
			}
		}
		if len(info.Tasks) > 0 {
			found[s.Spec.Name] = info
		}
	}
	return found
}

// addressOn is a task's address in a network, "" if it is not in it.
func addressOn(t swarm.Task, networkID string) string {
	for _, a := range t.NetworksAttachments {
		if a.Network.ID == networkID && len(a.Addresses) > 0 {
			address, _, _ := strings.Cut(a.Addresses[0], "/")
			return address
		}
	}
	return ""
}
