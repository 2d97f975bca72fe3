package scripttest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeLab takes down what is done to it.
type fakeLab struct{ did []string }

func (l *fakeLab) do(format string, args ...any) error {
	l.did = append(l.did, fmt.Sprintf(format, args...))
	return nil
}

func (l *fakeLab) Hosts(context.Context) ([]Host, error) {
	return []Host{{"m0", "127.1.1.1", "running"}, {"m1", "127.1.1.2", "off"}, {"w0", "127.1.1.3", "paused"}}, nil
}
func (l *fakeLab) Engine(context.Context, string) (string, error) {
	return "", fmt.Errorf("it does not answer")
}
func (l *fakeLab) Act(_ context.Context, act Act, host string) error { return l.do("%s %s", act, host) }
func (l *fakeLab) Partition(_ context.Context, a, b string) error    { return l.do("%s|%s", a, b) }
func (l *fakeLab) Heal(context.Context) error                        { return l.do("heal") }
func (l *fakeLab) Fault(_ context.Context, f Fault) error {
	return l.do("fault %s %s %v", f.Service, f.Image, f.Effects)
}
func (l *fakeLab) Mend(context.Context) error { return l.do("mend") }
func (l *fakeLab) Log() []string              { return []string{"level=INFO msg=fine", "level=WARN msg=odd"} }
func (l *fakeLab) End(context.Context) error  { return l.do("end") }

// What a test does to machines, by their names or handles.
func TestFaults(t *testing.T) {
	tests := []struct{ calls, did, problem string }{
		{`t.kill("m0")`, "kill m0", ""},
		{`t.kill("m0", "m1"); t.start("m1")`, "kill m0, kill m1, start m1", ""},
		{`t.restart(vm("w0")); t.pause("vm.w0"); t.resume("w0"); t.stop("m1")`, "restart w0, pause w0, resume w0, stop m1", ""},
		{`t.partition("m0", ["m1", "w0"]); t.heal()`, "m0|m1, m0|w0, heal", ""},
		{`t.fault(service = "web", exit = 3); t.mend()`, "fault web  map[exit:3], mend", ""},
		{`t.fault(image = "nginx:1", unhealthy = True, start_delay = 2)`, "fault  nginx:1 map[start-delay:2s unhealthy:true]", ""},
		{`t.fault(service = "swarm.main/service.web", pull = "missing", exit_after = "1m", oom = True)`, "fault web  map[exit-after:1m0s oom:true pull:missing]", ""},
		{`t.equal([h.state for h in t.hosts()], ["running", "off", "paused"])`, "", ""},
		{`t.kill("m3")`, "", `the lab has no machine "m3": there is m0, m1, w0 (did you mean "m0"?)`},
		{`t.kill(3)`, "", "t.kill: got int, want a machine or its name"},
		{`t.partition("m0", ["m0"])`, "", "m0 is on both sides"},
		{`t.fault("web")`, "", `unexpected argument "web": all have names`},
		{`t.fault(exit = 256)`, "", "for parameter exit: got 256, want 0 to 255"},
		{`t.fault(exits = 3)`, "", `unexpected keyword argument "exits" (did you mean "exit"?)`},
		{`t.fault(service = "web")`, "", "it says not what goes wrong"},
		{`t.nodes()`, "", "no engine of the lab answers for a swarm: m0: it does not answer"},
	}
	for _, tt := range tests {
		file := filepath.Join(t.TempDir(), "x_test.star")
		if err := os.WriteFile(file, []byte("def test_it(t):\n    "+tt.calls+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		lab := &fakeLab{}
		it := newTest(&runner{golden: map[string]string{}}, find(t, file)[0], "test_it")
		it.lab = lab
		err := it.run(t.Context())
		if crash := it.crash(); crash != nil {
			t.Error(crash)
		}
		if tt.problem == "" && err != nil || tt.problem != "" && (err == nil || !strings.Contains(err.Error(), tt.problem)) {
			t.Errorf("%s: %v, want %q", tt.calls, err, tt.problem)
		}
		if did := strings.Join(lab.did, ", "); did != tt.did {
			t.Errorf("%s did %q, want %q", tt.calls, did, tt.did)
		}
		res := &Result{}
		it.fill(t.Context(), res, err)
		if err := it.end(t.Context()); err != nil || lab.did[len(lab.did)-1] != "end" {
			t.Errorf("%s: the lab was not ended: %v", tt.calls, err)
		}
		if err != nil && (len(res.Log) < 1 || res.Log[0] != "level=WARN msg=odd") {
			t.Errorf("%s: of the log there is %q", tt.calls, res.Log)
		}
	}
}

// A test whose lab crashed does not pass, whatever it saw.
func TestCrash(t *testing.T) {
	it := newTest(&runner{golden: map[string]string{}}, &File{Path: "x_test.star"}, "test_it")
	it.lab = &crashedLab{}
	err := it.crash()
	if err == nil || err.Error() != "x_test.star: test_it: the lab's process crashed: panic: no more" {
		t.Fatalf("it says %v", err)
	}
	res := &Result{}
	it.fill(t.Context(), res, err)
	want := "panic: no more|github.com/swarmscript/swarmscript/internal/lab/a.b()"
	if got := strings.Join(res.Log, "|"); res.Status != Failed || got != want {
		t.Errorf("it is a %s with the log %q, want %q", res.Status, got, want)
	}
}

type crashedLab struct{ fakeLab }

func (*crashedLab) Log() []string {
	return []string{"level=INFO msg=fine", "panic: no more", "", "goroutine 1 [running]:", "github.com/swarmscript/swarmscript/internal/lab/a.b()", "\t/x.go:1", "panic: no more"}
}
