package compose

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/value"
)

// ExportOptions say what [Export] writes.
type ExportOptions struct {
	// Stack is the name that the file is meant for: `docker stack deploy` puts it
	// before the names. "" means the only one that labels name, or else the
	// project's.
	Stack string
	// Cluster is the swarm that is meant, by its name or address; "" for the only
	// one.
	Cluster string
	// Secrets allows what is sensitive to be written as it is.
	Secrets bool
	// Context is where a build's context is, seen from the file; nil where that is
	// not known.
	Context func(dir string) string
}

// Exported is a stack file.
type Exported struct {
	Stack string
	Text  []byte
	Files map[string]string // what it reads, by slash-separated paths beside it
	// Warnings are what the file does not say as the script does, or not at all.
	Warnings diag.List
	// Needs are what there must be before it is deployed, a line each.
	Needs []string
	// Services counts those in it.
	Services int
}

// Export writes what a script declares as a file for `docker stack deploy`. It
// keeps to what docker 28.5 takes, which is less than compose files can say.
func Export(p *resource.Program, o ExportOptions) (*Exported, error) {
	e := &exporter{o: o, program: p, out: &Exported{Files: map[string]string{}}, byAddress: map[value.Address]*resource.Declaration{},
		sections: map[string]*section{}, volumeIDs: map[string]string{}, variables: map[string]variableOf{}, built: map[value.Address]bool{}, hosts: map[string]bool{}}
	for _, name := range sectionNames {
		e.sections[name] = &section{keys: map[string]string{}, taken: map[string]bool{}, node: newMapping()}
	}
	scope, err := e.cluster()
	if err != nil {
		return nil, err
	}
	if e.out.Stack, err = e.stack(scope); err != nil {
		return nil, err
	}
	e.declarations(scope)
	return e.out, e.write()
}

// sectionNames are the file's, in the order in which they are written.
var sectionNames = []string{"services", "networks", "volumes", "configs", "secrets"}

// sectionOf is where a kind's objects stand.
var sectionOf = map[string]string{"service": "services", "network": "networks", "volume": "volumes", "config": "configs", "secret": "secrets"}

type section struct {
	keys  map[string]string // by the names in the swarm, or other IDs
	taken map[string]bool
	node  *mapping
}

type exporter struct {
	o         ExportOptions
	program   *resource.Program
	out       *Exported
	byAddress map[value.Address]*resource.Declaration
	sections  map[string]*section
	variables map[string]variableOf // what the file is interpolated with, by name
	volumes   []*resource.Declaration
	volumeIDs map[string]string       // how a volume is made, by its name
	renamed   []*resource.Declaration // services whose names a stack does not allow
	attached  map[string]bool         // the keys of the networks that a service is in
	built     map[value.Address]bool  // the builds that are written
	hosts     map[string]bool         // the registries of the services' images
}

func (e *exporter) warn(d *resource.Declaration, hint, format string, args ...any) {
	e.out.Warnings = append(e.out.Warnings, &diag.Diagnostic{
		Severity: diag.Warning, Pos: d.Pos, Summary: d.Address.Short() + ": " + fmt.Sprintf(format, args...), Hint: hint,
	})
}

func (e *exporter) need(format string, args ...any) {
	if line := fmt.Sprintf(format, args...); !slices.Contains(e.out.Needs, line) {
		e.out.Needs = append(e.out.Needs, line)
	}
}

// cluster is the scope of the swarm that is meant.
func (e *exporter) cluster() (string, error) {
	var scopes []string
	for _, d := range e.program.Declarations {
		e.byAddress[d.Address] = d
		if d.Kind.Scope == "swarm" && sectionOf[d.Kind.Name] != "" && !slices.Contains(scopes, d.Scope) {
			scopes = append(scopes, d.Scope)
		}
	}
	if e.o.Cluster != "" {
		for _, s := range scopes {
			if s == e.o.Cluster || s == "swarm."+e.o.Cluster {
				return s, nil
			}
		}
		return "", &diag.Diagnostic{Summary: fmt.Sprintf("the script declares nothing in a swarm %s", e.o.Cluster), Hint: diag.DidYouMean(e.o.Cluster, scopes)}
	}
	switch len(scopes) {
	case 0:
		return "", &diag.Diagnostic{Summary: "the script declares nothing that a stack file can say", Hint: "that is services, networks, volumes, configs and secrets of a swarm"}
	case 1:
		return scopes[0], nil
	}
	return "", &diag.Diagnostic{Summary: "the script declares parts of several swarms, and a stack file is for one: " + strings.Join(scopes, ", "), Hint: "--cluster NAME says which"}
}

// stack is the name that the file is meant for.
func (e *exporter) stack(scope string) (string, error) {
	if e.o.Stack != "" {
		return e.o.Stack, nil
	}
	var found []string
	for _, d := range e.program.Declarations {
		if s := stackOf(d); s != "" && d.Scope == scope && !slices.Contains(found, s) {
			found = append(found, s)
		}
	}
	switch len(found) {
	case 0:
		name, _, _ := strings.Cut(e.program.Project, "/")
		return cmp.Or(name, "stack"), nil
	case 1:
		return found[0], nil
	}
	return "", &diag.Diagnostic{Summary: "the script declares several stacks, and a file is for one: " + strings.Join(found, ", "), Hint: "--stack NAME says which"}
}

// stackOf is the stack that a declaration's labels say it belongs to.
func stackOf(d *resource.Declaration) string {
	f, ok := d.Kind.Schema.Field("labels")
	if !ok {
		return ""
	}
	labels, _ := value.Reveal(d.Args[f.Index]).(*value.Map)
	v, _ := labels.Get(LabelNamespace)
	s, _ := v.(string)
	return s
}

// declarations converts all that belongs into the file, and tells of the rest.
func (e *exporter) declarations(scope string) {
	var parts []*resource.Declaration
	left := map[string][]*resource.Declaration{}
	for _, d := range e.program.Declarations {
		in := d.Scope == scope && sectionOf[d.Kind.Name] != ""
		switch other := stackOf(d); {
		case d.External:
		case in && other != "" && other != e.out.Stack:
			left["of stack "+other] = append(left["of stack "+other], d)
		case in:
			parts = append(parts, d)
		case d.Kind.Name == "volume" && d.Kind.Scope == "engine":
			e.volumes = append(e.volumes, d)
		case d.Kind.Name == "build", d.Kind.Name == "image": // stand with their services
		default:
			left[d.Kind.Name] = append(left[d.Kind.Name], d)
		}
	}
	for _, d := range parts { // so that those of the stack have the keys that they came with
		if stackOf(d) != "" {
			e.key(sectionOf[d.Kind.Name], declaredName(d))
		}
	}
	for _, d := range parts {
		e.key(sectionOf[d.Kind.Name], declaredName(d))
	}
	for _, d := range parts {
		e.object(d)
	}
	e.attached = map[string]bool{}
	for _, d := range parts {
		if d.Kind == swarm.ServiceKind {
			e.service(d)
		}
	}
	for _, d := range parts {
		if d.Kind == swarm.NetworkKind && !e.attached[e.key("networks", declaredName(d))] {
			e.warn(d, "", "no service is in it, and docker stack deploy makes only networks that are used")
		}
	}
	if e.renamed != nil {
		e.out.Warnings = append(e.out.Warnings, &diag.Diagnostic{Severity: diag.Warning, Pos: e.renamed[0].Pos,
			Summary: fmt.Sprintf("%s: docker stack deploy puts the stack's name before a service's: %s", someOf(e.renamed), scoped(e.out.Stack, e.key("services", declaredName(e.renamed[0]))))})
	}
	for _, what := range sorted(left) {
		e.leftOut(what, left[what])
	}
	e.logins()
	e.out.Warnings.Sort()
}

// leftOut tells what a stack file says nothing of: those of a kind together.
func (e *exporter) leftOut(what string, list []*resource.Declaration) {
	d := &diag.Diagnostic{Severity: diag.Warning, Pos: list[0].Pos, Summary: "left out: " + someOf(list)}
	switch {
	case strings.HasPrefix(what, "of stack "):
		d.Summary, d.Hint = d.Summary+", "+what, "--stack writes it"
	case sectionOf[what] != "":
		d.Hint = "it is not of the swarm that the file is for"
	default:
		d.Hint = "a stack file has no " + what
	}
	e.out.Warnings = append(e.out.Warnings, d)
}

// someOf names the first of a list.
func someOf(list []*resource.Declaration) string {
	names := make([]string, min(len(list), 3))
	for i := range names {
		names[i] = list[i].Address.Short()
	}
	text := strings.Join(names, ", ")
	if more := len(list) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// declaredName is what a declaration's object is called.
func declaredName(d *resource.Declaration) string {
	if f := d.Kind.Schema.NameField(); f != nil {
		if s, ok := value.Reveal(d.Args[f.Index]).(string); ok {
			return s
		}
	}
	return d.Address.Name()
}

func (s *section) has(key string) bool {
	for i := 0; i < len(s.node.node.Content); i += 2 {
		if s.node.node.Content[i].Value == key {
			return true
		}
	}
	return false
}

// labels are those of the script without the one that docker adds.
func (e *exporter) labels(m map[string]string) map[string]string {
	m = maps.Clone(m)
	if m[LabelNamespace] == e.out.Stack {
		delete(m, LabelNamespace)
	}
	return m
}

// write makes the file's text.
func (e *exporter) write() error {
	top := newMapping()
	for _, name := range sectionNames {
		top.set(name, e.sections[name].node)
	}
	var body bytes.Buffer
	enc := yaml.NewEncoder(&body)
	enc.SetIndent(2)
	if err := enc.Encode(&top.node); err != nil {
		return fmt.Errorf("the stack file: %w", err)
	}
	if err := enc.Close(); err != nil {
		return err
	}
	for _, name := range sorted(e.variables) { // some were part of what became one
		if strings.Contains(body.String(), "${"+name+":?") {
			e.need("%s in the environment (%s)", name, e.variables[name].what)
		}
	}
	var b bytes.Buffer
	for _, line := range e.header() {
		b.WriteString(strings.TrimRight("# "+line, " ") + "\n")
	}
	b.WriteString("\n")
	b.Write(body.Bytes())
	e.out.Text = b.Bytes()
	return nil
}

func (e *exporter) header() []string {
	out := []string{
		"Written by swarmscript export --compose. It is deployed by", "",
		"  docker stack deploy --compose-file " + FileName + " " + e.out.Stack,
	}
	if len(e.out.Needs) == 0 {
		return out
	}
	out = append(out, "", "which needs, before:", "")
	for _, n := range e.out.Needs {
		out = append(out, "  "+n)
	}
	return out
}

// FileName is what an exported file is called.
const FileName = "compose.yml"

// as decodes a declaration into a spec of that type.
func as[T any](e *exporter, d *resource.Declaration, without ...string) *T {
	return e.decode(d, func() any { return new(T) }, without).(*T)
}

// given reports whether a declaration says an argument.
func given(d *resource.Declaration, name string) bool {
	f, ok := d.Kind.Schema.Field(name)
	return ok && d.Args[f.Index] != nil
}

// unsaid warns of the arguments of a declaration that a stack file has no word
// for, as far as they say something else than silence.
func (e *exporter) unsaid(d *resource.Declaration, names ...string) {
	for _, name := range names {
		f, ok := d.Kind.Schema.Field(name)
		if !ok {
			panic("compose: " + d.Kind.Name + " has no argument " + name)
		}
		v := value.Reveal(d.Args[f.Index])
		if v == nil || nothing(v) || f.Default != nil && f.Type.Same(v, f.Default) || v == false || v == int64(0) {
			continue
		}
		e.warn(d, "", "a stack file cannot say %s", name)
	}
}
