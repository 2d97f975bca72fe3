// Package hosts measures how fast bare machines become a swarm: SwarmScript,
// Ansible, and the same commands over bare connections do the same to eight
// machines of [local].
//
// The job is in the folder job: three packages, three files, a template, a unit,
// Docker, and a swarm of three managers and five workers. Whoever did it, the
// machines are looked at afterwards, by the same check.
//
//   - The first run is made on machines that nobody has touched: each time new
//     ones, outside of what is measured. Their apt goes through a proxy on this
//     computer that has everything after the first time, so nobody waits for a
//     mirror; reading lists and unpacking are part of the job. SwarmScript and
//     the bare commands take turns at being first.
//   - The second run finds nothing to do. SwarmScript and Ansible take turns on
//     the machines that SwarmScript made, which Ansible finds as its playbook
//     wants them: it says so, or the run does not count.
//
// The controller's CPU time is that of the process and those that it waited for;
// with Ansible also that of the masters of its SSH connections, which stay from
// run to run. Ansible needs Python on the machines: it is installed beforehand.
package hosts

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/swarmscript/swarmscript/internal/local"
	"github.com/swarmscript/swarmscript/internal/testhost"
)

const (
	machines = 8
	managers = 3
)

// packages are those of the job, beside Docker's.
var packages = []string{"jq", "tree", "unzip"}

//go:embed job
var job embed.FS

func text(name string) string {
	b, err := job.ReadFile("job/" + name)
	if err != nil {
		panic(err) // it is embedded
	}
	return string(b)
}

// Rounds are how often each thing is done.
type Rounds struct {
	First  int // first runs of SwarmScript and of the bare commands
	Second int // second runs of SwarmScript and of Ansible
}

// took is what a run cost.
type took struct{ wall, cpu time.Duration }

// Measure returns the medians, by name: in seconds where a name ends with "-s",
// ratios where it begins with "x/". Without Ansible its figures are missing.
func Measure(ctx context.Context, log io.Writer, r Rounds) (figures map[string]float64, err error) {
	site, destroy, err := testhost.TakeSite()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, destroy()) }()
	dir, err := os.MkdirTemp("", "bench-hosts-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	b := &bench{log: log, site: site, dir: dir, cache: newCache(ctx), figures: map[string]float64{}}
	defer b.endMasters()
	if err := b.setUp(ctx); err != nil {
		return nil, err
	}
	return b.figures, b.measure(ctx, r)
}

// bench is one measurement.
type bench struct {
	log     io.Writer
	site    *local.Site
	dir     string // the home of the contenders, with the job and the key
	key     *key
	cache   *cache
	ansible bool
	figures map[string]float64
}

func (b *bench) setUp(ctx context.Context) (err error) {
	if err := os.CopyFS(b.dir, job); err != nil {
		return err
	}
	if b.key, err = newKey(b.dir); err != nil {
		return err
	}
	if err := b.build(ctx); err != nil {
		return err
	}
	if err := b.installAnsible(ctx); err != nil {
		fmt.Fprintf(b.log, "hosts: without Ansible: %v\n", err)
	}
	b.ansible = err == nil
	return nil
}

// fresh makes machines whose apt uses the proxy.
func (b *bench) fresh(ctx context.Context) (*fleet, error) {
	f, err := boot(ctx, b.site, b.key)
	conf := ""
	if err == nil {
		conf, f.stop, err = b.cache.serve(f.addresses()[0])
	}
	if err == nil {
		err = f.knownHosts(b.dir)
	}
	if err == nil {
		err = f.prepare(ctx, "cat >/etc/apt/apt.conf.d/95bench <<'END'\n"+conf+"END\n")
	}
	if err != nil {
		return nil, errors.Join(err, f.destroy(ctx))
	}
	return f, nil
}

// contender does the job on machines.
type contender struct {
	name string
	run  func(context.Context, *fleet) (took, error)
}

// first makes a first run on new machines, and hands them to then.
func (b *bench) first(ctx context.Context, c contender, prepare string, then func(*fleet) error) (t took, err error) {
	f, err := b.fresh(ctx)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, f.destroy(ctx)) }()
	if err := f.prepare(ctx, prepare); err != nil {
		return t, err
	}
	if t, err = c.run(ctx, f); err != nil {
		return t, fmt.Errorf("%s: %w", c.name, err)
	}
	if err := f.check(ctx); err != nil {
		return t, fmt.Errorf("%s: %w", c.name, err)
	}
	fmt.Fprintf(b.log, "hosts: first run of %s: %.1f s, %.2f s of CPU\n", c.name, t.wall.Seconds(), t.cpu.Seconds())
	if then != nil {
		err = then(f)
	}
	return t, err
}

func (b *bench) measure(ctx context.Context, r Rounds) error {
	ours, bare := contender{"swarmscript", b.swarmscript}, contender{"the bare commands", b.bare}
	if _, err := b.first(ctx, bare, "", nil); err != nil { // fills the proxy
		return err
	}
	var x, oursTook, bareTook []float64
	for i := range r.First {
		then := func(f *fleet) error { return nil }
		if i == r.First-1 {
			then = func(f *fleet) error { return b.second(ctx, f, r.Second) }
		}
		turns := []func() error{
			func() error {
				t, err := b.first(ctx, ours, "", then)
				oursTook = append(oursTook, t.wall.Seconds())
				return err
			},
			func() error {
				t, err := b.first(ctx, bare, "", nil)
				bareTook = append(bareTook, t.wall.Seconds())
				return err
			},
		}
		for k := range turns {
			if err := turns[(i+k)%2](); err != nil {
				return err
			}
		}
		x = append(x, oursTook[i]/bareTook[i])
	}
	b.figures["first-s"], b.figures["bare-first-s"], b.figures["x/bare"] = median(oursTook), median(bareTook), median(x)
	if !b.ansible {
		return nil
	}
	t, err := b.first(ctx, contender{"ansible", b.playbook}, withPython, nil)
	if err != nil {
		return err
	}
	b.figures["ansible-first-s"] = t.wall.Seconds()
	return nil
}

// second makes runs that find nothing to do, in turns.
func (b *bench) second(ctx context.Context, f *fleet, rounds int) error {
	if b.ansible {
		if err := f.prepare(ctx, withPython+withDockerSDK); err != nil {
			return err
		}
	}
	var ours, oursCPU, ansible, ansibleCPU, x, xCPU []float64
	for range rounds {
		t, err := b.unchanged(ctx, f)
		if err != nil {
			return err
		}
		ours, oursCPU = append(ours, t.wall.Seconds()), append(oursCPU, t.cpu.Seconds())
		fmt.Fprintf(b.log, "hosts: second run of swarmscript: %.3f s, %.3f s of CPU\n", t.wall.Seconds(), t.cpu.Seconds())
		if !b.ansible {
			continue
		}
		a, err := b.playbookUnchanged(ctx, f)
		if err != nil {
			return err
		}
		fmt.Fprintf(b.log, "hosts: second run of ansible: %.1f s, %.2f s of CPU\n", a.wall.Seconds(), a.cpu.Seconds())
		ansible, ansibleCPU = append(ansible, a.wall.Seconds()), append(ansibleCPU, a.cpu.Seconds())
		x, xCPU = append(x, t.wall.Seconds()/a.wall.Seconds()), append(xCPU, t.cpu.Seconds()/a.cpu.Seconds())
	}
	b.figures["second-s"], b.figures["second-cpu-s"] = median(ours), median(oursCPU)
	if b.ansible {
		b.figures["ansible-second-s"], b.figures["ansible-second-cpu-s"] = median(ansible), median(ansibleCPU)
		b.figures["x/ansible"], b.figures["x/ansible-cpu"] = median(x), median(xCPU)
	}
	return f.check(ctx)
}

func median(list []float64) float64 {
	s := slices.Sorted(slices.Values(list))
	return s[len(s)/2]
}

// home is the environment of a contender: its own home folder, and nothing of
// this computer's.
func (b *bench) home(more ...string) []string {
	return append([]string{"HOME=" + b.dir, "PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"}, more...)
}

func (b *bench) jobDir() string { return filepath.Join(b.dir, "job") }
