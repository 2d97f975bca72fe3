package examples_test

import (
	"strings"
	"testing"
	"time"

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
	nodes := func(want string) {
		t.Helper()
		got := s.on("mgr-0", `docker node ls --format '{{.Hostname}}:{{.Status}}:{{.ManagerStatus}}' | sort`, nil)
		if got != want {
			t.Errorf("the nodes are\n%s\nwant\n%s", got, want)
		}
	}
	nodes("mgr-0:Ready:Leader\nwrk-0:Ready:\nwrk-1:Ready:")
	if got := s.on("mgr-0", "docker node ls --format '{{.EngineVersion}}' | sort -u | cut -d. -f1 | paste -sd ' '", nil); got != "20 26" {
		t.Errorf("the engines are of %s, want both releases", got)
	}

	s.apply([]string{"managers=3"})
	s.settled()
	nodes("mgr-0:Ready:Leader\nmgr-1:Ready:Reachable\nmgr-2:Ready:Reachable\nwrk-0:Ready:\nwrk-1:Ready:")

	// The leader's machine is lost; another manager answers for the swarm.
	if err := s.machine("mgr-0").Destroy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out := s.apply([]string{"managers=3"}); !strings.Contains(out, "node.mgr-0") {
		t.Errorf("it did not join again:\n%s", out)
	}
	s.settled()
	nodes("mgr-0:Ready:Reachable\nmgr-1:Ready:Leader\nmgr-2:Ready:Reachable\nwrk-0:Ready:\nwrk-1:Ready:")

	s.apply([]string{"managers=1"})
	s.settled()
	nodes("mgr-0:Ready:Leader\nwrk-0:Ready:\nwrk-1:Ready:")

	asked, failed, worst := web.end()
	t.Logf("asked %d times, no answer %d times, at most for %s", asked, failed, worst.Round(time.Millisecond))
	if failed > 0 {
		t.Errorf("of %d times nobody answered %d times, once for %s", asked, failed, worst)
	}
}
