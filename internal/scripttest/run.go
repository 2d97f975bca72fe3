package scripttest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/lang"
	"github.com/swarmscript/swarmscript/stdlib"
)

// Options are how tests are run.
type Options struct {
	// Root is the folder that all files are read from, "" for each test's own.
	Root string
	// Parallelism is how many tests run at once.
	Parallelism int
	// Timeout is how long a test may take.
	Timeout time.Duration
	// Update writes golden files anew instead of comparing with them.
	Update bool
	// Coverage takes down the lines that are evaluated; nil where nobody asks.
	Coverage *lang.Coverage
	// Labs makes a test's lab in a folder; nil means [OwnLab].
	Labs func(dir string) (Lab, error)
	// Begun and Ended are told of each test; calls come from several goroutines,
	// one at a time. Either may be nil.
	Begun func(file, name string)
	Ended func(*Result)
}

// endLimit is how long ending a test's lab may take, also after an interruption.
const endLimit = 30 * time.Second

// Run runs the tests of files and returns the results in the order of the files
// and of their source. When the context ends, tests that run end early and no
// others begin; their labs are ended before it returns.
func Run(ctx context.Context, files []*File, o Options) []*Result {
	r := &runner{Options: o, golden: map[string]string{}}
	var all []*Result
	var todo []func()
	for _, f := range files {
		for _, name := range f.Tests {
			res := &Result{File: f.Path, Name: name, Status: Ended}
			all = append(all, res)
			todo = append(todo, func() { r.one(ctx, f, res) })
		}
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, max(o.Parallelism, 1))
	for _, do := range todo {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			do()
		})
	}
	wg.Wait()
	return all
}

// runner is what tests of one run share.
type runner struct {
	Options
	mu     sync.Mutex
	golden map[string]string // who compares with a golden file, by its path
}

func (r *runner) one(ctx context.Context, f *File, res *Result) {
	r.tell(func() {
		if r.Begun != nil {
			r.Begun(f.Path, res.Name)
		}
	})
	begun := time.Now()
	tctx := ctx
	if r.Timeout > 0 {
		var cancel context.CancelFunc
		tctx, cancel = context.WithTimeoutCause(ctx, r.Timeout, fmt.Errorf("the test took longer than %s", r.Timeout))
		defer cancel()
	}
	t := newTest(r, f, res.Name)
	err := t.run(tctx)
	if err == nil {
		err = t.crash()
	}
	t.fill(ctx, res, err)
	if err := t.end(ctx); err != nil {
		res.Problems = append(res.Problems, diag.From(err)...)
		res.Status = Failed
	}
	if res.Status == Failed && ctx.Err() != nil {
		res.Status = Ended
	}
	res.Took = time.Since(begun)
	r.tell(func() {
		if r.Ended != nil {
			r.Ended(res)
		}
	})
}

func (r *runner) tell(what func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	what()
}

// newTest makes the evaluation of one test.
func newTest(r *runner, f *File, name string) *test {
	t := &test{runner: r, file: f, name: name, sources: map[string][]byte{}}
	t.root = r.Root
	if t.root == "" {
		t.root = f.dir()
	}
	if abs, err := filepath.Abs(t.root); err == nil { // else the session says what is wrong with it
		t.root = abs
	}
	t.rec = builtins.NewRecorder(&builtins.Inputs{}, registry.Kinds())
	t.session = lang.NewSession(lang.Options{
		Root: t.root, Stdlib: stdlib.FS, Predeclared: t.rec.Predeclared(), Coverage: r.Coverage,
		Print: func(msg string) { t.say(msg) },
	})
	return t
}

// run evaluates the file and calls the test.
func (t *test) run(ctx context.Context) error {
	path, err := filepath.Abs(filepath.FromSlash(t.file.Path))
	if err != nil {
		return err
	}
	globals, err := t.session.ExecFile(ctx, path)
	if err != nil {
		return err
	}
	if pos, declares := t.rec.Declared(); declares {
		return diag.List{{
			Pos: t.session.Expand(pos), Summary: "a file of tests declares nothing at its top level",
			Hint: "put it into a function, and give that to t.plan() or t.apply()",
		}}
	}
	fn, ok := globals[t.name].(starlark.Callable)
	if !ok {
		return diag.List{{Pos: diag.Pos{File: t.file.Path}, Summary: t.name + " is not a function any more when the file has been evaluated"}}
	}
	t.ctx = ctx
	_, err = t.session.Call(ctx, fn, t)
	return err
}

// fill says how the test ended, with what it had before it where it failed.
func (t *test) fill(ctx context.Context, res *Result, err error) {
	res.Output, res.sources = t.output, t.sources
	for name, src := range t.session.Sources() {
		t.sources[t.shownName(name)] = src
	}
	switch {
	case t.skipped != nil && err != nil:
		res.Status, res.Reason = Skipped, *t.skipped
		return
	case err == nil:
		res.Status = Passed
		return
	}
	res.Status, res.Problems = Failed, diag.From(err)
	for _, d := range res.Problems {
		t.rename(d)
	}
	if ctx.Err() != nil {
		return // nobody waits for more
	}
	res.Plan = t.planned
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer cancel()
	t.look(ctx, res)
}

// crash is that the lab's process ended by itself: another one went on with its
// hosts, and a test that noticed nothing must not pass.
func (t *test) crash() error {
	if t.lab == nil {
		return nil
	}
	for _, l := range t.lab.Log() {
		if isCrash(l) {
			return diag.List{{Pos: diag.Pos{File: t.file.Path}, Summary: t.name + ": the lab's process crashed: " + l, Detail: "this is a mistake of swarmscript's"}}
		}
	}
	return nil
}

// end ends the test's lab.
func (t *test) end(ctx context.Context) error {
	var errs []error
	errs = append(errs, t.closeManager())
	if t.lab != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
		defer cancel()
		errs = append(errs, t.lab.End(ctx))
	}
	if t.scratch != "" {
		errs = append(errs, os.RemoveAll(t.scratch))
	}
	return errors.Join(errs...)
}
