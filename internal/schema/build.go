package schema

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/swarmscript/swarmscript/internal/value"
)

// built returns what the struct's tags say. They are read when that is first asked
// for: most runs ask it of a few kinds, some of none.
func (s *Struct) built() *parts {
	s.once.Do(s.build)
	return &s.parts
}

func (s *Struct) build() {
	p := &s.parts
	p.byName, p.short, p.key = map[string]int{}, -1, -1
	for _, sf := range reflect.VisibleFields(s.typ) {
		tag, ok := sf.Tag.Lookup("star")
		if !ok {
			continue
		}
		f := buildField(sf, tag)
		f.goIndex, f.Index = sf.Index, len(p.fields)
		if _, dup := p.byName[f.Name]; dup {
			panic(fmt.Sprintf("schema: %s has two fields %q", s.typ, f.Name))
		}
		if f.Short {
			p.short = only(s.typ, "short", p.short, f)
		}
		if f.Key {
			p.key = only(s.typ, "key", p.key, f)
		}
		if f.Name == "name" || f.LiveName {
			p.name = f
		}
		p.byName[f.Name] = f.Index
		p.fields = append(p.fields, f)
		if f.Required {
			p.required = append(p.required, f)
		}
		if f.Merge {
			if e := f.Type.Elem; f.Type.Set && e.Kind != String && (e.Kind != StructOf || e.Struct.built().key < 0) {
				panic(fmt.Sprintf("schema: %s: field %s: merge does not go with a %s, whose elements have no key", s.typ, f.Name, f.Type.Name()))
			}
			p.merged = append(p.merged, f)
		}
		if f.API != "" || newerInside(f.Type) {
			p.newer = append(p.newer, f)
		}
	}
	for _, f := range p.fields {
		if _, ok := p.byName[f.From]; f.From != "" && !ok {
			panic(fmt.Sprintf("schema: %s: field %s is from %q, which it does not have", s.typ, f.Name, f.From))
		}
	}
}

// only returns the index of the one field of a struct that has an option.
func only(t reflect.Type, option string, before int, f *Field) int {
	if before >= 0 {
		panic(fmt.Sprintf("schema: %s has two fields that are %s", t, option))
	}
	return f.Index
}

func buildField(sf reflect.StructField, tag string) *Field {
	words := strings.Split(tag, ",")
	if words[0] == "" || !sf.IsExported() {
		panic(fmt.Sprintf("schema: field %s has no name, or is not exported", sf.Name))
	}
	f := &Field{Name: words[0], Doc: sf.Tag.Get("doc"), Flag: sf.Tag.Get("flag"), API: sf.Tag.Get("api"), From: sf.Tag.Get("from")}
	t := sf.Type
	if t.Kind() == reflect.Pointer {
		f.pointer, t = true, t.Elem()
	}
	f.Type = typeOf(t)
	for _, w := range words[1:] {
		switch w {
		case "required":
			f.Required = true
		case "replace":
			f.Replace = true
		case "set":
			f.Type.Set = true
		case "merge":
			f.Merge = true
		case "fold":
			f.Fold = true
		case "secret":
			f.Secret = true
		case "writeonly":
			f.WriteOnly = true
		case "binary":
			f.Type.Binary = true
		case "local":
			f.Local = true
		case "short":
			f.Short = true
		case "livename":
			f.LiveName = true
		case "pos":
			f.Pos = true
		case "key":
			f.Key = true
		default:
			panic(fmt.Sprintf("schema: field %s: unknown option %q", sf.Name, w))
		}
	}
	f.mustBe(sf, f.Type.Set, "set", ListOf)
	f.mustBe(sf, f.Merge && !f.Type.Set, "merge", MapOf)
	f.mustBe(sf, f.Fold, "fold", MapOf)
	f.mustBe(sf, f.Type.Binary, "binary", String)
	f.mustBe(sf, f.Key, "key", String, Int)
	leaf := f.Type
	for leaf.Kind == ListOf || leaf.Kind == MapOf {
		leaf = leaf.Elem
	}
	if e := sf.Tag.Get("enum"); e != "" {
		leaf.Enum = strings.Split(e, ",")
	}
	leaf.Min, leaf.Max = limit(sf, "min"), limit(sf, "max")
	if r := sf.Tag.Get("ref"); r != "" {
		kind, out, ok := strings.Cut(r, ".")
		if !ok {
			panic(fmt.Sprintf("schema: field %s: ref %q has no output", sf.Name, r))
		}
		more := strings.Split(out, ",")
		leaf.RefKind, leaf.RefOutput, leaf.RefAlso = kind, more[0], more[1:]
	}
	lf := &Field{Type: leaf}
	lf.mustBe(sf, leaf.Enum != nil, "enum", String)
	lf.mustBe(sf, leaf.RefKind != "", "ref", String)
	lf.mustBe(sf, leaf.Min != nil || leaf.Max != nil, "min or max", Int, Duration, Bytes, CPUs, Mode)
	f.Default = defaultOf(sf, f)
	return f
}

func newerInside(t *Type) bool {
	switch t.Kind {
	case ListOf:
		return newerInside(t.Elem)
	case StructOf:
		return len(t.Struct.Newer()) > 0
	}
	return false
}

// mustBe panics where a tag is given to a field of a type that it says nothing
// about.
func (f *Field) mustBe(sf reflect.StructField, given bool, tag string, kinds ...Kind) {
	if given && !slices.Contains(kinds, f.Type.Kind) {
		panic(fmt.Sprintf("schema: field %s: %s does not go with %s", sf.Name, tag, f.Type.Name()))
	}
}

func limit(sf reflect.StructField, name string) *int64 {
	s, ok := sf.Tag.Lookup(name)
	if !ok {
		return nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("schema: field %s: %s: %v", sf.Name, name, err))
	}
	return &n
}

func defaultOf(sf reflect.StructField, f *Field) value.Value {
	if d, ok := sf.Tag.Lookup("default"); ok {
		v, err := f.Type.parseDefault(d)
		if err == nil && f.Required {
			err = errors.New("a required field has none")
		}
		if err != nil {
			panic(fmt.Sprintf("schema: field %s: default %q: %v", sf.Name, d, err))
		}
		f.Shown = true
		return v
	}
	if f.pointer || f.Required || f.Local || f.WriteOnly {
		return nil
	}
	return f.Type.zero()
}

func (t *Type) parseDefault(s string) (value.Value, error) {
	switch t.Kind {
	case Bool:
		return strconv.ParseBool(s)
	case Int:
		n, err := strconv.ParseInt(s, 0, 64)
		if err == nil {
			err = t.inRange(n)
		}
		return n, err
	case Float:
		return strconv.ParseFloat(s, 64)
	case StructOf: // default:"{}" is the struct with its own defaults
		return t.Struct.Defaults(), nil
	case ListOf:
		var l value.List
		if s != "" {
			for _, w := range strings.Split(s, ",") {
				v, err := t.Elem.parseDefault(w)
				if err != nil {
					return nil, err
				}
				l = append(l, v)
			}
		}
		return l, nil
	}
	v, err := t.Check(s)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// Defaults returns a struct in which every field has its default.
func (s *Struct) Defaults() value.Struct {
	out := make(value.Struct, len(s.Fields()))
	for i, f := range s.Fields() {
		out[i] = f.Default
	}
	return out
}

func (t *Type) zero() value.Value {
	switch t.Kind {
	case Bool:
		return false
	case Int, Duration, Bytes, CPUs, Mode:
		return int64(0)
	case Float:
		return float64(0)
	case String:
		return ""
	case ListOf:
		return value.List(nil)
	case MapOf:
		return (*value.Map)(nil)
	case StructOf:
		return t.Struct.Defaults()
	}
	return nil
}
