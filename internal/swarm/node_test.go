package swarm

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Managers are given as letters: a* leads, b is reachable, c? is not, d@ is the
// one that is asked.
func managersIn(text string) (out []manager) {
	for _, s := range strings.Fields(text) {
		out = append(out, manager{ID: "id-" + s[:1], Name: s[:1], Reachable: !strings.Contains(s, "?"), Leader: strings.Contains(s, "*"), Own: strings.Contains(s, "@")})
	}
	return out
}

func departures(ids []string) []departure {
	out := make([]departure, len(ids))
	for i, id := range ids {
		out[i].id = id
	}
	return out
}

func TestDemotions(t *testing.T) {
	for _, tt := range []struct{ managers, demote, want string }{
		{"a* b c", "b", "b"},
		{"a* b c", "a", "a"},
		{"a* b c", "b c", "b c"},
		{"a* b c", "a b", "b a"},   // the leader last
		{"a* b c?", "c", "c"},      // who is gone may go
		{"a* b c?", "b c", "c b"},  // and goes first
		{"a* b? c?", "", ""},       // nothing to do, and nothing to say
		{"a* b c d? e?", "d", "d"}, // three of four
		{"a* b c d? e?", "c d", "d c"},
		{"a* b c d e", "a b c d", "b c d a"},
		{"a* b@", "a", "a"},

		{"a*", "a", "error: demoting a now would lose the quorum | managers: a (leader) | a swarm needs a manager"},
		{"a* b", "a b", "error: demoting b and a now would lose the quorum | managers: a (leader), b (reachable) | a swarm needs a manager"},
		{"a* b c?", "b", `error: demoting b now would lose the quorum | managers: a (leader), b (reachable), c (unreachable) | ` +
			`3 managers need 2; after demoting b: 2 managers, 1 reachable, and 2 needed | bring c back, or demote it first: node("c", role = "worker")`},
		{"a* b c d? e?", "b", `error: demoting b now would lose the quorum | 5 managers need 3; after demoting b: 4 managers, 2 reachable, and 3 needed | bring d back`},
		{"a* b c d? e?", "b c d", `error: demoting d and b and c now would lose the quorum | 5 managers need 3; after demoting d and b and c: 2 managers, 1 reachable, and 2 needed`},
		{"a* b? c?", "b", "error: demoting b now would lose the quorum | after demoting b: 2 managers, 1 reachable, and 2 needed"},
		{"a*@ b c", "a", "error: a cannot be demoted: the swarm is reached through it | managers: a (leader), b (reachable), c (reachable) | let engine(host = ...) name another manager"},
	} {
		var ids []string
		for _, s := range strings.Fields(tt.demote) {
			ids = append(ids, "id-"+s)
		}
		order, problem := demotions(managersIn(tt.managers), departures(ids), 0, demoting)
		if want, isErr := strings.CutPrefix(tt.want, "error: "); isErr {
			if problem == nil {
				t.Errorf("%s, without %s: no error", tt.managers, tt.demote)
				continue
			}
			text := problem.Summary + "\n" + problem.Detail + "\n" + problem.Hint
			for _, part := range strings.Split(want, " | ") {
				if !strings.Contains(text, part) {
					t.Errorf("%s, without %s: this does not say %q:\n%s", tt.managers, tt.demote, part, text)
				}
			}
			continue
		}
		if got := strings.ReplaceAll(strings.Join(order, " "), "id-", ""); problem != nil || got != tt.want {
			t.Errorf("%s, without %s: got %q, %v; want %q", tt.managers, tt.demote, got, problem, tt.want)
		}
	}
}

// Whatever the managers are and whoever shall go: in the order that is given,
// there is a majority after each step.
func TestDemotionsKeepTheQuorum(t *testing.T) {
	const letters = "abcdefg"
	for n := 1; n <= len(letters); n++ {
		for down := range 1 << n {
			for going := range 1 << n {
				var managers []manager
				var ids []string
				for i := range n {
					id := letters[i : i+1]
					managers = append(managers, manager{ID: id, Name: id, Reachable: down&(1<<i) == 0, Leader: i == 0})
					if going&(1<<i) != 0 {
						ids = append(ids, id)
					}
				}
				order, problem := demotions(managers, departures(ids), 0, demoting)
				if problem != nil {
					continue
				}
				if len(order) != len(ids) {
					t.Fatalf("%v without %v: the order is %v", managers, ids, order)
				}
				for _, id := range order {
					managers = slices.DeleteFunc(managers, func(m manager) bool { return m.ID == id })
					if len(managers) == 0 || countReachable(managers) < quorum(len(managers)) {
						t.Fatalf("after %s of %v there are %v", id, order, managers)
					}
				}
			}
		}
	}
}

func testNode(id, host string, state swarm.NodeState) *resource.Object {
	n := swarm.Node{ID: id, Spec: swarm.NodeSpec{Role: swarm.NodeRoleWorker}, Status: swarm.NodeStatus{State: state, Addr: "10.0.0." + id}}
	n.Description.Hostname = host
	return nodeObject(n, false)
}

func nodeArgs(name string) value.Struct {
	args := make(value.Struct, len(nodeSchema.Fields()))
	args[0] = name
	return args
}

func TestFindNode(t *testing.T) {
	const ready, gone, lost = swarm.NodeStateReady, swarm.NodeStateDown, swarm.NodeStateDisconnected
	objects := []*resource.Object{
		testNode("1", "mgr-0", ready), testNode("2", "wrk-1", ready), testNode("3", "wrk-2", gone), testNode("4", "wrk-2", ready),
		testNode("5", "twin", ready), testNode("6", "twin", lost), testNode("7", "old", gone), testNode("8", "old", gone), testNode("9", "off", gone),
	}
	for _, tt := range []struct{ name, id, ours, want string }{
		{"mgr-0", "", "", "1"},
		{"wrk-2", "", "", "4"},  // the host has joined again
		{"wrk-2", "", "3", "4"}, // and is meant, though the old node has our mark
		{"wrk-2", "3", "", "3"},
		{"any", "6", "", "6"},
		{"5", "", "", "5"}, // an ID in place of a name
		{"off", "", "", "9"},
		{"twin", "", "6", "6"}, // of two that are up, ours
		{"twin", "", "", "error: there are 2 nodes of the host name \"twin\" | 5  worker, ready, at 10.0.0.5 | 6  worker, disconnected | node(\"twin\", id = \"5\")"},
		{"old", "", "", "error: there are 2 nodes of the host name \"old\" | 7  worker, down"},
		{"wrk-3", "", "", "error: there is no node of the host name \"wrk-3\" in the swarm | nodes: mgr-0, off, old, twin, wrk-1, wrk-2 | did you mean \"wrk-1\"?"},
		{"database", "", "", "error: it has to join first"},
		{"any", "77", "", "error: there is no node with the ID 77"},
	} {
		args := nodeArgs(tt.name)
		if tt.id != "" {
			args[1] = tt.id
		}
		o, problem := findNode(objects, func(o *resource.Object) bool { return o.ID == tt.ours }, args)
		if want, isErr := strings.CutPrefix(tt.want, "error: "); isErr {
			if problem == nil {
				t.Errorf("%s %s: no error", tt.name, tt.id)
				continue
			}
			text := problem.Summary + "\n" + problem.Detail + "\n" + problem.Hint
			for _, part := range strings.Split(want, " | ") {
				if !strings.Contains(text, part) {
					t.Errorf("%s %s: this does not say %q:\n%s", tt.name, tt.id, part, text)
				}
			}
			continue
		}
		if problem != nil || o.ID != tt.want {
			t.Errorf("%s %s: got %+v, %v; want %s", tt.name, tt.id, o, problem, tt.want)
		}
	}
	if o, problem := findNode(objects, func(*resource.Object) bool { return false }, value.Struct{"a", value.Ref{Address: "vm.a", Output: "id"}, nil, nil, nil, nil, nil, nil}); o != nil || problem != nil {
		t.Errorf("an ID that is not known yet gives %+v, %v", o, problem)
	}
}

func TestCheckNode(t *testing.T) {
	for _, tt := range []struct{ field, given, want string }{
		{"advertise_addr", "10.0.0.4", ""},
		{"advertise_addr", "eth0:2388", ""},
		{"advertise_addr", "wireguard-tun00", ""},
		{"advertise_addr", "2001:db8::1234:5678", ""},
		{"advertise_addr", "[2001:db8::1234:5678]:2377", ""},
		{"advertise_addr", "manager.example.com:2377", `advertise_addr got "manager.example.com:2377", want an IP address or the name of a network interface`},
		{"listen_addr", "manager.example.com", `listen_addr got "manager.example.com", want an IP address or the name of a network interface`},
		{"advertise_addr", "", "advertise_addr is empty"},
		{"advertise_addr", ":2377", "advertise_addr got \":2377\", which names no address"},
		{"listen_addr", "0.0.0.0:99999", "listen_addr got port \"99999\", want 1 to 65535"},
		{"data_path_addr", "eth1", ""},
		{"data_path_addr", "10.0.0.4:4789", "data_path_addr takes no port"},
		{"id", "", "id is empty"},
	} {
		args := nodeArgs("a")
		f, _ := nodeSchema.Field(tt.field)
		args[f.Index] = tt.given
		got := ""
		for _, p := range checkNode(args) {
			got += p.Path + " " + p.Msg
		}
		if got != tt.want {
			t.Errorf("%s = %q: got %q, want %q", tt.field, tt.given, got, tt.want)
		}
	}
}

func TestDrained(t *testing.T) {
	const run, stop = swarm.TaskStateRunning, swarm.TaskStateShutdown
	task := func(service string, slot int, node string, state, desired swarm.TaskState) swarm.Task {
		return swarm.Task{ServiceID: service, Slot: slot, NodeID: node, DesiredState: desired, Status: swarm.TaskStatus{State: state},
			Meta: swarm.Meta{CreatedAt: time.Unix(int64(len(node)), 0)}}
	}
	pending := task("web", 1, "", swarm.TaskStatePending, run)
	pending.Status.Err = "no suitable node"
	leaving := []leavingTask{{"web", 1, "web.1"}, {"each", 0, "each"}}
	for _, tt := range []struct {
		name  string
		tasks []swarm.Task
		up    bool
		want  string
	}{
		{"it has moved", []swarm.Task{task("web", 1, "n1", stop, stop), task("web", 1, "n2", run, run), task("each", 0, "n1", stop, stop), task("each", 0, "n2", run, run)}, true, ""},
		{"it still stops", []swarm.Task{task("web", 1, "n2", run, run), task("web", 1, "n1", run, stop)}, true, "web.1 is stopping"},
		{"it cannot say that it stopped", []swarm.Task{task("web", 1, "n2", run, run), task("web", 1, "n1", run, stop), task("each", 0, "n1", run, stop)}, false, ""},
		{"it starts elsewhere", []swarm.Task{task("web", 1, "n1", stop, stop), task("web", 1, "n2", swarm.TaskStatePreparing, run)}, true, "web.1 is preparing"},
		{"nowhere to go", []swarm.Task{task("web", 1, "n1", stop, stop), pending}, true, "web.1 is pending: no suitable node"},
		{"a global task still stops", []swarm.Task{task("web", 1, "n2", run, run), task("each", 0, "n1", run, stop)}, true, "each is stopping"},
		{"the service was scaled down, or removed", nil, true, ""},
		{"others do not count", []swarm.Task{task("web", 2, "n1", run, stop), task("db", 1, "n1", run, stop)}, true, ""},
	} {
		done, left := drained("n1", tt.up, leaving, tt.tasks)
		if got := strings.Join(left, "\n"); got != tt.want || done != len(leaving)-len(left) {
			t.Errorf("%s: got %d, %q; want %q", tt.name, done, got, tt.want)
		}
	}
}
