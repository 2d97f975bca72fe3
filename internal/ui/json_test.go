package ui

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/swarmscript/swarmscript/internal/plan"
)

func planJSON(t testing.TB, p *plan.Plan) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := PlanJSON(&b, p, "1.2.3"); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPlanJSON(t *testing.T) {
	for name, p := range map[string]*plan.Plan{"plan.json": everything(), "plan-unreachable.json": broken()} {
		got := planJSON(t, p)
		if again := planJSON(t, p); !bytes.Equal(got, again) {
			t.Error("the same plan gives other bytes")
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, got, "", "  "); err != nil {
			t.Fatalf("%v: %s", err, got)
		}
		golden(t, name, pretty.Bytes())
	}
}

// What Terraform's readers look at is where they look.
func TestPlanJSONShape(t *testing.T) {
	var doc struct {
		FormatVersion   string `json:"format_version"`
		ResourceChanges []struct {
			Address string
			Change  struct {
				Actions         []string
				Before, After   map[string]any
				AfterUnknown    map[string]any `json:"after_unknown"`
				AfterSensitive  map[string]any `json:"after_sensitive"`
				BeforeSensitive map[string]any `json:"before_sensitive"`
				ReplacePaths    [][]string     `json:"replace_paths"`
			}
		} `json:"resource_changes"`
		Counts map[string]int
	}
	p := everything()
	if err := json.Unmarshal(planJSON(t, p), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.ResourceChanges) != len(p.Changes) {
		t.Fatalf("got %d changes, want %d", len(doc.ResourceChanges), len(p.Changes))
	}
	for _, r := range doc.ResourceChanges {
		c := r.Change
		switch r.Address {
		case "swarm.main/service.new":
			if c.Before != nil || c.After["token"] != nil || c.AfterSensitive["token"] != true {
				t.Errorf("token: %v, %v", c.After["token"], c.AfterSensitive["token"])
			}
			if c.After["limit_memory"] != float64(512<<20) || c.After["mode"] != "replicated" {
				t.Errorf("after: %v", c.After)
			}
			if l, ok := c.AfterUnknown["networks"].([]any); !ok || len(l) != 1 || l[0] != true {
				t.Errorf("after_unknown: %v", c.AfterUnknown)
			}
		case "swarm.main/network.front":
			if len(c.Actions) != 2 || c.Actions[0] != "delete" || len(c.ReplacePaths) != 1 || c.ReplacePaths[0][0] != "subnet" {
				t.Errorf("front: %v %v", c.Actions, c.ReplacePaths)
			}
		}
	}
	if doc.Counts["add"] != 4 {
		t.Errorf("counts: %v", doc.Counts)
	}
}

func FuzzJSONString(f *testing.F) {
	for _, s := range []string{"", "a\"\\b", "\x00\x1f\x7f\u0085\u2028\xff", "漢字🐳", "\xed\xa0\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		b := appendJSONString(nil, s)
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		std, _ := json.Marshal(s)
		var want string
		if err := json.Unmarshal(std, &want); err != nil || got != want {
			t.Fatalf("%q: got %q, want %q", s, got, want)
		}
	})
}
