package ui

import (
	"fmt"
	"io"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Note writes a message for a person, its control characters escaped, in lines of so
// many columns; 0 is any.
func Note(w io.Writer, text string, width int) {
	for _, l := range cleanLines(text) {
		for _, part := range fold(l, width) {
			fmt.Fprintln(w, part)
		}
	}
}

// ErrorJSON writes the problems in an error as events of type diagnostic, one
// a line. See jsonProgress for the fields that all events have.
func ErrorJSON(w io.Writer, err error) error {
	var b []byte
	for _, d := range diag.From(err) {
		level, word := "error", "Error: "
		if d.Severity == diag.Warning {
			level, word = "warn", "Warning: "
		}
		b = appendEventHead(b, level, word+clean(d.Summary), time.Now(), "diagnostic")
		b = append(appendDiagnostic(append(b, `,"diagnostic":`...), d), '}', '\n')
	}
	_, werr := w.Write(b)
	return werr
}

// PlanErrorJSON writes why there is no plan, as one object where [PlanJSON]
// would write the plan: format_version, swarmscript_version, diagnostics.
func PlanErrorJSON(w io.Writer, err error, version string) error {
	b := []byte(`{"format_version":"` + FormatVersion + `","swarmscript_version":`)
	b = append(appendJSONString(b, version), `,"diagnostics":[`...)
	for i, d := range diag.From(err) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendDiagnostic(b, d)
	}
	_, werr := w.Write(append(b, "]}\n"...))
	return werr
}

// ValidateJSON writes how a validation ended, as `terraform validate -json`
// does: format_version, valid, error_count, warning_count, diagnostics.
func ValidateJSON(w io.Writer, list diag.List) error {
	errors, warnings := 0, 0
	b := []byte(`,"diagnostics":[`)
	for i, d := range list {
		if d.Severity == diag.Warning {
			warnings++
		} else {
			errors++
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = appendDiagnostic(b, d)
	}
	_, werr := fmt.Fprintf(w, `{"format_version":%q,"valid":%t,"error_count":%d,"warning_count":%d%s]}`+"\n",
		FormatVersion, errors == 0, errors, warnings, b)
	return werr
}

// OutputJSON writes the value of one output as JSON. It shows sensitive
// values, as [OutputRaw] does; what is not known is null.
func OutputJSON(w io.Writer, list []apply.OutputResult, name string) error {
	names := make([]string, len(list))
	for i, r := range list {
		names[i] = r.Name
		if r.Name == name {
			_, err := w.Write(append(appendJSONValue(nil, anyType, value.RevealAll(r.Value)), '\n'))
			return err
		}
	}
	return &diag.Diagnostic{Summary: fmt.Sprintf("there is no output %q", name), Hint: diag.DidYouMean(name, names)}
}
