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
	// Given are variables as a test gives them; they win over files.
	Given []*builtins.VarFile
	// Provider is where a vm() comes from that does not say it, as --provider; "" is
	// the usual one.
	Provider string
	// Lab is the folder of the usual lab, "" for that beside the script.
	Lab string
	// Env looks up the environment. Sealed leaves nothing of it but that: it may
	// have variables for scripts that this one does not know.
	Env    func(string) (string, bool)
	Sealed bool
	// Ask asks the person at the terminal for a secret, which is not shown: the
	// passphrase of a key, a password for sudo. Nil where nobody can be asked.
	Ask func(prompt string) (secret string, err error)
	// Print receives what the script prints. May be nil.
	Print func(string)
	// State is the folder whose .swarmscript has what a run remembers, "" for the
	// script's root.
	State string
	// Keep is a folder of the user's for what takes long to make of the files that a
	// script names, see [compose.Options]; "" for none.
	Keep string
	// Absent names outermost scopes that are taken not to be there, without
	// looking; it may be nil.
	Absent func(*resource.Scope) bool
	// Coverage takes down which lines are evaluated, where it is not nil.
	Coverage *lang.Coverage

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
	// Patience is how long host()s are waited for that are new to the project, have
	// something declared on them, and do not answer: they may have been made a
	// moment ago. 0 does not wait. Waiting is told for what; it may be nil.
	Patience    time.Duration
	Waiting     func(scope, text string)
	LockTimeout time.Duration // how long to wait for another apply
}

// Providers are the names that Options.Provider may have.
var Providers = builtins.Providers

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
	s.session = lang.NewSession(lang.Options{Root: s.root, Stdlib: stdlib.FS, Predeclared: rec.Predeclared(), Print: opts.Print, Coverage: opts.Coverage})
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

// Recorded is the script of a program that functions of a session declared; files
// that it names are relative to root.
func Recorded(opts Options, root string, session *lang.Session, p *resource.Program) *Script {
	return &Script{opts: opts, root: root, session: session, Program: p}
}

// Root is the folder that the script is read from.
func (s *Script) Root() string { return s.root }

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
	in := &builtins.Inputs{Env: s.env, Provider: s.opts.Provider, Keep: s.opts.Keep, Vars: map[string]string{}}
	if !s.opts.Sealed {
		in.Environ = os.Environ()
	}
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
	in.VarFiles = append(in.VarFiles, s.opts.Given...)
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
