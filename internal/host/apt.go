package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// apt runs one apt-get at a time: dpkg has one lock. What comes within a moment
// of the first, or while another one runs, is installed together.
type apt struct {
	run   func(ctx context.Context, jobs []*aptJob)
	mu    sync.Mutex
	queue []*aptJob
	busy  chan struct{} // holds a token while one runs
}

// aptJob is what one step wants of apt.
type aptJob struct {
	spec PackageSpec
	r    *resource.Request
	done chan struct{} // closed when is and err are set
	is   pkg
	err  error
}

func newAptJob(spec PackageSpec, r *resource.Request) *aptJob {
	return &aptJob{spec: spec, r: r, done: make(chan struct{})}
}

// gather is how long the first waits for others.
const gather = 50 * time.Millisecond

// do does a job, with those of others.
func (a *apt) do(ctx context.Context, j *aptJob) error {
	a.mu.Lock()
	a.queue = append(a.queue, j)
	a.mu.Unlock()
	if leads, err := a.enter(ctx, j, gather); err != nil {
		return err
	} else if leads {
		a.lead(ctx)
	}
	if errors.Is(j.err, context.Canceled) && ctx.Err() == nil {
		// The one who ran it was cancelled, we were not.
		return a.do(ctx, newAptJob(j.spec, j.r))
	}
	return j.err
}

// enter waits until nobody else uses apt, and for a while; or until another one
// has done the job. Meanwhile the step gives its turn to others: those that are
// to be gathered need one, and those of eight machines that wait for their apt
// would keep all else from going on.
func (a *apt) enter(ctx context.Context, j *aptJob, wait time.Duration) (leads bool, err error) {
	if j.r.Waits != nil {
		j.r.Waits()
	}
	select {
	case a.busy <- struct{}{}:
	case <-j.done:
		return false, nil
	case <-ctx.Done():
		a.withdraw(j)
		return false, ctx.Err()
	}
	select {
	case <-j.done: // meanwhile
		<-a.busy
		return false, nil
	default:
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil && j.r.Turn != nil {
		err = j.r.Turn(ctx)
	}
	if err != nil {
		a.withdraw(j)
		<-a.busy
	}
	return err == nil, err
}

// lead runs all that is queued.
func (a *apt) lead(ctx context.Context) {
	defer func() { <-a.busy }()
	a.mu.Lock()
	jobs := a.queue
	a.queue = nil
	a.mu.Unlock()
	a.run(ctx, jobs)
	for _, j := range jobs {
		close(j.done)
	}
}

// alone runs something while nothing else of this run uses apt.
func (a *apt) alone(ctx context.Context, r *resource.Request, f func() error) error {
	if _, err := a.enter(ctx, &aptJob{r: r}, 0); err != nil {
		return err
	}
	defer func() { <-a.busy }()
	return f()
}

func (a *apt) withdraw(j *aptJob) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, other := range a.queue {
		if other == j {
			a.queue = append(a.queue[:i:i], a.queue[i+1:]...)
			return
		}
	}
}

// installAll does jobs in as few runs of apt-get as there are ways to run it.
// Where one run fails, each is tried alone, so that each has its own error.
func (c *Conn) installAll(ctx context.Context, jobs []*aptJob) {
	groups := map[string][]*aptJob{}
	var order []string
	for _, j := range jobs {
		key := fmt.Sprint(j.spec.Installed, j.spec.Recommends || !j.spec.Installed, j.spec.Purge, j.r.Timeout)
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], j)
	}
	for _, key := range order {
		group := groups[key]
		err := c.aptRun(ctx, group)
		var mine *aptError
		if len(group) == 1 || !errors.As(err, &mine) || mine.global {
			for _, j := range group {
				if err != nil {
					j.err = err
				}
			}
			continue
		}
		for _, j := range group {
			if j.err == nil {
				j.err = c.aptRun(ctx, []*aptJob{j})
			}
		}
	}
}

// aptRun does jobs of one kind, once nobody else holds dpkg's lock.
func (c *Conn) aptRun(ctx context.Context, jobs []*aptJob) error {
	out, err := c.whenFree(ctx, aptScript(jobs), nil, jobs[0].r.Timeout, func(p resource.Progress) {
		for _, j := range jobs {
			j.r.Progress(p)
		}
	})
	if err != nil {
		return err
	}
	return readApt(out, jobs)
}

// whenFree runs a script that begins with aptBegin, once nobody else holds
// dpkg's lock, and returns what it printed. Patience is how long somebody may, 0
// without end.
func (c *Conn) whenFree(ctx context.Context, script string, data []byte, patience time.Duration, progress func(resource.Progress)) ([]byte, error) {
	var over <-chan time.Time
	for pause := 500 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		out, err := c.run(ctx, script, data)
		if err != nil {
			return nil, err
		}
		who := holder(out)
		if who == "" {
			return out, nil
		}
		if over == nil && patience > 0 {
			over = time.After(patience)
		}
		progress(resource.Progress{Text: "waiting for dpkg's lock, held by " + who})
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-over:
			return nil, &failure{fmt.Sprintf("dpkg's lock is held by %s, and has been for %s: wait until that ends, or end it, and run it again (timeout = waits longer)", who, patience)}
		}
	}
}

// holder is who held dpkg's lock when a script that begins with aptBegin ran, ""
// for nobody. What follows a failure, or the packages, is not the script's own
// words.
func holder(out []byte) string {
	for _, line := range lines(out) {
		what, text, _ := strings.Cut(line, " ")
		switch what {
		case "held":
			return text
		case "failed", "--":
			return ""
		}
	}
	return ""
}

// aptError is what apt-get said.
type aptError struct {
	msg    string
	global bool // it would be the same for each package alone
}

func (e *aptError) Error() string { return e.msg }

// readApt reads what aptScript printed when it did its work.
func readApt(out []byte, jobs []*aptJob) error {
	head, rest, _ := bytes.Cut(out, []byte("-- packages\n"))
	byName := map[string]*aptJob{}
	for _, j := range jobs {
		byName[j.spec.Name] = j
	}
	for _, line := range lines(head) {
		what, text, _ := strings.Cut(line, " ")
		switch what {
		case "unknown":
			name, versions, _ := strings.Cut(text, " ")
			if j := byName[name]; j != nil {
				j.err = unknownPackage(j.spec, strings.Fields(versions))
			}
		case "failed":
			phase, log, _ := bytes.Cut(head[bytes.Index(head, []byte(line)):], []byte("\n"))
			return aptFailure(strings.TrimPrefix(string(phase), "failed "), string(log))
		}
	}
	all, err := parsePackages(rest)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if j.is = all[j.spec.Name]; j.err == nil && j.is.installed != j.spec.Installed {
			j.err = &failure{fmt.Sprintf("apt-get ended well, but there is no package %s: it is a virtual one; name the package that provides it", j.spec.Name)}
		}
	}
	return nil
}

func unknownPackage(s PackageSpec, versions []string) error {
	if len(versions) == 0 || s.Version == nil {
		return &failure{fmt.Sprintf("no source of the machine has a package %s (a virtual one is none): check its name, and /etc/apt/sources.list and sources.list.d", s.Name)}
	}
	return &failure{fmt.Sprintf("no source of the machine has %s in a version %s; there is %s", s.Name, *s.Version, strings.Join(versions, ", "))}
}

// aptFailure puts what apt-get said into words.
func aptFailure(phase, log string) error {
	said := aptLines(log)
	switch {
	case strings.Contains(log, "No space left on device"), strings.Contains(log, "You don't have enough free space"):
		return &aptError{"the disk is full: make room there, and run it again\n" + said, true}
	case strings.Contains(log, "Packages need to be removed but remove is disabled"):
		return &aptError{"it would remove packages, which nobody asked for: " + removed(log) + "; declare them with installed = False, and name them in after =", false}
	case phase == "others":
		return &aptError{"its removal would take others with it: " + strings.Join(strings.Fields(log), ", ") + "; declare them with installed = False too", false}
	case phase == "update":
		return &aptError{"the package lists cannot be brought up to date: check the network, a proxy, and /etc/apt/sources.list and sources.list.d\n" + said, true}
	case strings.Contains(log, "Failed to fetch"):
		return &aptError{"packages cannot be fetched: check the network, a proxy, and whether the mirror still has them\n" + said, true}
	}
	return &aptError{"apt-get failed\n" + said, false}
}

// removed lists what apt-get says that it would remove.
func removed(log string) string {
	_, rest, _ := strings.Cut(log, "The following packages will be REMOVED:\n")
	var names []string
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, " ") {
			break
		}
		names = append(names, strings.Fields(line)...)
	}
	return strings.Join(names, ", ")
}

// aptLines are the lines of a log that say what is wrong, or its last ones.
func aptLines(log string) string {
	var errs []string
	for line := range strings.Lines(log) {
		line = strings.TrimSpace(line)
		for _, p := range []string{"E:", "Err:", "dpkg: error", "W: Failed"} {
			if strings.HasPrefix(line, p) {
				errs = append(errs, line)
				break
			}
		}
	}
	if len(errs) == 0 {
		return lastLines(log, 10)
	}
	return strings.Join(errs[:min(len(errs), 8)], "\n")
}
