package examples_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/remote"
)

var (
	labRounds = flag.Int("lab.rounds", 3, "how often a lab is harmed, by the test of that")
	labSeed   = flag.Uint64("lab.seed", 1, "what chooses the harm")
)

// newLab returns a script in a folder of its own, whose lab is gone after the test.
func newLab(t *testing.T, project, script string) *stage {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "cluster.star")
	if err := os.WriteFile(path, []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	s := &stage{T: t, script: path, project: project, env: []string{"SWARMSCRIPT_LAB_IDLE=5m"}}
	t.Cleanup(func() { s.run(s.lab("reset", "--auto-approve")...) })
	return s
}

func (s *stage) lab(args ...string) []string {
	return append([]string{"lab", "--lab", filepath.Join(filepath.Dir(s.script), ".swarmscript", "lab")}, args...)
}

// inLab runs a verb of the lab, which must go well.
func (s *stage) inLab(args ...string) string {
	s.Helper()
	code, out := s.run(s.lab(args...)...)
	if code != 0 {
		s.Fatalf("lab %v ended with %d:\n%s", args, code, out)
	}
	return out
}

// swarmOf is a script of a swarm of so many hosts and its services.
func swarmOf(managers, workers int, rest string) string {
	return fmt.Sprintf(`
project("lab", env = "test")
managers = [vm("mgr-%%d" %% i) for i in range(%d)]
workers = [vm("wrk-%%d" %% i) for i in range(%d)]
for h in managers + workers:
    docker_install(h, source = "distribution")
cluster = swarm.init(managers[0], advertise_addr = managers[0].private_ip)
for m in managers[1:]:
    swarm.join(m, cluster, role = "manager", advertise_addr = m.private_ip)
for w in workers:
    swarm.join(w, cluster, advertise_addr = w.private_ip)
`, managers, workers) + rest
}

// A hundred hosts and three managers, and two thousand tasks on them.
func TestLabLarge(t *testing.T) {
	s := newLab(t, "lab/test", swarmOf(3, 100, `
for n in ["a", "b"]:
    service(n, image = "nginx:1.27", replicas = 1000, update = update_policy(parallelism = 0), timeout = "10m")
`))
	s.apply(nil)
	s.settled()
	if got := s.inLab("ssh", "mgr-1", "docker", "service", "ls"); strings.Count(got, "1000/1000") != 2 {
		t.Errorf("the services are\n%s", got)
	}
	t.Log(strings.TrimSpace(s.inLab("status")))
}

// A lab is harmed in rounds: hosts lose their power, hang, or are cut off from one
// another, and the lab's process is killed in between. Each time an apply makes all
// well, and nothing is lost: nodes, services, the value of a generated secret.
func TestLabSoak(t *testing.T) {
	s := newLab(t, "lab/test", swarmOf(3, 5, `
pw = secret("pw", generate = 16)
conf = config("conf", content = "kept")
net = network("net", driver = "overlay")
service("web", image = "nginx:1.27", replicas = 6, secrets = [pw], configs = [conf], networks = [net], update = update_policy(monitor = "1s"))
service("each", image = "redis:7", mode = "global", update = update_policy(monitor = "1s"))
`))
	s.apply(nil)
	s.settled()
	first := s.things()
	dice := rand.New(rand.NewPCG(*labSeed, 5))
	hosts := []string{"mgr-0", "mgr-1", "mgr-2", "wrk-0", "wrk-1", "wrk-2", "wrk-3", "wrk-4"}
	for round := range *labRounds {
		a, b := hosts[dice.IntN(len(hosts))], hosts[dice.IntN(len(hosts))]
		var done []string
		harm := func(args ...string) {
			done = append(done, strings.Join(args, " "))
			s.inLab(args...)
		}
		switch dice.IntN(4) {
		case 0:
			harm("kill", a)
		case 1:
			harm("pause", a)
		case 2:
			if a != b {
				harm("partition", a, b)
			}
		case 3:
			harm("kill", hosts[3+dice.IntN(5)], hosts[dice.IntN(3)])
		}
		if dice.IntN(2) == 0 {
			done = append(done, "SIGKILL of the lab")
			s.killLab()
		}
		s.inLab("heal")
		if slices.ContainsFunc(done, func(d string) bool { return strings.HasPrefix(d, "pause") }) && !slices.Contains(done, "SIGKILL of the lab") {
			s.inLab("resume", a)
		}
		t.Logf("round %d: %s", round+1, strings.Join(done, ", "))
		s.eventually("an apply makes all well", func() bool {
			code, out := s.run(s.args("apply", nil, "--auto-approve")...)
			if code != 0 {
				t.Logf("apply ended with %d:\n%s", code, out[max(0, len(out)-2000):])
			}
			return code == 0
		})
		s.eventually("the plan is empty", func() bool {
			code, _ := s.run(s.args("plan", nil, "--detailed-exitcode")...)
			return code == 0
		})
		if got := s.things(); got != first {
			t.Errorf("round %d: there is\n%s\nat first there was\n%s", round+1, got, first)
		}
	}
}

// killLab ends the lab's process as nothing can be prepared for.
func (s *stage) killLab() {
	s.Helper()
	var status struct{ PID int }
	if err := json.Unmarshal([]byte(s.inLab("status", "--json")), &status); err != nil || status.PID == 0 {
		s.Fatalf("lab status: %v, %+v", err, status)
	}
	p, err := os.FindProcess(status.PID)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		s.Fatal(err)
	}
}

// labHost says how a host of the lab is reached.
func (s *stage) labHost(name string) remote.Machine {
	s.Helper()
	var list struct {
		Hosts []struct {
			Name, SSH, User string
			KeyFile         string `json:"key_file"`
			HostKey         string `json:"host_key"`
		}
	}
	if err := json.Unmarshal([]byte(s.inLab("ls", "--json")), &list); err != nil {
		s.Fatal(err)
	}
	for _, h := range list.Hosts {
		if h.Name != name {
			continue
		}
		at, err := netip.ParseAddrPort(h.SSH)
		if err != nil {
			s.Fatal(err)
		}
		key, err := os.ReadFile(h.KeyFile)
		if err != nil {
			s.Fatal(err)
		}
		return remote.Machine{Address: at.Addr().String(), Port: int(at.Port()), User: h.User, Key: key, HostKeys: []string{h.HostKey}, Jump: "none"}
	}
	s.Fatalf("there is no host %s", name)
	return remote.Machine{}
}

// swarmLists is what a manager lists.
type swarmLists struct {
	swarm    swarm.Swarm
	nodes    []swarm.Node
	services []swarm.Service
	secrets  []swarm.Secret
	configs  []swarm.Config
	networks []network.Inspect
}

// lists asks a manager's engine, by SSH, for what there is in its swarm.
func (s *stage) lists(at remote.Machine) swarmLists {
	s.Helper()
	h := remote.DialHost(at)
	defer h.Close()
	d, err := h.Docker("")
	if err != nil {
		s.Fatal(err)
	}
	defer d.Close()
	var l swarmLists
	errs := make([]error, 6)
	api, ctx := d.API(), s.Context()
	l.swarm, errs[0] = api.SwarmInspect(ctx)
	l.nodes, errs[1] = api.NodeList(ctx, swarm.NodeListOptions{})
	l.services, errs[2] = api.ServiceList(ctx, swarm.ServiceListOptions{})
	l.secrets, errs[3] = api.SecretList(ctx, swarm.SecretListOptions{})
	l.configs, errs[4] = api.ConfigList(ctx, swarm.ConfigListOptions{})
	l.networks, errs[5] = api.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("scope", "swarm"))})
	if err := errors.Join(errs...); err != nil {
		s.Fatal(err)
	}
	return l
}

// things is what there is in the swarm, by its IDs.
func (s *stage) things() string {
	s.Helper()
	l := s.lists(s.labHost("mgr-0"))
	var lines []string
	for _, o := range l.nodes {
		lines = append(lines, "node "+o.Description.Hostname+" "+o.ID)
	}
	for _, o := range l.services {
		lines = append(lines, "service "+o.Spec.Name+" "+o.ID)
	}
	for _, o := range l.secrets {
		lines = append(lines, "secret "+o.Spec.Name+" "+o.ID)
	}
	for _, o := range l.configs {
		if !strings.HasPrefix(o.Spec.Name, "swarmscript.") {
			lines = append(lines, "config "+o.Spec.Name+" "+o.ID)
		}
	}
	for _, o := range l.networks {
		lines = append(lines, "network "+o.Name+" "+o.ID)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
