package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/format"
)

func (a *app) fmtCommand() *cobra.Command {
	var check, showDiff bool
	cmd := &cobra.Command{
		Use:   "fmt [PATH...]",
		Short: "Format scripts",
		Long: "Format scripts in place, and show the names of those that changed. A folder stands for all .star files\n" +
			"in it and below, - for standard input, which goes to standard output. Without a PATH: this folder.",
		Example: "  swarmscript fmt\n" +
			"  swarmscript fmt --check --diff   # in CI: changes nothing, exits with 1 where something would change",
		ValidArgsFunction: starFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			f := formatting{app: a, check: check, diff: showDiff}
			return f.run(args)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "change nothing; exit with 1 where something would change")
	cmd.Flags().BoolVar(&showDiff, "diff", false, "change nothing; show what would change")
	return cmd
}

// formatting is one run of fmt.
type formatting struct {
	*app
	check, diff bool

	problems diag.List
	changed  bool
	texts    map[string][]byte // of files with problems
}

func (f *formatting) run(args []string) error {
	f.texts = map[string][]byte{}
	for _, arg := range args {
		if arg == "-" {
			text, err := io.ReadAll(f.in)
			if err != nil {
				return err
			}
			f.text("<stdin>", text, nil)
			continue
		}
		files, err := format.Files(arg)
		if err != nil {
			f.problem(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.problem(err)
				continue
			}
			f.text(file, text, func(out []byte) error { return format.Write(file, out) })
		}
	}
	if len(f.problems) > 0 {
		return exit(f.fail(f.problems, func(name string) []byte { return f.texts[name] }))
	}
	if f.check && f.changed {
		return exit(apply.ExitError)
	}
	return nil
}

func (f *formatting) problem(err error) { f.problems = append(f.problems, diag.From(err)...) }

// text formats one file; write is nil for standard input.
func (f *formatting) text(name string, text []byte, write func([]byte) error) {
	out, err := format.Source(name, text)
	if err != nil {
		f.texts[name] = text
		f.problem(err)
		return
	}
	same := string(out) == string(text)
	f.changed = f.changed || !same
	switch {
	case f.diff:
		_, err = f.out.Write(format.Diff(name, text, out))
	case write == nil && !f.check:
		_, err = f.out.Write(out)
	case same:
	case f.check:
		_, err = fmt.Fprintln(f.out, name)
	default:
		_, err = fmt.Fprintln(f.out, name)
		err = errors.Join(err, write(out))
	}
	if err != nil {
		f.problem(err)
	}
}
