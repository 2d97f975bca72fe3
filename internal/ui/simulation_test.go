package ui

import (
	"bytes"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/swarmscript/swarmscript/internal/lab/whatif/outcome"
)

// simulations are two swarms, with everything that can be said of one.
func simulations() []*outcome.Report {
	const web = "swarm.main/service.web"
	return []*outcome.Report{{
		Swarm: "swarm.main", Seconds: 3725, Cut: true,
		Services: []outcome.Service{
			{Address: web, Name: "web", Mode: "replicated", Action: "update", Before: 4, After: 6, Renewed: 4, AtATime: 2, Seconds: 40, Fewest: 4,
				Nodes: []outcome.Share{{Node: "wrk-0", Before: 2, After: 3}, {Node: "wrk-1", Before: 2, After: 3}}},
			{Address: "swarm.main/service.cache", Name: "cache", Mode: "replicated", Action: "update", Before: 1, After: 1, Renewed: 1, AtATime: 1, Seconds: 7, Interrupted: 2,
				Nodes: []outcome.Share{{Node: "wrk-0", Before: 1, After: 1}}},
			{Address: "swarm.main/service.db", Name: "db", Mode: "replicated", Action: "update", Before: 2, After: 1, Renewed: 1, AtATime: 1, Fewest: 1, Stuck: true,
				Nodes:   []outcome.Share{{Node: "wrk-0", Before: 1, After: 1}, {Node: "wrk-1", Before: 1}},
				Pending: []outcome.Pending{{Task: "db.2", Why: "no suitable node (insufficient resources on 2 nodes)"}}},
			{Address: "swarm.main/service.api", Name: "api", Mode: "replicated", Action: "create", Nodes: []outcome.Share{}, NotReached: "swarm.main/service.db"},
			{Address: "swarm.main/service.proxy", Name: "proxy", Mode: "replicated", Action: "create", Nodes: []outcome.Share{}, Refused: "port '80' is already in use by service 'x' (id) as an ingress port"},
			{Address: "swarm.main/service.old", Name: "old", Mode: "global", Action: "delete", Before: 1, Seconds: 1, Nodes: []outcome.Share{{Node: "wrk-0", Before: 1}}},
			{Address: "swarm.main/service.job", Name: "job", Mode: "replicated-job", Action: "create", After: 3, Seconds: 1, Nodes: []outcome.Share{{Node: "wrk-0", After: 3}}},
			{Name: "theirs", Mode: "replicated", Before: 1, Moved: 1, Seconds: 1, Down: true, Nodes: []outcome.Share{{Node: "wrk-1", Before: 1}},
				Pending: []outcome.Pending{{Task: "theirs.1", Why: "no suitable node (1 node not available for new tasks)"}}},
			{Name: "wide", Mode: "replicated", Before: 2, After: 2, Moved: 2, Seconds: 200, Fewest: 1, Nodes: []outcome.Share{
				{Node: "n1", Before: 1}, {Node: "n2", Before: 1}, {Node: "n3", Before: 1}, {Node: "n4", Before: 1}, {Node: "n5", Before: 1},
				{Node: "n6", Before: 1}, {Node: "n7", Before: 1}, {Node: "n8", Before: 1}, {Node: "n9", After: 1}, {Node: "n10", After: 1}}},
		},
		Nodes:       []outcome.Node{{Name: "wrk-0", Before: 4, After: 6}, {Name: "wrk-1", Before: 4, Leaves: true}, {Name: "wrk-2", Joins: true, After: 3}, {Name: "wrk-3", Before: 1, After: 1}, {Name: "wrk-4", Before: 1, Stuck: true}},
		Assumptions: []string{"every new container comes up, and its image is there"},
	}, {
		Swarm: "swarm.other", Services: []outcome.Service{}, Nodes: []outcome.Node{}, Assumptions: []string{},
	}}
}

func TestSimulation(t *testing.T) {
	var b bytes.Buffer
	if err := Simulation(&b, simulations(), Style{}); err != nil {
		t.Fatal(err)
	}
	golden(t, "simulation.txt", b.Bytes())
	b.Reset()
	if err := Simulation(&b, nil, Style{}); err != nil || b.String() != "\nSimulated: nothing that runs changes.\n" {
		t.Errorf("%v, %q", err, b.String())
	}
}

// A simulated plan's JSON is what the schema says, and has an empty list where
// there is nothing to say.
func TestSimulationJSON(t *testing.T) {
	s := planSchema(t)
	for _, reports := range [][]*outcome.Report{simulations(), nil} {
		var b bytes.Buffer
		if err := SimulatedPlanJSON(&b, everything(), reports, "1.2.3"); err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b.Bytes()))
		if err == nil {
			err = s.Validate(doc)
		}
		if err != nil {
			t.Fatal(err)
		}
		if list, ok := doc.(map[string]any)["simulation"].([]any); !ok || len(list) != len(reports) {
			t.Errorf("simulation is %v", doc.(map[string]any)["simulation"])
		}
	}
}
