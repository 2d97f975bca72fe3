package schema

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/value"
)

// everything is a spec that uses every kind of field.
type everything struct {
	Name     string            `star:"name,required,pos,replace" doc:"What it is called."`
	On       bool              `star:"on" default:"true" flag:"--on"`
	Count    *uint64           `star:"count" default:"1" min:"0" max:"9"`
	Level    int               `star:"level,replace" min:"-3"`
	Tiny     uint16            `star:"tiny"`
	Ratio    float64           `star:"ratio" api:"1.44"`
	Mode     string            `star:"mode" enum:"fast,slow" default:"fast"`
	Image    lower             `star:"image"`
	Wait     time.Duration     `star:"wait" default:"5s" max:"60000000000"`
	Every    *time.Duration    `star:"every"`
	Memory   Size              `star:"memory"`
	CPU      NanoCPUs          `star:"cpu"`
	Perm     FileMode          `star:"perm" default:"0440"`
	Args     []string          `star:"args"`
	Command  words             `star:"command"`
	Caps     []string          `star:"caps,set" enum:"ALL,NET,SYS"`
	Nets     []string          `star:"nets,set" ref:"network.id"`
	Labels   map[string]string `star:"labels,merge"`
	Sizes    map[string]Size   `star:"sizes"`
	Port     *port             `star:"port"`
	Ports    []port            `star:"ports,set"`
	Mounts   []mount           `star:"mounts,set"`
	Auth     auth              `star:"auth"`
	Password string            `star:"password,secret"`
	Content  string            `star:"content,secret,writeonly"`
	Note     string            `star:"note,local"`
	Holes    []*string         `star:"holes"`
	Extra    any               `star:"extra"`
	Ignored  string
}

func (everything) SchemaName() (name, doc string) { return "everything", "Uses every kind of field." }

// lower is text whose normal form is in lower case.
type lower string

func (l lower) Normal() (string, error) {
	if strings.Contains(string(l), " ") {
		return "", fmt.Errorf("%q has a space in it", string(l))
	}
	return strings.ToLower(string(l)), nil
}

// words is a list with a short form.
type words []string

func (w *words) ParseShort(s string) error {
	if s == "" {
		return errors.New("an empty command")
	}
	*w = strings.Fields(s)
	return nil
}

// port has a field for a plain value, and a short form in text.
type port struct {
	Target    int    `star:"target,required,short" min:"1" max:"65535"`
	Published int    `star:"published"`
	Protocol  string `star:"protocol" default:"tcp" enum:"tcp,udp"`
}

func (p *port) ParseShort(s string) error {
	p.Protocol = "tcp"
	if _, err := fmt.Sscanf(s, "%d:%d", &p.Published, &p.Target); err != nil {
		return fmt.Errorf("%q is not PUBLISHED:TARGET", s)
	}
	return nil
}

// mount is told apart from others by its target.
type mount struct {
	Source  string        `star:"source,short" ref:"volume.name"`
	Target  string        `star:"target,key" from:"source"`
	Timeout time.Duration `star:"timeout"`
}

type auth struct {
	User     string `star:"user"`
	Password string `star:"password,secret"`
	Token    string `star:"token,writeonly"`
	Hint     string `star:"hint,local"`
}

var schemaOf = Of(everything{})

// index returns the index of a field, which there must be.
func index(name string) int {
	f, ok := schemaOf.Field(name)
	if !ok {
		panic("no field " + name)
	}
	return f.Index
}

func typeOfField(name string) *Type { return schemaOf.Fields()[index(name)].Type }

func TestOf(t *testing.T) {
	s := Of(&everything{})
	if s != schemaOf {
		t.Error("a pointer's schema is not the struct's")
	}
	if s.Name != "everything" || s.Doc != "Uses every kind of field." || s.GoType() != reflect.TypeFor[everything]() {
		t.Errorf("got %q, %q, %v", s.Name, s.Doc, s.GoType())
	}
	types := map[string]string{
		"name": "string", "on": "bool", "count": "int", "tiny": "int", "ratio": "float", "wait": "duration", "memory": "size",
		"cpu": "cpus", "perm": "mode", "args": "list of string", "caps": "set of string", "nets": "set of network or string",
		"sizes": "map of size", "port": "port", "ports": "set of port", "holes": "list of string", "extra": "any",
	}
	for name, want := range types {
		if got := typeOfField(name).Name(); got != want {
			t.Errorf("%s is a %s, want %s", name, got, want)
		}
	}
	if got := strings.Join(s.FieldNames()[:4], " "); got != "name on count level" {
		t.Errorf("the fields are %s", got)
	}
	if _, ok := s.Field("Ignored"); ok {
		t.Error("a field without a tag is an argument")
	}
	if f := Of(port{}).ShortField(); f == nil || f.Name != "target" {
		t.Errorf("the short field of port is %v", f)
	}
	if f := s.ShortField(); f != nil {
		t.Errorf("the short field is %v", f)
	}
}

// Each option is set on the fields that have it, and on no other.
func TestOptions(t *testing.T) {
	options := []struct {
		option, fields string
		has            func(*Field) bool
	}{
		{"required", "name", func(f *Field) bool { return f.Required }},
		{"pos", "name", func(f *Field) bool { return f.Pos }},
		{"replace", "name level", func(f *Field) bool { return f.Replace }},
		{"set", "caps nets ports mounts", func(f *Field) bool { return f.Type.Set }},
		{"merge", "labels", func(f *Field) bool { return f.Merge }},
		{"secret", "password content", func(f *Field) bool { return f.Secret }},
		{"writeonly", "content", func(f *Field) bool { return f.WriteOnly }},
		{"local", "note", func(f *Field) bool { return f.Local }},
		{"flag", "on", func(f *Field) bool { return f.Flag == "--on" }},
		{"api", "ratio", func(f *Field) bool { return f.API == "1.44" }},
		{"default", "on count mode wait perm", func(f *Field) bool { return f.Shown }},
	}
	for _, o := range options {
		var got []string
		for _, f := range schemaOf.Fields() {
			if o.has(f) {
				got = append(got, f.Name)
			}
		}
		if strings.Join(got, " ") != o.fields {
			t.Errorf("%s is set on %v, want %s", o.option, got, o.fields)
		}
	}
}

// What the script's silence means: the tag's default, or the zero value of a
// field that is not a pointer, or "leave it as it is".
func TestDefaults(t *testing.T) {
	want := map[string]value.Value{
		"name": nil, "on": true, "count": int64(1), "level": int64(0), "ratio": 0.0, "mode": "fast", "wait": int64(5 * time.Second),
		"every": nil, "memory": int64(0), "perm": int64(0o440), "args": value.List(nil), "labels": (*value.Map)(nil), "port": nil,
		"auth": value.Struct{"", "", nil, nil}, "content": nil, "note": nil, "extra": nil,
	}
	for name, w := range want {
		if got := schemaOf.Defaults()[index(name)]; !reflect.DeepEqual(got, w) {
			t.Errorf("the default of %s is %#v, want %#v", name, got, w)
		}
	}
}

func TestPanicsOnNonsense(t *testing.T) {
	tests := []struct {
		spec any
		want string
	}{
		{struct {
			A string `star:"a,sett"`
		}{}, `field A: unknown option "sett"`},
		{struct {
			A string `star:",replace"`
		}{}, "field A has no name, or is not exported"},
		{struct {
			a string `star:"a"`
		}{}, "field a has no name, or is not exported"},
		{struct {
			A string `star:"a"`
			B string `star:"a"`
		}{}, `has two fields "a"`},
		{struct {
			A string `star:"a,short"`
			B string `star:"b,short"`
		}{}, "has two fields that are short"},
		{struct {
			A string `star:"a,key"`
			B string `star:"b,key"`
		}{}, "has two fields that are key"},
		{struct {
			A bool `star:"a,key"`
		}{}, "field A: key does not go with bool"},
		{struct {
			A string `star:"a,set"`
		}{}, "field A: set does not go with string"},
		{struct {
			A []string `star:"a,merge"`
		}{}, "field A: merge does not go with list of string"},
		{struct {
			A []int `star:"a,set,merge"`
		}{}, "field a: merge does not go with a set of int, whose elements have no key"},
		{struct {
			A string `star:"a,fold"`
		}{}, "field A: fold does not go with string"},
		{struct {
			A int `star:"a" enum:"1,2"`
		}{}, "field A: enum does not go with int"},
		{struct {
			A string `star:"a" min:"1"`
		}{}, "field A: min or max does not go with string"},
		{struct {
			A int `star:"a" min:"one"`
		}{}, "field A: min: "},
		{struct {
			A bool `star:"a" ref:"network.id"`
		}{}, "field A: ref does not go with bool"},
		{struct {
			A string `star:"a" ref:"network"`
		}{}, `field A: ref "network" has no output`},
		{struct {
			A string `star:"a" from:"b"`
		}{}, `field a is from "b", which it does not have`},
		{struct {
			A int `star:"a" default:"many"`
		}{}, `field A: default "many": `},
		{struct {
			A int `star:"a" default:"5" max:"4"`
		}{}, `field A: default "5": got 5, want at most 4`},
		{struct {
			A string `star:"a" default:"c" enum:"a,b"`
		}{}, `field A: default "c": got "c", want one of a, b`},
		{struct {
			A string `star:"a,required" default:"x"`
		}{}, "a required field has none"},
		{struct {
			A map[int]string `star:"a"`
		}{}, "a map's keys must be strings"},
		{struct {
			A chan int `star:"a"`
		}{}, "type chan int is not supported"},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "schema: ") || !strings.Contains(got, tt.want) {
					t.Errorf("got %s", got)
				}
			}()
			Of(tt.spec).Fields()
		})
	}
}

// What the tags say is read once, whoever asks first.
func TestAskedByMany(t *testing.T) {
	type inner struct {
		B int `star:"b,key"`
	}
	type outer struct {
		A []inner `star:"a,required"`
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s := Of(outer{})
			if f, ok := s.Field("a"); !ok || len(s.Required()) != 1 || f.Type.Elem.Struct != Of(inner{}) || len(f.Type.Elem.Struct.Fields()) != 1 {
				t.Errorf("got %v, %v", f, ok)
			}
		})
	}
	wg.Wait()
}

// The fields of an embedded struct are those of the struct that embeds it.
func TestEmbedded(t *testing.T) {
	type inner struct {
		User string `star:"user"`
	}
	type outer struct {
		Target string `star:"target,required"`
		inner
		Tries int64 `star:"tries" default:"3"`
	}
	s := Of(outer{})
	if got := strings.Join(s.FieldNames(), " "); got != "target user tries" {
		t.Fatalf("the fields are %s", got)
	}
	in := outer{"web", inner{"root"}, 5}
	var out outer
	if err := s.Decode(s.Encode(in), &out); err != nil || out != in {
		t.Errorf("%+v came back as %+v: %v", in, out, err)
	}
}
