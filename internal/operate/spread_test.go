package operate

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/swarm"
)

// node reads "a", "a zone=x", "a down", "a drain", "a worker zone=x".
func node(text string) swarm.Node {
	words := strings.Fields(text)
	n := swarm.Node{ID: "id-" + words[0]}
	n.Description.Hostname = words[0]
	n.Status.State, n.Spec.Availability, n.Spec.Role = swarm.NodeStateReady, swarm.NodeAvailabilityActive, swarm.NodeRoleManager
	n.Spec.Labels = map[string]string{}
	n.Description.Platform = swarm.Platform{OS: "linux", Architecture: "x86_64"}
	n.Status.Addr = "10.0.0.1"
	for _, w := range words[1:] {
		switch k, v, label := strings.Cut(w, "="); {
		case w == "down":
			n.Status.State = swarm.NodeStateDown
		case w == "drain":
			n.Spec.Availability = swarm.NodeAvailabilityDrain
		case w == "worker":
			n.Spec.Role = swarm.NodeRoleWorker
		case label:
			n.Spec.Labels[k] = v
		}
	}
	return n
}

func nodes(list ...string) (out []swarm.Node) {
	for _, text := range list {
		out = append(out, node(text))
	}
	return out
}

// on returns running tasks on nodes: "a a b".
func on(names string) (out []swarm.Task) {
	for i, name := range strings.Fields(names) {
		t := swarm.Task{ID: name, Slot: i + 1, NodeID: "id-" + name, DesiredState: swarm.TaskStateRunning}
		t.Status.State = swarm.TaskStateRunning
		out = append(out, t)
	}
	return out
}

func TestSpreadOf(t *testing.T) {
	for _, tt := range []struct {
		name        string
		nodes       []swarm.Node
		tasks       string
		constraints string
		prefs       string
		want        string
		moves, away int
	}{
		{name: "even", nodes: nodes("a", "b", "c"), tasks: "a b c", want: "a 1, b 1, c 1"},
		{name: "no tasks", nodes: nodes("a", "b"), want: "a 0, b 0"},
		{name: "no nodes", tasks: "a", want: "", moves: 0, away: 0},
		{name: "as even as it can be", nodes: nodes("a", "b", "c"), tasks: "a a b c", want: "a 2, b 1, c 1"},
		{name: "the odd one may be anywhere", nodes: nodes("a", "b", "c"), tasks: "a b c c", want: "a 1, b 1, c 2"},
		{name: "one came back", nodes: nodes("a", "b", "c"), tasks: "a a b b", want: "a 2, b 2 -> 1, c 0 -> 1", moves: 1},
		{name: "all on one", nodes: nodes("a", "b"), tasks: "a a a a", want: "a 4 -> 2, b 0 -> 2", moves: 2},
		{name: "one task is nowhere better", nodes: nodes("a", "b", "c"), tasks: "c", want: "a 0, b 0, c 1"},
		{name: "a node that is down takes nothing", nodes: nodes("a", "b", "c down"), tasks: "a b", want: "a 1, b 1"},
		{name: "nor one that is drained", nodes: nodes("a", "b", "c drain"), tasks: "a b", want: "a 1, b 1"},
		{name: "what still runs there has to move", nodes: nodes("a", "b drain"), tasks: "a b b", want: "a 1 -> 3", moves: 0, away: 2},
		{name: "by role", nodes: nodes("a", "b worker", "c worker"), tasks: "b b", constraints: "node.role==worker", want: "b 2 -> 1, c 0 -> 1", moves: 1},
		{name: "by what it is not", nodes: nodes("a", "b worker", "c worker"), tasks: "b c", constraints: "node.role != manager", want: "b 1, c 1"},
		{name: "by label", nodes: nodes("a disk=ssd", "b disk=SSD", "c"), tasks: "a a c", constraints: "node.labels.disk==ssd", want: "a 2, b 0 -> 1", moves: 0, away: 1},
		{name: "an unknown key fits nowhere", nodes: nodes("a"), tasks: "", constraints: "node.color==red", want: ""},
		{name: "by network", nodes: nodes("a", "b"), tasks: "a", constraints: "node.ip==10.0.0.0/8", want: "a 1, b 0"},
		{name: "by host name, in any case", nodes: nodes("a", "b"), tasks: "b b", constraints: "node.hostname==B", want: "b 2"},
		{name: "zones come before nodes", nodes: nodes("a zone=x", "b zone=y", "c zone=y"), tasks: "a a b c", prefs: "node.labels.zone", want: "a 2, b 1, c 1"},
		{name: "a zone came back", nodes: nodes("a zone=x", "b zone=y", "c zone=y"), tasks: "b b c c", prefs: "node.labels.zone", want: "a 0 -> 2, b 2 -> 1, c 2 -> 1", moves: 2},
		{name: "racks in zones", nodes: nodes("a zone=x rack=1", "b zone=x rack=2", "c zone=y rack=1", "d zone=y rack=1"), tasks: "a a b b c c d d",
			prefs: "node.labels.zone node.labels.rack", want: "a 2, b 2, c 2, d 2"},
	} {
		spec := &swarm.ServiceSpec{}
		spec.TaskTemplate.Placement = &swarm.Placement{}
		if tt.constraints != "" {
			spec.TaskTemplate.Placement.Constraints = []string{tt.constraints}
		}
		for _, p := range strings.Fields(tt.prefs) {
			spec.TaskTemplate.Placement.Preferences = append(spec.TaskTemplate.Placement.Preferences, swarm.PlacementPreference{Spread: &swarm.SpreadOver{SpreadDescriptor: p}})
		}
		got := SpreadOf(spec, on(tt.tasks), tt.nodes)
		if got.String() != tt.want || got.Moves != tt.moves || got.Away != tt.away {
			t.Errorf("%s: got %q, %d to move, %d away; want %q, %d, %d", tt.name, got, got.Moves, got.Away, tt.want, tt.moves, tt.away)
		}
	}
}

// A node has what an image is for by either name of its architecture.
func TestSpreadOfPlatforms(t *testing.T) {
	spec := &swarm.ServiceSpec{}
	spec.TaskTemplate.Placement = &swarm.Placement{Platforms: []swarm.Platform{{OS: "linux", Architecture: "arm64"}, {OS: "linux", Architecture: "amd64"}}}
	if got := SpreadOf(spec, on("a a"), nodes("a", "b")); got.Moves != 1 {
		t.Errorf("got %q", got)
	}
	spec.TaskTemplate.Placement.Platforms = spec.TaskTemplate.Placement.Platforms[:1]
	if got := SpreadOf(spec, on("a a"), nodes("a", "b")); got.Moves != 0 || len(got.Nodes) != 0 || got.Away != 2 {
		t.Errorf("got %q", got)
	}
}

// Whatever is spread, every task has its place, and nobody's share is more than
// one above another's.
func FuzzSpread(f *testing.F) {
	f.Add("abca", uint8(3))
	f.Add("", uint8(0))
	f.Fuzz(func(t *testing.T, tasks string, n uint8) {
		var names []string
		for i := range int(n % 8) {
			names = append(names, string(rune('a'+i)))
		}
		var where []string
		for _, r := range tasks {
			if r >= 'a' && r <= 'h' && len(where) < 50 {
				where = append(where, string(r))
			}
		}
		s := SpreadOf(&swarm.ServiceSpec{}, on(strings.Join(where, " ")), nodes(names...))
		total, least, most, now := 0, 1<<30, 0, 0
		for _, l := range s.Nodes {
			total, now = total+l.Share, now+l.Now
			least, most = min(least, l.Share), max(most, l.Share)
		}
		if len(s.Nodes) > 0 && (most-least > 1 || total != now+s.Away) || s.Moves < 0 {
			t.Errorf("%v on %v: %s, %d away", where, names, s, s.Away)
		}
	})
}
