package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"regexp"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/scripttest"
	"github.com/swarmscript/swarmscript/lang"
)

// testRun is one run of test.
type testRun struct {
	scripttest.Options
	pick         string
	asJSON       bool
	verbose      bool
	junit        string
	coverage     bool
	coverageHTML string
}

// testTimeout is how long a test may take unless told otherwise.
const testTimeout = 2 * time.Minute

func (a *app) testCommand() *cobra.Command {
	var g testRun
	cmd := &cobra.Command{
		Use:   "test [PATH...]",
		Short: "Test scripts, each test in a lab of its own",
		Long: "Run the functions test_*(t) of *_test.star files, each in a lab of its own that ends with it. A folder\n" +
			"stands for all such files in it and below. Without a PATH: this folder. Nothing but labs is touched.",
		Example: "  swarmscript test\n" +
			"  swarmscript test cluster_test.star --run leader -v\n" +
			"  swarmscript test --junit results.xml --coverage-html coverage.html",
		ValidArgsFunction: starFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			if g.Parallelism < 1 {
				return usagef(cmd.CommandPath(), "", "--parallelism %d: want 1 or more", g.Parallelism)
			}
			if g.Timeout <= 0 {
				return usagef(cmd.CommandPath(), "", "--timeout %s: want more than 0", g.Timeout)
			}
			return a.test(cmd, args, g)
		},
	}
	f := cmd.Flags()
	f.StringVar(&g.pick, "run", "", "only tests that the `REGEXP` matches, as FILE:NAME")
	f.BoolVarP(&g.verbose, "verbose", "v", false, "show every test, and what it says")
	f.BoolVar(&g.Update, "update", false, "write golden files as they are now")
	f.IntVar(&g.Parallelism, "parallelism", 4*runtime.NumCPU(), "tests that run at once; they wait more than they work")
	f.DurationVar(&g.Timeout, "timeout", testTimeout, "how long a test may take")
	f.BoolVar(&g.asJSON, "json", false, "events on standard output, one JSON object a line")
	f.StringVar(&g.junit, "junit", "", "also write the results to `FILE`, as JUnit's XML")
	f.BoolVar(&g.coverage, "coverage", false, "show which lines of the scripts were evaluated")
	f.StringVar(&g.coverageHTML, "coverage-html", "", "also write a page that shows them to `FILE`")
	_ = cmd.MarkFlagFilename("junit", "xml")
	_ = cmd.MarkFlagFilename("coverage-html", "html")
	return cmd
}

func (a *app) test(cmd *cobra.Command, paths []string, g testRun) error {
	var pick *regexp.Regexp
	if g.pick != "" {
		var err error
		if pick, err = regexp.Compile(g.pick); err != nil {
			return usagef(cmd.CommandPath(), "", "--run: %v", err)
		}
	}
	files, err := scripttest.Find(paths, pick)
	if err != nil {
		return exit(a.fail(err, fileText))
	}
	if len(files) == 0 {
		return usagef(cmd.CommandPath(), "", "--run %s matches no test", g.pick)
	}
	if a.chdir != "" {
		g.Root = "." // the folder has been changed
	}
	if g.coverage || g.coverageHTML != "" {
		g.Coverage = &lang.Coverage{}
	}
	results, err := a.runTests(cmd.Context(), files, &g)
	if err == nil {
		err = a.reports(files, results, g)
	}
	switch {
	case err != nil:
		return err
	case cmd.Context().Err() != nil:
		return exit(apply.ExitInterrupted)
	case results.Failed > 0:
		return exit(apply.ExitError)
	}
	return nil
}

// tested are the results of a run and their numbers.
type tested struct {
	all []*scripttest.Result
	scripttest.Summary
}

// runTests runs the tests and shows their results as they come.
func (a *app) runTests(ctx context.Context, files []*scripttest.File, g *testRun) (tested, error) {
	begun := time.Now()
	text := scripttest.NewText(a.out, a.stdout().Style(), g.verbose, files)
	events := scripttest.JSON{W: a.out}
	var errs []error // of writing: it is told once, at the end
	g.Ended = text.Ended
	if g.asJSON {
		g.Begun = func(file, name string) { errs = append(errs, events.Begun(file, name)) }
		g.Ended = func(r *scripttest.Result) { errs = append(errs, events.Ended(r)) }
	}
	all := scripttest.Run(ctx, files, g.Options)
	t := tested{all, scripttest.Sum(all, time.Since(begun))}
	if g.asJSON {
		return t, errors.Join(append(errs, events.End(t.Summary))...)
	}
	text.Rest(all)
	text.End(t.Summary)
	return t, nil
}

// reports writes what was asked for beside the results.
func (a *app) reports(files []*scripttest.File, t tested, g testRun) error {
	var errs []error
	if g.junit != "" {
		errs = append(errs, writeReport(g.junit, func(w io.Writer) error { return scripttest.JUnit(w, t.all, t.Summary) }))
	}
	if g.Coverage == nil {
		return errors.Join(errs...)
	}
	covered := scripttest.CoverageOf(g.Coverage, files)
	if g.coverageHTML != "" {
		errs = append(errs, writeReport(g.coverageHTML, func(w io.Writer) error { return scripttest.WriteCoverageHTML(w, covered) }))
	}
	switch {
	case g.asJSON:
		errs = append(errs, scripttest.JSON{W: a.out}.Coverage(covered))
	case g.coverage:
		errs = append(errs, scripttest.WriteCoverage(a.out, covered))
	}
	return errors.Join(errs...)
}

// writeReport writes a file at once.
func writeReport(name string, write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
		return diag.List{{Summary: "cannot write the report: " + err.Error()}}
	}
	return nil
}

// fileText is the text of a file by its path, nil where it cannot be read.
func fileText(file string) []byte {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil // then the line is not shown
	}
	return text
}
