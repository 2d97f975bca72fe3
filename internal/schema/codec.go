package schema

import (
	"fmt"
	"reflect"

	"github.com/swarmscript/swarmscript/internal/value"
)

// Encode turns a Go struct of this schema's type, or a pointer to one, into
// its fields in normal form. Nil pointers become nil; all else has a value.
func (s *Struct) Encode(spec any) value.Struct {
	v := reflect.Indirect(reflect.ValueOf(spec))
	if v.Type() != s.typ {
		panic(fmt.Sprintf("schema: encode %s as %s", v.Type(), s.typ))
	}
	return s.encode(v)
}

func (s *Struct) encode(v reflect.Value) value.Struct {
	out := make(value.Struct, len(s.Fields()))
	for i, f := range s.Fields() {
		fv := v.FieldByIndex(f.goIndex)
		if f.pointer {
			if fv.IsNil() {
				continue
			}
			fv = fv.Elem()
		}
		e := f.Type.encode(fv)
		if f.Secret && e != nil {
			e = value.Secret{V: e}
		}
		out[i] = e
	}
	return out
}

func (t *Type) encode(v reflect.Value) value.Value {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	switch t.Kind {
	case Bool:
		return v.Bool()
	case Float:
		return v.Float()
	case String:
		s := v.String()
		if t.normal != nil && s != "" {
			if n, err := t.normal(s); err == nil {
				return n
			}
		}
		return s
	case Int, Duration, Bytes, CPUs, Mode:
		if v.CanUint() {
			return int64(v.Uint())
		}
		return v.Int()
	case ListOf:
		if v.Len() == 0 {
			return value.List(nil)
		}
		out := make(value.List, v.Len())
		for i := range out {
			out[i] = t.Elem.encode(v.Index(i))
		}
		if t.Set {
			out = sortSet(out)
		}
		return out
	case MapOf:
		if v.Len() == 0 {
			return (*value.Map)(nil)
		}
		entries := make([]value.Entry, 0, v.Len())
		for it := v.MapRange(); it.Next(); {
			entries = append(entries, value.Entry{Key: it.Key().String(), Value: t.Elem.encode(it.Value())})
		}
		return value.NewMap(entries)
	case StructOf:
		out := t.Struct.encode(v)
		for i, f := range t.Struct.Fields() {
			if out[i] == nil {
				out[i] = f.Default
			}
		}
		return out
	}
	if v.IsNil() {
		return nil
	}
	return v.Interface()
}

// Decode fills a Go struct of this schema's type from checked, known fields.
// Fields that are nil get their default, or are left as they are.
func (s *Struct) Decode(args value.Struct, into any) error {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.Elem().Type() != s.typ {
		panic(fmt.Sprintf("schema: decode %s into %T", s.typ, into))
	}
	return s.decode(args, v.Elem())
}

func (s *Struct) decode(args value.Struct, into reflect.Value) error {
	if len(args) != len(s.Fields()) {
		return fmt.Errorf("%s: got %d fields, want %d", s.Name, len(args), len(s.Fields()))
	}
	for i, f := range s.Fields() {
		v := args[i]
		if v == nil {
			v = f.Default
		}
		if v == nil {
			continue
		}
		fv := into.FieldByIndex(f.goIndex)
		if f.pointer {
			fv.Set(reflect.New(fv.Type().Elem()))
			fv = fv.Elem()
		}
		if err := f.Type.decode(v, fv); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return nil
}

func (t *Type) decode(v value.Value, into reflect.Value) error {
	v = value.Reveal(v)
	if v == nil && t.Null {
		return nil
	}
	if into.Kind() == reflect.Pointer {
		into.Set(reflect.New(into.Type().Elem()))
		into = into.Elem()
	}
	switch x := v.(type) {
	case nil:
		return nil
	case bool:
		if t.Kind == Bool {
			into.SetBool(x)
			return nil
		}
	case float64:
		if t.Kind == Float {
			into.SetFloat(x)
			return nil
		}
	case string:
		if t.Kind == String {
			into.SetString(x)
			return nil
		}
	case int64:
		switch t.Kind {
		case Int, Duration, Bytes, CPUs, Mode:
			if into.CanUint() {
				if x < 0 || into.OverflowUint(uint64(x)) {
					return fmt.Errorf("%d is out of range", x)
				}
				into.SetUint(uint64(x))
			} else if into.OverflowInt(x) {
				return fmt.Errorf("%d is out of range", x)
			} else {
				into.SetInt(x)
			}
			return nil
		}
	case value.List:
		if t.Kind == ListOf {
			return t.decodeList(x, into)
		}
	case *value.Map:
		if t.Kind == MapOf {
			return t.decodeMap(x, into)
		}
	case value.Struct:
		if t.Kind == StructOf {
			return t.Struct.decode(x, into)
		}
	}
	if t.Kind == Any {
		into.Set(reflect.ValueOf(v))
		return nil
	}
	return fmt.Errorf("got %s, want %s", describe(v), t.Name())
}

func (t *Type) decodeList(l value.List, into reflect.Value) error {
	if len(l) == 0 {
		return nil
	}
	s := reflect.MakeSlice(into.Type(), len(l), len(l))
	for i, e := range l {
		if err := t.Elem.decode(e, s.Index(i)); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
	}
	into.Set(s)
	return nil
}

func (t *Type) decodeMap(m *value.Map, into reflect.Value) error {
	if m.Len() == 0 {
		return nil
	}
	out := reflect.MakeMapWithSize(into.Type(), m.Len())
	for _, e := range m.Entries {
		v := reflect.New(into.Type().Elem()).Elem()
		if err := t.Elem.decode(e.Value, v); err != nil {
			return fmt.Errorf("[%q]: %w", e.Key, err)
		}
		out.SetMapIndex(reflect.ValueOf(e.Key).Convert(into.Type().Key()), v)
	}
	into.Set(out)
	return nil
}
