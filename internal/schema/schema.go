// Package schema derives everything that is known about a kind's arguments
// from one Go struct: their names, types, defaults and limits, what forces a
// replacement, what is hidden, which docker flag each one is.
//
// A field is described by its tags:
//
//	star:"limit_cpu,replace"  the name in a script, then options:
//	      required            must be given
//	      replace             a change cannot be made in place
//	      set                 a list whose order means nothing
//	      merge               a map of which only our own keys are compared
//	      secret              never shown
//	      writeonly           cannot be read back: compared by keyed hash
//	      local               ours alone: not part of the live object
//	      short               a plain value given for the whole struct is this field
//	      pos                 may be given by position (in field order)
//	      key                 names the element in a set of such structs: they are
//	                          compared one by one
//	default:"1"               the value that a script's silence means
//	enum:"a,b"                the only values allowed
//	min:"0" max:"65535"       limits of a number
//	ref:"network.name"        a handle of that kind may be given; it stands for that output
//	from:"secret"             where not given, it is what that field says, a handle
//	                          standing for its declared name
//	flag:"--limit-cpu"        the docker flag, for the tables
//	api:"1.44"                the first engine API that knows the field
//	doc:"..."                 one or two sentences
//
// A field that the script leaves out is compared with the live object only
// where a default owns it: the default tag's, or the zero value of a field
// that is not a pointer. A pointer without a default is left as it is.
package schema

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/swarmscript/swarmscript/internal/value"
)

// Struct describes a Go struct whose fields are arguments.
type Struct struct {
	Name   string // as in a script: "service", "port"
	Doc    string
	Fields []*Field

	byName map[string]int
	short  int // index of the short field, -1 where none
	key    int // index of the key field, -1 where none
	typ    reflect.Type
}

// Field describes one argument.
type Field struct {
	Name      string
	Index     int
	Doc       string
	Type      *Type
	Required  bool
	Replace   bool
	Merge     bool
	Secret    bool
	WriteOnly bool
	Local     bool
	Short     bool
	Pos       bool
	Key       bool
	From      string // the field that it follows where it is not given
	Flag      string
	API       string
	// Newer is set where the field, or one inside it, has an API version.
	Newer bool
	// Default is what the script's silence means, nil where it means "leave it
	// as it is".
	Default value.Value
	// Shown is true where the default comes from a tag and is worth telling.
	Shown bool

	goIndex int
	pointer bool
}

// Kind is a type's shape.
type Kind int

const (
	Bool Kind = iota
	Int
	Float
	String
	Duration // int64 nanoseconds; "10s" or a number of seconds in a script
	Bytes    // int64 bytes; "512m" or a number in a script
	CPUs     // int64 billionths of a CPU; 0.5 or "0.5" in a script
	Mode     // int64 permission bits; 0o440 or "0440" in a script
	ListOf
	MapOf
	StructOf
	Any // any plain value
)

// Type describes the values of a field or of a list's elements.
type Type struct {
	Kind   Kind
	Elem   *Type   // of a list or a map
	Set    bool    // a list whose order means nothing
	Null   bool    // an element may be None
	Struct *Struct // of StructOf
	Enum   []string
	Min    *int64
	Max    *int64
	// RefKind and RefOutput are set where a handle may be given.
	RefKind, RefOutput string

	normal func(string) (string, error) // of a string type with a normal form
	parse  func(string) (value.Value, error)
	goType reflect.Type
}

// Name returns the type's name as the documentation writes it.
func (t *Type) Name() string {
	switch t.Kind {
	case Bool:
		return "bool"
	case Int:
		return "int"
	case Float:
		return "float"
	case String:
		if t.RefKind != "" {
			return t.RefKind + " or string"
		}
		return "string"
	case Duration:
		return "duration"
	case Bytes:
		return "size"
	case CPUs:
		return "cpus"
	case Mode:
		return "mode"
	case ListOf:
		if t.Set {
			return "set of " + t.Elem.Name()
		}
		return "list of " + t.Elem.Name()
	case MapOf:
		return "map of " + t.Elem.Name()
	case StructOf:
		return t.Struct.Name
	}
	return "any"
}

// Field returns the field of a name.
func (s *Struct) Field(name string) (*Field, bool) {
	i, ok := s.byName[name]
	if !ok {
		return nil, false
	}
	return s.Fields[i], true
}

// FieldNames returns all names in order.
func (s *Struct) FieldNames() []string {
	names := make([]string, len(s.Fields))
	for i, f := range s.Fields {
		names[i] = f.Name
	}
	return names
}

// ShortField returns the field that a plain value stands for, or nil.
func (s *Struct) ShortField() *Field {
	if s.short < 0 {
		return nil
	}
	return s.Fields[s.short]
}

// GoType returns the struct's Go type.
func (s *Struct) GoType() reflect.Type { return s.typ }

// Normaler is implemented by string types that have a normal form, such as
// image references. Normal returns it, or says what is wrong with the text.
type Normaler interface {
	Normal() (string, error)
}

// ShortForm is implemented by structs that docker's CLI writes as one string,
// such as "8080:80/tcp" for a port, and by lists that it writes as one, such
// as a command line. ParseShort fills the receiver.
type ShortForm interface {
	ParseShort(string) error
}

// Size is a number of bytes; a script may write "512m" or "2GiB".
type Size int64

// NanoCPUs is a number of billionths of a CPU; a script writes 0.5.
type NanoCPUs int64

// FileMode is permission bits; a script writes 0o440 or "0440".
type FileMode uint32

// Named is implemented by specs that say their name in a script and their
// purpose.
type Named interface {
	SchemaName() (name, doc string)
}

var cache sync.Map // reflect.Type -> *Struct

// Of returns the schema of a struct's type. It panics on tags that make no
// sense, since they are a programmer's mistake that every start would show.
func Of(spec any) *Struct { return ofType(reflect.TypeOf(spec)) }

func ofType(t reflect.Type) *Struct {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if s, ok := cache.Load(t); ok {
		return s.(*Struct)
	}
	s := build(t)
	got, _ := cache.LoadOrStore(t, s)
	return got.(*Struct)
}

func build(t reflect.Type) *Struct {
	s := &Struct{byName: map[string]int{}, short: -1, key: -1, typ: t, Name: strings.ToLower(t.Name())}
	if n, ok := reflect.New(t).Interface().(Named); ok {
		s.Name, s.Doc = n.SchemaName()
	}
	for i := range t.NumField() {
		sf := t.Field(i)
		tag, ok := sf.Tag.Lookup("star")
		if !ok {
			continue
		}
		f := buildField(sf, tag)
		f.goIndex, f.Index = i, len(s.Fields)
		if _, dup := s.byName[f.Name]; dup {
			panic(fmt.Sprintf("schema: %s has two fields %q", t, f.Name))
		}
		if f.Short {
			s.short = f.Index
		}
		if f.Key {
			s.key = f.Index
		}
		s.byName[f.Name] = f.Index
		s.Fields = append(s.Fields, f)
	}
	return s
}

func buildField(sf reflect.StructField, tag string) *Field {
	words := strings.Split(tag, ",")
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
		case "secret":
			f.Secret = true
		case "writeonly":
			f.WriteOnly = true
		case "local":
			f.Local = true
		case "short":
			f.Short = true
		case "pos":
			f.Pos = true
		case "key":
			f.Key = true
		default:
			panic(fmt.Sprintf("schema: field %s: unknown option %q", sf.Name, w))
		}
	}
	leaf := f.Type
	for leaf.Kind == ListOf || leaf.Kind == MapOf {
		leaf = leaf.Elem
	}
	if e := sf.Tag.Get("enum"); e != "" {
		leaf.Enum = strings.Split(e, ",")
	}
	leaf.Min, leaf.Max = cmp.Or(limit(sf, "min"), leaf.Min), cmp.Or(limit(sf, "max"), leaf.Max)
	if r := sf.Tag.Get("ref"); r != "" {
		kind, out, ok := strings.Cut(r, ".")
		if !ok {
			panic(fmt.Sprintf("schema: field %s: ref %q has no output", sf.Name, r))
		}
		leaf.RefKind, leaf.RefOutput = kind, out
	}
	f.Newer = f.API != "" || newerInside(f.Type)
	f.Default = defaultOf(sf, f)
	return f
}

func newerInside(t *Type) bool {
	switch t.Kind {
	case ListOf:
		return newerInside(t.Elem)
	case StructOf:
		return slices.ContainsFunc(t.Struct.Fields, func(f *Field) bool { return f.Newer })
	}
	return false
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
		return strconv.ParseInt(s, 0, 64)
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
	out := make(value.Struct, len(s.Fields))
	for i, f := range s.Fields {
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
