package scripttest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// engineLab is a lab of one machine with a real engine.
type engineLab struct {
	fakeLab
	docker string
}

func (l *engineLab) Hosts(context.Context) ([]Host, error) {
	return []Host{{"off", "127.1.1.2", "off"}, {"m0", "127.1.1.1", "running"}}, nil
}
func (l *engineLab) Engine(context.Context, string) (string, error) { return l.docker, nil }

// What a test asks of a swarm, of a real engine: the words are those of the other
// verbs. What failed shows the tasks.
func TestLiveReal(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("engines need root")
	}
	e := testengine.Start(t, testengine.Docker28, testengine.Hostname("m0"))
	testengine.Images(e)
	e.Docker("swarm", "init", "--advertise-addr", e.Addr)
	e.Docker("service", "create", "--detach", "--name", "web", "--replicas", "2", "--label", "a=b", testengine.Web1)
	e.Docker("service", "create", "--detach", "--name", "nowhere", "--constraint", "node.labels.x==1", testengine.Web1)
	file := filepath.Join(t.TempDir(), "live_test.star")
	text := `
def test_live(t):
    t.eventually(lambda: t.equal(t.service("web").running, 2), within = "60s")
    web = t.service("web")
    t.equal([web.name, web.mode, web.desired, web.problems], ["web", "replicated", 2, []])
    tasks = t.tasks("web")
    t.equal([(x.name, x.node, x.current_state, x.desired_state) for x in tasks], [("web.%d" % i, "m0", "running", "running") for i in (1, 2)])
    t.equal(sorted([x.service for x in t.tasks()]), ["nowhere", "web", "web"])
    t.eventually(lambda: t.contains(t.tasks("nowhere")[0].error, "no suitable node"), within = "60s")
    t.equal(t.service("nowhere").running, 0)
    n = t.nodes()[0]
    t.equal([len(t.nodes()), n.name, n.role, n.leader, n.state, n.availability, n.reachability], [1, "m0", "manager", True, "ready", "active", "reachable"])
    t.fails(lambda: t.service("wbe"), "there is no service .wbe.*did you mean .web")
    t.equal(t.service("web").running, 3)
`
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	it := newTest(&runner{golden: map[string]string{}}, find(t, file)[0], "test_live")
	it.lab, it.swarms = &engineLab{docker: e.Host}, true
	err := it.run(t.Context())
	if err == nil || !strings.HasSuffix(err.Error(), "14:5: got 2, want 3") {
		t.Fatal(err)
	}
	res := &Result{}
	it.fill(t.Context(), res, err)
	if len(res.Tasks) != 3 || !strings.Contains(res.Tasks[0].Error, "no suitable node") || len(res.Nodes) != 0 || res.Unanswered != "" {
		t.Errorf("of what ran it took down %+v", res)
	}
	if err := it.end(t.Context()); err != nil {
		t.Error(err)
	}
}
