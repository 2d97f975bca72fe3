package run

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/lang"
	"github.com/swarmscript/swarmscript/stdlib"
)

// Front is the person's side of an interactive session.
type Front interface {
	// Out takes what help() writes; Width is its columns, 0 where nothing
	// limits them.
	Out() io.Writer
	Width() int
	// Plan shows a plan.
	Plan(p *Planned) error
	// Apply asks, unless that was approved before, carries a plan out and shows
	// how it went. The result is nil where nothing was begun.
	Apply(ctx context.Context, p *Planned, approved bool) (*apply.Result, error)
}

// Session is an interactive session: inputs that add to each other, over the
// script that it began with. What fails changes nothing.
type Session struct {
	front  Front
	script Script // its Program is made anew for each plan
	file   string // relative to the root, "" for none
	rec    *builtins.Recorder
	vars   starlark.StringDict // what the inputs bound
	own    starlark.StringDict // the session's own builtins
	count  int                 // of inputs
	again  bool                // reload() was called
}

// NewSession returns a session. Nothing is evaluated yet: [Session.Load] is the
// script's turn, where opts name one.
func NewSession(opts Options, front Front) (*Session, error) {
	s := &Session{front: front, script: Script{opts: opts}}
	file, err := s.script.locateFile()
	if err != nil {
		return nil, err
	}
	if opts.File == "" {
		if opts.Chdir == "" {
			s.script.root, err = os.Getwd()
		}
	} else {
		s.file, err = filepath.Rel(s.script.root, file)
	}
	if err != nil {
		return nil, err
	}
	s.own = s.builtins()
	s.empty(&builtins.Inputs{Env: opts.Env, Provider: opts.Provider, Vars: map[string]string{}})
	return s, nil
}

// empty makes the session one in which nothing was typed.
func (s *Session) empty(inputs *builtins.Inputs) {
	s.rec = builtins.NewRecorder(inputs, registry.Kinds())
	s.vars, s.again = starlark.StringDict{}, false
	s.script.session = lang.NewSession(lang.Options{
		Root: s.script.root, Stdlib: stdlib.FS, Predeclared: s.rec.Predeclared(), Print: s.script.opts.Print,
	})
}

// Source returns the text of a file or an input, for showing the line of a
// problem.
func (s *Session) Source(file string) []byte { return s.script.Source(file) }

// Load evaluates the session's script and forgets all that was typed. Where the
// script has errors the session stays as it was.
func (s *Session) Load(ctx context.Context) error {
	inputs, err := s.script.readInputs()
	if err != nil {
		return err
	}
	before := *s
	s.empty(inputs)
	if s.file == "" {
		return nil
	}
	bound, _, err := s.script.session.ExecInput(ctx, filepath.ToSlash(s.file), nil, nil)
	list := diag.From(err)
	if err == nil {
		list = inputs.Unknown()
	}
	if err := list.Err(); err != nil {
		before.script.session.Adopt(s.script.session)
		*s = before
		return s.script.expand(list)
	}
	s.vars = bound
	return nil
}

// Eval evaluates an input and returns the text of its value, "" where it has
// none. Where it fails nothing that it bound or declared stays.
func (s *Session) Eval(ctx context.Context, text string) (string, error) {
	s.count++
	seen := maps.Clone(s.own)
	maps.Copy(seen, s.vars)
	s.rec.Next()
	bound, last, err := s.script.session.ExecInput(ctx, fmt.Sprintf("input %d", s.count), []byte(text), seen)
	if err != nil {
		s.again = false
		s.rec.Undo()
		return "", s.script.expand(diag.From(err))
	}
	maps.Copy(s.vars, bound)
	if s.again {
		s.again = false
		return "", s.Load(ctx)
	}
	if _, ok := last.(*told); ok && tells().MatchString(text) {
		return "", nil
	}
	return s.shown(last), nil
}

// tells matches an input that is nothing but a call which shows by itself what
// it returns.
var tells = pattern.Of(`(?s)^\s*(plan|apply)\s*\(.*\)\s*$`)

// shown is the text of an input's value.
func (s *Session) shown(v starlark.Value) string {
	switch v := v.(type) {
	case nil, starlark.NoneType:
		return ""
	case shower:
		return v.show(s.front.Width())
	case *starlark.List:
		if text := lang.Text(v); s.fits(text) {
			return text
		}
		return "[\n" + inLines(v.Len(), func(i int) string { return lang.Text(v.Index(i)) }) + "]"
	case *starlark.Dict:
		if text := lang.Text(v); s.fits(text) {
			return text
		}
		items := v.Items()
		return "{\n" + inLines(len(items), func(i int) string { return lang.Text(items[i][0]) + ": " + lang.Text(items[i][1]) }) + "}"
	}
	return lang.Text(v)
}

// shower is a value that is shown in more than a line.
type shower interface {
	show(width int) string
}

func (s *Session) fits(text string) bool {
	return s.front.Width() == 0 || len(text) <= s.front.Width()
}

// inLines shows elements in a line each, the first thousand of them.
func inLines(n int, text func(int) string) string {
	const most = 1000
	var b strings.Builder
	for i := range min(n, most) {
		b.WriteString("    " + text(i) + ",\n")
	}
	if n > most {
		fmt.Fprintf(&b, "    ... %d more\n", n-most)
	}
	return b.String()
}
