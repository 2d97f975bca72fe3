package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

func TestDocker20(t *testing.T) {
	t.Parallel()
	conform(t, engines("20.10", "1.41", testengine.Debian20))
}

func TestDocker28(t *testing.T) {
	t.Parallel()
	conform(t, engines("28.5", "1.51", testengine.Docker28))
}

// conform runs all cases. Those that change the swarm itself or a node have a swarm of their own, and go one by one;
// services and what they use share another, several cases at a time.
func conform(t *testing.T, b backend) {
	var both sync.WaitGroup
	both.Go(func() { t.Run("swarm", func(t *testing.T) { swarmItself(t, b) }) })
	both.Go(func() { t.Run("load", func(t *testing.T) { load(t, b) }) })
	both.Wait()
}

// swarmItself begins with hosts in no swarm. The hosts "spare" and "lost" are in none at the begin and the end of each case.
func swarmItself(t *testing.T, b backend) {
	hosts := start(t, b, "mgr", "wrk", "spare", "lost")
	one := func(t *testing.T, cases []testCase) { play(t, b, hosts, make(chan bool, 1), cases) }
	t.Run("outside", func(t *testing.T) { one(t, outside) })
	// With a short heartbeat it is soon known who is gone.
	form(t, b, hosts, 3*time.Second, "mgr", "wrk")
	var beside sync.WaitGroup
	beside.Go(func() { t.Run("joins", func(t *testing.T) { one(t, joins) }) })
	defer beside.Wait()
	t.Run("membership", func(t *testing.T) { one(t, membership) })
	t.Run("nodes", func(t *testing.T) { one(t, nodes) })
	t.Run("spec", func(t *testing.T) { one(t, swarmSpec) })
}

func load(t *testing.T, b backend) {
	hosts := start(t, b, "mgr", "wrk-1", "wrk-2")
	// No host goes here, and none is to be taken for gone on a busy computer: its tasks would be moved.
	form(t, b, hosts, time.Minute, "mgr", "wrk-1", "wrk-2")
	c := &scene{T: t, backend: b, hosts: hosts, at: hosts["mgr"]}
	before := c.inventory()
	slots := make(chan bool, 8)
	var all sync.WaitGroup
	for name, cases := range map[string][]testCase{
		"api": api, "secrets": secrets, "configs": configs, "networks": networks, "services": services,
		"placement": placement, "updates": updates, "tasks": tasks, "logs": logs,
	} {
		all.Go(func() { t.Run(name, func(t *testing.T) { play(t, b, hosts, slots, cases) }) })
	}
	all.Wait()
	// An engine forgets a network a moment after the swarm.
	c.wait(func() string {
		if left := c.inventory(); !slices.Equal(left, before) {
			return fmt.Sprintf("the cases left %q, of %q", left, before)
		}
		return ""
	})
}

// start starts hosts at the same time.
func start(t *testing.T, b backend, names ...string) map[string]*host {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	hosts := map[string]*host{}
	for _, name := range names {
		all.Go(func() {
			h := b.start(t, name)
			h.images(t)
			mu.Lock()
			defer mu.Unlock()
			hosts[name] = h
		})
	}
	all.Wait()
	if len(hosts) != len(names) {
		t.Fatal("not all hosts started")
	}
	return hosts
}

// form makes a swarm of one manager and workers.
func form(t *testing.T, b backend, hosts map[string]*host, heartbeat time.Duration, manager string, workers ...string) {
	t.Helper()
	c := &scene{T: t, backend: b, hosts: hosts, at: hosts[manager]}
	req := c.initRequest()
	req.Spec.Dispatcher.HeartbeatPeriod = heartbeat
	c.ok(200, "POST", "/swarm/init", req, nil)
	for _, w := range workers {
		c.on(w).ok(200, "POST", "/swarm/join", c.joinRequest(w, "worker"), nil)
	}
	c.wait(func() string {
		for name, n := range c.nodes() {
			if n.Status.State != swarm.NodeStateReady {
				return name + " is " + string(n.Status.State)
			}
		}
		return ""
	})
}

// initRequest is for the host asked.
func (c *scene) initRequest() swarm.InitRequest {
	return swarm.InitRequest{ListenAddr: "0.0.0.0:2377", AdvertiseAddr: c.at.addr}
}

// joinRequest is for a host that shall join the swarm of the host asked.
func (c *scene) joinRequest(name, role string) swarm.JoinRequest {
	c.Helper()
	tokens := c.swarm().JoinTokens
	token := tokens.Worker
	if role == "manager" {
		token = tokens.Manager
	}
	return swarm.JoinRequest{ListenAddr: "0.0.0.0:2377", AdvertiseAddr: c.hosts[name].addr, RemoteAddrs: []string{c.at.addr}, JoinToken: token}
}

// swarm reads the swarm of the host asked.
func (c *scene) swarm() swarm.Swarm {
	c.Helper()
	var s swarm.Swarm
	c.get("/swarm", &s)
	return s
}

// inventory is all that a swarm holds, by kind and name.
func (c *scene) inventory() []string {
	c.Helper()
	names := map[string]bool{}
	for _, kind := range []string{"services", "secrets", "configs", "networks", "nodes"} {
		var list []struct {
			ID, Name string
			Spec     struct{ Name string }
		}
		c.get("/"+kind, &list)
		for _, one := range list {
			if one.Name == "docker_gwbridge" {
				continue // the engine makes it when a task first needs it
			}
			names[strings.Join([]string{kind, one.ID, one.Name, one.Spec.Name}, " ")] = true
		}
	}
	var tasks []swarm.Task
	c.get("/tasks", &tasks)
	for _, t := range tasks {
		if !c.staysForEver(t) {
			names["task "+t.ID] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
