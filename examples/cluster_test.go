package examples_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/local"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// A cluster grows, shrinks, loses machines and gets new ones; its service
// answers throughout.
func TestCluster(t *testing.T) {
	if _, err := local.Open(local.Config{}); err != nil {
		t.Skip(err)
	}
	s := &stage{T: t, script: "cluster/cluster.star", project: "cluster/test", vars: []string{"env=test", "image=" + testengine.Web1}}
	s.destroy() // what a run left that was killed
	t.Cleanup(s.destroy)

	s.apply([]string{"managers=1"}, "--exclude", "service.web")
	s.load("wrk-0", "wrk-1")
	s.apply([]string{"managers=1"})
	s.settled()
	web := s.asks(8080, "wrk-0", "wrk-1")
	// nodes checks who is in the swarm, and that all are well by and by.
	nodes := func(managers, workers int) {
		t.Helper()
		want := slices.Concat(slices.Repeat([]string{"Ready:manager"}, managers), slices.Repeat([]string{"Ready:"}, workers))
		// A new leader takes nodes for unknown until they have reported to it.
		s.eventually(fmt.Sprint("the nodes are ", want), func() bool {
			got := strings.Fields(s.on("mgr-0", `docker node ls --format '{{.Status}}:{{.ManagerStatus}}' | sed 's/Leader/manager/; s/Reachable/manager/' | sort -r || true`, nil))
			return slices.Equal(got, want)
		})
	}
	nodes(1, 2)
	if got := s.on("mgr-0", "docker node ls --format '{{.EngineVersion}}' | sort -u | cut -d. -f1 | paste -sd ' '", nil); got != "20 26" {
		t.Errorf("the engines are of %s, want both releases", got)
	}

	s.apply([]string{"managers=3"})
	s.settled()
	nodes(3, 2)

	t.Log("the leader's machine is lost; another manager answers for the swarm")
	if err := s.machine("mgr-0").Destroy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out := s.apply([]string{"managers=3"}); !strings.Contains(out, "node.mgr-0") {
		t.Errorf("it did not join again:\n%s", out)
	}
	s.settled()
	nodes(3, 2)

	t.Log("a machine loses its power while it is set up")
	s.last = []string{"managers=5"}
	if code, out := s.cut("docker.mgr-4 creating: installing", "mgr-4"); code == 0 {
		t.Errorf("an apply whose machine was switched off ended well:\n%s", out)
	}
	s.apply([]string{"managers=5"})
	s.settled()
	nodes(5, 2)

	t.Log("each boots again in turn")
	for _, name := range []string{"mgr-0", "mgr-1", "mgr-2", "mgr-3", "mgr-4", "wrk-0", "wrk-1"} {
		m := s.machine(name)
		if err := m.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := m.Start(t.Context(), func(string) {}); err != nil {
			t.Fatal(err)
		}
		asks := "mgr-0"
		if name == asks {
			asks = "mgr-1"
		}
		s.eventually(name+" is back, and what ran on it", func() bool {
			if !strings.HasPrefix(s.on(asks, "docker service ls --format '{{.Replicas}}' || true", nil), "2/2") {
				return false
			}
			got := s.on(asks, "docker node ls --format '{{.Status}} {{.ManagerStatus}}' || true", nil)
			return s.on(name, "systemctl is-active docker || true", nil) == "active" && strings.Count(got, "Ready") == 7 && strings.Count(got, "Reachable")+strings.Count(got, "Leader") == 5
		})
		if strings.HasPrefix(name, "wrk") { // the swarm may still count what ran before
			s.eventually(name+" serves again", func() bool {
				return answers(http.DefaultClient, fmt.Sprintf("http://%s:8080/", s.machine(name).Address), new([]error))
			})
		}
	}
	s.settled()
	nodes(5, 2)

	t.Log("one is cut off, and comes back")
	cut := s.machine("mgr-2")
	others := []string{"mgr-0", "mgr-1", "mgr-3", "mgr-4", "wrk-0", "wrk-1"}
	for _, other := range others {
		if err := local.Partition(t.Context(), cut, s.machine(other)); err != nil {
			t.Fatal(err)
		}
	}
	s.eventually("the others see that it is gone", func() bool {
		return strings.Contains(s.on("mgr-0", "docker node ls || true", nil), "Unreachable")
	})
	for _, other := range others {
		if err := local.Heal(t.Context(), cut, s.machine(other)); err != nil {
			t.Fatal(err)
		}
	}
	s.eventually("it is back", func() bool {
		// While the managers find one another no leader answers, for a moment.
		got := s.on("mgr-0", "docker node ls || true", nil)
		return got != "" && !strings.Contains(got, "Unreachable")
	})
	s.settled()

	s.apply([]string{"managers=1"})
	s.settled()
	nodes(1, 2)

	asked, failed, worst := web.end()
	t.Logf("asked %d times", asked)
	if failed > 0 {
		t.Errorf("of %d times nobody answered %d times, once for %s:\n%s", asked, failed, worst, strings.Join(web.said, "\n"))
	}
}
