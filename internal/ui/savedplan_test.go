package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
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

// program is what a plan of these tests was made from.
func program(p *plan.Plan) *resource.Program {
	return &resource.Program{Project: p.Project, Outputs: p.Outputs}
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
	if stale := plan.Differences(f.Plan, written, true, false); len(stale) > 0 {
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

func unzip(t testing.TB, data []byte) []byte {
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

// Whatever a file says that can be read, it can be shown.
func FuzzShowPlan(f *testing.F) {
	all := everything()
	for _, c := range append(all.Changes, broken().Changes[0]) { // small seeds, which are changed faster
		data, err := (&plan.File{Plan: &plan.Plan{Changes: []*plan.Change{c}, Outputs: all.Outputs[:1], Warnings: all.Warnings}}).Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(unzip(f, data))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		w.Write(text)
		w.Close()
		first := "swarmscript plan 1\n"
		sum := sha256.Sum256(append([]byte(first), b.Bytes()...))
		got, err := plan.DecodeFile(strings.NewReader(fmt.Sprintf("%ssha256 %x\n%s", first, sum, b.Bytes())), testKinds)
		if err != nil {
			return
		}
		doc := planJSON(t, got.Plan)
		if !json.Valid(doc) {
			t.Errorf("no JSON: %s", doc)
		}
		for _, o := range []PlanOptions{{}, {Style: Style{Width: 40, Color: true}, Destroy: true}, {RefreshOnly: true}} {
			if err := Plan(io.Discard, got.Plan, o); err != nil {
				t.Error(err)
			}
		}
		for _, format := range GraphFormats {
			if err := Graph(io.Discard, got.Plan.Graph, format, true); err != nil {
				t.Error(err)
			}
		}
	})
}
