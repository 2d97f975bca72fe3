package compose

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/template"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/pattern"
)

// compose-go tells the first mistake that it meets, in an order that varies. So,
// when it has met one, the files are looked through once more for all of those that
// people make: variables that must be given, keys and types that the specification
// does not have, names of what is not there.

// mistakes returns those that are found, in the order of the files.
func (in *input) mistakes() (problems diag.List) {
	spec := newSpecification()
	for _, d := range in.docs {
		problems = append(problems, in.required(d)...)
		problems = append(problems, d.misfits(spec)...)
		problems = append(problems, in.values(d)...)
	}
	if problems == nil {
		problems = in.dangling()
	}
	problems.Sort()
	return problems
}

// required are the variables that a file says must be given, and are not.
func (in *input) required(d *document) (problems diag.List) {
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode {
			_, err := substitute(n.Value, in.given(d))
			var missing *template.MissingRequiredError
			if errors.As(err, &missing) {
				problems = append(problems, missingErr(d.pos(n), missing))
			}
		}
		for i, c := range n.Content {
			if n.Kind != yaml.MappingNode || i%2 == 1 { // keys are not interpolated
				walk(c)
			}
		}
	}
	walk(d.root)
	return problems
}

func missingErr(at diag.Pos, m *template.MissingRequiredError) *diag.Diagnostic {
	p := &diag.Diagnostic{Pos: at, Summary: fmt.Sprintf("the variable %s must be given", m.Variable)}
	if m.Reason != "" {
		p.Summary += ": " + m.Reason
	}
	p.Hint = fmt.Sprintf("vars = {%q: ...} gives it, or the environment", m.Variable)
	return p
}

// misfits are the places where a file is not as the specification's schema says.
func (d *document) misfits(spec *specification) (problems diag.List) {
	var model map[string]any
	if d.tagged() {
		return nil
	}
	if err := d.root.Decode(&model); err != nil {
		return d.doubled(err)
	}
	err := spec.schema.Validate(model)
	var all *jsonschema.ValidationError
	if !errors.As(err, &all) {
		return nil
	}
	for _, e := range leaves(all) {
		problems = append(problems, d.misfit(e, spec)...)
	}
	return problems
}

var doubledKey = pattern.Of(`^line (\d+): mapping key (".*") already defined at line (\d+)`)

// doubled are the keys that are said twice.
func (d *document) doubled(err error) (problems diag.List) {
	var all *yaml.TypeError
	if !errors.As(err, &all) {
		return nil
	}
	for _, text := range all.Errors {
		if m := doubledKey().FindStringSubmatch(text); m != nil {
			line, _ := strconv.Atoi(m[1])
			problems = append(problems, &diag.Diagnostic{
				Pos: diag.Pos{File: d.file, Line: line, Col: 1}, Summary: fmt.Sprintf("the key %s is there twice, first in line %s", m[2], m[3]),
			})
		}
	}
	return problems
}

// tagged reports whether a file has tags of Compose's own, !reset and !override,
// without which it means something else.
func (d *document) tagged() bool {
	var has func(n *yaml.Node) bool
	has = func(n *yaml.Node) bool {
		return strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") || slices.ContainsFunc(n.Content, has)
	}
	return has(d.root)
}

// leaves are what is wrong, without what follows from it. Of what may be one thing
// or another, that is told which it comes nearest to.
func leaves(e *jsonschema.ValidationError) (out []*jsonschema.ValidationError) {
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	_, any := e.ErrorKind.(*kind.AnyOf)
	_, one := e.ErrorKind.(*kind.OneOf)
	if !any && !one {
		for _, c := range e.Causes {
			out = append(out, leaves(c)...)
		}
		return out
	}
	depth := -1
	for _, c := range e.Causes {
		in := leaves(c)
		deepest := 0
		for _, l := range in {
			deepest = max(deepest, len(l.InstanceLocation))
			if _, ok := l.ErrorKind.(*kind.AdditionalProperties); ok {
				deepest = max(deepest, len(l.InstanceLocation)+1)
			}
		}
		switch {
		case deepest > depth:
			out, depth = in, deepest
		case deepest == depth:
			alike(out, in)
		}
	}
	return out
}

// alike adds the types that a value may have by b to those by a.
func alike(a, b []*jsonschema.ValidationError) {
	if len(a) != 1 || len(b) != 1 {
		return
	}
	x, ok := a[0].ErrorKind.(*kind.Type)
	if y, same := b[0].ErrorKind.(*kind.Type); ok && same {
		x.Want = append(x.Want, y.Want...)
	}
}

// misfit is one such place as a problem, or one for each key that is not known.
func (d *document) misfit(e *jsonschema.ValidationError, spec *specification) (problems diag.List) {
	where := strings.Join(e.InstanceLocation, ".")
	n := d.node(e.InstanceLocation)
	if n == nil || n.Kind == yaml.ScalarNode && strings.Contains(n.Value, "$") { // what it is, its variables say
		return nil
	}
	p := &diag.Diagnostic{Pos: d.pos(n)}
	switch k := e.ErrorKind.(type) {
	case *kind.InvalidJsonValue:
		if n.ShortTag() != "!!timestamp" { // its keys are no text, which is told of each
			return nil
		}
		p.Summary = fmt.Sprintf("%s: YAML takes %s for a date", where, n.Value)
		p.Hint = fmt.Sprintf("write it in quotes: %q", n.Value)
	case *kind.AdditionalProperties:
		known := spec.propertiesAt(e.SchemaURL)
		for _, key := range k.Properties {
			at, _ := entry(n, key)
			if at == nil || strings.HasPrefix(key, "x-") {
				continue
			}
			problems = append(problems, &diag.Diagnostic{
				Pos: d.pos(at), Summary: strings.TrimPrefix(fmt.Sprintf("%s: there is no key %q", where, key), ": "), Hint: diag.DidYouMean(key, known),
			})
		}
		return problems
	case *kind.Type:
		p.Summary = fmt.Sprintf("%s must be a %s", where, typeNames(k.Want))
	default:
		p.Summary = fmt.Sprintf("%s: %s", where, e.ErrorKind.LocalizedString(message.NewPrinter(language.English)))
	}
	return diag.List{p}
}

// typeNames are JSON's types in the words of YAML.
func typeNames(names []string) string {
	out := slices.Clone(names)
	for i, n := range out {
		if n == "object" {
			out[i] = "mapping"
		} else if n == "array" {
			out[i] = "list"
		}
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), " or ")
}

// node is what is at a place of a file.
func (d *document) node(place []string) *yaml.Node {
	n := resolve(d.top())
	for _, step := range place {
		if n == nil {
			return nil
		}
		if n.Kind == yaml.SequenceNode {
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(n.Content) {
				return nil
			}
			n = resolve(n.Content[i])
			continue
		}
		n = child(n, step)
	}
	return n
}

// dangling are the names of networks, volumes, secrets, configs and services that
// services have, or their builds, and that are not there.
func (in *input) dangling() (problems diag.List) {
	for _, d := range in.docs {
		for _, s := range pairs(child(d.top(), "services")) {
			check := func(what, of string, list *yaml.Node) {
				for _, n := range names(list) {
					if strings.Contains(n.Value, "$") || slices.Contains(in.all(of), n.Value) || of == "networks" && n.Value == "default" {
						continue
					}
					p := &diag.Diagnostic{Pos: d.pos(n), Summary: fmt.Sprintf("%s %q names the %s %q, which the files do not have", what, s.key.Value, strings.TrimSuffix(of, "s"), n.Value)}
					p.Hint = diag.DidYouMean(n.Value, in.all(of))
					problems = append(problems, p)
				}
			}
			for _, section := range []string{"networks", "secrets", "configs"} {
				check("service", section, child(s.value, section))
			}
			check("service", "services", child(s.value, "depends_on"))
			check("the build of service", "secrets", child(child(s.value, "build"), "secrets"))
		}
	}
	return problems
}

// all are the names that the files have in a section.
func (in *input) all(section string) (out []string) {
	for _, d := range in.docs {
		for _, p := range pairs(child(d.top(), section)) {
			out = append(out, p.key.Value)
		}
	}
	return out
}

// names are what a list names, of which an element may be a mapping with a source,
// or a mapping by its keys.
func names(n *yaml.Node) (out []*yaml.Node) {
	if n = resolve(n); n != nil && n.Kind == yaml.MappingNode {
		for _, p := range pairs(n) {
			out = append(out, p.key)
		}
		return out
	}
	for _, e := range items(n) {
		if e = resolve(e); e.Kind == yaml.MappingNode {
			e = child(e, "source")
		}
		if e != nil && e.Kind == yaml.ScalarNode {
			out = append(out, e)
		}
	}
	return out
}
