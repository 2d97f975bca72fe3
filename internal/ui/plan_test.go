package ui

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

func renderPlan(t *testing.T, p *plan.Plan, o PlanOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Plan(&b, p, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPlanGolden(t *testing.T) {
	nothing := &plan.Plan{Project: "shop/staging", Changes: []*plan.Change{change(serviceKind, "web", plan.NoOp)}}
	reads := &plan.Plan{Project: "shop/staging", Changes: []*plan.Change{change(networkKind, "proxy-net", plan.Read)}}
	reads.Changes[0].Live = &resource.Object{Name: "proxy-net"}
	waiting := &plan.Plan{Project: "shop/staging", Changes: []*plan.Change{change(serviceKind, "web", plan.NoOp)}}
	waiting.Changes[0].Unsettled = "2/4 running"
	destroy := &plan.Plan{Project: "shop/staging"}
	for _, n := range []string{"api", "web"} {
		destroy.Changes = append(destroy.Changes, change(serviceKind, n, plan.Delete))
	}
	swarm := lossy(kind("swarm", testNetwork{}))
	takes := &plan.Plan{Project: "shop/staging", Changes: []*plan.Change{change(swarm, "main", plan.Delete)}}
	takes.Changes[0].Takes = []string{"service db of other/prod", "service old, unmanaged", "service web"}
	released := &plan.Plan{Project: "shop/staging", Changes: []*plan.Change{
		create(networkKind, "wrk-0", "subnet", "10.0.0.0/24"), change(serviceKind, "wrk-1", plan.Release), change(networkKind, "wrk-2", plan.Release),
	}}
	released.Changes[0].Action, released.Changes[0].Deferred = plan.Update, true
	joins := create(networkKind, "wrk-3", "subnet", "10.0.1.0/24") // into what is there
	joins.Deferred, joins.Decl = true, &resource.Declaration{On: "docker.wrk-3"}
	released.Changes = append(released.Changes, joins)
	for i, keys := range [][]string{{"labels:tier", "labels:zone", "env:not-merged"}, nil} {
		c := released.Changes[i+1]
		c.Live, c.Reason = &resource.Object{Mark: resource.Mark{Project: "shop/staging", Keys: keys}}, "no longer declared"
	}
	gone := broken()
	gone.Changes = gone.Changes[:10]
	for name, c := range map[string]struct {
		plan *plan.Plan
		o    PlanOptions
	}{
		"plan-file.txt":          {everything(), PlanOptions{}},
		"plan-80.txt":            {everything(), PlanOptions{Style: Style{Width: 80}}},
		"plan-40.txt":            {everything(), PlanOptions{Style: Style{Width: 40}}},
		"plan-color.txt":         {everything(), PlanOptions{Style: Style{Width: 100, Color: true}}},
		"plan-unreachable.txt":   {broken(), PlanOptions{Style: Style{Width: 80}}},
		"plan-unreachable-0.txt": {gone, PlanOptions{Style: Style{Width: 80}}},
		"plan-nothing.txt":       {nothing, PlanOptions{}},
		"plan-released.txt":      {released, PlanOptions{}},
		"plan-takes.txt":         {takes, PlanOptions{Destroy: true}},
		"plan-reads.txt":         {reads, PlanOptions{}},
		"plan-waiting.txt":       {waiting, PlanOptions{}},
		"plan-destroy.txt":       {destroy, PlanOptions{Destroy: true}},
		"plan-destroy-0.txt":     {&plan.Plan{Project: "shop/staging"}, PlanOptions{Destroy: true}},
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, renderPlan(t, c.plan, c.o)) })
	}
}

// Colour carries no meaning: without it the text is the same.
func TestColorAddsNothing(t *testing.T) {
	for _, width := range []int{0, 40, 80} {
		with := renderPlan(t, everything(), PlanOptions{Style: Style{Width: width, Color: true}})
		without := renderPlan(t, everything(), PlanOptions{Style: Style{Width: width}})
		if stripEscapes(string(with)) != string(without) {
			t.Errorf("width %d: the text with colours is another one", width)
		}
	}
}

// On a terminal lines fit, but for what must not be cut: addresses, labels of
// arguments, and words too long to fold.
func TestPlanFits(t *testing.T) {
	for _, width := range []int{60, 80, 120} {
		for l := range strings.Lines(string(renderPlan(t, everything(), PlanOptions{Style: Style{Width: width}}))) {
			if l = strings.TrimSuffix(l, "\n"); textWidth(l) > width {
				t.Errorf("width %d: %d columns: %s", width, textWidth(l), l)
			}
		}
	}
}

// Off a terminal, where nothing limits the width, what is very long is cut in its
// middle all the same: both ends are there. As JSON it is whole.
func TestVeryLongValues(t *testing.T) {
	long := "begin-" + strings.Repeat("x", 3000) + "-end"
	p := &plan.Plan{Project: "shop", Changes: []*plan.Change{
		create(serviceKind, "made", "image", long, "motd", "one\n"+long, "command", texts_(long, "b"), "env", value.MapOf(map[string]string{"A": long})),
		differ(serviceKind, "changed", plan.Update, fields(serviceKind, "image", long+"1", "command", texts_(long), "motd", "a\n"+long),
			fields(serviceKind, "image", long+"2", "command", texts_(long, "b"), "motd", "b\n"+long)),
	}, Outputs: []resource.OutputValue{{Name: "text", Value: long}}}
	got := string(renderPlan(t, p, PlanOptions{}))
	cuts := 0
	for l := range strings.Lines(got) {
		if textWidth(l) > 300 {
			t.Errorf("a line of %d columns: %.60s", textWidth(l), l)
		}
		if strings.Contains(l, "begin-") && strings.Contains(l, "x...x") && strings.Contains(l, "-end") {
			cuts++
		}
	}
	if cuts < 7 {
		t.Errorf("%d values are cut in the middle:\n%s", cuts, got)
	}
	var b bytes.Buffer
	if err := PlanJSON(&b, p, "dev"); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), long); n < 8 {
		t.Errorf("it is %d times in the JSON, whole", n)
	}
}

func TestPlanEscapes(t *testing.T) {
	evil := "a\x1b[2Jb\rc\x07\u202ed\xff\u009b1m"
	c := create(serviceKind, evil, "image", evil, "env", value.MapOf(map[string]string{evil: evil}), "motd", evil+"\n"+evil,
		"command", texts_(evil))
	c.Reason, c.Effect = evil, evil
	p := &plan.Plan{Project: evil, Changes: []*plan.Change{c}, Unreachable: map[string]error{evil: fmt.Errorf("%s", evil)}}
	u := differ(serviceKind, "u", plan.Update, fields(serviceKind, "image", evil, "env", value.MapOf(map[string]string{evil: "x"})), fields(serviceKind, "image", evil+evil))
	p.Changes = append(p.Changes, u)
	for _, width := range []int{0, 40, 80} {
		got := renderPlan(t, p, PlanOptions{Style: Style{Width: width}})
		noControls(t, string(got))
	}
	var b bytes.Buffer
	if err := PlanJSON(&b, p, "dev"); err != nil {
		t.Fatal(err)
	}
	noControls(t, b.String())
}

func noControls(t *testing.T, s string) {
	t.Helper()
	for i, r := range s {
		if r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e' && !strings.HasPrefix(s, "{")) {
			t.Errorf("control character %U at %q", r, s[max(0, i-10):min(len(s), i+10)])
		}
	}
}

// large is a plan of n creations with nine arguments each.
func large(n int) *plan.Plan {
	p := &plan.Plan{Project: "shop/staging"}
	for i := range n {
		p.Changes = append(p.Changes, create(serviceKind, fmt.Sprintf("service-%05d", i),
			"image", "registry.example.com/shop/web:1.27.3", "replicas", int64(i%7+2),
			"command", texts_("serve", "--port", "8080"), "env", value.MapOf(map[string]string{"TIER": "web", "N": fmt.Sprint(i)}),
			"labels", value.MapOf(map[string]string{"owner": "team a"}), "ports", value.List{port(80, int64(i+1000), "tcp")},
			"networks", value.List{ref("swarm.main/network.backend", "name", false)},
			"limit_memory", int64(512<<20), "update", value.Struct{int64(2), int64(10 * time.Second)}))
	}
	return p
}

func BenchmarkPlan10000(b *testing.B) {
	p := large(10000)
	for _, width := range []int{0, 80} {
		b.Run(fmt.Sprintf("width=%d", width), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := Plan(io.Discard, p, PlanOptions{Style: Style{Width: width, Color: width > 0}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPlanJSON10000(b *testing.B) {
	p := large(10000)
	b.ReportAllocs()
	for b.Loop() {
		if err := PlanJSON(io.Discard, p, "dev"); err != nil {
			b.Fatal(err)
		}
	}
}

// writes counts how a plan arrives: in pieces, not as a whole.
type writes struct{ n, largest int }

func (w *writes) Write(b []byte) (int, error) {
	w.n++
	w.largest = max(w.largest, len(b))
	return len(b), nil
}

func TestStreaming(t *testing.T) {
	p := large(2000)
	var w writes
	if err := PlanJSON(&w, p, "dev"); err != nil {
		t.Fatal(err)
	}
	if w.n < 10 || w.largest > 2*flushAt {
		t.Errorf("JSON: %d writes, the largest %d bytes", w.n, w.largest)
	}
	w = writes{}
	if err := Plan(&w, p, PlanOptions{}); err != nil {
		t.Fatal(err)
	}
	if w.n < 5 || w.largest > 2*flushAt {
		t.Errorf("text: %d writes, the largest %d bytes", w.n, w.largest)
	}
	runtime.KeepAlive(p)
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestWriteErrors(t *testing.T) {
	if err := Plan(failing{}, everything(), PlanOptions{}); err != io.ErrClosedPipe {
		t.Errorf("Plan: got %v", err)
	}
	if err := PlanJSON(failing{}, everything(), ""); err != io.ErrClosedPipe {
		t.Errorf("PlanJSON: got %v", err)
	}
}
