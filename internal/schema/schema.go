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
//	      merge               a map of which only our own keys are compared; of a set,
//	                          whose elements are texts or have a key, so its elements
//	      fold                letter case means nothing in the keys of a merged map
//	      secret              never shown
//	      writeonly           cannot be read back: compared by keyed hash
//	      binary              text of any bytes, 0 too
//	      local               ours alone: not part of the live object
//	      short               a plain value given for the whole struct is this field
//	      livename            what the object is called where it lives, in place of name
//	      pos                 may be given by position (in field order)
//	      key                 names the element in a set of such structs: they are
//	                          compared one by one
//	default:"1"               the value that a script's silence means
//	enum:"a,b"                the only values allowed
//	min:"0" max:"65535"       limits of a number
//	ref:"network.name"        a handle of that kind may be given; it stands for that output
//	ref:"image.ref,build"     or one of another kind that has such an output
//	from:"secret"             where not given, it is what that field says, a handle
//	                          standing for its declared name
//	flag:"--limit-cpu"        the docker flag, for the tables
//	api:"1.44"                the first engine API that knows the field
//	doc:"..."                 one or two sentences
//
// The fields of an embedded struct are the struct's own.
//
// A field that the script leaves out is compared with the live object only
// where a default owns it: the default tag's, or the zero value of a field
// that is not a pointer. A pointer without a default is left as it is.
package schema

import (
	"reflect"
	"strings"
	"sync"

	"github.com/swarmscript/swarmscript/internal/value"
)

// Struct describes a Go struct whose fields are arguments. It may be used by
// several goroutines.
type Struct struct {
	Name string // as in a script: "service", "port"
	Doc  string

	typ   reflect.Type
	once  sync.Once
	parts parts // see built
}

// parts are what a struct's tags say. Few fields are required, merged, or newer than
// the oldest engine: every declaration is looked at for those, so that they have lists
// of their own.
type parts struct {
	fields, required, merged, newer []*Field

	byName map[string]int
	name   *Field
	short  int // index of the short field, -1 where none
	key    int // index of the key field, -1 where none
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
	Fold      bool
	Secret    bool
	WriteOnly bool
	Local     bool
	Short     bool
	LiveName  bool
	Pos       bool
	Key       bool
	From      string // the field that it follows where it is not given
	Flag      string
	API       string
	// Default is what the script's silence means, nil where it means "leave it
	// as it is".
	Default value.Value
	// Shown is true where the default comes from a tag and is worth telling.
	Shown bool

	goIndex []int // as of reflect's FieldByIndex
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
	Binary bool    // a string of any bytes
	Struct *Struct // of StructOf
	Enum   []string
	Min    *int64
	Max    *int64
	// RefKind and RefOutput are set where a handle may be given.
	RefKind, RefOutput string
	RefAlso            []string // other kinds that have such an output

	normal func(string) (string, error) // of a string type with a normal form
	refers func(string) string          // of one with a name in it
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
			return strings.Join(append([]string{t.RefKind}, t.RefAlso...), ", ") + " or string"
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

// Fields returns all fields in order.
func (s *Struct) Fields() []*Field { return s.built().fields }

// Required returns the fields that must be given.
func (s *Struct) Required() []*Field { return s.built().required }

// Merged returns the maps and sets of which only our own elements are compared.
func (s *Struct) Merged() []*Field { return s.built().merged }

// Newer returns the fields that the oldest engine does not know, or not all of.
func (s *Struct) Newer() []*Field { return s.built().newer }

// Field returns the field of a name.
func (s *Struct) Field(name string) (*Field, bool) {
	p := s.built()
	i, ok := p.byName[name]
	if !ok {
		return nil, false
	}
	return p.fields[i], true
}

// NameField returns the field that holds what the object is called where it
// lives: "name" unless another one says so, nil where there is none. Every
// declaration is asked for it, so it needs no look-up.
func (s *Struct) NameField() *Field { return s.built().name }

// FieldNames returns all names in order.
func (s *Struct) FieldNames() []string {
	names := make([]string, len(s.Fields()))
	for i, f := range s.Fields() {
		names[i] = f.Name
	}
	return names
}

// ShortField returns the field that a plain value stands for, or nil.
func (s *Struct) ShortField() *Field {
	p := s.built()
	if p.short < 0 {
		return nil
	}
	return p.fields[p.short]
}

// GoType returns the struct's Go type.
func (s *Struct) GoType() reflect.Type { return s.typ }

// Normaler is implemented by string types that have a normal form, such as
// image references. Normal returns it, or says what is wrong with the text.
type Normaler interface {
	Normal() (string, error)
}

// Referrer is implemented by string types that hold a name and more, such as
// db:alias for a link. RefersTo returns the name alone.
type Referrer interface {
	RefersTo() string
}

// RefersTo returns the name in a plain text of this type, of what a handle
// might have stood for.
func (t *Type) RefersTo(s string) string {
	if t.refers != nil {
		return t.refers(s)
	}
	return s
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

// Of returns the schema of a struct's type. Tags that make no sense are a
// programmer's mistake: the first who asks for the fields panics.
func Of(spec any) *Struct { return ofType(reflect.TypeOf(spec)) }

func ofType(t reflect.Type) *Struct {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if s, ok := cache.Load(t); ok {
		return s.(*Struct)
	}
	s := &Struct{Name: strings.ToLower(t.Name()), typ: t}
	if n, ok := reflect.New(t).Interface().(Named); ok {
		s.Name, s.Doc = n.SchemaName()
	}
	got, _ := cache.LoadOrStore(t, s)
	return got.(*Struct)
}
