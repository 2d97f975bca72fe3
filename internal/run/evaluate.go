package run

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"time"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/lang"
	"github.com/swarmscript/swarmscript/stdlib"
)

// Options are what a verb was asked for.
type Options struct {
	// File is the entry script; Chdir the root, "" for the script's folder.
	File, Chdir string
	// Vars are --var name=value, VarFiles --var-file.
	Vars, VarFiles []string
	// Env looks up the environment.
	Env func(string) (string, bool)
	// Ask asks the person at the terminal for a secret, which is not shown: the
	// passphrase of a key, a password for sudo. Nil where nobody can be asked.
	Ask func(prompt string) (secret string, err error)
	// Print receives what the script prints. May be nil.
	Print func(string)

	Destroy       bool
	AllowDataLoss bool
	AllowPending  bool
	Adopt         []string
	AdoptAll      bool          // all that is declared and nobody's
	Imports       []plan.Import // only these marks
	// Check makes every check of the script, not only those after something that
	// changes.
	Check bool
	// Forget names scopes of the inventory that are gone for good: what the
	// project had there is not looked for any more.
	Forget []string
	// Targets, Exclude and Replace are addresses; see [plan.Options].
	Targets, Exclude, Replace []string
	// RefreshOnly plans to change nothing, and shows what differs.
	RefreshOnly bool

	Parallelism int
	Detach      bool
	Timeout     time.Duration // of a step's convergence; 0: the default
	LockTimeout time.Duration // how long to wait for another apply
}

// Script is an evaluated script.
type Script struct {
	Program *resource.Program
	opts    Options
	root    string
	session *lang.Session
	// envRead is what the script asked of the environment, nil where it was not
	// set; varFiles are the digests of the files of variables.
	envRead  map[string]*string
	varFiles map[string][]byte
}

// Source returns the text of a file that the script was made of, for showing
// the line of a problem.
func (s *Script) Source(file string) []byte {
	if s.session == nil {
		return nil
	}
	return s.session.Source(file)
}

// Evaluate runs the script. Nothing is contacted. The script is returned also
// with an error, for showing its lines.
func Evaluate(ctx context.Context, opts Options) (*Script, error) {
	s := &Script{opts: opts, Program: &resource.Program{}}
	file, err := s.locateFile()
	if err != nil {
		return s, err
	}
	inputs, err := s.readInputs()
	if err != nil {
		return s, err
	}
	rec := builtins.NewRecorder(inputs, registry.Kinds())
	s.session = lang.NewSession(lang.Options{Root: s.root, Stdlib: stdlib.FS, Predeclared: rec.Predeclared(), Print: opts.Print})
	if _, err := s.session.ExecFile(ctx, file); err != nil {
		return s, s.expand(diag.From(err))
	}
	program, problems := rec.Program()
	s.Program = program
	if problems.Err() != nil {
		return s, s.expand(problems)
	}
	return s, nil
}

// locateFile finds the script, and the root folder.
func (s *Script) locateFile() (file string, err error) {
	if file, err = filepath.Abs(s.opts.File); err != nil {
		return "", err
	}
	s.root = filepath.Dir(file)
	if s.opts.Chdir != "" {
		if s.root, err = filepath.Abs(s.opts.Chdir); err != nil {
			return "", err
		}
		if !filepath.IsAbs(s.opts.File) {
			file = filepath.Join(s.root, s.opts.File)
		}
	}
	return file, nil
}

// expand makes the points in a list of problems the spans of their
// expressions.
func (s *Script) expand(list diag.List) diag.List {
	for _, d := range list {
		d.Pos = s.session.Expand(d.Pos)
	}
	return list
}

func (s *Script) readInputs() (*builtins.Inputs, error) {
	s.envRead, s.varFiles = map[string]*string{}, map[string][]byte{}
	in := &builtins.Inputs{Env: s.env, Environ: os.Environ(), Vars: map[string]string{}}
	var problems diag.List
	for _, v := range s.opts.Vars {
		name, val, err := builtins.ParseVar(v)
		if err != nil {
			problems = append(problems, &diag.Diagnostic{Summary: err.Error()})
			continue
		}
		in.Vars[name] = val
	}
	for _, f := range s.opts.VarFiles {
		data, err := os.ReadFile(f)
		if err != nil {
			problems = append(problems, &diag.Diagnostic{Summary: "--var-file: " + err.Error()})
			continue
		}
		sum := sha256.Sum256(data)
		s.varFiles[f] = sum[:]
		parsed, err := builtins.ParseVarFile(f, data)
		if err != nil {
			problems = append(problems, diag.From(err)...)
			continue
		}
		in.VarFiles = append(in.VarFiles, parsed)
	}
	return in, problems.Err()
}

// env looks up the environment, and takes down what was asked.
func (s *Script) env(name string) (string, bool) {
	if s.opts.Env == nil {
		return "", false
	}
	text, ok := s.opts.Env(name)
	s.envRead[name] = nil
	if ok {
		s.envRead[name] = &text
	}
	return text, ok
}
