package swarm

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/swarm"
)

// Managers are switched off while the others keep their majority, or all are; workers
// always.
func TestSpare(t *testing.T) {
	for _, tt := range []struct{ nodes, off, cycled, want string }{
		{"a* b c w", "b", "", ""},
		{"a* b c w", "w", "a b c w", ""},
		{"a* b c w", "b c", "", "switching b and c off would lose the quorum: managers: a (leader), b (reachable), c (reachable); 3 managers need 2; 1 would be left"},
		{"a* b c", "b", "c", "switching b off would lose the quorum: managers: a (leader), b (reachable), c (reachable); 3 managers need 2; 2 would be left, one of them off for a while"},
		{"a* b c d e", "b", "b c d", ""},
		{"a* b c? dw", "b", "", "switching b off would lose the quorum: managers: a (leader), b (reachable), c (unreachable); 3 managers need 2; 1 would be left"},
		{"a* b", "a", "", "switching a off would lose the quorum: managers: a (leader), b (reachable); 2 managers need 2; 1 would be left"},
		{"a* b c dw", "a b c", "", ""},
		{"a* b c?", "c", "", ""},
		{"a* dw", "a", "", ""},
	} {
		p := nodeHandler{}.Spare(newCell(strings.ReplaceAll(tt.nodes, " w", " ww")).objects, strings.Fields(tt.off), strings.Fields(tt.cycled))
		got := ""
		if p != nil {
			got = p.Summary + ": " + strings.ReplaceAll(p.Detail, "\n", "; ")
		}
		if got != tt.want {
			t.Errorf("of %s %s off, and %s for a while: %q, want %q", tt.nodes, tt.off, tt.cycled, got, tt.want)
		}
	}
}

// While a node rests it is taken for what it was before, and has to be woken.
func TestResting(t *testing.T) {
	n := swarm.Node{ID: "a", Spec: swarm.NodeSpec{Role: swarm.NodeRoleWorker, Availability: swarm.NodeAvailabilityDrain}}
	n.Spec.Labels = map[string]string{labelRests: "pause"}
	o := nodeObject(n, false)
	f, _ := nodeSchema.Field("availability")
	if o.Args[f.Index] != "pause" || !o.Stuck {
		t.Errorf("it is %v, stuck: %v", o.Args[f.Index], o.Stuck)
	}
}
