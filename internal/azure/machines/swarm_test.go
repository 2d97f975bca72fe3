package machines_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/azure"
	"github.com/swarmscript/swarmscript/internal/azure/azuretest"
	"github.com/swarmscript/swarmscript/internal/lab"
	"github.com/swarmscript/swarmscript/internal/lab/api"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// The example of a swarm in Azure: three managers in three zones, workers that come
// and go, and get another size in place and anew, a load balancer that follows them.
// Its service answers at each stage; in the end nothing is left.
func TestExampleSwarm(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("SSH_AUTH_SOCK", "")
	l, behind := azuretest.Lab(t)
	azuretest.Start(t, behind).Setenv(t)
	file, err := filepath.Abs("../../../examples/azure-swarm/cluster.star")
	must(t, err)
	s := &exampleStory{azureStory: azureStory{T: t, file: file}, lab: l}

	s.became(5, "Standard_B2s")
	zones := map[value.Value]bool{}
	for _, vm := range s.objects("vm") {
		if strings.HasPrefix(vm.Name, "mgr-") {
			zones[vm.Out["zone"]] = true
		}
	}
	if len(zones) != 3 {
		t.Errorf("the managers are in the zones %v", zones)
	}
	s.became(7, "Standard_B2s")
	s.became(4, "Standard_B2s")

	// Another size, in place.
	s.became(4, "Standard_B2ms")
	s.moved()
	if got := s.changed("vm"); len(got) != 4 || got[0] != "update vm.wrk-0" {
		t.Errorf("another size: %v", got)
	}
	s.became(2, "Standard_B2ms")
	// The same in an apply that is ended while the tasks move: the next goes on, and
	// the node takes tasks again.
	s.vars = []string{"workers=2", "size=Standard_B4ms"}
	s.try(false, func(e apply.Event) bool {
		return e.Address.Short() == "vm.wrk-0" && strings.HasPrefix(e.Text, "is drained")
	})
	if rests := s.resting(); !slices.Equal(rests, []string{"wrk-0"}) {
		t.Errorf("%v are drained", rests)
	}
	s.became(2, "Standard_B4ms")
	s.moved()
	if got := s.changed("node"); !slices.Equal(got, []string{"update node.wrk-0"}) {
		t.Errorf("after an apply that was ended: %v", got)
	}
	// One that only another machine can have, as it has no temporary disk.
	s.became(2, "Standard_D2s_v5")
	s.moved()
	if got := s.changed("vm"); len(got) != 2 || got[0] != "replace vm.wrk-0" {
		t.Errorf("a size without a temporary disk: %v", got)
	}

	// A service that publishes another port gets its rule in the same apply.
	s.edit(`ports = [port(80, published = 8080)]`, `ports = [port(80, published = 8080), port(443, published = 8443)]`)
	s.became(2, "Standard_D2s_v5")
	if got := slices.Concat(s.changed("service"), s.changed("load_balancer"), s.changed("network_security_group")); !slices.Equal(got,
		[]string{"update service.web", "update load_balancer.front", "update network_security_group.azure-swarm-demo-nsg"}) {
		t.Errorf("another port: %v", got)
	}
	// The managers too, one after another, the swarm being theirs to keep.
	s.edit(`vm("mgr-%d" % i, provider = cloud)`, `vm("mgr-%d" % i, provider = cloud, size = "Standard_B2ms")`)
	s.became(2, "Standard_D2s_v5")
	if got := s.changed("vm"); !slices.Equal(got, []string{"update vm.mgr-0", "update vm.mgr-1", "update vm.mgr-2"}) {
		t.Errorf("another size of the managers: %v", got)
	}

	s.apply(true)
	if hosts, err := l.Hosts(t.Context()); err != nil || len(hosts) != 0 {
		t.Errorf("left in the lab: %v, %v", hosts, err)
	}
	if left := s.objects(""); len(left) != 0 {
		t.Errorf("left in Azure: %d", len(left))
	}
}

type exampleStory struct {
	azureStory
	lab *lab.Lab
}

// edit goes on with another text of the example.
func (s *exampleStory) edit(old, now string) {
	s.Helper()
	text, err := os.ReadFile(s.file)
	must(s.T, err)
	if !strings.Contains(string(text), old) {
		s.Fatalf("the example has no %s", old)
	}
	s.file = filepath.Join(s.TempDir(), "cluster.star")
	must(s.T, os.WriteFile(s.file, []byte(strings.Replace(string(text), old, now, 1)), 0o600))
}

// became applies the example, so many workers of a size, and looks whether that is
// what there is: machines, nodes, who the load balancer sends to, an answer from
// each, and through it. Applied again nothing changes.
func (s *exampleStory) became(workers int, size string) {
	s.Helper()
	begun := time.Now()
	s.vars = []string{fmt.Sprintf("workers=%d", workers), "size=" + size}
	s.apply(false)
	did := s.last
	s.apply(false)
	if n := len(s.last.Steps); n != 0 {
		s.Errorf("%v: applied again, there are %d steps: %s", s.vars, n, s.last.Steps[0].Change.Address)
	}
	s.last = did
	var names []string
	for _, vm := range s.objects("vm") {
		if !strings.HasPrefix(vm.Name, "wrk-") {
			continue
		}
		names = append(names, vm.Name)
		if vm.Out["size"] != size {
			s.Errorf("%s has the size %v, want %s", vm.Name, vm.Out["size"], size)
		}
		s.answers(fmt.Sprintf("http://%v:8080/", vm.Out["public_ip"]))
	}
	if len(names) != workers {
		s.Errorf("there are the workers %v, want %d", names, workers)
	}
	f, _ := azure.BalancerKind.Schema.Field("backend")
	for _, lb := range s.objects("load_balancer") {
		var to []string
		for _, v := range lb.Args[f.Index].(value.List) {
			to = append(to, v.(string))
		}
		slices.Sort(names)
		if slices.Sort(to); !slices.Equal(to, names) {
			s.Errorf("the load balancer sends to %v, want %v", to, names)
		}
		s.answers(fmt.Sprintf("http://%v:8080/", lb.Out["ip_address"]))
	}
	s.nodes(workers)
	s.Logf("%v: %s", s.vars, time.Since(begun).Round(time.Second/10))
}

// nodes waits until the swarm is whole: three managers, so many workers, all of which
// take tasks. A new leader takes nodes for unknown until they have reported to it.
func (s *exampleStory) nodes(workers int) {
	s.Helper()
	c := s.manager()
	defer c.Close()
	var missing string
	for begun := time.Now(); time.Since(begun) < 5*time.Minute; time.Sleep(100 * time.Millisecond) {
		list, err := c.NodeList(s.Context(), swarm.NodeListOptions{})
		if err != nil {
			missing = err.Error() // no leader for a moment
			continue
		}
		if missing = lacking(list, 3+workers); missing == "" {
			return
		}
	}
	s.Error(missing)
}

// lacking says what is wrong with the nodes of a swarm, "" where nothing is.
func lacking(list []swarm.Node, want int) string {
	for _, n := range list {
		if n.Status.State != swarm.NodeStateReady || n.Spec.Availability != swarm.NodeAvailabilityActive || n.Spec.Labels["swarmscript.rests"] != "" {
			return fmt.Sprintf("%s is %s, %s, %v", n.Description.Hostname, n.Status.State, n.Spec.Availability, n.Spec.Labels)
		}
	}
	if len(list) != want {
		return fmt.Sprintf("there are %d nodes, want %d", len(list), want)
	}
	return ""
}

// moved looks whether every task that ended was moved: nothing was switched off under
// one. What was on nodes that are gone is orphaned, however it had ended.
func (s *exampleStory) moved() {
	s.Helper()
	c := s.manager()
	defer c.Close()
	tasks, err := c.TaskList(s.Context(), swarm.TaskListOptions{})
	must(s.T, err)
	nodes, err := c.NodeList(s.Context(), swarm.NodeListOptions{})
	must(s.T, err)
	for _, task := range tasks {
		if !slices.ContainsFunc(nodes, func(n swarm.Node) bool { return n.ID == task.NodeID }) {
			continue
		}
		switch task.Status.State {
		case swarm.TaskStateRunning, swarm.TaskStateShutdown, swarm.TaskStateComplete:
		default:
			s.Errorf("task %d on %s is %s: %s%s", task.Slot, task.NodeID, task.Status.State, task.Status.Message, task.Status.Err)
		}
	}
}

// engineOf is a client of the engine of the first such host.
func (s *exampleStory) engineOf(such func(*api.Host) bool) *client.Client {
	s.Helper()
	hosts, err := s.lab.Hosts(s.Context())
	must(s.T, err)
	i := slices.IndexFunc(hosts, such)
	at, err := s.lab.Engine(s.Context(), hosts[i].ID)
	must(s.T, err)
	c, err := client.NewClientWithOpts(client.WithHost(at))
	must(s.T, err)
	return c
}

// manager is a client of the engine of a manager.
func (s *exampleStory) manager() *client.Client {
	s.Helper()
	return s.engineOf(func(h *api.Host) bool { return h.Name == "mgr-0" })
}

// resting are the nodes that are drained for their machines' sake.
func (s *exampleStory) resting() (names []string) {
	s.Helper()
	c := s.manager()
	defer c.Close()
	list, err := c.NodeList(s.Context(), swarm.NodeListOptions{})
	must(s.T, err)
	for _, n := range list {
		if n.Spec.Availability == swarm.NodeAvailabilityDrain && n.Spec.Labels["swarmscript.rests"] == "active" {
			names = append(names, n.Description.Hostname)
		}
	}
	return names
}

// answers waits until a service answers: a node hears of others by and by, and a load
// balancer of nodes.
func (s *exampleStory) answers(url string) {
	s.Helper()
	var last error
	for begun := time.Now(); time.Since(begun) < 5*time.Minute; time.Sleep(100 * time.Millisecond) {
		resp, err := http.Get(url)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
			err = fmt.Errorf("%s", resp.Status)
		}
		last = err
	}
	s.Errorf("%s: %v", url, last)
}

// objects are those of the resource group, of a kind or all.
func (s *exampleStory) objects(kind string) (out []*resource.Object) {
	s.Helper()
	conn := azure.Connect(azure.Config{Location: "westeurope"}, "azure-swarm/demo", azure.NewThrottle())
	defer conn.Close()
	obs, err := conn.Observe(s.Context(), resource.Query{Project: "azure-swarm/demo"})
	must(s.T, err)
	for _, o := range obs.Objects {
		if kind == "" || o.Kind == kind {
			out = append(out, o)
		}
	}
	return out
}

// changed are the steps of a kind of the last apply.
func (s *exampleStory) changed(kind string) (out []string) {
	for _, r := range s.last.Steps {
		if r.Change.Kind.Name == kind {
			out = append(out, fmt.Sprint(r.Change.Action, " ", r.Change.Address.Short()))
		}
	}
	slices.Sort(out)
	return out
}
