package ui

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/plan"
)

func planSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(PlanSchema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("plan.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("plan.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What is written is what the schema says: plans with every action and sort of
// value, random ones, and errors.
func TestPlanSchema(t *testing.T) {
	s := planSchema(t)
	check := func(what string, text []byte) {
		t.Helper()
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err == nil {
			err = s.Validate(doc)
		}
		if err != nil {
			t.Fatalf("%s: %v\n%s", what, err, text)
		}
	}
	check("everything", planJSON(t, everything()))
	check("broken", planJSON(t, broken()))
	drift := everything()
	drift.Program = program(drift)
	drift.OnlyLook()
	check("drift", planJSON(t, drift))
	for seed := range uint64(300) {
		check("random", planJSON(t, maker{rand.New(rand.NewPCG(seed, 1))}.plan()))
	}
	for _, err := range []error{errors.New("no"), diag.List{{Summary: "wrong", Hint: "right", Pos: diag.Pos{File: "x.star", Line: 3, Col: 1}}, {Summary: "also"}}} {
		var b bytes.Buffer
		if err := PlanErrorJSON(&b, err, "1.2.3"); err != nil {
			t.Fatal(err)
		}
		check("error", b.Bytes())
	}
}

// The schema says no to what is not a plan: it has no hole where everything
// goes through.
func TestPlanSchemaRefuses(t *testing.T) {
	s := planSchema(t)
	good := string(planJSON(t, everything()))
	for _, change := range [][2]string{
		{`"actions":["create"]`, `"actions":["make"]`}, {`"address":`, `"adress":`}, {`"after_unknown":{`, `"after_unknown":3,"x":{`},
		{`"counts":{"add":4`, `"counts":{"add":"4"`}, {`"severity":"warning"`, `"severity":"bad"`}, {`"format_version":"1.0"`, `"format_version":"2.0"`},
		{`"project":`, `"projects":`},
	} {
		text := strings.Replace(good, change[0], change[1], 1)
		if text == good {
			t.Errorf("there is no %s", change[0])
		}
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if s.Validate(doc) == nil {
			t.Errorf("%s is taken", change[1])
		}
	}
}

// A plan that only looks shows what differs as drift, and counts nothing.
func TestDrift(t *testing.T) {
	p := everything()
	p.Program = program(p)
	p.OnlyLook()
	golden(t, "plan-drift.txt", renderPlan(t, p, PlanOptions{RefreshOnly: true}))
	if !p.Empty() || p.Counts() != (plan.Counts{Read: 2}) {
		t.Errorf("it counts %+v", p.Counts())
	}
	golden(t, "plan-drift-none.txt", renderPlan(t, &plan.Plan{Project: "shop"}, PlanOptions{RefreshOnly: true}))
}
