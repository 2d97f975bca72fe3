package lang

import (
	"fmt"
	"strconv"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/swarmscript/swarmscript/internal/value"
)

// Text with deferred values in it is made by the interpreter's own formatting,
// so that it cannot differ: each deferred value is replaced by a placeholder
// whose text is a token, and the result is cut at the tokens.

// hole is a placeholder. It is no string, so %d and the like refuse it as they
// refuse any other value.
type hole struct{ token string }

func (h hole) String() string        { return h.token }
func (h hole) Type() string          { return "deferred" }
func (h hole) Freeze()               {}
func (h hole) Truth() starlark.Bool  { return true }
func (h hole) Hash() (uint32, error) { return 0, fmt.Errorf("unhashable: deferred") }

// filler replaces the deferred values of one operation.
type filler struct {
	mark   string // occurs in none of the operation's text
	values []*Deferred
	quoted bool // make placeholders that %r shows differently
}

// newFiller returns a filler whose tokens occur in none of the texts.
func newFiller(texts []string) *filler {
	mark := "\x00deferred\x00"
	for i := 0; ; i++ {
		clash := false
		for _, t := range texts {
			clash = clash || strings.Contains(t, mark)
		}
		if !clash {
			return &filler{mark: mark}
		}
		mark = fmt.Sprintf("\x00deferred%d\x00", i)
	}
}

func (f *filler) fill(v starlark.Value) starlark.Value {
	d, ok := v.(*Deferred)
	if !ok {
		return v
	}
	at := -1
	for i, old := range f.values {
		if old == d {
			at = i
		}
	}
	if at < 0 {
		at = len(f.values)
		f.values = append(f.values, d)
	}
	token := fmt.Sprintf("%s%d\x01", f.mark, at)
	if f.quoted {
		return starlark.String(token)
	}
	return hole{token}
}

// cut turns text with tokens into text with references.
func (f *filler) cut(s string) starlark.Value {
	var parts []value.Value
	for {
		i := strings.Index(s, f.mark)
		if i < 0 {
			break
		}
		if i > 0 {
			parts = append(parts, s[:i])
		}
		s = s[i+len(f.mark):]
		var at int
		j := strings.IndexByte(s, '\x01')
		_, _ = fmt.Sscanf(s[:j], "%d", &at)
		parts = append(parts, f.values[at].v)
		s = s[j+1:]
	}
	if s != "" {
		parts = append(parts, s)
	}
	return joinParts(parts)
}

// run formats twice, once with placeholders that are strings: where the two
// differ, a value was asked for its repr.
func (f *filler) run(format func() (starlark.Value, error)) (starlark.Value, error) {
	v, err := format()
	if err != nil {
		if len(f.values) > 0 && strings.Contains(err.Error(), "format requires") {
			return nil, f.values[0].misuse("be formatted as a number: use %s")
		}
		return nil, err
	}
	f.quoted = true
	w, err := format()
	if err != nil || v != w {
		return nil, f.values[0].misuse("be shown by repr: use %s or {}")
	}
	return f.cut(string(v.(starlark.String))), nil
}

// formatArgs sorts out the arguments of a formatting operation: whether one is
// deferred, whether one holds a deferred value, and how long its text is.
func formatArgs(thread *starlark.Thread, args []starlark.Value) (deferred bool, texts []string, size []int, err error) {
	for _, v := range args {
		n := 0
		switch v := v.(type) {
		case *Deferred:
			deferred = true
		case starlark.String:
			texts = append(texts, string(v))
			n = len(v)
		default:
			m := newMeter(thread)
			if err := m.visit(v, 0); err != nil {
				return false, nil, nil, err
			}
			if m.deferred != nil {
				return false, nil, nil, m.deferred.misuse("be turned into text as part of a " + v.Type())
			}
			if m.size > 1<<10 {
				texts = append(texts, "")
			}
			n = m.size
		}
		size = append(size, n)
	}
	return deferred, texts, size, nil
}

// isShort reports whether a value is a plain scalar, or a tuple of them, of
// which no text of a notable size can be made: the common case, which needs no
// measuring.
func isShort(v starlark.Value) bool {
	const short = 1 << 10
	switch v := v.(type) {
	case starlark.String:
		return len(v) < short
	case starlark.Int:
		_, small := v.Int64()
		return small
	case starlark.Bool:
		return true
	case starlark.Tuple:
		if len(v) > 16 {
			return false
		}
		for _, e := range v {
			if _, nested := e.(starlark.Tuple); nested || !isShort(e) {
				return false
			}
		}
		return true
	}
	return false
}

// formatScalars is format % y for %s, %d and %% of strings and integers; ok is
// false for all else, and for what is wrong. It takes a third of the time of
// the interpreter's, which formats an integer by way of math/big: a script that
// declares by the thousand spends most of its own time on names.
func formatScalars(format string, y starlark.Value) (s starlark.String, ok bool) {
	args, tuple := y.(starlark.Tuple)
	n := 1
	if tuple {
		n = len(args)
	}
	next := 0
	var space [64]byte
	b := space[:0]
	for {
		i := strings.IndexByte(format, '%')
		if i < 0 {
			break
		}
		if i+1 == len(format) {
			return "", false
		}
		b = append(b, format[:i]...)
		verb := format[i+1]
		format = format[i+2:]
		if verb == '%' {
			b = append(b, '%')
			continue
		}
		if next == n || verb != 's' && verb != 'd' {
			return "", false
		}
		arg := y
		if tuple {
			arg = args[next]
		}
		next++
		switch arg := arg.(type) {
		case starlark.String:
			if verb != 's' {
				return "", false
			}
			b = append(b, arg...)
		case starlark.Int:
			i, small := arg.Int64()
			if !small {
				return "", false
			}
			b = strconv.AppendInt(b, i, 10)
		default:
			return "", false
		}
	}
	if next < n {
		return "", false
	}
	return starlark.String(append(b, format...)), true
}

// interpolate is format % y.
func interpolate(thread *starlark.Thread, format starlark.String, y starlark.Value) (starlark.Value, error) {
	if isShort(format) && isShort(y) {
		if s, ok := formatScalars(string(format), y); ok {
			return s, nil
		}
		return starlark.Binary(syntax.PERCENT, format, y)
	}
	verbs := strings.Count(string(format), "%")
	var args []starlark.Value
	mapping := false
	switch y := y.(type) {
	case starlark.Tuple:
		args = y
	case *starlark.Dict:
		mapping = strings.Contains(string(format), "%(")
		if !mapping {
			args = []starlark.Value{y}
			break
		}
		for _, item := range y.Items() {
			args = append(args, item[1])
		}
	default:
		args = []starlark.Value{y}
	}
	deferred, texts, sizes, err := formatArgs(thread, args)
	if err != nil {
		return nil, err
	}
	total, largest := 0, 0
	for _, n := range sizes {
		total += n
		largest = max(largest, n)
	}
	if mapping {
		total = largest * verbs
	}
	if err := checkSize(thread, "string", len(format)+total); err != nil {
		return nil, err
	}
	if !deferred {
		return starlark.Binary(syntax.PERCENT, format, y)
	}
	f := newFiller(append(texts, string(format)))
	return f.run(func() (starlark.Value, error) {
		var filled starlark.Value
		switch y := y.(type) {
		case starlark.Tuple:
			t := make(starlark.Tuple, len(y))
			for i, v := range y {
				t[i] = f.fill(v)
			}
			filled = t
		case *starlark.Dict:
			d := starlark.NewDict(y.Len())
			for _, item := range y.Items() {
				if err := d.SetKey(item[0], f.fill(item[1])); err != nil {
					return nil, err
				}
			}
			filled = d
		default:
			filled = f.fill(y)
		}
		return starlark.Binary(syntax.PERCENT, format, filled)
	})
}

// formatText is format.format(*args, **kwargs).
func formatText(thread *starlark.Thread, format starlark.String, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	all := make([]starlark.Value, 0, len(args)+len(kwargs))
	all = append(all, args...)
	for _, kv := range kwargs {
		all = append(all, kv[1])
	}
	deferred, texts, sizes, err := formatArgs(thread, all)
	if err != nil {
		return nil, err
	}
	total, largest := 0, 0
	for _, n := range sizes {
		total += n
		largest = max(largest, n)
	}
	if fields := strings.Count(string(format), "{"); fields > len(all) {
		total = max(total, largest*fields) // a field may be named many times
	} else if largest > 0 && fields > 0 {
		total = max(total, min(largest*fields, largest*len(all)))
	}
	if err := checkSize(thread, "string", len(format)+total); err != nil {
		return nil, err
	}
	method, err := format.Attr("format")
	if err != nil {
		return nil, err
	}
	b := method.(*starlark.Builtin)
	if !deferred {
		return b.CallInternal(thread, args, kwargs)
	}
	f := newFiller(append(texts, string(format)))
	return f.run(func() (starlark.Value, error) {
		fargs := make(starlark.Tuple, len(args))
		for i, v := range args {
			fargs[i] = f.fill(v)
		}
		fkw := make([]starlark.Tuple, len(kwargs))
		for i, kv := range kwargs {
			fkw[i] = starlark.Tuple{kv[0], f.fill(kv[1])}
		}
		return b.CallInternal(thread, fargs, fkw)
	})
}

// joinText is sep.join(iterable).
func joinText(thread *starlark.Thread, sep starlark.String, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var iterable starlark.Iterable
	if len(args) == 1 {
		if d, ok := args[0].(*Deferred); ok {
			return nil, d.misuse("be iterated over")
		}
	}
	if err := starlark.UnpackPositionalArgs("join", args, kwargs, 1, &iterable); err != nil {
		return nil, err
	}
	iter := iterable.Iterate()
	defer iter.Done()
	var parts []value.Value
	var buf strings.Builder
	deferred := false
	size := 0
	var x starlark.Value
	for i := 0; iter.Next(&x); i++ {
		if i > 0 {
			buf.WriteString(string(sep))
			size += len(sep)
		}
		switch x := x.(type) {
		case starlark.String:
			buf.WriteString(string(x))
			size += len(x)
		case *Deferred:
			if !x.isText() {
				return nil, x.misuse("be joined: it is a " + x.typ)
			}
			deferred = true
			parts = append(parts, buf.String(), x.v)
			buf.Reset()
		default:
			return nil, fmt.Errorf("join: in list, want string, got %s", x.Type())
		}
		if size > limitsOf(thread).MaxSize {
			return nil, checkSize(thread, "string", size)
		}
	}
	if err := charge(thread, size); err != nil {
		return nil, err
	}
	if !deferred {
		return starlark.String(buf.String()), nil
	}
	return joinParts(append(parts, buf.String())), nil
}
