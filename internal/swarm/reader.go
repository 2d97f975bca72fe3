package swarm

import (
	"fmt"

	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// reader reads arguments by name; what is unknown, or not given, is zero.
type reader struct {
	schema *schema.Struct
	args   value.Struct
}

func (r reader) raw(name string) value.Value {
	f, ok := r.schema.Field(name)
	if !ok {
		panic("swarm: no field " + name)
	}
	return value.Reveal(r.args[f.Index])
}

func (r reader) given(name string) bool {
	switch v := r.raw(name).(type) {
	case nil:
		return false
	case value.List:
		return len(v) > 0
	case *value.Map:
		return v.Len() > 0
	}
	return true
}

func (r reader) str(name string) string { s, _ := r.raw(name).(string); return s }

func (r reader) int(name string) int64 { n, _ := r.raw(name).(int64); return n }

// orDefault is int for what has a default where it is not given; what is not
// known is 0.
func (r reader) orDefault(name string) int64 {
	v := r.raw(name)
	if v == nil {
		f, _ := r.schema.Field(name)
		v = f.Default
	}
	n, _ := v.(int64)
	return n
}

// texts reads a list of texts, as far as they are known.
func (r reader) texts(name string) []string {
	l, _ := r.raw(name).(value.List)
	var out []string
	for _, e := range l {
		if s, ok := value.Reveal(e).(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func (r reader) bool(name string) bool { b, _ := r.raw(name).(bool); return b }

// in reads a field that is a struct.
func (r reader) in(name string) (reader, bool) {
	f, _ := r.schema.Field(name)
	s, ok := r.raw(name).(value.Struct)
	return reader{f.Type.Struct, s}, ok
}

// each reads a field that is a list of structs.
func (r reader) each(name string) []reader {
	f, _ := r.schema.Field(name)
	l, _ := r.raw(name).(value.List)
	var out []reader
	for _, e := range l {
		if s, ok := value.Reveal(e).(value.Struct); ok {
			out = append(out, reader{f.Type.Elem.Struct, s})
		}
	}
	return out
}

// problems collects what is wrong.
type problems struct{ list schema.Problems }

func (p *problems) add(path, format string, args ...any) {
	p.list = append(p.list, &schema.Problem{Path: path, Msg: fmt.Sprintf(format, args...)})
}
