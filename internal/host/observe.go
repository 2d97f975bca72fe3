package host

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// section is what one kind, or a few that ask for the same, add to the look at
// a machine.
type section struct {
	name  string // a word
	kinds []string
	// script is the shell that asks for declared objects of those kinds. Its
	// standard input is empty, its errors go nowhere.
	script func(decls []*resource.Declaration) string
	// read adds the objects that the script found to the look.
	read func(l *look, out []byte, decls []*resource.Declaration) error
}

// sections are those of all kinds.
var sections = []section{
	fileSection,
	packageSection,
	commandSection,
	unitSection,
	sysctlSection,
	userSection,
	firewallSection,
	fail2banSection,
	upgradesSection,
	dockerSection,
}

// look is one observation while it is read.
type look struct {
	query    resource.Query
	facts    *Facts
	ours     map[string]record // this project's marks, by ID
	theirs   map[string]record
	objects  []*resource.Object
	warnings []string
}

// Observe implements [resource.Conn]: one command over the one connection.
func (c *Conn) Observe(ctx context.Context, q resource.Query) (*resource.Observation, error) {
	tag := "swarmscript-" + rand.Text()[:12]
	parts := []part{{"facts", factsScript}, {"marks", readMarks}, {"backups", readBackups}}
	asked := map[string][]*resource.Declaration{}
	for _, s := range sections {
		for _, d := range q.Declared {
			if slices.Contains(s.kinds, d.Kind.Name) {
				asked[s.name] = append(asked[s.name], d)
			}
		}
		if len(asked[s.name]) > 0 {
			parts = append(parts, part{s.name, s.script(asked[s.name])})
		}
	}
	start := time.Now()
	out, err := c.run(ctx, frame(tag, parts), nil)
	if err != nil {
		return nil, err
	}
	got, err := parseFrame(tag, out)
	if err != nil {
		return nil, err
	}
	l, err := newLook(q, got, start, time.Now())
	if err != nil {
		return nil, err
	}
	for _, s := range sections {
		if len(asked[s.name]) == 0 {
			continue
		}
		if err := s.read(l, got[s.name], asked[s.name]); err != nil {
			return nil, err
		}
	}
	l.addUndeclared()
	l.nest()
	c.remember(l)
	for _, o := range l.objects {
		o.ID = c.uniqueID(o.ID)
		for i, id := range o.Uses {
			o.Uses[i] = c.uniqueID(id)
		}
	}
	return &resource.Observation{
		Identity: l.facts.MachineID,
		Objects:  l.objects,
		Summary:  l.facts.summary(),
		Warnings: l.warnings,

		Forecaster: l.facts,
	}, nil
}

func newLook(q resource.Query, got map[string][]byte, asked, answered time.Time) (*look, error) {
	facts, err := parseFacts(got["facts"], asked, answered)
	if err != nil {
		return nil, err
	}
	marks, err := parseMarks(got["marks"])
	if err != nil {
		return nil, err
	}
	l := &look{query: q, facts: facts, ours: marks[q.Project], theirs: map[string]record{}, warnings: facts.warnings()}
	before := map[string]bool{}
	for _, name := range lines(got["backups"]) {
		before[name] = true
	}
	for project, recs := range marks {
		for id, rec := range recs {
			rec.before = before[fileOf(rec.Kind, rec.Name)]
			recs[id] = rec
			if project != q.Project {
				l.theirs[id] = rec
			}
		}
	}
	return l, nil
}

func (c *Conn) remember(l *look) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.facts = l.facts
}

// add gives an object that a section found its ID and mark.
func (l *look) add(d *resource.Declaration, args value.Struct, out map[string]value.Value) *resource.Object {
	name := nameOf(d)
	o := &resource.Object{Kind: d.Kind.Name, ID: idOf(d.Kind.Name, name), Name: name, Args: args, Out: out}
	rec, marked := l.record(o.ID)
	o.Native = rec
	if marked && !d.Kind.Unmarked {
		o.Mark = rec.Mark
	}
	l.objects = append(l.objects, o)
	return o
}

// record returns the mark of an object, ours before another project's.
func (l *look) record(id string) (record, bool) {
	if rec, ok := l.ours[id]; ok {
		return rec, true
	}
	rec, ok := l.theirs[id]
	return rec, ok
}

// addUndeclared adds what we marked and the program does not declare. It is not
// looked at: its mark says all that a deletion needs.
func (l *look) addUndeclared() {
	declared := map[string]bool{}
	for _, d := range l.query.Declared {
		declared[idOf(d.Kind.Name, nameOf(d))] = true
	}
	for id, rec := range l.ours {
		if declared[id] {
			continue
		}
		o := &resource.Object{Kind: rec.Kind, ID: id, Name: rec.Name, Mark: rec.Mark, Native: rec, Listed: true}
		if k := kindOf(rec.Kind); k != nil {
			o.Args = make(value.Struct, len(k.Schema.Fields()))
			if f := k.Schema.NameField(); f != nil {
				o.Args[f.Index] = rec.Name
			}
		}
		l.objects = append(l.objects, o)
	}
	slices.SortFunc(l.objects, func(a, b *resource.Object) int { return strings.Compare(a.ID, b.ID) })
}

// nest says which folders hold which files and folders: what is in one goes
// before it does.
func (l *look) nest() {
	folders := map[string]string{}
	for _, o := range l.objects {
		if o.Kind == "directory" {
			folders[o.Name] = o.ID
		}
	}
	for _, o := range l.objects {
		if o.Kind != "directory" && o.Kind != "file" {
			continue
		}
		for p := path.Dir(o.Name); p != "/" && p != "."; p = path.Dir(p) {
			if id, ok := folders[p]; ok {
				o.Uses = append(o.Uses, id)
			}
		}
	}
}

// note reads what a kind remembers of an object.
func (l *look) note(id string, into any) error {
	rec, _ := l.record(id)
	if len(rec.Note) == 0 {
		return nil
	}
	if err := json.Unmarshal(rec.Note, into); err != nil {
		return fmt.Errorf("the mark of %s on the machine is damaged: %w", id, err)
	}
	return nil
}

func kindOf(name string) *resource.Kind {
	for _, k := range Kinds() {
		if k.Name == name {
			return k
		}
	}
	return nil
}

// nameOf is what a declaration's object is called on the machine. What a machine
// has one of is called the same, whatever its declaration is.
func nameOf(d *resource.Declaration) string {
	if d.Kind.Single {
		return d.Kind.Name
	}
	if f := d.Kind.Schema.NameField(); f != nil {
		if s, ok := value.Reveal(d.Args[f.Index]).(string); ok {
			return s
		}
	}
	return d.Address.Name()
}

// asDeclared is an object that is as its declaration says, defaults included.
func asDeclared(s *schema.Struct, args value.Struct) value.Struct {
	out := slices.Clone(args)
	for i, f := range s.Fields() {
		if out[i] == nil {
			out[i] = f.Default
		}
	}
	return out
}

// get returns an argument as it is, nil where it is not given.
func get(s *schema.Struct, args value.Struct, name string) value.Value {
	f, ok := s.Field(name)
	if !ok {
		panic("no field " + name)
	}
	return args[f.Index]
}

// set replaces an argument.
func set(s *schema.Struct, args value.Struct, name string, v value.Value) {
	f, ok := s.Field(name)
	if !ok {
		panic("no field " + name)
	}
	args[f.Index] = v
}

// text returns an argument that is known text; ok is false where it is not
// given, or waits for a step.
func text(s *schema.Struct, args value.Struct, name string) (string, bool) {
	v := value.Reveal(get(s, args, name))
	if t, is := v.(*value.Template); is && value.Known(t) {
		v = value.Reveal(value.Join(t.Parts))
	}
	str, ok := v.(string)
	return str, ok
}

// lines splits what a script printed.
func lines(out []byte) []string {
	s := strings.TrimSuffix(string(out), "\n")
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}
