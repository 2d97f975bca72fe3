package ui

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/plan"
)

// GraphFormats are what a graph can be written as.
var GraphFormats = []string{"dot", "mermaid", "json"}

// drawn is a node of a graph as it is shown.
type drawn struct {
	ID     string `json:"id"` // the address; of an old version, with its name
	Kind   string `json:"kind"`
	Action string `json:"action,omitempty"`
	needs  map[int]bool
}

// Graph writes the order of a plan's steps: an edge leads from what waits to
// what it waits for. Of a replacement the two halves are one node, and where
// only the rank of their kinds orders deletions there is no edge. The same
// graph gives the same bytes. With actions, each node says what happens to it.
func Graph(w io.Writer, g *plan.Graph, format string, actions bool) error {
	nodes := draw(g, actions)
	var b strings.Builder
	switch format {
	case "dot":
		dot(&b, nodes)
	case "mermaid":
		mermaid(&b, nodes)
	case "json":
		if err := graphJSON(&b, nodes); err != nil {
			return err
		}
	default:
		return fmt.Errorf("there is no graph format %q: want one of %s", format, strings.Join(GraphFormats, ", "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func draw(g *plan.Graph, actions bool) []drawn {
	var out []drawn
	at := map[*plan.Change]int{}
	for _, n := range g.Nodes {
		c := n.Change
		if c == nil {
			continue
		}
		if _, ok := at[c]; ok {
			continue
		}
		at[c] = len(out)
		d := drawn{ID: string(c.Address), Kind: c.Address.Kind(), needs: map[int]bool{}}
		if c.Kind != nil && c.Kind.Versioned && c.Action == plan.Delete {
			d.ID += " " + c.Name
		}
		if actions {
			d.Action = c.Action.String()
		}
		out = append(out, d)
	}
	for _, n := range g.Nodes {
		for _, dep := range n.Deps {
			from, ok1 := at[n.Change]
			to, ok2 := at[g.Nodes[dep].Change]
			if ok1 && ok2 && from != to {
				out[from].needs[to] = true
			}
		}
	}
	return out
}

// edges are the nodes that one waits for, in order.
func (d drawn) edges() []int {
	var out []int
	for i := range d.needs {
		out = append(out, i)
	}
	slices.Sort(out)
	return out
}

var graphSigns = map[string]string{"create": "+ ", "update": "~ ", "replace": "-/+ ", "new version": "+/- ", "delete": "- ", "release": ". ", "read": "<= ", "check": "<= "}

func (d drawn) label() string { return graphSigns[d.Action] + clean(d.ID) }

func dot(b *strings.Builder, nodes []drawn) {
	b.WriteString("digraph swarmscript {\n  rankdir = \"RL\"\n  node [shape = \"box\"]\n")
	for i, n := range nodes {
		fmt.Fprintf(b, "  n%d [label = \"%s\"]\n", i, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(n.label()))
	}
	for i, n := range nodes {
		for _, to := range n.edges() {
			fmt.Fprintf(b, "  n%d -> n%d\n", i, to)
		}
	}
	b.WriteString("}\n")
}

func mermaid(b *strings.Builder, nodes []drawn) {
	b.WriteString("flowchart RL\n")
	for i, n := range nodes {
		fmt.Fprintf(b, "  n%d[\"%s\"]\n", i, strings.NewReplacer("&", "#amp;", `"`, "#quot;", "<", "#lt;", ">", "#gt;").Replace(n.label()))
	}
	for i, n := range nodes {
		for _, to := range n.edges() {
			fmt.Fprintf(b, "  n%d --> n%d\n", i, to)
		}
	}
}

func graphJSON(b *strings.Builder, nodes []drawn) error {
	type node struct {
		drawn
		Needs []string `json:"needs"`
	}
	out := struct {
		FormatVersion string `json:"format_version"`
		Nodes         []node `json:"nodes"`
	}{FormatVersion, []node{}}
	for _, n := range nodes {
		needs := []string{}
		for _, to := range n.edges() {
			needs = append(needs, nodes[to].ID)
		}
		out.Nodes = append(out.Nodes, node{n, needs})
	}
	e := json.NewEncoder(b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(out)
}
