package lang

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// Coverage takes down which lines of scripts and modules are evaluated, over any
// number of sessions and at once.
//
// Before each statement the rewriter puts a call that counts; where no coverage
// is asked for it puts none, and a script takes the steps that it always takes.
// What is counted are statements: a condition or a lambda counts with the
// statement that it is in.
type Coverage struct {
	mu    sync.Mutex
	files map[string]*CoveredFile
}

// CoveredFile is one file of a [Coverage].
type CoveredFile struct {
	// Name is the file's path on this computer, or @stdlib//x.star.
	Name string
	Src  []byte

	spans  []lineSpan
	counts []atomic.Uint64
}

// lineSpan is the lines of a statement; of one with a body, those before it.
type lineSpan struct{ first, last int }

// LineCount is how often a line was evaluated.
type LineCount struct {
	Line  int
	Count uint64
}

// Files returns the files that were compiled, by name.
func (c *Coverage) Files() []*CoveredFile {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]*CoveredFile, 0, len(c.files))
	for _, f := range c.files {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b *CoveredFile) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Lines returns the lines that hold a statement, or a part of one, in order. Of
// several statements in a line the one that was evaluated most counts.
func (f *CoveredFile) Lines() []LineCount {
	byLine := map[int]uint64{}
	for i, s := range f.spans {
		n := f.counts[i].Load()
		for line := s.first; line <= s.last; line++ {
			byLine[line] = max(byLine[line], n)
		}
	}
	out := make([]LineCount, 0, len(byLine))
	for line, n := range byLine {
		out = append(out, LineCount{line, n})
	}
	slices.SortFunc(out, func(a, b LineCount) int { return cmp.Compare(a.Line, b.Line) })
	return out
}

// file returns a file's counts. Another text of the same name, of a file that
// was written in between, begins anew.
func (c *Coverage) file(name string, src []byte, spans []lineSpan) *CoveredFile {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.files[name]; f != nil && string(f.Src) == string(src) {
		return f
	}
	if c.files == nil {
		c.files = map[string]*CoveredFile{}
	}
	f := &CoveredFile{Name: name, Src: src, spans: spans, counts: make([]atomic.Uint64, len(spans))}
	c.files[name] = f
	return f
}

// cover makes the rewriter count a module's statements.
func (s *Session) cover(r *rewriter, m *module) (done func()) {
	c := s.opts.Coverage
	if c == nil {
		return func() {}
	}
	first := len(s.counters)
	var spans []lineSpan
	r.count = func(st syntax.Stmt) syntax.Stmt {
		span, ok := headOf(st)
		if !ok {
			return nil
		}
		spans = append(spans, span)
		start, _ := st.Span()
		index := &syntax.Literal{Token: syntax.INT, TokenPos: start, Raw: "0", Value: int64(first + len(spans) - 1)}
		return &syntax.ExprStmt{X: call("count", st, start, index)}
	}
	return func() {
		name := m.file
		if m.key.Package == "" {
			name = filepath.Join(s.opts.Root, filepath.FromSlash(m.key.Path))
		}
		f := c.file(name, m.src, spans)
		for i := range f.counts {
			s.counters = append(s.counters, &f.counts[i])
		}
	}
}

// headOf returns the lines of a statement, without its body. Text alone, such as
// a docstring, does nothing.
func headOf(st syntax.Stmt) (lineSpan, bool) {
	start, _ := st.Span()
	last := endOf(st)
	switch st := st.(type) {
	case *syntax.ExprStmt:
		if lit, ok := st.X.(*syntax.Literal); ok && lit.Token == syntax.STRING {
			return lineSpan{}, false
		}
		last = endOf(st.X)
	case *syntax.DefStmt:
		last = endOf(st.Name)
		for _, p := range st.Params {
			last = endOf(p)
		}
	case *syntax.IfStmt:
		last = endOf(st.Cond)
	case *syntax.ForStmt:
		last = endOf(st.X)
	case *syntax.WhileStmt:
		last = endOf(st.Cond)
	case *syntax.ReturnStmt:
		if st.Result != nil {
			last = endOf(st.Result)
		}
	}
	return lineSpan{int(start.Line), max(int(last.Line), int(start.Line))}, true
}

// counted is the guard that a counted statement begins with.
func counted(thread *starlark.Thread, args starlark.Tuple) {
	if s := FromThread(thread); s != nil {
		i, _ := args[0].(starlark.Int).Int64()
		s.counters[i].Add(1)
	}
}
