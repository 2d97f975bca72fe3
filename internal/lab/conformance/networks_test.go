package conformance

import (
	"fmt"
	"strings"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// Networks of the swarm: driver overlay.
var networks = []testCase{
	{"a network gets a pool, and is at every manager", func(c *scene) {
		id := c.made("/networks", network.CreateRequest{Name: c.named("net"), CreateOptions: network.CreateOptions{Driver: "overlay", Labels: map[string]string{"a": "1"}}})
		n := c.allocated(id)
		c.same("allocated", n.IPAM.Config[0].Subnet != "" && n.IPAM.Config[0].Gateway != "" && n.Options["com.docker.network.driver.overlay.vxlanid_list"] != "", true)
		for _, key := range []string{id, id[:10], c.named("net")} {
			n := c.inspectNetwork(key)
			c.same("id", n.ID, id)
			c.same("what it is", []any{n.Name, n.Scope, n.Driver, n.Attachable, n.Ingress, n.Internal, n.EnableIPv6}, []any{c.named("net"), "swarm", "overlay", false, false, false, false})
			c.same("labels", n.Labels, map[string]string{"a": "1"})
		}
	}},
	{"workers know a network when a task needs it", func(c *scene) {
		id := c.network(network.CreateOptions{Driver: "overlay"})
		c.on("wrk-1").refused(404, c.noNetwork(id), "GET", "/networks/"+id, nil)
		c.create(placed(scaled(c.attached(id), 1), "node.hostname==wrk-1"))
		c.wait(func() string {
			if a := c.on("wrk-1").ask("GET", "/networks/"+id, nil); a.status != 200 {
				return a.String()
			}
			return ""
		})
		n := c.on("wrk-1").inspectNetwork(id)
		c.same("scope", n.Scope, "swarm")
	}},
	{"a network's own pool", func(c *scene) {
		pool := network.IPAMConfig{Subnet: "10.77.1.0/24", IPRange: "10.77.1.128/25", Gateway: "10.77.1.129"}
		id := c.network(network.CreateOptions{Driver: "overlay", Attachable: true, Internal: true, IPAM: &network.IPAM{Driver: "default", Config: []network.IPAMConfig{pool}}, Options: map[string]string{"x": "y"}})
		n := c.allocated(id)
		c.same("pool", n.IPAM.Config, []network.IPAMConfig{pool})
		c.same("attachable, internal", []bool{n.Attachable, n.Internal}, []bool{true, true})
		c.same("options", n.Options["x"], "y")
	}},
	{"pools that are none", func(c *scene) {
		for _, bad := range []struct {
			pool      network.IPAMConfig
			oldStatus int
			old, now  string
		}{
			{network.IPAMConfig{Subnet: "10.77.2.0"}, 500, "Invalid subnet 10.77.2.0 : invalid CIDR address: 10.77.2.0",
				"invalid network config:\ninvalid subnet 10.77.2.0: invalid CIDR block notation"},
			{network.IPAMConfig{Subnet: "10.77.2.0/24", Gateway: "10.78.0.1"}, 400, rpc("InvalidArgument", "ipam configuration: subnet 10.77.2.0/24 does not contain gateway 10.78.0.1"),
				"invalid network config:\ninvalid gateway 10.78.0.1: parent subnet 10.77.2.0/24 doesn't contain this address"},
			{network.IPAMConfig{Subnet: "10.77.2.0/24", IPRange: "10.78.0.0/25"}, 400, rpc("InvalidArgument", "ipam configuration: subnet 10.77.2.0/24 does not contain range 10.78.0.0/25"),
				"invalid network config:\ninvalid ip-range 10.78.0.0/25: parent subnet 10.77.2.0/24 doesn't contain ip-range"},
		} {
			req := network.CreateRequest{Name: c.named("net"), CreateOptions: network.CreateOptions{Driver: "overlay", IPAM: &network.IPAM{Config: []network.IPAMConfig{bad.pool}}}}
			c.refused(c.code(bad.oldStatus, 400), c.either(bad.old, bad.now), "POST", "/networks/create", req)
		}
	}},
	{"a pool that another network has", func(c *scene) {
		ipam := &network.IPAM{Config: []network.IPAMConfig{{Subnet: "10.77.3.0/24"}}}
		c.network(network.CreateOptions{Driver: "overlay", IPAM: ipam})
		// It is made, and never allocated: a service on it waits.
		second := c.networkNamed("second", network.CreateOptions{Driver: "overlay", IPAM: ipam})
		id := c.create(scaled(c.attached(second), 1))
		c.becomes(id, "1 new/running")
	}},
	{"a name is taken once", func(c *scene) {
		c.network(network.CreateOptions{Driver: "overlay"})
		c.refused(409, "network with name "+c.named("net")+" already exists", "POST", "/networks/create",
			network.CreateRequest{Name: c.named("net"), CreateOptions: network.CreateOptions{Driver: "overlay"}})
	}},
	{"names that are none", func(c *scene) {
		overlay := network.CreateOptions{Driver: "overlay"}
		c.refused(c.code(500, 400), c.either("invalid name: ", "invalid name: name is empty"), "POST", "/networks/create", network.CreateRequest{CreateOptions: overlay})
		c.refused(400, rpc("InvalidArgument", "name must be valid as a DNS name component"), "POST", "/networks/create", network.CreateRequest{Name: "a b", CreateOptions: overlay})
		c.refused(409, "network with name host already exists", "POST", "/networks/create", network.CreateRequest{Name: "host", CreateOptions: overlay})
	}},
	{"a driver that is none", func(c *scene) {
		c.refused(404, `plugin "none-such" not found`, "POST", "/networks/create", network.CreateRequest{Name: c.named("net"), CreateOptions: network.CreateOptions{Driver: "none-such"}})
	}},
	{"a network in use", func(c *scene) {
		id := c.network(network.CreateOptions{Driver: "overlay"})
		service := c.create(scaled(c.attached(c.named("net")), 0))
		c.refused(400, rpc("FailedPrecondition", "network "+id+" is in use by service "+service), "DELETE", "/networks/"+id, nil)
		c.removeService(service)
		c.ok(204, "DELETE", "/networks/"+c.named("net"), nil, nil)
		c.refused(404, c.noNetwork(id), "GET", "/networks/"+id, nil)
		c.refused(404, c.noNetwork(id), "DELETE", "/networks/"+id, nil)
	}},
	{"tasks have addresses of their network", func(c *scene) {
		id := c.network(network.CreateOptions{Driver: "overlay", IPAM: &network.IPAM{Config: []network.IPAMConfig{{Subnet: "10.77.4.0/24"}}}})
		service := c.create(c.attached(id))
		tasks := c.becomes(service, "2 running/running")
		for _, t := range tasks {
			c.same("attachments", len(t.NetworksAttachments), 1)
			c.same("network", t.NetworksAttachments[0].Network.ID, id)
			c.same("address", matches("10.77.4.*/24", t.NetworksAttachments[0].Addresses[0]), true)
		}
		vips := c.inspect(service).Endpoint.VirtualIPs
		c.same("virtual IPs", len(vips) == 1 && vips[0].NetworkID == id && matches("10.77.4.*/24", vips[0].Addr), true)
	}},
	{"inspect verbose lists services", func(c *scene) {
		id := c.network(network.CreateOptions{Driver: "overlay"})
		service := c.create(placed(scaled(c.attached(id), 1), "node.hostname==mgr"))
		task := c.becomes(service, "1 running/running")[0]
		var n network.Inspect
		c.wait(func() string {
			c.get("/networks/"+id+"?verbose=true", &n)
			if s, ok := n.Services[c.named("web")]; !ok || len(s.Tasks) != 1 {
				return fmt.Sprintf("services are %+v", n.Services)
			}
			return ""
		})
		s := n.Services[c.named("web")]
		c.same("task", s.Tasks[0].Name, c.named("web")+".1."+task.ID)
		c.same("its address", s.Tasks[0].EndpointIP+"/24", task.NetworksAttachments[0].Addresses[0])
		c.same("its host", s.Tasks[0].Info["Host IP"]+":2377", c.at.addr)
		c.same("virtual IP", s.VIP+"/24", c.inspect(service).Endpoint.VirtualIPs[0].Addr)
		c.refused(400, `invalid value for verbose: x: strconv.ParseBool: parsing "x": invalid syntax`, "GET", "/networks/"+id+"?verbose=x", nil)
	}},
	{"the ingress network", func(c *scene) {
		n := c.inspectNetwork("ingress")
		c.same("what it is", []any{n.Scope, n.Driver, n.Ingress, n.Attachable}, []any{"swarm", "overlay", true, false})
		c.refused(409, rpc("AlreadyExists", "ingress network ("+n.ID+") is already present"), "POST", "/networks/create",
			network.CreateRequest{Name: c.named("net"), CreateOptions: network.CreateOptions{Driver: "overlay", Ingress: true}})
		c.refused(400, rpc("InvalidArgument", `Service cannot be explicitly attached to the ingress network "ingress"`), "POST", "/services/create", c.attached("ingress"))
	}},
	{"networks that a service cannot use", func(c *scene) {
		c.refused(500, "network "+c.named("none")+" not found", "POST", "/services/create", c.attached(c.named("none")))
		c.made("/networks", network.CreateRequest{Name: c.named("local"), CreateOptions: network.CreateOptions{Driver: "bridge"}})
		c.refused(403, "The network "+c.named("local")+" cannot be used with services. Only networks scoped to the swarm can be used, such as those created with the overlay driver.", "POST", "/services/create", c.attached(c.named("local")))
	}},
	{"filters of networks", func(c *scene) {
		id := c.network(network.CreateOptions{Driver: "overlay", Labels: map[string]string{"case": "filters"}})
		c.allocated(id)
		for _, pairs := range [][]string{{"label", "case=filters"}, {"name", c.named("net")}, {"id", id}, {"scope", "swarm", "name", c.named("net")}, {"driver", "overlay", "name", c.named("net")}, {"type", "custom", "name", c.named("net")}} {
			c.counts("/networks", 1, pairs...)
		}
		c.counts("/networks", 0, "scope", "local", "name", c.named("net"))
		c.refused(400, c.badFilter("color"), "GET", "/networks"+filter("color", "red"), nil)
	}},
	{"only an attachable network takes containers", func(c *scene) {
		open := c.networkNamed("open", network.CreateOptions{Driver: "overlay", Attachable: true})
		closed := c.networkNamed("closed", network.CreateOptions{Driver: "overlay"})
		in := c.container("in", open)
		c.starts(in)
		endpoint, there := c.inspectNetwork(open).Containers[in]
		c.same("in the network", []any{there, endpoint.Name, strings.HasPrefix(endpoint.IPv4Address, "10.78.")}, []any{true, c.named("in"), true})
		// It is a task, of no service.
		c.refused(400, rpc("FailedPrecondition", "network "+open+" is in use by task *"), "DELETE", "/networks/"+open, nil)
		c.refused(500, c.either("", "failed to set up container networking: ")+"Could not attach to network "+closed+": "+rpc("PermissionDenied", "network "+closed+" not manually attachable"),
			"POST", "/containers/"+c.container("out", closed)+"/start", nil)
		c.refused(500, "Could not attach to network "+closed+": "+rpc("PermissionDenied", "network "+closed+" not manually attachable"),
			"POST", "/networks/"+closed+"/connect", network.ConnectOptions{Container: in})
	}},
	{"a service leaves a network and joins another", func(c *scene) {
		one := c.network(network.CreateOptions{Driver: "overlay"})
		two := c.networkNamed("two", network.CreateOptions{Driver: "overlay"})
		id := c.create(scaled(c.attached(one), 1))
		c.becomes(id, "1 running/running")
		c.update(id, scaled(c.attached(two), 1))
		tasks := c.becomes(id, "1 running/running, 1 shutdown/shutdown")
		for _, t := range wanted(tasks) {
			c.same("network", t.NetworksAttachments[0].Network.ID, two)
		}
	}},
}

// allocated waits until a network has what the swarm gives it.
func (c *scene) allocated(id string) network.Inspect {
	c.Helper()
	var n network.Inspect
	c.wait(func() string {
		if n = c.inspectNetwork(id); len(n.IPAM.Config) == 0 {
			return "nothing allocated"
		}
		return ""
	})
	return n
}

// network makes a network, which goes with the case's end.
func (c *scene) network(opts network.CreateOptions) string {
	c.Helper()
	return c.networkNamed("net", opts)
}

// networkNamed gives a network a pool that no other has had: what one leaves is given to the next before all nodes have
// forgotten it, and their tasks are rejected then.
func (c *scene) networkNamed(word string, opts network.CreateOptions) string {
	c.Helper()
	if opts.IPAM == nil {
		opts.IPAM = &network.IPAM{Config: []network.IPAMConfig{{Subnet: fmt.Sprintf("10.78.%d.0/24", c.pools.Add(1))}}}
	}
	return c.made("/networks", network.CreateRequest{Name: c.named(word), CreateOptions: opts})
}

// container makes a container outside the swarm, on a network.
func (c *scene) container(word, networkID string) string {
	c.Helper()
	var created struct{ ID string }
	c.ok(201, "POST", "/containers/create?name="+c.named(word), map[string]any{"Image": testengine.Sleep, "HostConfig": map[string]any{"NetworkMode": networkID}}, &created)
	c.Cleanup(func() { c.remove("/containers/" + created.ID + "?force=1") })
	return created.ID
}

// starts starts a container of a network of the swarm. The engine waits 20 seconds for what the managers give it, and a
// busy computer may take longer.
func (c *scene) starts(id string) {
	c.Helper()
	c.wait(func() string {
		a := c.ask("POST", "/containers/"+id+"/start", nil)
		if a.status == 500 && strings.Contains(a.message, "deadline exceeded") {
			return a.message
		}
		if a.status != 204 {
			c.Fatalf("starting a container: %s", a)
		}
		return ""
	})
}

func (c *scene) inspectNetwork(key string) network.Inspect {
	c.Helper()
	var n network.Inspect
	c.get("/networks/"+key, &n)
	return n
}

// attached is a service on networks.
func (c *scene) attached(targets ...string) swarm.ServiceSpec {
	spec := c.service("web")
	for _, t := range targets {
		spec.TaskTemplate.Networks = append(spec.TaskTemplate.Networks, swarm.NetworkAttachmentConfig{Target: t})
	}
	return spec
}

func (c *scene) noNetwork(key string) string { return "network " + key + " not found" }
