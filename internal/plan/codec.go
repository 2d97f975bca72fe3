package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// A plan in a file is JSON. Values are written so that they come back as they
// were: what plain JSON has no word for is an object with one letter.
//
//	{"s":[...]}             a struct's fields, in the schema's order
//	{"m":{"key":...}}       a map
//	{"f":"1.5"}             a float; other numbers are integers
//	{"r":{...}}, {"t":[...]} a reference, a template
//	{"x":true}              hidden, and known; false: not known

type planJSON struct {
	Partial  bool               `json:"partial,omitempty"`
	Off      map[string]bool    `json:"off,omitempty"`
	Changes  []changeJSON       `json:"changes"`
	Drift    []changeJSON       `json:"drift,omitempty"`
	Nodes    []nodeJSON         `json:"nodes"`
	Outputs  []outputJSON       `json:"outputs,omitempty"`
	Warnings []*diag.Diagnostic `json:"warnings,omitempty"`
}

type changeJSON struct {
	Address    value.Address   `json:"address"`
	Kind       string          `json:"kind"`
	In         string          `json:"in"` // the type of the kind's scope
	Scope      string          `json:"scope"`
	Action     string          `json:"action"`
	Args       any             `json:"args,omitempty"`
	Fields     []fieldJSON     `json:"fields,omitempty"`
	Mark       resource.Mark   `json:"mark"`
	Live       *objectJSON     `json:"live,omitempty"`
	Name       string          `json:"name,omitempty"`
	Reason     string          `json:"reason,omitempty"`
	Effect     string          `json:"effect,omitempty"`
	Unsettled  string          `json:"unsettled,omitempty"`
	Blocked    string          `json:"blocked,omitempty"`
	Left       string          `json:"left,omitempty"`
	Rolls      []value.Address `json:"rolls,omitempty"`
	Outage     *Outage         `json:"outage,omitempty"`
	Takes      []string        `json:"takes,omitempty"`
	ReplacedBy value.Address   `json:"replaced_by,omitempty"`
	Remark     bool            `json:"remark,omitempty"`
	Restart    bool            `json:"restart,omitempty"`
	Deferred   bool            `json:"deferred,omitempty"`
	Findings   diag.List       `json:"findings,omitempty"`
	Tentative  bool            `json:"tentative,omitempty"`
	Pending    bool            `json:"pending,omitempty"`
	Owed       bool            `json:"owed,omitempty"`
}

type fieldJSON struct {
	Path    string `json:"path"`
	Before  any    `json:"before,omitempty"`
	After   any    `json:"after,omitempty"`
	Replace bool   `json:"replace,omitempty"`
	Unknown bool   `json:"unknown,omitempty"`
	Secret  bool   `json:"secret,omitempty"`
}

type objectJSON struct {
	ID      string        `json:"id"`
	Name    string        `json:"name"`
	Mark    resource.Mark `json:"mark"`
	Args    any           `json:"args,omitempty"`
	Version uint64        `json:"version,omitempty"`
	Created time.Time     `json:"created"`
	// Unsettled says why it had not converged: its version then moves by itself.
	Unsettled string `json:"unsettled,omitempty"`
}

type nodeJSON struct {
	Change int   `json:"change"` // -1 for a barrier
	Phase  Phase `json:"phase"`
	Deps   []int `json:"deps,omitempty"`
}

type outputJSON struct {
	Name        string `json:"name"`
	Value       any    `json:"value,omitempty"`
	Description string `json:"description,omitempty"`
	Sensitive   bool   `json:"sensitive,omitempty"`
}

// encode expects a plan without secrets; see [Plan.Hidden].
func (p *Plan) encode() planJSON {
	out := planJSON{Partial: p.Partial, Off: p.Off, Warnings: p.Warnings}
	at := map[*Change]int{}
	for i, c := range p.Changes {
		at[c] = i
		out.Changes = append(out.Changes, c.encode())
	}
	for _, c := range p.Drift {
		out.Drift = append(out.Drift, c.encode())
	}
	for _, n := range p.Graph.Nodes { // Hidden gave it one
		i, ok := at[n.Change]
		if !ok {
			i = -1
		}
		out.Nodes = append(out.Nodes, nodeJSON{Change: i, Phase: n.Phase, Deps: n.Deps})
	}
	for _, o := range p.Outputs {
		out.Outputs = append(out.Outputs, outputJSON{o.Name, encodeValue(o.Value), o.Description, o.Sensitive})
	}
	return out
}

func (c *Change) encode() changeJSON {
	out := changeJSON{
		Address: c.Address, Scope: c.Scope, Action: c.Action.String(), Mark: c.Mark, Name: c.Name, Reason: c.Reason, Effect: c.Effect,
		Unsettled: c.Unsettled, Blocked: c.Blocked, Left: c.Left, Rolls: c.Rolls, Outage: c.Outage, Takes: c.Takes, ReplacedBy: c.ReplacedBy,
		Remark: c.Remark, Restart: c.Restart, Deferred: c.Deferred, Findings: c.Findings, Tentative: c.Tentative, Pending: c.Pending, Owed: c.Owed,
		Kind: c.Kind.Name, In: c.Kind.Scope,
	}
	if c.Args != nil {
		out.Args = encodeValue(c.Args)
	}
	if o := c.Live; o != nil {
		out.Live = &objectJSON{ID: o.ID, Name: o.Name, Mark: o.Mark, Version: o.Version, Created: o.Created, Unsettled: o.Unsettled}
		if o.Args != nil {
			out.Live.Args = encodeValue(o.Args)
		}
	}
	for _, f := range c.Fields {
		out.Fields = append(out.Fields, fieldJSON{f.Path, encodeValue(f.Before), encodeValue(f.After), f.Replace, f.Unknown, f.Secret})
	}
	return out
}

func encodeValue(v value.Value) any {
	switch x := v.(type) {
	case float64:
		return map[string]any{"f": strconv.FormatFloat(x, 'g', -1, 64)}
	case value.List:
		return encodeAll(x)
	case value.Struct:
		return map[string]any{"s": encodeAll(x)}
	case *value.Map:
		m := make(map[string]any, x.Len())
		for i := range x.Len() {
			m[x.Entries[i].Key] = encodeValue(x.Entries[i].Value)
		}
		return map[string]any{"m": m}
	case value.Ref:
		return map[string]any{"r": x}
	case *value.Template:
		return map[string]any{"t": encodeAll(x.Parts)}
	case value.Secret, value.Record:
		return map[string]any{"x": value.Known(x)}
	}
	return v
}

func encodeAll(in []value.Value) []any {
	out := make([]any, len(in))
	for i, e := range in {
		out[i] = encodeValue(e)
	}
	return out
}

// decoder turns JSON into a plan. Nothing that a file may hold is a panic, here
// or where the plan is shown.
type decoder struct {
	kinds func(scope, name string) *resource.Kind
}

func (d decoder) plan(in planJSON, project string) (*Plan, error) {
	p := &Plan{Project: project, Partial: in.Partial, Off: in.Off, Warnings: in.Warnings, Graph: &Graph{}, Unreachable: map[string]error{}}
	if slices.Contains(in.Warnings, nil) {
		return nil, errors.New("a warning is missing")
	}
	for _, list := range []struct {
		in  []changeJSON
		out *[]*Change
	}{{in.Changes, &p.Changes}, {in.Drift, &p.Drift}} {
		for _, c := range list.in {
			got, err := d.change(c)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.Address, err)
			}
			*list.out = append(*list.out, got)
		}
	}
	for i, n := range in.Nodes {
		node := &Node{ID: i, Phase: n.Phase, Deps: n.Deps}
		if n.Change >= len(p.Changes) || n.Phase < Do || n.Phase > Widen {
			return nil, fmt.Errorf("node %d: there is no step %d", i, n.Change)
		}
		if n.Change >= 0 {
			node.Change = p.Changes[n.Change]
		}
		for _, dep := range n.Deps {
			if dep < 0 || dep >= len(in.Nodes) {
				return nil, fmt.Errorf("node %d: there is no node %d", i, dep)
			}
		}
		p.Graph.Nodes = append(p.Graph.Nodes, node)
	}
	for _, o := range in.Outputs {
		v, err := d.value(&schema.Type{Kind: schema.Any}, o.Value)
		if err != nil {
			return nil, fmt.Errorf("output %s: %w", o.Name, err)
		}
		p.Outputs = append(p.Outputs, resource.OutputValue{Name: o.Name, Value: v, Description: o.Description, Sensitive: o.Sensitive})
	}
	return p, nil
}

func (d decoder) change(in changeJSON) (*Change, error) {
	k := d.kinds(in.In, in.Kind)
	if k == nil {
		return nil, fmt.Errorf("there is no kind %s in a scope of type %s", in.Kind, in.In)
	}
	c := &Change{
		Address: in.Address, Kind: k, Scope: in.Scope, Mark: in.Mark, Name: in.Name, Reason: in.Reason, Effect: in.Effect,
		Unsettled: in.Unsettled, Blocked: in.Blocked, Left: in.Left, Rolls: in.Rolls, Outage: in.Outage, Takes: in.Takes, ReplacedBy: in.ReplacedBy,
		Remark: in.Remark, Restart: in.Restart, Deferred: in.Deferred, Findings: in.Findings, Tentative: in.Tentative, Pending: in.Pending, Owed: in.Owed,
		Action: Action(slices.Index(actionWords[:], in.Action)),
	}
	if c.Action < 0 {
		return nil, fmt.Errorf("there is no action %q", in.Action)
	}
	var err error
	if c.Args, err = d.fields(k.Schema, in.Args); err != nil {
		return nil, err
	}
	if in.Live != nil {
		c.Live = &resource.Object{Kind: k.Name, ID: in.Live.ID, Name: in.Live.Name, Mark: in.Live.Mark, Version: in.Live.Version, Created: in.Live.Created, Unsettled: in.Live.Unsettled}
		if c.Live.Args, err = d.fields(k.Schema, in.Live.Args); err != nil {
			return nil, err
		}
	}
	for _, f := range in.Fields {
		field, t := k.Schema.TypeAt(f.Path)
		if t == nil {
			return nil, fmt.Errorf("there is no argument %s", f.Path)
		}
		sc := schema.Change{Path: f.Path, Field: field, Type: t, Replace: f.Replace, Unknown: f.Unknown, Secret: f.Secret}
		if sc.Before, err = d.value(t, f.Before); err != nil {
			return nil, err
		}
		if sc.After, err = d.value(t, f.After); err != nil {
			return nil, err
		}
		c.Fields = append(c.Fields, sc)
	}
	return c, nil
}

// fields decodes arguments, nil where there are none.
func (d decoder) fields(s *schema.Struct, in any) (value.Struct, error) {
	if in == nil {
		return nil, nil
	}
	v, err := d.value(&schema.Type{Kind: schema.StructOf, Struct: s}, in)
	if err != nil {
		return nil, err
	}
	x, ok := v.(value.Struct)
	if !ok {
		return nil, fmt.Errorf("%s: want its arguments", s.Name)
	}
	return x, nil
}

var errValue = errors.New("a value has a shape that its argument cannot have")

func (d decoder) value(t *schema.Type, in any) (value.Value, error) {
	switch x := in.(type) {
	case nil, bool, string:
		return x, nil
	case json.Number:
		i, err := x.Int64()
		return i, err
	case []any:
		if t.Kind != schema.ListOf && t.Kind != schema.Any {
			return nil, errValue
		}
		out, err := d.all(inside(t), x)
		return value.List(out), err
	case map[string]any:
		if len(x) != 1 {
			return nil, errValue
		}
		for tag, v := range x {
			return d.tagged(t, tag, v)
		}
	}
	return nil, errValue
}

func (d decoder) all(t *schema.Type, in []any) ([]value.Value, error) {
	out := make([]value.Value, len(in))
	for i, e := range in {
		var err error
		if out[i], err = d.value(t, e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func inside(t *schema.Type) *schema.Type {
	if t.Elem == nil {
		return &schema.Type{Kind: schema.Any}
	}
	return t.Elem
}

func (d decoder) tagged(t *schema.Type, tag string, in any) (value.Value, error) {
	switch x := in.(type) {
	case bool:
		if tag == "x" && x {
			return hiddenKnown, nil
		} else if tag == "x" {
			return hiddenUnknown, nil
		}
	case string:
		if tag == "f" {
			f, err := strconv.ParseFloat(x, 64)
			return f, err
		}
	case []any:
		return d.list(t, tag, x)
	case map[string]any:
		switch {
		case tag == "r":
			return decodeRef(x)
		case tag == "m" && (t.Kind == schema.MapOf || t.Kind == schema.Any):
			entries := make([]value.Entry, 0, len(x))
			for k, e := range x {
				v, err := d.value(inside(t), e)
				if err != nil {
					return nil, err
				}
				entries = append(entries, value.Entry{Key: k, Value: v})
			}
			return value.NewMap(entries), nil
		}
	}
	return nil, errValue
}

func (d decoder) list(t *schema.Type, tag string, in []any) (value.Value, error) {
	switch {
	case tag == "t":
		parts, err := d.all(&schema.Type{Kind: schema.Any}, in)
		for _, p := range parts {
			switch p.(type) {
			case string, value.Ref, value.Secret:
			default:
				return nil, errValue
			}
		}
		return &value.Template{Parts: parts}, err
	case tag == "s" && t.Kind == schema.StructOf && len(in) == len(t.Struct.Fields()):
		out := make(value.Struct, len(in))
		for i, e := range in {
			v, err := d.value(t.Struct.Fields()[i].Type, e)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", t.Struct.Fields()[i].Name, err)
			}
			out[i] = v
		}
		return out, nil
	}
	return nil, errValue
}

func decodeRef(in map[string]any) (value.Value, error) {
	r := value.Ref{}
	for key, to := range map[string]*string{"Address": (*string)(&r.Address), "Output": &r.Output, "Type": &r.Type} {
		*to, _ = in[key].(string)
	}
	r.Sensitive, _ = in["Sensitive"].(bool)
	return r, nil
}
