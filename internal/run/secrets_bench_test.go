package run

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// BenchmarkHundredSecrets plans 100 secrets, each of which is hashed slowly and
// anew: serially it would take 100 times BenchmarkSecretVersion of
// internal/swarm, and it takes that divided by the processors.
func BenchmarkHundredSecrets(b *testing.B) {
	var script strings.Builder
	script.WriteString("project(\"many\")\nswarm.init(engine(\"tcp://127.0.0.1:1\", name = \"e\"), external = True)\n")
	for i := range 100 {
		fmt.Fprintf(&script, "secret(\"s%d\", value = \"v%d\")\n", i, i)
	}
	s, err := Evaluate(context.Background(), Options{File: write(b, b.TempDir(), script.String())})
	if err != nil {
		b.Fatal(err)
	}
	swarm := &resource.Object{Kind: "swarm", ID: "x", Args: make([]any, len(registry.Kind("engine", "swarm").Schema.Fields()))}
	for i := range b.N {
		key := make([]byte, 32)
		copy(key, fmt.Sprint(i))
		_, problems := plan.Build(plan.Input{Program: s.Program, Kinds: registry.Kind, Scopes: map[string]*plan.ScopeState{
			"engine.e":   {Scope: &resource.Scope{Address: "engine.e", Type: "engine"}, Obs: &resource.Observation{Objects: []*resource.Object{swarm}}},
			"swarm.main": {Scope: &resource.Scope{Address: "swarm.main", Type: "swarm"}, Obs: &resource.Observation{Ledger: resource.Ledger{HashKey: key}}},
		}})
		if problems.Err() != nil {
			b.Fatal(problems)
		}
	}
}
