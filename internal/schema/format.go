package schema

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	units "github.com/docker/go-units"

	"github.com/swarmscript/swarmscript/internal/value"
)

// Format shows a value as plans and messages do: text quoted, sizes and
// durations with their units, secrets hidden, "(known after apply)" for what
// waits for a step. Fields of a struct that have their default are left out.
func (t *Type) Format(v value.Value) string {
	var b strings.Builder
	t.format(&b, v)
	return b.String()
}

// UnknownText stands for a value that waits for a step.
const UnknownText = "(known after apply)"

func (t *Type) format(b *strings.Builder, v value.Value) {
	switch x := v.(type) {
	case nil:
		b.WriteString("none")
		return
	case value.Secret:
		b.WriteString(value.Hidden)
		return
	case value.Ref, *value.Template:
		if value.Sensitive(x) {
			b.WriteString(value.Hidden)
		} else {
			b.WriteString(UnknownText)
		}
		return
	}
	if n, ok := v.(int64); ok {
		b.WriteString(t.formatInt(n))
		return
	}
	switch x := v.(type) {
	case string:
		b.WriteString(strconv.Quote(x))
	case value.List:
		b.WriteByte('[')
		for i, e := range x {
			if i > 0 {
				b.WriteString(", ")
			}
			t.elem().format(b, e)
		}
		b.WriteByte(']')
	case *value.Map:
		b.WriteByte('{')
		if x != nil {
			for i, e := range x.Entries {
				if i > 0 {
					b.WriteString(", ")
				}
				b.WriteString(strconv.Quote(e.Key))
				b.WriteString(": ")
				t.elem().format(b, e.Value)
			}
		}
		b.WriteByte('}')
	case value.Struct:
		t.formatStruct(b, x)
	case value.Record:
		b.WriteString(x.Type)
		b.WriteString("(...)")
	default:
		b.WriteString(value.Text(v))
	}
}

var anyElem = &Type{Kind: Any}

func (t *Type) elem() *Type {
	if t.Elem != nil {
		return t.Elem
	}
	return anyElem
}

func (t *Type) formatStruct(b *strings.Builder, x value.Struct) {
	if t.Struct == nil {
		fmt.Fprint(b, "(...)")
		return
	}
	b.WriteString(t.Struct.Name)
	b.WriteByte('(')
	first := true
	for i, f := range t.Struct.Fields() {
		if x[i] == nil || f.Default != nil && value.Equal(x[i], f.Default) || IsEmpty(x[i]) {
			continue
		}
		if !first {
			b.WriteString(", ")
		}
		first = false
		b.WriteString(f.Name)
		b.WriteString(" = ")
		if f.Secret {
			b.WriteString(value.Hidden)
		} else {
			f.Type.format(b, x[i])
		}
	}
	b.WriteByte(')')
}

func (t *Type) formatInt(n int64) string {
	switch t.Kind {
	case Duration:
		return time.Duration(n).String()
	case Bytes:
		// Rounding would show two sizes as one.
		if text := units.BytesSize(float64(n)); n >= 1024 {
			if back, err := units.RAMInBytes(text); err == nil && back == n {
				return text
			}
		}
		return strconv.FormatInt(n, 10) + "B"
	case CPUs:
		return strconv.FormatFloat(float64(n)/1e9, 'f', -1, 64)
	case Mode:
		return fmt.Sprintf("0%03o", n)
	}
	return strconv.FormatInt(n, 10)
}
