package swarm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// NodeSpec is what docker node update and docker swarm join can say. A node is
// either made by a declaration that says which engine it is, or it has joined
// otherwise, and is found by its host name or its ID.
//
// What is left out is left as it is: who drained a node had a reason. The
// addresses only tell how to join: they cannot be changed, nor read back.
type NodeSpec struct {
	Name         string            `star:"name,required,pos,local" doc:"The node's host name. Names that several nodes have need id."`
	ID           *string           `star:"id,local" doc:"The node's ID, in place of its host name."`
	Availability *string           `star:"availability" enum:"active,pause,drain" flag:"--availability" doc:"Whether it takes tasks; drain also moves those away that it has, and waits until they run elsewhere. Left as it is where not given."`
	Role         *string           `star:"role" enum:"worker,manager" flag:"--role" doc:"Whether it manages the swarm. Left as it is where not given."`
	Labels       map[string]string `star:"labels,merge" flag:"--label-add, --label-rm" doc:"Labels of the node, for constraints such as node.labels.tier==web. Others may add theirs."`

	AdvertiseAddr *string `star:"advertise_addr,local" flag:"--advertise-addr" doc:"The address that other nodes use, or a network interface; with :port if it is not 2377. It counts when the node joins."`
	ListenAddr    *string `star:"listen_addr,local" flag:"--listen-addr" doc:"The address that a manager listens on. 0.0.0.0:2377 if left out. It counts when the node joins."`
	DataPathAddr  *string `star:"data_path_addr,local" flag:"--data-path-addr" doc:"The address or interface for the traffic of containers. It counts when the node joins."`
}

// SchemaName implements [schema.Named].
func (*NodeSpec) SchemaName() (string, string) {
	return "node", "A node of the swarm: its labels, its availability, its role. One that joined by other means than its declaration stays as it is when it is declared no more; only our labels go."
}

var nodeSchema = schema.Of(NodeSpec{})

// NodeKind is a node of a swarm.
var NodeKind = &resource.Kind{
	Name:   "node",
	Schema: nodeSchema,
	Scope:  "swarm",
	Rank:   5,
	Out: []resource.Output{
		{Name: "id", Type: "string", Stable: true, Doc: "The node's ID."},
		{Name: "hostname", Type: "string", Stable: true, Doc: "Its host name."},
		{Name: "addr", Type: "string", Stable: true, Doc: "Its address, as the managers see it."},
		{Name: "role", Type: "string", Arg: "role", Doc: "worker or manager."},
		{Name: "availability", Type: "string", Arg: "availability", Doc: "active, pause or drain."},
		{Name: "engine_version", Type: "string", Stable: true, Doc: "The version of its engine."},
		{Name: "platform", Type: "string", Stable: true, Doc: "Its operating system and architecture: linux/x86_64."},
	},
	Check:    checkNode,
	Find:     findNode,
	Given:    givenNode,
	Sequence: sequenceNodes,
	Effect:   nodeEffect,
	Ending:   nodeEnding,
	StepsDown: func(changes []schema.Change) bool {
		return slices.ContainsFunc(changes, func(c schema.Change) bool { return c.Field.Name == "role" && c.After == "worker" })
	},
	Handler: nodeHandler{},
}

// givenNode leaves out what a node has without anybody's wish: that it is
// active, and its role, which it joined with.
func givenNode(o *resource.Object) value.Struct {
	args := slices.Clone(o.Args)
	role, _ := nodeSchema.Field("role")
	args[role.Index] = nil
	if f, _ := nodeSchema.Field("availability"); args[f.Index] == string(swarm.NodeAvailabilityActive) {
		args[f.Index] = nil
	}
	return args
}

func checkNode(args value.Struct) schema.Problems {
	get, _ := fieldsOf(nodeSchema, args)
	ps := append(checkLabels("labels", get("labels")), checkAddresses(get)...)
	if get("id") == "" {
		ps = append(ps, &schema.Problem{Path: "id", Msg: "is empty"})
	}
	return nodeSchema.HideSecrets(args, ps)
}

// liveNode is what the kind knows of a node beside its arguments.
type liveNode struct {
	swarm.Node
	// Own is set on the manager that the swarm is reached through.
	Own bool
	// leaving are the tasks that it had when it was drained.
	leaving []leavingTask
}

func observeNodes(l *lists) []*resource.Object {
	out := make([]*resource.Object, 0, len(l.Nodes))
	for _, n := range l.Nodes {
		out = append(out, nodeObject(n, n.ID == l.Own))
	}
	return out
}

func nodeObject(n swarm.Node, own bool) *resource.Object {
	mark, labels := resource.ReadMark(n.Spec.Labels)
	role, availability := string(n.Spec.Role), string(Awake(n))
	spec := &NodeSpec{Name: n.Description.Hostname, ID: &n.ID, Role: &role, Availability: &availability, Labels: labels}
	platform := n.Description.Platform
	o := &resource.Object{
		Kind: "node", ID: n.ID, Name: n.Description.Hostname, Mark: mark, Args: nodeSchema.Encode(spec),
		Out: map[string]value.Value{
			"id": n.ID, "hostname": n.Description.Hostname, "addr": nodeAddr(n), "role": role, "availability": availability,
			"engine_version": n.Description.Engine.EngineVersion, "platform": platform.OS + "/" + platform.Architecture,
		},
		Version: n.Version.Index, Created: n.CreatedAt, Unsettled: changingRole(n),
		Unlisted: true, // a swarm does not own its machines
		Native:   &liveNode{Node: n, Own: own},
	}
	if restsAs(n) != "" { // its step was cut short
		o.Unsettled, o.Stuck = "it was drained while its machine was off", true
	}
	return o
}

// nodeAddr is the address of a node. Of a manager the status may say 0.0.0.0.
func nodeAddr(n swarm.Node) string {
	if m := n.ManagerStatus; m != nil && (n.Status.Addr == "" || n.Status.Addr == "0.0.0.0") {
		host, _, _ := cutPort(m.Addr)
		return host
	}
	return n.Status.Addr
}

func cutPort(addr string) (host, port string, ok bool) {
	i := strings.LastIndexByte(addr, ':')
	if i < 0 {
		return addr, "", false
	}
	return strings.Trim(addr[:i], "[]"), addr[i+1:], true
}

// changingRole says that a node has not got its role yet. A node that is down
// gets it when it is back: nobody waits for that.
func changingRole(n swarm.Node) string {
	switch {
	case n.Status.State != swarm.NodeStateReady:
	case n.Spec.Role == swarm.NodeRoleManager && n.ManagerStatus == nil:
		return "becoming a manager"
	case n.Spec.Role == swarm.NodeRoleWorker && n.ManagerStatus != nil:
		return "still a manager"
	}
	return ""
}

func reachable(n swarm.Node) bool {
	return n.ManagerStatus != nil && n.ManagerStatus.Reachability == swarm.ReachabilityReachable
}

// nodeOf returns nil where there is no node.
func nodeOf(o *resource.Object) *liveNode {
	if o == nil {
		return nil
	}
	n, _ := o.Native.(*liveNode)
	return n
}

// findNode implements [resource.Kind.Find]: the node of an ID, or the one of a
// host name. A host that joined again has left a node behind that is down and
// is not meant; of several that are up, the one that is ours is.
func findNode(objects []*resource.Object, ours func(*resource.Object) bool, args value.Struct) (*resource.Object, *diag.Diagnostic) {
	get, _ := fieldsOf(nodeSchema, args)
	name, _ := get("name").(string)
	by := func(is func(*resource.Object) bool) (found []*resource.Object) {
		for _, o := range objects {
			if is(o) {
				found = append(found, o)
			}
		}
		return found
	}
	var found []*resource.Object
	what := fmt.Sprintf("of the host name %q", name)
	if id := get("id"); id != nil {
		if !value.Known(id) {
			return nil, nil
		}
		what = "with the ID " + value.Text(value.Reveal(id))
		found = by(func(o *resource.Object) bool { return o.ID == value.Reveal(id) })
	} else if found = by(func(o *resource.Object) bool { return o.Name == name }); len(found) == 0 {
		found = by(func(o *resource.Object) bool { return o.ID == name })
	}
	if len(found) == 0 {
		return nil, noNode(objects, what, name)
	}
	same := found
	for _, better := range []func(*resource.Object) bool{func(o *resource.Object) bool { return !down(o) }, ours} {
		if rest := slices.DeleteFunc(slices.Clone(found), func(o *resource.Object) bool { return !better(o) }); len(rest) > 0 {
			found = rest
		}
	}
	if len(found) > 1 {
		return nil, ambiguousNode(same, what, name)
	}
	return found[0], nil
}

func down(o *resource.Object) bool {
	n := nodeOf(o)
	return n != nil && n.Status.State == swarm.NodeStateDown
}

func noNode(objects []*resource.Object, what, name string) *diag.Diagnostic {
	var names []string
	for _, o := range objects {
		if o.Name != "" && !slices.Contains(names, o.Name) {
			names = append(names, o.Name)
		}
	}
	slices.Sort(names)
	p := &diag.Diagnostic{Summary: "there is no node " + what + " in the swarm", Detail: "nodes: " + strings.Join(names, ", "), Hint: diag.DidYouMean(name, names)}
	if p.Hint == "" {
		p.Hint = "a declaration does not make a node: it has to join first (docker swarm join)"
	}
	return p
}

func ambiguousNode(found []*resource.Object, what, name string) *diag.Diagnostic {
	lines := make([]string, len(found))
	for i, o := range found {
		lines[i] = o.ID
		if n := nodeOf(o); n != nil {
			lines[i] += fmt.Sprintf("  %s, %s, at %s", n.Spec.Role, n.Status.State, nodeAddr(n.Node))
		}
	}
	slices.Sort(lines)
	return &diag.Diagnostic{
		Summary: fmt.Sprintf("there are %d nodes %s", len(found), what),
		Detail:  strings.Join(lines, "\n"),
		Hint:    fmt.Sprintf("say which one: node(%q, id = %q); one that is gone for good goes with docker node rm", name, found[0].ID),
	}
}

// nodeEffect says what an update does to the node's tasks.
func nodeEffect(live *resource.Object, args value.Struct, changes []schema.Change, _ bool) string {
	var parts []string
	for _, c := range changes {
		switch {
		case c.Field.Name == "availability" && c.After == "drain":
			parts = append(parts, "its tasks move to other nodes")
		case c.Field.Name == "availability" && c.After == "pause":
			parts = append(parts, "it takes no new tasks")
		case c.Field.Name == "availability" && c.After == "active":
			parts = append(parts, "it takes new tasks; those that run elsewhere stay there")
		case c.Field.Name == "role" && c.After == "manager":
			parts = append(parts, "becomes a manager")
		case c.Field.Name == "role" && c.After == "worker":
			parts = append(parts, "is no manager any more")
		}
	}
	return strings.Join(parts, "; ")
}

// nodeEnding says how a member leaves.
func nodeEnding(live *resource.Object, _ bool) string {
	n := nodeOf(live)
	switch {
	case n == nil:
		return ""
	case n.Status.State == swarm.NodeStateDown:
		return "it is down: the swarm forgets it"
	case n.ManagerStatus != nil:
		return "its tasks move to other nodes; it is no manager any more, and leaves"
	}
	return "its tasks move to other nodes, and it leaves"
}
