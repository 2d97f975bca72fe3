package run

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

var (
	soakRounds = flag.Int("soak.rounds", 3, "rounds of TestSoak and TestAzureSoak")
	soakSeed   = flag.Uint64("soak.seed", 1, "seed of TestSoak and TestAzureSoak")
)

// TestSoak changes a script at random, round after round, and kills the
// program that applies it with SIGKILL at a random moment; at times a person
// changes something by hand, or the engine loses its power. Then the program is
// run once more, to its end: nothing may be lost, there twice, or left over.
//
//	go test ./internal/run -run TestSoak -soak.rounds=30 -soak.seed=7 -v
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("slow")
	}
	t.Parallel()
	e := testengine.Start(t, testengine.Docker28)
	testengine.Images(e)
	s := newSoak(t, e, *soakSeed)
	s.strangers()
	for round := 1; round <= *soakRounds; round++ {
		s.evolve()
		s.write()
		s.killed(round, "apply")
		s.mishap(round)
		s.finish(round, "apply")
		s.check(round)
	}
	s.killed(*soakRounds+1, "destroy")
	s.finish(*soakRounds+1, "destroy")
	s.nothingLeft()
	t.Logf("%d rounds with seed %d: killed %d times", *soakRounds, *soakSeed, s.kills)
}

type soak struct {
	*victim
	e       *testengine.Engine
	model   model
	foreign map[string]string // what strangers' objects were
	made    map[string]string // IDs of generated secrets
}

// model is what the script declares, by name.
type model struct {
	networks map[string]bool   // internal?
	secrets  map[string]string // value, "" is generated
	configs  map[string]string
	services map[string]*modelService
}

type modelService struct {
	image, replicas            int
	networks, secrets, configs []string
	env, label                 int
}

func newSoak(t *testing.T, e *testengine.Engine, seed uint64) *soak {
	v := newVictim(t, seed, "DOCKER_HOST="+e.Host)
	return &soak{victim: v, e: e, foreign: map[string]string{}, made: map[string]string{},
		model: model{map[string]bool{}, map[string]string{}, map[string]string{}, map[string]*modelService{}}}
}

func (s *soak) strangers() {
	s.e.Docker("swarm", "init", "--advertise-addr", s.e.Addr)
	s.e.Docker("network", "create", "--driver=overlay", "theirs_net")
	s.e.DockerInput("x", "secret", "create", "theirs_pw", "-")
	s.e.DockerInput("x", "config", "create", "theirs_conf", "-")
	s.e.Docker("service", "create", "--detach", "--no-resolve-image", "--name=theirs", "--network=theirs_net", "--secret=theirs_pw",
		"--config=theirs_conf", testengine.Sleep)
	for _, what := range []string{"network theirs_net", "secret theirs_pw", "config theirs_conf", "service theirs"} {
		kind, name, _ := strings.Cut(what, " ")
		s.foreign[what] = s.e.Docker(kind, "inspect", name, "--format", soakInspect[kind])
	}
}

var soakInspect = map[string]string{
	"network": "{{.Id}} {{.Driver}}", "secret": "{{.CreatedAt}} {{.UpdatedAt}}", "config": "{{.CreatedAt}} {{.UpdatedAt}}",
	"service": "{{json .Spec}}",
}

func (s *soak) list(kind, filter string) []string {
	return strings.Fields(s.e.Docker(kind, "ls", "-q", "--filter", filter))
}

func pick[V any](s *soak, m map[string]V) (string, bool) {
	if len(m) == 0 {
		return "", false
	}
	keys := []string{}
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys[s.rand.IntN(len(keys))], true
}

// some returns a few of the names that there are.
func some[V any](s *soak, m map[string]V) []string {
	out := []string{}
	for range s.rand.IntN(3) {
		if k, ok := pick(s, m); ok && !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	return out
}

// evolve changes a few things of what is declared.
func (s *soak) evolve() {
	m := s.model
	for range 2 + s.rand.IntN(5) {
		n := s.rand.IntN(4)
		switch s.rand.IntN(8) {
		case 0:
			m.networks[fmt.Sprint("net", n)] = s.rand.IntN(2) == 0
		case 1:
			m.secrets[fmt.Sprint("pw", n)] = fmt.Sprintf("soaked-password-%d", s.rand.IntN(6))
		case 2:
			m.configs[fmt.Sprint("conf", n)] = fmt.Sprintf("content %d", s.rand.IntN(6))
		case 3:
			m.secrets["made"] = ""
		case 4: // something goes, and nothing uses it any more
			switch s.rand.IntN(4) {
			case 0:
				delete(m.networks, fmt.Sprint("net", n))
			case 1:
				delete(m.secrets, fmt.Sprint("pw", n))
			case 2:
				delete(m.configs, fmt.Sprint("conf", n))
			case 3:
				delete(m.services, fmt.Sprint("web", n))
			}
			for _, w := range m.services {
				w.networks = slices.DeleteFunc(w.networks, func(n string) bool { _, is := m.networks[n]; return !is })
				w.secrets = slices.DeleteFunc(w.secrets, func(n string) bool { _, is := m.secrets[n]; return !is })
				w.configs = slices.DeleteFunc(w.configs, func(n string) bool { _, is := m.configs[n]; return !is })
			}
		default:
			m.services[fmt.Sprint("web", n)] = &modelService{
				image: 1 + s.rand.IntN(3), replicas: s.rand.IntN(3), env: s.rand.IntN(3), label: s.rand.IntN(3),
				networks: some(s, m.networks), secrets: some(s, m.secrets), configs: some(s, m.configs),
			}
		}
	}
}

func (s *soak) write() {
	var b strings.Builder
	b.WriteString("project(\"soak\", env = \"test\")\nswarm.init(external = True)\n")
	title := map[bool]string{true: "True", false: "False"}
	for _, n := range sortedNames(s.model.networks) {
		fmt.Fprintf(&b, "%s = network(%q, driver = \"overlay\", internal = %s)\n", n, n, title[s.model.networks[n]])
	}
	for _, n := range sortedNames(s.model.secrets) {
		if v := s.model.secrets[n]; v != "" {
			fmt.Fprintf(&b, "%s = secret(%q, value = %q)\n", n, n, v)
		} else {
			fmt.Fprintf(&b, "%s = secret(%q, generate = 16)\n", n, n)
		}
	}
	for _, n := range sortedNames(s.model.configs) {
		fmt.Fprintf(&b, "%s = config(%q, content = %q)\n", n, n, s.model.configs[n])
	}
	for _, n := range sortedNames(s.model.services) {
		w := s.model.services[n]
		fmt.Fprintf(&b, "service(%q, image = \"swarmtest/web:%d\", replicas = %d, no_resolve_image = True, stop_grace_period = \"1s\",\n"+
			"    env = {\"E\": \"%d\"}, labels = {\"l\": \"%d\"}, networks = [%s], secrets = [%s], configs = [%s],\n"+
			"    restart = restart_policy(delay = \"100ms\"), update = update_policy(monitor = \"100ms\", parallelism = 0))\n",
			n, w.image, w.replicas, w.env, w.label, strings.Join(w.networks, ", "), strings.Join(w.secrets, ", "), strings.Join(w.configs, ", "))
	}
	s.script(b.String())
}

func sortedNames[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// mishap is what else may happen between two runs.
func (s *soak) mishap(round int) {
	ours := s.list("service", "label=swarmscript.project=soak/test")
	switch what := s.rand.IntN(8); {
	case what == 0:
		s.Logf("round %d: a power cut", round)
		s.e.Kill()
		s.e.Restart()
		for begun := time.Now(); time.Since(begun) < 3*time.Minute; time.Sleep(100 * time.Millisecond) {
			if _, err := s.e.TryDocker("service", "ls"); err == nil {
				break
			}
		}
	case what == 1 && len(ours) > 0:
		s.Logf("round %d: somebody removes a service", round)
		s.e.Docker("service", "rm", ours[s.rand.IntN(len(ours))])
	case what == 2 && len(ours) > 0:
		s.Logf("round %d: somebody scales a service", round)
		s.e.Docker("service", "scale", "--detach", ours[s.rand.IntN(len(ours))]+"=1")
	}
}

// check looks at the swarm with the docker CLI: what is declared is there
// once, and nothing else is ours.
func (s *soak) check(round int) {
	s.Helper()
	s.converged(round)
	for kind, want := range map[string][]string{
		"network": sortedNames(s.model.networks), "secret": sortedNames(s.model.secrets),
		"config": sortedNames(s.model.configs), "service": sortedNames(s.model.services),
	} {
		count := map[string]int{}
		for _, name := range strings.Fields(s.e.Docker(kind, "ls", "--filter", "label=swarmscript.project=soak/test", "--format", "{{.Name}}")) {
			if name == "swarmscript.soak.test" {
				continue
			}
			if kind == "secret" || kind == "config" {
				name = name[:strings.LastIndex(name, "-")]
			}
			count[name]++
		}
		most := 1
		if kind == "secret" || kind == "config" {
			most = 3
		}
		for _, name := range want {
			if n := count[name]; n < 1 || n > most {
				s.Errorf("round %d: of %s %s there are %d", round, kind, name, n)
			}
			delete(count, name)
		}
		if len(count) > 0 {
			s.Errorf("round %d: nobody declares %s %v", round, kind, count)
		}
	}
	s.kept(round)
	s.untouched(round)
	if s.Failed() {
		s.FailNow()
	}
}

// kept checks that a generated secret is made once.
func (s *soak) kept(round int) {
	if _, declared := s.model.secrets["made"]; !declared {
		return
	}
	ids := s.list("secret", "name=made-")
	if len(ids) != 1 || s.made["made"] != "" && s.made["made"] != ids[0] {
		s.Errorf("round %d: the generated secret was %q, now %q", round, s.made["made"], ids)
	}
	s.made["made"] = ids[0]
}

func (s *soak) untouched(round int) {
	for what, was := range s.foreign {
		kind, id, _ := strings.Cut(what, " ")
		if now := s.e.Docker(kind, "inspect", id, "--format", soakInspect[kind]); now != was {
			s.Errorf("round %d: a stranger's %s was %s, now %s", round, kind, was, now)
		}
	}
}

func (s *soak) nothingLeft() {
	for _, kind := range []string{"network", "secret", "config", "service"} {
		if left := s.list(kind, "label=swarmscript.project=soak/test"); len(left) > 0 {
			s.Errorf("left of kind %s: %v", kind, left)
		}
	}
	s.untouched(0)
	if _, err := os.Stat(filepath.Join(s.dir, hintFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.Error(err)
	}
}
