package ui

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/lab/whatif/outcome"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// FormatVersion is that of the plan's JSON: the first number changes when a
// reader has to, the second when there is more to read.
const FormatVersion = "1.0"

// PlanJSON writes a plan as one JSON object, after the shape of `terraform
// show -json`. The same plan gives the same bytes.
//
//	format_version, swarmscript_version, project
//	resource_changes[]   one for each resource, no-ops too, in the plan's order
//	  address, kind, name, scope
//	  change.actions         ["no-op"] ["create"] ["read"] ["check"] ["update"] ["delete"]
//	                         ["delete","create"]  a replacement
//	                         ["create","delete"]  a new version, then the old goes
//	  change.before, .after  arguments, null where there are none; a value that
//	                         is secret, unknown or write-only is null
//	  change.after_unknown   true where the value is known after apply
//	  change.before_sensitive, .after_sensitive  true where it is hidden
//	  change.replace_paths   [["image"]]: what forces a replacement
//	  action_reason, effect  in words; absent where there are none
//	  interrupts             true: nothing of it runs for a while
//	  findings[]             what is foreseen of it, as in warnings; an error
//	                         among them keeps the plan from being carried out
//	  version                {"before": name, "after": name} of secrets, configs
//	  rolls[]                addresses that a new version makes change
//	  takes[]              what goes with a swarm that goes
//	  unsettled, blocked     why it waits; why it cannot be planned
//	  deferred               true: compared again once its scope exists
//	resource_drift[]     with --refresh-only: what an apply would do
//	output_changes       name: {after, after_unknown, after_sensitive}
//	warnings[]           {severity, summary, detail, hint, range}
//	unreachable          scope: why
//	counts               {add, change, replace, delete, read, check, wait}
//	simulation[]         with --simulate: package outcome's report of each swarm
func PlanJSON(w io.Writer, p *plan.Plan, version string) error {
	return writePlanJSON(w, p, version, nil)
}

// SimulatedPlanJSON writes a plan as [PlanJSON] does, and what it does to what
// runs.
func SimulatedPlanJSON(w io.Writer, p *plan.Plan, reports []*outcome.Report, version string) error {
	if reports == nil {
		reports = []*outcome.Report{}
	}
	text, err := json.Marshal(reports)
	if err != nil {
		return err
	}
	return writePlanJSON(w, p, version, text)
}

func writePlanJSON(w io.Writer, p *plan.Plan, version string, simulation []byte) error {
	j := &jsonPrinter{out: out{w: w}}
	j.b = append(j.b, `{"format_version":"`+FormatVersion+`","swarmscript_version":`...)
	j.b = appendJSONString(j.b, version)
	j.text("project", p.Project)
	j.str(`,"resource_changes":[`)
	for i, c := range p.Changes {
		if i > 0 {
			j.str(",")
		}
		j.resource(c)
		if len(j.b) >= flushAt {
			j.flush()
		}
	}
	j.str("]")
	if len(p.Drift) > 0 {
		j.str(`,"resource_drift":[`)
		for i, c := range p.Drift {
			if i > 0 {
				j.str(",")
			}
			j.resource(c)
		}
		j.str("]")
	}
	j.outputs(p)
	j.str(`,"warnings":`)
	j.diagnostics(p.Warnings)
	j.str(`,"unreachable":{`)
	for i, scope := range slices.Sorted(maps.Keys(p.Unreachable)) {
		if i > 0 {
			j.str(",")
		}
		why := ""
		if err := p.Unreachable[scope]; err != nil {
			why = err.Error()
		}
		j.b = appendJSONString(append(appendJSONString(j.b, scope), ':'), why)
	}
	j.str(`},"counts":`)
	j.b = appendCounts(j.b, p.Counts())
	if simulation != nil {
		j.str(`,"simulation":`)
		j.b = append(j.b, simulation...)
	}
	j.str("}\n")
	j.flush()
	return j.err
}

type jsonPrinter struct{ out }

func (j *jsonPrinter) diagnostics(list diag.List) {
	j.str("[")
	for i, d := range list {
		if i > 0 {
			j.str(",")
		}
		j.b = appendDiagnostic(j.b, d)
	}
	j.str("]")
}

func (j *jsonPrinter) text(key, s string) {
	j.str(`,"`)
	j.str(key)
	j.str(`":`)
	j.b = appendJSONString(j.b, s)
}

func (j *jsonPrinter) textIf(key, s string) {
	if s != "" {
		j.text(key, s)
	}
}

var actionsJSON = [...]string{
	plan.NoOp: `["no-op"]`, plan.Read: `["read"]`, plan.Check: `["check"]`, plan.Create: `["create"]`, plan.Update: `["update"]`,
	plan.Replace: `["delete","create"]`, plan.NewVersion: `["create","delete"]`, plan.Delete: `["delete"]`,
	plan.Release: `["forget"]`, // Terraform's word for it
}

func (j *jsonPrinter) resource(c *plan.Change) {
	j.str(`{"address":`)
	j.b = appendJSONString(j.b, string(c.Address))
	j.text("kind", c.Address.Kind())
	j.text("name", c.Address.Name())
	j.text("scope", c.Scope)
	j.str(`,"change":{"actions":`)
	j.str(actionsJSON[c.Action])
	before, after := c.Sides()
	s := schemaOf(c)
	j.str(`,"before":`)
	j.fields(s, before)
	j.str(`,"after":`)
	j.fields(s, after)
	j.str(`,"after_unknown":`)
	j.where(isUnknown, s, after)
	j.str(`,"before_sensitive":`)
	j.where(isSecret, s, before)
	j.str(`,"after_sensitive":`)
	j.where(isSecret, s, after)
	j.replacePaths(c)
	j.str("}")
	j.textIf("action_reason", c.Reason)
	j.textIf("effect", c.Effect)
	if strings.HasPrefix(c.Effect, resource.Interrupted) {
		j.str(`,"interrupts":true`)
	}
	if c.Kind != nil && c.Kind.Versioned {
		live := ""
		if c.Live != nil {
			live = c.Live.Name
		}
		j.str(`,"version":{"before":`)
		j.b = appendNameOrNull(j.b, live)
		j.str(`,"after":`)
		next := c.Name
		if c.Action == plan.Delete {
			next = ""
		}
		j.b = appendNameOrNull(j.b, next)
		j.str("}")
	}
	if len(c.Rolls) > 0 {
		j.str(`,"rolls":[`)
		for i, a := range c.Rolls {
			if i > 0 {
				j.str(",")
			}
			j.b = appendJSONString(j.b, string(a))
		}
		j.str("]")
	}
	if len(c.Takes) > 0 {
		j.str(`,"takes":[`)
		for i, t := range c.Takes {
			if i > 0 {
				j.str(",")
			}
			j.b = appendJSONString(j.b, t)
		}
		j.str("]")
	}
	j.textIf("unsettled", c.Unsettled)
	j.textIf("blocked", c.Blocked)
	j.textIf("left", c.Left)
	if c.Deferred {
		j.str(`,"deferred":true`)
	}
	if len(c.Findings) > 0 {
		j.str(`,"findings":`)
		j.diagnostics(c.Findings)
	}
	j.str("}")
}

func appendNameOrNull(b []byte, s string) []byte {
	if s == "" {
		return append(b, "null"...)
	}
	return appendJSONString(b, s)
}

func (j *jsonPrinter) fields(s *schema.Struct, x value.Struct) {
	if x == nil || s == nil {
		j.str("null")
		return
	}
	j.b = appendJSONFields(j.b, s, x)
}

func (j *jsonPrinter) where(has leafTest, s *schema.Struct, x value.Struct) {
	if x == nil || s == nil {
		j.str("{}")
		return
	}
	j.b = has.appendFields(j.b, s, x)
}

func (j *jsonPrinter) replacePaths(c *plan.Change) {
	if c.Action != plan.Replace {
		return
	}
	var paths []string
	for _, f := range c.Fields {
		if f.Replace && f.Field != nil && !slices.Contains(paths, f.Field.Name) {
			paths = append(paths, f.Field.Name)
		}
	}
	j.str(`,"replace_paths":[`)
	for i, p := range paths {
		if i > 0 {
			j.str(",")
		}
		j.str("[")
		j.b = appendJSONString(j.b, p)
		j.str("]")
	}
	j.str("]")
}

func schemaOf(c *plan.Change) *schema.Struct {
	if c.Kind == nil {
		return nil
	}
	return c.Kind.Schema
}

func (j *jsonPrinter) outputs(p *plan.Plan) {
	j.str(`,"output_changes":{`)
	for i, o := range p.Outputs {
		if i > 0 {
			j.str(",")
		}
		hidden := o.Sensitive || value.Sensitive(o.Value)
		j.b = append(appendJSONString(j.b, o.Name), `:{"after":`...)
		if hidden {
			j.str("null")
		} else {
			j.b = appendJSONValue(j.b, anyType, o.Value)
		}
		j.str(`,"after_unknown":`)
		j.b = leafTest(isUnknown).append(j.b, anyType, o.Value)
		j.str(`,"after_sensitive":`)
		j.b = strconv.AppendBool(j.b, hidden)
		j.str("}")
	}
	j.str("}")
}

// DiagnosticJSON is a problem as all JSON of the program has it.
func DiagnosticJSON(d *diag.Diagnostic) []byte { return appendDiagnostic(nil, d) }

func appendDiagnostic(b []byte, d *diag.Diagnostic) []byte {
	severity := "error"
	if d.Severity == diag.Warning {
		severity = "warning"
	}
	b = append(b, `{"severity":"`+severity+`","summary":`...)
	b = appendJSONString(b, d.Summary)
	b = appendJSONString(append(b, `,"detail":`...), d.Detail)
	if d.Hint != "" {
		b = appendJSONString(append(b, `,"hint":`...), d.Hint)
	}
	if d.Pos.IsValid() {
		b = appendJSONString(append(b, `,"range":{"filename":`...), d.Pos.File)
		b = append(b, `,"start":`...)
		b = appendPoint(b, d.Pos.Line, d.Pos.Col)
		b = append(b, `,"end":`...)
		if d.Pos.EndLine > 0 {
			b = appendPoint(b, d.Pos.EndLine, d.Pos.EndCol)
		} else {
			b = appendPoint(b, d.Pos.Line, d.Pos.Col)
		}
		b = append(b, '}')
	}
	return append(b, '}')
}

func appendPoint(b []byte, line, col int) []byte {
	b = strconv.AppendInt(append(b, `{"line":`...), int64(line), 10)
	b = strconv.AppendInt(append(b, `,"column":`...), int64(col), 10)
	return append(b, '}')
}

func appendCounts(b []byte, n plan.Counts) []byte {
	for i, x := range []struct {
		key string
		n   int
	}{{"add", n.Add}, {"change", n.Change}, {"replace", n.Replace}, {"delete", n.Delete}, {"release", n.Release}, {"read", n.Read}, {"check", n.Check}, {"wait", n.Wait}} {
		sep := byte(',')
		if i == 0 {
			sep = '{'
		}
		b = append(appendJSONString(append(b, sep), x.key), ':')
		b = strconv.AppendInt(b, int64(x.n), 10)
	}
	return append(b, '}')
}
