package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Outputs writes what a script published, for a person: sensitive values
// hidden. There was no apply: what is not known, an apply will tell.
func Outputs(w io.Writer, list []apply.OutputResult, style Style) error {
	o := &out{w: w, Style: style}
	outputLines(o, list, schema.UnknownText)
	o.flush()
	return o.err
}

// outputLines writes outputs; unknown stands for what is not known, and says
// why.
func outputLines(o *out, list []apply.OutputResult, unknown string) {
	width := 0
	for _, r := range list {
		width = max(width, min(textWidth(clean(r.Name)), maxLabel))
	}
	for _, r := range list {
		o.pad(clean(r.Name), width)
		o.str(" = ")
		switch {
		case r.Sensitive || value.Sensitive(r.Value):
			o.in(dim, value.Hidden)
		case !r.Known:
			o.in(dim, unknown)
		default:
			o.b = appendNested(o.b, anyType, r.Value) // whole: it is there to be copied
		}
		o.endLine()
	}
}

// OutputsJSON writes the outputs as `terraform output -json` does: name:
// {sensitive, type, value}. Sensitive values are in it only with reveal, for
// a person who asked for JSON by that name and pipes it on; otherwise they are
// null.
func OutputsJSON(w io.Writer, list []apply.OutputResult, reveal bool) error {
	b := appendOutputs(nil, list, reveal)
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, b, "", "  "); err != nil {
		return err
	}
	pretty.WriteByte('\n')
	_, err := w.Write(pretty.Bytes())
	return err
}

func appendOutputs(b []byte, list []apply.OutputResult, reveal bool) []byte {
	b = append(b, '{')
	first := true
	for _, r := range list {
		v, hidden := r.Value, r.Sensitive || value.Sensitive(r.Value)
		switch {
		case hidden && reveal:
			v = value.RevealAll(v)
		case hidden:
			v = nil
		}
		b = appendKey(b, &first, r.Name)
		b = strconv.AppendBool(append(b, `{"sensitive":`...), hidden)
		b = appendJSONString(append(b, `,"type":`...), jsonType(value.Reveal(r.Value)))
		b = appendJSONValue(append(b, `,"value":`...), anyType, v)
		b = append(b, '}')
	}
	return append(b, '}')
}

func jsonType(v value.Value) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "bool"
	case int64, float64:
		return "number"
	case value.List:
		return "list"
	case *value.Map:
		return "map"
	}
	return "string"
}

// OutputRaw writes one output as it is, for a shell: `output url`. Text goes
// without quotes, lists and maps as JSON. It shows sensitive values: who asks
// for one by its name wants it.
func OutputRaw(w io.Writer, list []apply.OutputResult, name string) error {
	names := make([]string, len(list))
	for i, r := range list {
		names[i] = r.Name
		if r.Name != name {
			continue
		}
		v := value.RevealAll(r.Value)
		var b []byte
		switch v.(type) {
		case nil:
			if !r.Known {
				return fmt.Errorf("output %q is not known: what it needs does not exist", name)
			}
			b = []byte("None")
		case value.List, *value.Map:
			b = appendJSONValue(nil, anyType, v)
		default:
			b = []byte(value.Text(v))
		}
		_, err := w.Write(append(b, '\n'))
		return err
	}
	d := &diag.Diagnostic{Summary: fmt.Sprintf("there is no output %q", name), Hint: diag.DidYouMean(name, names)}
	return d
}

// SummaryJSON writes the end of an apply as events: a diagnostic for each
// failure, then change_summary {add, change, replace, remove, failed, skipped,
// interrupted, operation} and outputs. See jsonProgress for the fields that
// all events have.
func SummaryJSON(w io.Writer, r *apply.Result, o SummaryOptions, at time.Time) error {
	var b []byte
	for _, st := range r.Steps {
		if st.Outcome != apply.Broken {
			continue
		}
		head, details, after := explain(st.Err, st.Change)
		d := &diag.Diagnostic{Summary: string(st.Change.Address) + " " + head, Detail: joinLines(details, after)}
		if st.Change.Decl != nil {
			d.Pos = st.Change.Decl.Pos
		}
		b = appendEventHead(b, "error", "Error: "+clean(d.Summary), at, "diagnostic")
		b = append(appendDiagnostic(append(b, `,"diagnostic":`...), d), '}', '\n')
	}
	for _, scope := range slices.Sorted(maps.Keys(o.Unreachable)) {
		d := &diag.Diagnostic{Summary: scope + " is unreachable; what is in it was not planned"}
		if err := o.Unreachable[scope]; err != nil {
			d.Detail = err.Error()
		}
		b = appendEventHead(b, "error", "Error: "+clean(d.Summary), at, "diagnostic")
		b = append(appendDiagnostic(append(b, `,"diagnostic":`...), d), '}', '\n')
	}
	t := count(r)
	s := &summary{r: r, o: o}
	level, message, operation := "info", "", "apply"
	if s.whole(t) {
		message = s.complete(t)
	} else {
		level, message = "error", s.incomplete(t)
	}
	if o.Destroy {
		operation = "destroy"
	}
	b = appendEventHead(b, level, message, at, "change_summary")
	b = append(b, fmt.Sprintf(`,"changes":{"add":%d,"change":%d,"replace":%d,"remove":%d,"release":%d,"failed":%d,"skipped":%d,"interrupted":%t,"operation":%q}}`+"\n",
		t.counts.Add, t.counts.Change, t.counts.Replace, t.counts.Delete, t.counts.Release, t.failed, t.skipped, r.Interrupted, operation)...)
	if len(r.Outputs) > 0 && !o.Destroy {
		b = appendEventHead(b, "info", "Outputs: "+strconv.Itoa(len(r.Outputs)), at, "outputs")
		b = append(appendOutputs(append(b, `,"outputs":`...), r.Outputs, false), '}', '\n')
	}
	_, err := w.Write(b)
	return err
}

func joinLines(lines []string, last string) string {
	if last != "" {
		lines = append(lines[:len(lines):len(lines)], clean(last))
	}
	var b []byte
	for i, l := range lines {
		if i > 0 {
			b = append(b, '\n')
		}
		b = append(b, l...)
	}
	return string(b)
}
