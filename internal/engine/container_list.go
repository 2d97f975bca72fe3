package engine

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// inspects bounds how many containers are inspected at a time.
const inspects = 8

// labelTask is on the containers of a swarm's tasks: they belong to their
// service.
const labelTask = "com.docker.swarm.task.id"

// liveContainer is what the handler needs of an observed container.
type liveContainer struct {
	inspect container.InspectResponse
	given   given
}

// listContainers lists all containers. Name, labels and state are known of
// them then; [Conn.inspectContainers] adds the rest.
func listContainers(ctx context.Context, api client.APIClient, _ listInfo) ([]*resource.Object, error) {
	all, err := api.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, err
	}
	called := namesOf(all)
	var out []*resource.Object
	for _, c := range all {
		if c.Labels[labelTask] == "" && called[c.ID] != "" {
			out = append(out, listedContainer(c, called[c.ID]))
		}
	}
	return out, nil
}

// inspectContainers inspects, among an engine's objects, the containers of the
// project and those that have a declared name: what `docker update` changes, no
// list shows. marks are those that the engine keeps beside the labels.
func (c *Conn) inspectContainers(ctx context.Context, objects []*resource.Object, q resource.Query, marks map[string]resource.Mark) ([]*resource.Object, error) {
	declared := map[value.Address]*resource.Declaration{}
	byName := map[string]value.Struct{}
	for _, d := range q.Declared {
		if d.Kind == ContainerKind {
			declared[d.Address] = d
			byName[declaredName(d)] = d.Args
		}
	}
	for _, o := range objects { // as the ledger says, which wins
		if mark, kept := marks[o.ID]; kept && o.Kind == "container" {
			o.Mark = mark
		}
	}
	called := meantNames(objects, q.Project, declared)
	errs := make([]error, len(objects))
	slots := make(chan struct{}, inspects)
	var wg sync.WaitGroup
	for i, o := range objects {
		args, wanted := byName[o.Name]
		if o.Mark.Project != "" && o.Mark.Project == q.Project {
			wanted = true
			if own := declared[o.Mark.Address]; own != nil {
				args = own.Args
			}
		}
		if o.Kind != "container" || !wanted {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			got, err := c.Docker().ContainerInspect(ctx, o.ID)
			switch {
			case err == nil:
				objects[i] = containerObject(&got, called, readGiven(got.Config.Labels, args))
			case remote.IsNotFound(err): // it went meanwhile
				objects[i] = nil
			default:
				errs[i] = err
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, remote.Err(err) // one is enough: they all say the same of the engine
		}
	}
	objects = slices.DeleteFunc(objects, func(o *resource.Object) bool { return o == nil })
	markStale(objects)
	return objects, nil
}

func declaredName(d *resource.Declaration) string {
	name, _ := d.Args[containerSchema.NameField().Index].(string)
	return name
}

// names are what containers are called, where one container refers to another.
// Of ours it is the name that they have or get by the script: while one is called
// otherwise, because somebody has renamed it or the script is about to, those
// that share its namespaces still share them.
type names struct {
	byID    map[string]string
	byOther map[string]string // of those that are called otherwise now, by that name
}

func meantNames(objects []*resource.Object, project string, declared map[value.Address]*resource.Declaration) names {
	n := names{byID: map[string]string{}, byOther: map[string]string{}}
	for _, o := range objects {
		if o.Kind != "container" {
			continue
		}
		n.byID[o.ID] = o.Name
		if project == "" || o.Mark.Project != project {
			continue
		}
		meant := o.Mark.GivenName()
		if d := declared[o.Mark.Address]; d != nil && d.NameGiven {
			meant = declaredName(d)
		}
		if meant != "" && meant != o.Name {
			n.byID[o.ID], n.byOther[o.Name] = meant, meant
		}
	}
	return n
}

// now is the name that is meant by one that a container has now.
func (n names) now(name string) string {
	if meant := n.byOther[name]; meant != "" {
		return meant
	}
	return name
}

// markStale finds containers that run in the network, or with the shared
// memory, that another one had before it ended: they must be started again
// after it. Who shares its processes has ended with it.
func markStale(objects []*resource.Object) {
	states := map[string]*container.State{}
	for _, o := range objects {
		if c, ok := o.Native.(*liveContainer); ok {
			states[o.ID] = c.inspect.State
		}
	}
	for _, o := range objects {
		c, ok := o.Native.(*liveContainer)
		if !ok || !c.inspect.State.Running {
			continue
		}
		for _, mode := range []string{string(c.inspect.HostConfig.NetworkMode), string(c.inspect.HostConfig.IpcMode)} {
			id, shared := strings.CutPrefix(mode, ofContainer)
			s := states[id]
			if shared && s != nil && (!s.Running || startOf(s).After(startOf(c.inspect.State))) {
				o.Unsettled, o.Stuck = "it is in a namespace of a container that has ended since", true
			}
		}
	}
}

func startOf(s *container.State) time.Time {
	t, _ := time.Parse(time.RFC3339Nano, s.StartedAt)
	return t
}

// namesOf gives the names of containers by ID. Names with more slashes are
// those that links gave them.
func namesOf(all []container.Summary) map[string]string {
	called := make(map[string]string, len(all))
	for _, c := range all {
		for _, n := range c.Names {
			if n = strings.TrimPrefix(n, "/"); !strings.Contains(n, "/") {
				called[c.ID] = n
			}
		}
	}
	return called
}

func listedContainer(c container.Summary, name string) *resource.Object {
	mark, _ := resource.ReadMark(c.Labels)
	o := &resource.Object{
		Kind: "container", ID: c.ID, Name: name, Mark: mark, Created: time.Unix(c.Created, 0), Listed: true,
		Args: make(value.Struct, len(containerSchema.Fields())),
	}
	networks := map[string]*network.EndpointSettings{}
	if c.NetworkSettings != nil {
		networks = c.NetworkSettings.Networks
	}
	o.Uses = append(networkUses(networks), volumeUses(c.Mounts)...)
	o.Out = containerOut(c.ID, name, networks)
	published := map[string]string{}
	for _, p := range c.Ports {
		if p.PublicPort != 0 {
			publish(published, fmt.Sprintf("%d/%s", p.PrivatePort, p.Type), p.IP, fmt.Sprint(p.PublicPort))
		}
	}
	o.Out["published"] = value.MapOf(published)
	return o
}

func containerObject(c *container.InspectResponse, n names, g given) *resource.Object {
	mark, _ := resource.ReadMark(c.Config.Labels)
	o := &resource.Object{
		Kind: "container", ID: c.ID, Name: strings.TrimPrefix(c.Name, "/"), Mark: mark,
		Args: containerArgs(c, n, g), Native: &liveContainer{*c, g},
		Uses: slices.Concat(networkUses(c.NetworkSettings.Networks), volumeUses(c.Mounts), containerUses(c.HostConfig, n)),
		Out:  containerOut(c.ID, n.now(strings.TrimPrefix(c.Name, "/")), c.NetworkSettings.Networks),
	}
	o.Created, _ = time.Parse(time.RFC3339Nano, c.Created)
	o.Unsettled = unsettled(c.State, g)
	published := map[string]string{}
	for port, bindings := range c.NetworkSettings.Ports {
		for _, b := range bindings {
			publish(published, string(port), b.HostIP, b.HostPort)
		}
	}
	o.Out["published"] = value.MapOf(published)
	return o
}

// publish takes down where a port is published: of an address of each family,
// the IPv4 one.
func publish(to map[string]string, port, ip, hostPort string) {
	if before, ok := to[port]; ok && !strings.HasPrefix(before, "[") {
		return
	}
	to[port] = net.JoinHostPort(ip, hostPort)
}

// unsettled says why a container that is as it was declared has not converged.
func unsettled(s *container.State, g given) string {
	switch {
	case s.Restarting:
		return "restarting: " + endText(s)
	case s.Running && g.has("state:"+stateCompleted):
		return "still runs"
	case s.Running && s.Health != nil && s.Health.Status == container.Unhealthy:
		return "unhealthy"
	case s.Running && s.Health != nil && s.Health.Status == container.Starting:
		return "not healthy yet"
	}
	return ""
}

// endText says how a container ended: "exited (1)", as docker ps does.
func endText(s *container.State) string {
	switch {
	case s.OOMKilled:
		return fmt.Sprintf("exited (%d), out of memory", s.ExitCode)
	case s.Status == container.StateCreated && s.Error == "":
		return "created, not started"
	case s.Error != "":
		return s.Error
	}
	return fmt.Sprintf("exited (%d)", s.ExitCode)
}

// networkUses are the networks that a container is attached to: by ID, or by
// name where it has not been started since.
func networkUses(networks map[string]*network.EndpointSettings) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(networks)) {
		if e := networks[name]; e != nil && e.NetworkID != "" {
			out = append(out, e.NetworkID)
		} else {
			out = append(out, usesNetwork+name)
		}
	}
	return out
}

// volumeUses are the volumes that are mounted, by name.
func volumeUses(mounts []container.MountPoint) []string {
	var out []string
	for _, m := range mounts {
		if m.Type == mount.TypeVolume {
			out = append(out, usesVolume+m.Name)
		}
	}
	return out
}

// What a container uses of which it tells only the name begins with one of
// these; see [resolveUses].
const usesNetwork, usesVolume = "network ", "volume "

// resolveUses puts the IDs of an engine's networks and volumes in the place of
// their names.
func resolveUses(objects []*resource.Object) {
	ids := map[string]string{}
	for _, o := range objects {
		if o.Kind == "network" || o.Kind == "volume" {
			ids[o.Kind+" "+o.Name] = o.ID
		}
	}
	for _, o := range objects {
		for i, u := range o.Uses {
			if id := ids[u]; o.Kind == "container" && id != "" {
				o.Uses[i] = id
			}
		}
	}
}

// containerUses are the containers that one depends on.
func containerUses(h *container.HostConfig, n names) []string {
	var out []string
	for _, mode := range []string{string(h.NetworkMode), string(h.PidMode), string(h.IpcMode)} {
		if id, ok := strings.CutPrefix(mode, ofContainer); ok && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	byName := func(name string) {
		for id, other := range n.byID {
			if other == name && !slices.Contains(out, id) {
				out = append(out, id)
			}
		}
	}
	for _, v := range h.VolumesFrom {
		name, _, _ := strings.Cut(v, ":")
		byName(name)
	}
	for _, l := range h.Links {
		name, _, _ := strings.Cut(l, ":")
		byName(n.now(strings.TrimPrefix(name, "/")))
	}
	return out
}

func containerOut(id, name string, networks map[string]*network.EndpointSettings) map[string]value.Value {
	first, ip4, ip6 := "", map[string]string{}, map[string]string{}
	for _, n := range slices.Sorted(maps.Keys(networks)) {
		e := networks[n]
		if e == nil {
			continue
		}
		if e.IPAddress != "" {
			ip4[n] = e.IPAddress
			if first == "" {
				first = e.IPAddress
			}
		}
		if e.GlobalIPv6Address != "" {
			ip6[n] = e.GlobalIPv6Address
		}
	}
	return map[string]value.Value{
		"id": id, "name": name, "namespace": ofContainer + name,
		"ip_address": first, "ip_addresses": value.MapOf(ip4), "ip6_addresses": value.MapOf(ip6),
	}
}
