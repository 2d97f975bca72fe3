package ui

import (
	"bytes"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/plan"
)

// steps is a graph with every sort of node: a replacement in two halves, an old
// version beside the new one, a barrier, a name with quotes in it.
func steps() *plan.Graph {
	g := &plan.Graph{}
	add := func(c *plan.Change, p plan.Phase, deps ...int) {
		g.Nodes = append(g.Nodes, &plan.Node{ID: len(g.Nodes), Change: c, Phase: p, Deps: deps})
	}
	net := change(networkKind, "front", plan.Replace)
	old := change(secretKind, "pw", plan.Delete)
	old.Name = "pw-00c0ffee"
	quoted := change(configKind, `a"b/c<d>`, plan.Create)
	add(change(serviceKind, "web", plan.Update), plan.Do, 2, 3, 5)
	add(net, plan.Destroy)
	add(net, plan.Do, 1)
	add(change(secretKind, "pw", plan.NewVersion), plan.Do)
	add(old, plan.Do, 3, 0)
	add(quoted, plan.Do)
	add(nil, plan.Barrier, 4)
	add(change(networkKind, "gone", plan.Delete), plan.Do, 6)
	return g
}

func TestGraph(t *testing.T) {
	for _, format := range GraphFormats {
		var a, b bytes.Buffer
		for _, to := range []*bytes.Buffer{&a, &b} {
			if err := Graph(to, steps(), format, true); err != nil {
				t.Fatal(err)
			}
		}
		if a.String() != b.String() {
			t.Errorf("%s: the same graph gives other bytes", format)
		}
		golden(t, "graph."+format, a.Bytes())
	}
	var b bytes.Buffer
	if err := Graph(&b, steps(), "mermaid", false); err != nil || strings.ContainsAny(b.String(), "+~") {
		t.Errorf("without actions: %v\n%s", err, &b)
	}
	if err := Graph(&b, steps(), "svg", true); err == nil || !strings.Contains(err.Error(), "want one of dot, mermaid, json") {
		t.Errorf("got %v", err)
	}
}
