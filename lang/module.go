package lang

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/swarmscript/swarmscript/internal/diag"
)

const (
	stdlibPackage = "stdlib"
	stdlibPrefix  = "@stdlib//"
)

// Key identifies a module: the package it belongs to, and its path there.
type Key struct {
	Package string // "" for the user's own files, or "stdlib"
	Path    string // slash-separated, clean, below the package's root
}

// String returns the name that positions use.
func (k Key) String() string {
	if k.Package == "" {
		return k.Path
	}
	return "@" + k.Package + "//" + k.Path
}

// parseLabel turns what a load() statement in module from names into a key.
func parseLabel(label string, from Key) (Key, error) {
	k := Key{Package: from.Package}
	switch {
	case label == "":
		return k, errors.New("the module's name is empty")
	case strings.HasPrefix(label, "@"):
		pkg, p, ok := strings.Cut(label[1:], "//")
		if !ok || pkg != stdlibPackage {
			return k, fmt.Errorf("there is no package @%s (the only one is %s)", pkg, stdlibPrefix)
		}
		k.Package, k.Path = pkg, p
	case strings.HasPrefix(label, "//"):
		k.Path = label[2:]
	case path.IsAbs(label) || strings.ContainsAny(label, "\\\x00"):
		return k, errors.New(`a module is named "@stdlib//x.star", "//from/the/root.star" or "relative.star"`)
	default:
		k.Path = path.Join(path.Dir(from.Path), label)
	}
	k.Path = path.Clean(k.Path)
	if k.Path == "." || k.Path == ".." || strings.HasPrefix(k.Path, "../") || path.IsAbs(k.Path) {
		return k, fmt.Errorf("%s is outside the root folder", label)
	}
	return k, nil
}

// module is one file: its text, its program, and its globals once it ran.
type module struct {
	key     Key
	file    string
	src     []byte
	prog    *starlark.Program
	stmts   []loadStmt
	loads   map[string]*module // by label
	globals starlark.StringDict
	err     error
	done    bool
	binds   []string                 // names of its globals; nil if it did not parse
	broken  bool                     // did not compile, or one of its loads did not
	nodes   map[[2]int32]syntax.Node // of the tree, by line and column; made when a diagnostic needs it
	tree    *syntax.File             // as written, parsed again when a diagnostic needs it
	before  []string                 // names that inputs before this one bound, in an interactive session
}

type loadStmt struct {
	label string
	pos   syntax.Position // of the label
	from  []*syntax.Ident // what is loaded, by its name there
}

func (s *Session) addSource(key Key, src []byte) *module {
	m := &module{key: key, file: key.String(), src: src, loads: map[string]*module{}}
	s.byFile[m.file] = m
	s.Record("module", m.file, src, false)
	return m
}

func (s *Session) readModule(key Key) ([]byte, error) {
	if key.Package == "" {
		return s.readUnderRoot(key.Path)
	}
	if s.opts.Stdlib == nil {
		return nil, fmt.Errorf("%s: no such file", key)
	}
	f, err := s.opts.Stdlib.Open(key.Path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w%s", key, diag.FileError(err), s.stdlibHint(key))
	}
	defer f.Close()
	return readAll(f, key.String())
}

// stdlibHint suggests a module of the standard library.
func (s *Session) stdlibHint(key Key) string {
	var names []string
	_ = fs.WalkDir(s.opts.Stdlib, ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(p, ".star") && !strings.HasSuffix(p, "_test.star") {
			names = append(names, p)
		}
		return nil
	})
	if n := diag.Suggest(key.Path, names); n != "" {
		return fmt.Sprintf(` (did you mean "%s%s"?)`, stdlibPrefix, n)
	}
	return ""
}

// buildGraph compiles the entry script and all that it loads before anything
// runs, and records the problems of all of them: what does not parse, what is
// not defined, what cannot be read, what loads itself.
func (s *Session) buildGraph(entry *module) {
	s.visit(entry, nil)
}

// step is one load statement on the way from the entry script.
type step struct {
	m   *module
	pos syntax.Position // of the load
}

func (s *Session) visit(m *module, trail []step) {
	s.compile(m)
	if m.prog == nil {
		m.broken = true
	}
	s.visitLoads(m, trail)
}

// visitLoads finds what a module loads, and compiles it.
func (s *Session) visitLoads(m *module, trail []step) {
	for _, st := range m.stmts {
		label, pos := st.label, st.pos
		if dep := m.loads[label]; dep != nil {
			s.checkLoaded(m, dep, st)
			continue
		}
		key, err := parseLabel(label, m.key)
		if err != nil {
			s.loadError(m, pos, "cannot load %q: %v", label, err)
			continue
		}
		here := append(trail[:len(trail):len(trail)], step{m, pos})
		if cycle := findCycle(here, key); cycle != "" {
			s.loadError(m, pos, "modules load each other: %s", cycle)
			continue
		}
		dep := s.modules[key]
		if dep == nil {
			src, err := s.readModule(key)
			if err != nil {
				s.loadError(m, pos, "cannot load %q: %v", label, err)
				continue
			}
			if len(here) > 200 {
				s.loadError(m, pos, "cannot load %q: more than 200 modules deep", label)
				continue
			}
			dep = s.addSource(key, src)
			s.modules[key] = dep
			s.visit(dep, here)
		}
		m.loads[label] = dep
		s.checkLoaded(m, dep, st)
		if dep.broken {
			m.broken = true
		}
	}
}

func (s *Session) loadError(m *module, pos syntax.Position, format string, args ...any) {
	m.broken = true
	s.diags = append(s.diags, splitHint(diag.Errorf(toPos(pos), format, args...)))
}

// checkLoaded reports the names that a module never binds, before anything
// runs and beside whatever else is wrong. A name that is bound only sometimes
// shows when the load is reached.
func (s *Session) checkLoaded(m, dep *module, st loadStmt) {
	if dep.binds == nil || dep.broken && dep.prog != nil {
		return // it, or what it loads, says enough
	}
	for _, id := range st.from {
		if slices.Contains(dep.binds, id.Name) {
			continue
		}
		m.broken = true
		s.diags = append(s.diags, &diag.Diagnostic{
			Pos:     toPos(id.NamePos),
			Summary: fmt.Sprintf("load: name %s not found in module %s", id.Name, st.label),
			Hint:    diag.DidYouMean(id.Name, dep.binds),
		})
	}
}

// findCycle describes the way back to key, as "a.star:3 -> b.star:1 -> a.star".
func findCycle(trail []step, key Key) string {
	for i, st := range trail {
		if st.m.key != key {
			continue
		}
		var b strings.Builder
		for _, st := range trail[i:] {
			fmt.Fprintf(&b, "%s:%d -> ", st.m.file, st.pos.Line)
		}
		return b.String() + key.String()
	}
	return ""
}

// parse parses, checks and rewrites a module, and notes what it loads. Problems
// are recorded; then there is no tree.
func (s *Session) parse(m *module, opts *syntax.FileOptions) *syntax.File {
	if d := checkText(m.file, m.src); d != nil {
		s.diags = append(s.diags, d)
		return nil
	}
	f, err := opts.Parse(m.file, m.src, 0)
	if err != nil {
		s.addError(err)
		return nil
	}
	if pos, ok := checkTree(f); !ok {
		s.diags = append(s.diags, diag.Errorf(toPos(pos), "excessive nesting: an expression is more than %d levels deep", maxTreeDepth))
		return nil
	}
	// What a module loads has problems of its own to tell, even if the module
	// does not resolve.
	for _, st := range f.Stmts {
		if load, ok := st.(*syntax.LoadStmt); ok {
			m.stmts = append(m.stmts, loadStmt{load.ModuleName(), load.Module.TokenPos, load.From})
		}
	}
	if !s.opts.Bare {
		r := &rewriter{}
		done := s.cover(r, m)
		r.file(f)
		done()
	}
	return f
}

// compile parses and resolves a module. Problems are recorded, and leave it
// without a program.
func (s *Session) compile(m *module) {
	f := s.parse(m, dialect())
	if f == nil {
		return
	}
	prog, err := starlark.FileProgram(f, s.predeclared.Has)
	if mod, ok := f.Module.(*resolve.Module); ok {
		m.binds = []string{}
		for _, b := range mod.Globals {
			if isIdentifier(b.First.Name) {
				m.binds = append(m.binds, b.First.Name)
			}
		}
	}
	if err != nil {
		s.addResolveError(m, err)
		return
	}
	m.prog = prog
}

// addResolveError records what the resolver found: all of it.
func (s *Session) addResolveError(m *module, err error) {
	var list resolve.ErrorList
	if !errors.As(err, &list) {
		s.addError(err)
		return
	}
	for _, e := range list {
		s.diags = append(s.diags, s.resolveError(m, e))
	}
}

// load runs a module when the statement that loads it is reached. The graph is
// known by then, so nothing can be missing but a symbol.
func (s *Session) load(thread *starlark.Thread, label string) (starlark.StringDict, error) {
	from := s.byFile[thread.CallFrame(0).Pos.Filename()]
	if from == nil || from.loads[label] == nil {
		return nil, fmt.Errorf("%s was not loaded", label)
	}
	m := from.loads[label]
	if !m.done {
		m.done = true
		s.loading++
		m.globals, m.err = s.run(m)
		s.loading--
	}
	return m.globals, m.err
}

// definition finds where a module binds a global, for messages about it.
func (m *module) definition(name string) diag.Pos {
	pos := diag.Pos{File: m.file, Line: 1, Col: 1}
	if f := m.parsed(); f != nil {
		found := false
		walk(f, func(n syntax.Node) bool {
			if id, ok := n.(*syntax.Ident); ok && id.Name == name && !found {
				found = true
				pos = toSpan(m.file, id)
			}
			return !found
		})
	}
	return pos
}
