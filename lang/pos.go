package lang

import (
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/swarmscript/swarmscript/internal/diag"
)

// builtinFile is what the interpreter names as the file of a builtin's frame.
const builtinFile = "<builtin>"

func toPos(p syntax.Position) diag.Pos {
	return diag.Pos{File: p.Filename(), Line: int(p.Line), Col: int(p.Col)}
}

// CallPos returns where the user's script makes the call that a builtin is
// running for: the innermost frame that is neither a builtin's nor of the
// standard library. It is a point, and cheap: scripts make ten thousand
// declarations. [Session.Expand] makes it the span of the call.
func CallPos(thread *starlark.Thread) diag.Pos {
	var inner diag.Pos
	for depth := 0; depth < thread.CallStackDepth(); depth++ {
		p := thread.CallFrame(depth).Pos
		name := p.Filename()
		if name == builtinFile {
			continue
		}
		if !strings.HasPrefix(name, stdlibPrefix) {
			return toPos(p)
		}
		if !inner.IsValid() {
			inner = toPos(p)
		}
	}
	return inner
}

// inStdlib reports whether the function that called a builtin is the standard library's.
func inStdlib(thread *starlark.Thread) bool {
	return thread.CallStackDepth() > 1 && strings.HasPrefix(thread.CallFrame(1).Pos.Filename(), stdlibPrefix)
}

// userFrames are the calls up to the user's of the standard library: what is under that
// is of no interest to who called it wrongly.
func userFrames(thread *starlark.Thread) []diag.Frame {
	out := Frames(thread)
	for len(out) > 1 && strings.HasPrefix(out[len(out)-1].Pos.File, stdlibPrefix) {
		out = out[:len(out)-1]
	}
	return out
}

// EntryPos returns where the entry script, or the module that is being loaded,
// is at: the outermost frame. Like CallPos it is a point, and cheap.
func EntryPos(thread *starlark.Thread) diag.Pos {
	if n := thread.CallStackDepth(); n > 0 {
		return toPos(thread.CallFrame(n - 1).Pos)
	}
	return diag.Pos{}
}

// Frames returns the calls that led to the running builtin, outermost first,
// without builtins.
func Frames(thread *starlark.Thread) []diag.Frame {
	return frames(thread.CallStack())
}

func frames(stack starlark.CallStack) []diag.Frame {
	var out []diag.Frame
	for _, fr := range stack {
		if fr.Pos.Filename() == builtinFile {
			continue
		}
		out = append(out, diag.Frame{Name: fr.Name, Pos: toPos(fr.Pos)})
	}
	return out
}

// Expand returns the span of the whole expression at a point that CallPos or
// the interpreter gave; a position that already is a span, or of a file that
// the session did not read, comes back as it is.
func (s *Session) Expand(pos diag.Pos) diag.Pos {
	m := s.byFile[pos.File]
	if m == nil || pos.Line == 0 || pos.EndLine != 0 {
		return pos
	}
	if n := m.nodeAt(pos); n != nil {
		return toSpan(m.file, n)
	}
	return pos
}

// ExpandArg narrows the position of a call to one of its arguments: the
// keyword argument of that name or, for "", the positional one at index i.
// Where there is none, it returns the span of the call.
func (s *Session) ExpandArg(pos diag.Pos, name string, i int) diag.Pos {
	m := s.byFile[pos.File]
	if m == nil {
		return pos
	}
	call, _ := m.nodeAt(pos).(*syntax.CallExpr)
	if call == nil {
		return s.Expand(pos)
	}
	for j, arg := range call.Args {
		bin, ok := arg.(*syntax.BinaryExpr)
		named := ok && bin.Op == syntax.EQ
		if name == "" && !named && j == i {
			return toSpan(m.file, arg)
		}
		if named && name != "" && bin.X.(*syntax.Ident).Name == name {
			return toSpan(m.file, arg)
		}
	}
	return toSpan(m.file, call)
}

// parsed returns the module's tree as it was written: the one that was
// compiled has been rewritten.
func (m *module) parsed() *syntax.File {
	if m.tree == nil {
		f, err := dialect().Parse(m.file, m.src, 0)
		if err != nil {
			return nil
		}
		if _, ok := checkTree(f); !ok {
			return nil
		}
		m.tree = f
	}
	return m.tree
}

// nodeAt finds the node that the interpreter reports with this position.
func (m *module) nodeAt(pos diag.Pos) syntax.Node {
	if m.nodes == nil { // once: a script may have a problem on every line
		m.nodes = map[[2]int32]syntax.Node{}
		if f := m.parsed(); f != nil {
			walk(f, func(n syntax.Node) bool {
				at := anchor(n)
				if k := [2]int32{at.Line, at.Col}; m.nodes[k] == nil {
					m.nodes[k] = n
				}
				return true
			})
		}
	}
	found := m.nodes[[2]int32{int32(pos.Line), int32(pos.Col)}]
	switch n := found.(type) {
	case *syntax.ForStmt:
		return n.X
	case *syntax.ForClause:
		return n.X
	case *syntax.DefStmt:
		return n.Name
	}
	return found
}

func toSpan(file string, n syntax.Node) diag.Pos {
	start, _ := n.Span()
	end := endOf(n)
	return diag.Pos{File: file, Line: int(start.Line), Col: int(start.Col), EndLine: int(end.Line), EndCol: int(end.Col)}
}
