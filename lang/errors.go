package lang

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/pattern"
)

// addError records what evaluating, parsing or a builtin returned.
func (s *Session) addError(err error) {
	s.diags = append(s.diags, s.diagnose(err)...)
}

// diagnose turns an error of the interpreter into diagnostics.
func (s *Session) diagnose(err error) diag.List {
	var syn syntax.Error
	if errors.As(err, &syn) {
		return diag.List{splitHint(diag.Errorf(toPos(syn.Pos), "%s", syn.Msg))}
	}
	// A failure in a loaded module is an EvalError in an EvalError: the
	// innermost has the whole stack, as all modules share one thread.
	var eval *starlark.EvalError
	for next := err; errors.As(next, &eval); {
		next = eval.Unwrap()
	}
	if eval == nil {
		return diag.From(err)
	}
	stack := calls(eval)
	var pos diag.Pos
	if len(stack) > 0 {
		pos = stack[len(stack)-1].Pos
	}
	if len(stack) < 2 {
		stack = nil
	}

	var list diag.List
	var one *diag.Diagnostic
	switch {
	case errors.As(eval.Unwrap(), &one):
		list = diag.List{one}
	case errors.As(eval.Unwrap(), &list):
	default:
		d := splitHint(&diag.Diagnostic{Summary: strings.TrimPrefix(eval.Msg, "Starlark computation cancelled: ")})
		d.Pos = pos
		s.explain(d, eval)
		list = diag.List{d}
	}
	for i, d := range list {
		if !d.Pos.IsValid() || d.Stack == nil {
			c := *d // it may be shared
			if !c.Pos.IsValid() {
				c.Pos = pos
			}
			if c.Stack == nil {
				c.Stack = stack
			}
			list[i] = &c
		}
	}
	return list
}

var argumentError = pattern.Of(`^function \S+ (got an unexpected keyword argument|got multiple values|missing|accepts|called recursively)`)

// calls returns the frames of an evaluation error. A function that was called
// wrongly is on the stack already, at its def; the mistake is in the call.
func calls(eval *starlark.EvalError) []diag.Frame {
	stack := eval.CallStack
	if n := len(stack); n > 1 && stack[n-1].Pos.Filename() != builtinFile && argumentError().MatchString(eval.Msg) {
		stack = stack[:n-1]
	}
	return frames(stack)
}

var (
	hintSuffix = pattern.Of(` \(did you mean (\S+?)\?\)$`)
	unexpected = pattern.Of(`got an unexpected keyword argument "?([^" ]+)"?$`)
	undefined  = pattern.Of(`^undefined: (\S+)`)
	unexpArg   = pattern.Of(`unexpected (?:keyword )?argument "?([^" ]+)"?`)
)

// splitHint moves a suggestion from the end of the text to the hint.
func splitHint(d *diag.Diagnostic) *diag.Diagnostic {
	if m := hintSuffix().FindStringSubmatchIndex(d.Summary); m != nil && d.Hint == "" {
		name := strings.Trim(d.Summary[m[2]:m[3]], `"`)
		d.Hint = `did you mean "` + name + `"?`
		d.Summary = d.Summary[:m[0]]
	}
	return d
}

// explain adds what the interpreter's message leaves out.
func (s *Session) explain(d *diag.Diagnostic, eval *starlark.EvalError) {
	if m := unexpected().FindStringSubmatch(d.Summary); m != nil && d.Hint == "" {
		d.Hint = diag.DidYouMean(m[1], s.parameters(eval.CallStack))
	}
	if rest, ok := strings.CutPrefix(d.Summary, "module has no ."); ok {
		if m := s.byFile[d.Pos.File]; m != nil {
			if dot, ok := m.nodeAt(d.Pos).(*syntax.DotExpr); ok {
				d.Summary = m.text(dot.X) + " has no ." + rest
			}
		}
	}
	if strings.Contains(d.Summary, "deferred") {
		s.explainDeferred(d)
	}
}

// parameters lists the parameters of the function that was called last.
func (s *Session) parameters(stack starlark.CallStack) []string {
	if len(stack) == 0 {
		return nil
	}
	pos := toPos(stack.At(0).Pos)
	m := s.byFile[pos.File]
	if m == nil {
		return nil
	}
	f := m.parsed()
	if f == nil {
		return nil
	}
	var names []string
	walk(f, func(n syntax.Node) bool {
		var params []syntax.Expr
		switch n := n.(type) {
		case *syntax.DefStmt:
			params = n.Params
		case *syntax.LambdaExpr:
			params = n.Params
		default:
			return true
		}
		if at := anchor(n); int(at.Line) == pos.Line && int(at.Col) == pos.Col {
			for _, p := range params {
				if b, ok := p.(*syntax.BinaryExpr); ok {
					p = b.X
				}
				if id, ok := p.(*syntax.Ident); ok {
					names = append(names, id.Name)
				}
			}
		}
		return true
	})
	return names
}

// explainDeferred rewords an operation that the interpreter itself refused,
// naming the value as the script does.
func (s *Session) explainDeferred(d *diag.Diagnostic) {
	var verb string
	var operand syntax.Node
	m := s.byFile[d.Pos.File]
	if m == nil {
		return
	}
	n := m.nodeAt(d.Pos)
	switch n := n.(type) {
	case *syntax.SliceExpr:
		verb, operand = "be sliced", n.X
	case *syntax.IndexExpr:
		verb, operand = "be indexed", n.X
		if !strings.Contains(d.Summary, "operation deferred") {
			verb, operand = "be an index", n.Y
		}
	case *syntax.BinaryExpr:
		if !strings.Contains(d.Summary, "not implemented") {
			return
		}
		verb, operand = "be compared", n.X
		if !strings.HasPrefix(d.Summary, "deferred") {
			operand = n.Y
		}
	default:
		if strings.HasPrefix(d.Summary, "deferred value is not iterable") || strings.HasPrefix(d.Summary, "got deferred in sequence") {
			verb, operand = "be iterated over", n
		}
		if a, ok := n.(*syntax.AssignStmt); ok {
			operand = a.RHS
		}
	}
	if verb == "" || operand == nil {
		return
	}
	text := m.text(operand)
	d.Summary = text + " is not known until it exists, so it cannot " + verb
	d.Detail = `it is an output (spec.md, "Values that are not known yet"): pass it on, join it into text, or decide by something you gave`
}

// text returns the source of an expression, if it fits in a line.
func (m *module) text(n syntax.Node) string {
	span := toSpan(m.file, n)
	lines := strings.Split(string(m.src), "\n")
	if span.Line != span.EndLine || span.Line > len(lines) {
		return "the value"
	}
	r := []rune(lines[span.Line-1])
	if span.Col < 1 || span.EndCol-1 > len(r) || span.Col >= span.EndCol {
		return "the value"
	}
	return clip(string(r[span.Col-1 : span.EndCol-1]))
}

// resolveError words a problem that the resolver found.
func (s *Session) resolveError(m *module, e resolve.Error) *diag.Diagnostic {
	d := splitHint(diag.Errorf(toPos(e.Pos), "%s", e.Msg))
	if name := undefined().FindStringSubmatch(d.Summary); name != nil {
		if line := m.bindsLater(name[1], d.Pos); line > 0 {
			d.Summary = fmt.Sprintf("%s is used before it is defined (line %d)", name[1], line)
			d.Hint = ""
		} else if d.Hint == "" {
			d.Hint = diag.DidYouMean(name[1], s.names(m))
		}
	}
	return d
}

// bindsLater returns the line on which a module first binds a name at its top
// level, if that is after pos, or 0.
func (m *module) bindsLater(name string, pos diag.Pos) int {
	f := m.parsed()
	if f == nil {
		return 0
	}
	found := 0
	var bind func(n syntax.Node)
	bind = func(n syntax.Node) {
		switch n := n.(type) {
		case *syntax.Ident:
			if n.Name == name && (found == 0 || int(n.NamePos.Line) < found) {
				found = int(n.NamePos.Line)
			}
		case *syntax.ParenExpr, *syntax.TupleExpr, *syntax.ListExpr:
			children(n, bind)
		}
	}
	walk(f, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.DefStmt:
			bind(n.Name)
			return false
		case *syntax.LambdaExpr, *syntax.Comprehension:
			return false
		case *syntax.AssignStmt:
			bind(n.LHS)
		case *syntax.ForStmt:
			bind(n.Vars)
		}
		return true
	})
	if found < pos.Line {
		return 0
	}
	return found
}

// names lists what a module can refer to at its top level.
func (s *Session) names(m *module) []string {
	var out []string
	for _, name := range s.predeclared.Keys() {
		if isIdentifier(name) {
			out = append(out, name)
		}
	}
	out = append(append(out, starlark.Universe.Keys()...), m.before...)
	if f := m.parsed(); f != nil {
		walk(f, func(n syntax.Node) bool {
			switch n := n.(type) {
			case *syntax.DefStmt:
				out = append(out, n.Name.Name)
			case *syntax.LoadStmt:
				for _, id := range n.From {
					out = append(out, id.Name)
				}
			case *syntax.AssignStmt:
				if id, ok := n.LHS.(*syntax.Ident); ok {
					out = append(out, id.Name)
				}
			}
			return true
		})
	}
	return out
}

// complete makes a diagnostic fit to be shown: points become spans, and a
// wrong argument is what is underlined, not its whole call.
func (s *Session) complete(d *diag.Diagnostic) {
	if m := unexpArg().FindStringSubmatch(d.Summary); m != nil && d.Pos.EndLine == 0 {
		d.Pos = s.ExpandArg(d.Pos, m[1], 0)
	} else {
		d.Pos = s.Expand(d.Pos)
	}
	for i := range d.Stack {
		d.Stack[i].Pos = s.Expand(d.Stack[i].Pos)
	}
	for i := range d.Related {
		d.Related[i].Pos = s.Expand(d.Related[i].Pos)
	}
}

func panicStack() string {
	lines := strings.Split(string(debug.Stack()), "\n")
	var out []string
	for _, l := range lines {
		// Functions only: addresses and paths of the machine that built the
		// program say nothing to a user.
		if l != "" && !strings.HasPrefix(l, "\t") && !strings.HasPrefix(l, "goroutine") {
			if i := strings.LastIndexByte(l, '('); i > 0 {
				l = l[:i]
			}
			out = append(out, l)
		}
		if len(out) == 12 {
			break
		}
	}
	return strings.Join(out, "\n")
}
