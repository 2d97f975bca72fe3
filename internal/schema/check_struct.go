package schema

import (
	"fmt"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/value"
)

// checkStruct takes a record made by the struct's builtin, a dict, docker's
// short form, or a plain value for the short field. Fields that are not given
// get their defaults, so that equal structs are equal values.
func (t *Type) checkStruct(v value.Value) (value.Value, error) {
	s, p := t.Struct, t.Struct.built()
	args := make(value.Struct, len(p.fields))
	checked := false // in normal form already, which must not be checked again: 5 is seconds, then nanoseconds
	switch x := v.(type) {
	case value.Record:
		if x.Type != s.Name {
			return nil, wrong("got %s(...), want %s", x.Type, t.want())
		}
		if len(x.Fields) != len(args) {
			return nil, wrong("got %d fields, want %s", len(x.Fields), t.want())
		}
		copy(args, x.Fields)
		checked = true
	case value.Struct:
		if len(x) != len(args) {
			return nil, wrong("got %d fields, want %s", len(x), t.want())
		}
		copy(args, x)
		checked = true
	case *value.Map:
		if x == nil {
			break
		}
		for _, e := range x.Entries {
			i, ok := p.byName[e.Key]
			if !ok {
				return nil, Problems{{Msg: fmt.Sprintf("unexpected key %q", e.Key), Hint: diag.DidYouMean(e.Key, s.FieldNames())}}
			}
			args[i] = e.Value
		}
	case string:
		if t.parse != nil {
			out, err := t.parse(x)
			if err != nil {
				return nil, wrong("%v", err)
			}
			return t.checkStruct(out)
		}
		if p.short < 0 {
			return nil, wrong("got %s, want %s", describe(v), t.want())
		}
		args[p.short] = x
	default:
		if p.short < 0 {
			return nil, wrong("got %s, want %s", describe(v), t.want())
		}
		args[p.short] = v
	}
	out := args
	if !checked {
		var problems Problems
		if out, problems = s.CheckAll(args); problems != nil {
			return nil, problems
		}
	}
	for i, f := range p.fields {
		if f.From != "" && isBlank(out[i]) {
			out[i] = declaredName(out[p.byName[f.From]])
		}
		if out[i] == nil {
			out[i] = f.Default
		}
	}
	return out, nil
}

func isBlank(v value.Value) bool { return v == nil || v == "" }

// declaredName is the name in a script of what a field names: the live name of
// a secret changes with its content, the name of its file must not.
func declaredName(v value.Value) value.Value {
	switch v := v.(type) {
	case value.Ref:
		return v.Address.Name()
	case string:
		return v
	}
	return nil
}

// describe tells a value's type, and shows it where it is short text.
func describe(v value.Value) string {
	if s, ok := v.(string); ok {
		if runes := []rune(s); len(runes) > 40 {
			s = string(runes[:37]) + "..."
		}
		return fmt.Sprintf("%q", s)
	}
	return typeName(v)
}

func typeName(v value.Value) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string:
		return "string"
	case value.List:
		return "list"
	case *value.Map:
		return "dict"
	case value.Record:
		return v.Type + "(...)"
	case value.Struct:
		return "struct"
	case value.Ref:
		return v.String()
	case *value.Template:
		return "text"
	case value.Secret:
		return "sensitive value"
	}
	return fmt.Sprintf("%T", v)
}
