package ui

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// testKinds finds the kinds of these tests.
func testKinds(_, name string) *resource.Kind {
	for _, k := range []*resource.Kind{serviceKind, networkKind, secretKind, configKind, volumeKind} {
		if k.Name == name {
			return k
		}
	}
	return nil
}

// saved is a plan as it comes back from a file.
func saved(t *testing.T, p *plan.Plan) (*plan.Plan, []byte) {
	t.Helper()
	data, err := (&plan.File{Project: p.Project, Plan: p}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	f, err := plan.DecodeFile(bytes.NewReader(data), testKinds)
	if err != nil {
		t.Fatal(err)
	}
	written, err := plan.Written(p, testKinds)
	if err != nil {
		t.Fatal(err)
	}
	if stale := plan.Differences(f.Plan, written, true); len(stale) > 0 {
		t.Errorf("a plan differs from itself: %q", stale)
	}
	return f.Plan, data
}

// A saved plan is shown as the plan itself was, as text and as JSON.
func TestSavedPlanLooksTheSame(t *testing.T) {
	p := everything()
	p.Graph = &plan.Graph{}
	got, _ := saved(t, p)
	for _, width := range []int{0, 60, 100} {
		o := PlanOptions{Style: Style{Width: width}}
		if a, b := renderPlan(t, got, o), renderPlan(t, p, o); !bytes.Equal(a, b) {
			t.Errorf("width %d: got:\n%s\nwant:\n%s", width, a, b)
		}
	}
	if a, b := planJSON(t, got), planJSON(t, p); !bytes.Equal(a, b) {
		t.Errorf("got:\n%s\nwant:\n%s", a, b)
	}
}

// The file of no plan has a secret in it, and what it has is shown as the plan
// itself is.
func TestSavedPlanHidesSecrets(t *testing.T) {
	for seed := range uint64(300) {
		p := maker{rand.New(rand.NewPCG(seed, 1))}.plan()
		p.Graph = &plan.Graph{}
		got, data := saved(t, p)
		if a, b := planJSON(t, got), planJSON(t, p); !bytes.Equal(a, b) {
			t.Fatalf("seed %d: got:\n%s\nwant:\n%s", seed, a, b)
		}
		if a, b := renderPlan(t, got, PlanOptions{}), renderPlan(t, p, PlanOptions{}); !bytes.Equal(a, b) {
			t.Fatalf("seed %d: got:\n%s\nwant:\n%s", seed, a, b)
		}
		text := unzip(t, data)
		for _, s := range []string{hush, unread} {
			if bytes.Contains(text, []byte(s)) {
				t.Fatalf("seed %d: %s is in the file:\n%s", seed, s, text)
			}
		}
	}
}

func unzip(t *testing.T, data []byte) []byte {
	t.Helper()
	stream := bytes.SplitN(data, []byte("\n"), 3)[2]
	z, err := gzip.NewReader(bytes.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
