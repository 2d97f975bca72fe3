package lang

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/swarmscript/swarmscript/internal/diag"
)

// Options are what a session may see and use.
type Options struct {
	// Root is the folder that scripts are read from. Nothing outside it is
	// read, through symbolic links neither. Without it, files cannot be read.
	Root string

	// Stdlib holds the modules of @stdlib//.
	Stdlib fs.FS

	// Predeclared are the builtins, on top of the language's own. The
	// session freezes them.
	Predeclared starlark.StringDict

	// Print receives what print() shows; nil discards it.
	Print func(msg string)

	Limits Limits

	// Coverage takes down which lines are evaluated, where it is not nil.
	Coverage *Coverage

	// Bare runs the plain dialect: nothing is rewritten, and only the
	// language's universe and Predeclared are there.
	Bare bool
}

// A Session evaluates scripts. Modules are kept from one ExecFile or
// ExecSource to the next; steps are counted over all of them. It is not safe
// for concurrent use; the diagnostics helpers are once evaluation is over.
type Session struct {
	opts        Options
	limits      Limits
	root        *root
	thread      *starlark.Thread
	predeclared starlark.StringDict
	modules     map[Key]*module
	byFile      map[string]*module // by the name in positions
	texts       map[string][]byte  // of files that are no modules, by that name
	reads       []Read
	readAt      map[readKey]int // where reads has it
	diags       diag.List
	loading     int
	baseHeap    uint64
	ctx         context.Context  // of the running evaluation
	unseen      int              // bytes that guarded operations allocated since the heap was looked at
	counters    []*atomic.Uint64 // of the statements that are counted, by number
}

const sessionKey = "swarmscript.session"

// NewSession returns a session; it reads nothing yet.
func NewSession(opts Options) *Session {
	s := &Session{
		opts:    opts,
		limits:  opts.Limits.orDefault(),
		modules: map[Key]*module{},
		byFile:  map[string]*module{},
		texts:   map[string][]byte{},
		readAt:  map[readKey]int{},
	}
	s.predeclared = starlark.StringDict{}
	if !opts.Bare {
		maps.Copy(s.predeclared, guards)
		maps.Copy(s.predeclared, universe)
	}
	for _, name := range opts.Predeclared.Keys() {
		v := opts.Predeclared[name]
		v.Freeze()
		s.predeclared[name] = v
	}
	s.thread = &starlark.Thread{
		Name: "swarmscript",
		Print: func(_ *starlark.Thread, msg string) {
			if opts.Print != nil {
				opts.Print(msg)
			}
		},
		Load:       s.load,
		OnMaxSteps: s.checkpoint,
	}
	s.thread.SetLocal(sessionKey, s)
	s.scheduleCheckpoint()
	return s
}

// FromThread returns the session that a builtin is called in, or nil.
func FromThread(thread *starlark.Thread) *Session {
	s, _ := thread.Local(sessionKey).(*Session)
	return s
}

// Context returns the context of the evaluation that a builtin is called in.
func Context(thread *starlark.Thread) context.Context {
	if s := FromThread(thread); s != nil && s.ctx != nil {
		return s.ctx
	}
	return context.Background()
}

// ExecFile evaluates the script at path, which is absolute or relative to the
// root. It returns the script's globals, frozen. The error is a [diag.List]
// with every problem that was found, in the order of the source.
func (s *Session) ExecFile(ctx context.Context, path string) (starlark.StringDict, error) {
	if s.opts.Root == "" {
		return nil, diag.List{{Summary: "no root folder to read " + path + " from"}}
	}
	if filepath.IsAbs(path) {
		rel, err := s.relative(path)
		if err != nil {
			return nil, diag.List{{Summary: err.Error()}}
		}
		path = rel
	}
	key := Key{Path: filepath.ToSlash(filepath.Clean(path))}
	defer s.closeRoot()
	src, err := s.readModule(key)
	if err != nil {
		return nil, diag.List{{Summary: err.Error(), Pos: diag.Pos{File: key.Path}}}
	}
	return s.exec(ctx, key, src)
}

// ExecSource evaluates text as if it were a file of that name in the root
// folder.
func (s *Session) ExecSource(ctx context.Context, name string, src []byte) (starlark.StringDict, error) {
	return s.exec(ctx, Key{Path: name}, src)
}

// exec evaluates one entry script. An entry script is never taken from the
// cache: only what is loaded is a module.
func (s *Session) exec(ctx context.Context, key Key, src []byte) (globals starlark.StringDict, err error) {
	stop, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	entry := s.addSource(key, src)
	s.buildGraph(entry)
	if len(s.diags) > 0 {
		return nil, s.finishUnrun()
	}
	globals, err = s.run(entry)
	if err != nil {
		s.addError(err)
	}
	return globals, s.finish()
}

// begin readies the session for an evaluation, which ends with the context or
// with what is returned.
func (s *Session) begin(ctx context.Context) (stop func(), err error) {
	s.diags, s.ctx = nil, ctx
	if err := ctx.Err(); err != nil {
		return nil, diag.List{{Summary: cancelText(ctx)}}
	}
	s.thread.Uncancel()
	unhook := context.AfterFunc(ctx, func() { s.thread.Cancel(cancelText(ctx)) })
	s.baseHeap = heapInUse()
	return func() {
		unhook()
		s.closeRoot()
	}, nil
}

// finishUnrun returns the problems of what is not run because of them. What did
// not load is tried again by the next script: a REPL's user has mended it by
// then.
func (s *Session) finishUnrun() error {
	maps.DeleteFunc(s.modules, func(_ Key, m *module) bool { return !m.done })
	return s.finish()
}

// run executes a module's top level and freezes what it made. A panic in a
// builtin becomes an error: a bug of ours must not take the process along.
func (s *Session) run(m *module) (globals starlark.StringDict, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &diag.Diagnostic{
				Pos:     diag.Pos{File: m.file},
				Summary: fmt.Sprintf("internal error: %v", r),
				Detail:  panicStack(),
			}
		}
	}()
	globals, err = m.prog.Init(s.thread, s.predeclared)
	for name := range globals {
		if !isIdentifier(name) {
			delete(globals, name)
		}
	}
	if err != nil {
		return globals, err
	}
	if name, err := s.checkFreeze(globals); err != nil {
		d := diag.Errorf(m.definition(name), "%s: %v", name, err)
		return globals, d
	}
	globals.Freeze()
	return globals, nil
}

// finish returns the problems of one run, ready to be shown.
func (s *Session) finish() error {
	list := s.diags
	s.diags = nil
	for _, d := range list {
		s.complete(d)
	}
	list.Sort()
	out := list[:0]
	seen := map[string]bool{}
	for _, d := range list {
		if k := d.Error(); !seen[k] {
			seen[k] = true
			out = append(out, d)
		}
	}
	return out.Err()
}

// Report records a problem and lets the script go on. Without a position it
// gets that of the user's call, and its stack.
func (s *Session) Report(thread *starlark.Thread, d *diag.Diagnostic) {
	if !d.Pos.IsValid() {
		d.Pos = CallPos(thread)
	}
	if d.Stack == nil {
		if frames := Frames(thread); len(frames) > 1 {
			d.Stack = frames
		}
	}
	s.diags = append(s.diags, d)
}

// Problems returns how many problems were reported so far in this run.
func (s *Session) Problems() int { return len(s.diags) }

// Loading reports whether a module is being loaded: its top level may define,
// and must not declare.
func Loading(thread *starlark.Thread) bool {
	s := FromThread(thread)
	return s != nil && s.loading > 0
}

// Sources returns the text of every script and module, by the name that
// positions use.
func (s *Session) Sources() map[string][]byte {
	out := make(map[string][]byte, len(s.byFile))
	for name, m := range s.byFile {
		out[name] = m.src
	}
	return out
}

// Source returns the text of one file, nil if it was not read.
func (s *Session) Source(file string) []byte {
	if m := s.byFile[file]; m != nil {
		return m.src
	}
	return s.texts[file]
}

// Predeclared returns the names that every script can use, beside Starlark's own.
func (s *Session) Predeclared() starlark.StringDict {
	out := make(starlark.StringDict, len(s.predeclared))
	for name, v := range s.predeclared {
		if isIdentifier(name) {
			out[name] = v
		}
	}
	return out
}

// Steps returns how much of the budget is spent.
func (s *Session) Steps() uint64 { return s.thread.Steps }

// dialect is the options of every file.
func dialect() *syntax.FileOptions {
	return &syntax.FileOptions{Set: true, TopLevelControl: true, GlobalReassign: true}
}

func cancelText(ctx context.Context) string {
	if err := context.Cause(ctx); err != nil && err != context.Canceled {
		return "cancelled: " + err.Error()
	}
	return "cancelled"
}

func isIdentifier(name string) bool {
	return !strings.HasPrefix(name, hiddenPrefix)
}

// relative makes an absolute path relative to the root, if it is inside.
func (s *Session) relative(path string) (string, error) {
	rel, err := filepath.Rel(s.opts.Root, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(os.PathSeparator)) {
		// The root may have been given through a link.
		real, err1 := filepath.EvalSymlinks(s.opts.Root)
		target, err2 := filepath.EvalSymlinks(path)
		if err1 == nil && err2 == nil {
			rel, err = filepath.Rel(real, target)
		}
	}
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(os.PathSeparator)) {
		return "", fmt.Errorf("%s is outside the root folder", filepath.Base(path))
	}
	return rel, nil
}
