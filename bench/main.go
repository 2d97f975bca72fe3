// Command bench runs the benchmarks that the project's limits are about, and
// prints a table of ratios: go run ./bench. Each figure is a median of runs
// made in turns with what it is compared with, so that a busy machine disturbs
// both alike. It needs what the tests need: Linux and root for those on a real
// engine and on machines; Ansible, which it installs from Debian, for what is
// compared with that. A row says so where it is not measured. It exits with 1
// where a limit is missed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/swarmscript/swarmscript/bench/hosts"
)

// limit is one line of the table: a figure, and what it may be at most.
type limit struct {
	what  string
	value func(f figures) (float64, bool)
	most  float64
	unit  string
}

// figures are what the benchmarks reported, by benchmark and unit.
type figures map[string]map[string]float64

func (f figures) get(bench, unit string) (float64, bool) {
	v, ok := f[bench][unit]
	return v, ok
}

func one(bench, unit string) func(figures) (float64, bool) {
	return func(f figures) (float64, bool) { return f.get(bench, unit) }
}

// ratio divides two figures.
func ratio(bench1, unit1, bench2, unit2 string) func(figures) (float64, bool) {
	return func(f figures) (float64, bool) {
		a, ok1 := f.get(bench1, unit1)
		b, ok2 := f.get(bench2, unit2)
		return a / b, ok1 && ok2 && b != 0
	}
}

// What Terraform 1.x took for a plan of 10,000 terraform_data on two cores, for
// where it is not installed: the seconds are another machine's.
const (
	terraformMS  = 6900
	terraformMiB = 381
)

var limits = []limit{
	{"plan of 10,000 creations / bare evaluation", one("Plan/n=10000", "x/bare"), 3, "x"},
	{"plan of 10,000 unchanged / bare evaluation", one("NoChange/n=10000", "x/bare"), 3, "x"},
	{"process: plan of 10,000 / bare interpreter", one("Process", "x/bare"), 3, "x"},
	{"process: plan of 10,000 / terraform plan", one("Process", "x/terraform"), 1. / 20, "x"},
	{"process: memory / terraform's", ratio("Process", "plan-MiB", "Process", "terraform-MiB"), 1. / 4, "x"},
	{"plan: 10,000 / 1,000", ratio("Plan/n=10000", "plan-ms", "Plan/n=1000", "plan-ms"), 11, "x"},
	{"plan unchanged: 10,000 / 1,000", ratio("NoChange/n=10000", "plan-ms", "NoChange/n=1000", "plan-ms"), 11, "x"},
	{"plan unchanged with its lists: 10,000 / 1,000", ratio("NoChange/n=10000", "whole-ms", "NoChange/n=1000", "whole-ms"), 11, "x"},
	{"apply to an API that counts: 10,000 / 1,000", ratio("Apply/n=10000", "ns/op", "Apply/n=1000", "ns/op"), 11, "x"},
	{"apply: writes beside 10,000 creations", func(f figures) (float64, bool) {
		n, ok := f.get("Apply/n=10000", "writes")
		return n - 10000, ok
	}, 10, ""},
	{"100 services, first to last write / bare client", one("RealCreate", "x/client"), 1.2, "x"},
	{"  the services alone / bare client", one("RealCreate", "x/client-services"), 1.2, "x"},
	{"100 services, first to last write / stack deploy", one("RealCreate", "x/stack"), 0.6, "x"},
	{"  the services alone / stack deploy", one("RealCreate", "x/stack-services"), 0.6, "x"},
	{"a compose file of 100 services, first to last write / stack deploy", one("RealStack", "x/stack-create"), 0.7, "x"},
	{"  again, nothing changed, the whole program / stack deploy", one("RealStack", "x/stack-again"), 1. / 5, "x"},
	{"no-change plan of 500 live / bare lists", one("RealNoChange", "x/lists"), 1.5, "x"},
	{"swarmscript version / docker --version", one("Version", "x/docker"), 2, "x"},
	{"  the program's size, stripped", one("Version", "MB"), 45, "MB"},
	{"8 bare machines to a swarm / bare commands", one("Hosts", "x/bare"), 1.3, "x"},
	{"  again, nothing to do / ansible", one("Hosts", "x/ansible"), 1. / 25, "x"},
	{"  its controller's CPU / ansible's", one("Hosts", "x/ansible-cpu"), 1. / 60, "x"},
}

// runs are the benchmarks, with how often each is repeated.
var runs = []struct{ pattern, times string }{
	{"^Benchmark(Plan|NoChange)$", "21x"},
	{"^Benchmark(Version|Process|RealCreate|RealNoChange|RealStack)$", "11x"},
	{"^BenchmarkApply$", "5x"},
}

func main() {
	times := flag.String("times", "", "how often each is repeated, as in 5x (default: as it needs)")
	only := flag.String("run", "", "only benchmarks that contain this")
	machines := flag.Bool("hosts", false, "only what is about eight machines, which takes about 20 minutes")
	flag.Parse()
	f := figures{}
	failed := false
	if *machines {
		runs = nil
	}
	for _, r := range runs {
		if *times != "" {
			r.times = *times
		}
		if *only != "" {
			r.pattern = *only
		}
		out, err := run(r.pattern, r.times)
		f.read(out)
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench: %v\n%s\n", err, out)
			failed = true
		}
		if *only != "" {
			break
		}
	}
	if *only == "" {
		if err := f.hosts(*times); err != nil {
			fmt.Fprintf(os.Stderr, "bench: hosts: %v\n", err)
			failed = true
		}
	}
	missed := f.print(os.Stdout)
	if failed || missed {
		os.Exit(1)
	}
}

// hosts measures what is about machines, where there can be any.
func (f figures) hosts(times string) error {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "bench: machines of this computer need root on Linux: not measured")
		return nil
	}
	rounds := hosts.Rounds{First: 3, Second: 7}
	if n, err := strconv.Atoi(strings.TrimSuffix(times, "x")); err == nil {
		rounds = hosts.Rounds{First: n, Second: n}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	f["Hosts"], err = hosts.Measure(ctx, os.Stderr, rounds)
	return err
}

// run makes benchmarks of internal/run.
func run(pattern, times string) (string, error) {
	fmt.Fprintf(os.Stderr, "bench: %s, %s\n", pattern, times)
	cmd := exec.Command("go", "test", "./internal/run", "-run=^$", "-bench="+pattern, "-benchtime="+times, "-timeout=30m")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// read takes in the lines of go test -bench.
func (f figures) read(text string) {
	for _, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) < 4 || !strings.HasPrefix(words[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(words[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i > 0 { // the number of cores
			name = name[:i]
		}
		f[name] = map[string]float64{}
		for i := 2; i+1 < len(words); i += 2 {
			if v, err := strconv.ParseFloat(words[i], 64); err == nil {
				f[name][words[i+1]] = v
			}
		}
	}
}

// print writes the tables. It reports whether a limit was missed.
func (f figures) print(out *os.File) (missed bool) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT\tFIGURE\tLIMIT\t")
	for _, l := range limits {
		v, ok := l.value(f)
		switch {
		case !ok:
			fmt.Fprintf(w, "%s\t-\t%.3g%s\tnot measured\n", l.what, l.most, l.unit)
		case v > l.most:
			missed = true
			fmt.Fprintf(w, "%s\t%.3g%s\t%.3g%s\tMISSED\n", l.what, v, l.unit, l.most, l.unit)
		default:
			fmt.Fprintf(w, "%s\t%.3g%s\t%.3g%s\tok\n", l.what, v, l.unit, l.most, l.unit)
		}
	}
	w.Flush()
	fmt.Fprintln(out, "\nMedians:")
	for _, m := range []struct{ what, bench, unit string }{
		{"plan of 10,000 creations, in process", "Plan/n=10000", "plan-ms"},
		{"bare evaluation of the same loop", "Plan/n=10000", "bare-ms"},
		{"swarmscript plan of 10,000 creations", "Process", "plan-ms"},
		{"its peak memory", "Process", "plan-MiB"},
		{"terraform plan of 10,000 terraform_data", "Process", "terraform-ms"},
		{"its peak memory", "Process", "terraform-MiB"},
		{"plan of 10,000 live services, with the lists", "NoChange/n=10000", "whole-ms"},
		{"100 services by apply, first to last write", "RealCreate", "apply-ms"},
		{"100 services by docker stack deploy", "RealCreate", "stack-ms"},
		{"a compose file of 100 services by apply, whole program", "RealStack", "whole-ms"},
		{"  by docker stack deploy", "RealStack", "stack-whole-ms"},
		{"again, nothing changed", "RealStack", "again-ms"},
		{"  by docker stack deploy", "RealStack", "stack-again-ms"},
		{"its own CPU", "RealStack", "again-cpu-ms"},
		{"  docker stack deploy's", "RealStack", "stack-again-cpu-ms"},
		{"no-change plan of 500 live services", "RealNoChange", "plan-ms"},
		{"swarmscript version", "Version", "swarmscript-ms"},
		{"8 bare machines to a swarm", "Hosts", "first-s"},
		{"  by the bare commands", "Hosts", "bare-first-s"},
		{"  by ansible", "Hosts", "ansible-first-s"},
		{"again, nothing to do", "Hosts", "second-s"},
		{"  by ansible", "Hosts", "ansible-second-s"},
		{"its controller's CPU", "Hosts", "second-cpu-s"},
		{"  ansible's", "Hosts", "ansible-second-cpu-s"},
	} {
		if v, ok := f.get(m.bench, m.unit); ok {
			fmt.Fprintf(w, "%s\t%.4g\t%s\n", m.what, v, m.unit[strings.LastIndexByte(m.unit, '-')+1:])
		}
	}
	w.Flush()
	ms, measured := f.get("Process", "plan-ms")
	if _, ok := f.get("Process", "terraform-ms"); measured && !ok {
		mib, _ := f.get("Process", "plan-MiB")
		fmt.Fprintf(out, "\nTerraform is not installed: nothing is compared with it. For information, against\n"+
			"%d ms and %d MiB measured elsewhere: %.0f times faster, %.1f times smaller.\n",
			terraformMS, terraformMiB, terraformMS/ms, terraformMiB/mib)
	}
	return missed
}
