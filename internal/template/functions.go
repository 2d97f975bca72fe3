package template

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"text/template"
)

// functions are what a template may call beside text/template's own. Of those,
// the ones are replaced that would decide by a value that is not known, or
// change its text.
func (r *run) functions() template.FuncMap {
	return template.FuncMap{
		knownName: known,
		stepName:  r.step(1),
		callName:  r.step(callCost),
		"join":    r.join,
		"indent":  indent,
		"json":    toJSON,
		"lower":   func(s string) string { return strings.ToLower(s) },
		"upper":   func(s string) string { return strings.ToUpper(s) },
		"trim":    func(s string) string { return strings.TrimSpace(s) },
		"replace": func(old, with, s string) string { return strings.ReplaceAll(s, old, with) },
		"split":   func(sep, s string) []string { return strings.Split(s, sep) },
		"not": func(v any) (bool, error) {
			v, err := known(v)
			if err != nil {
				return false, err
			}
			truth, _ := template.IsTrue(v)
			return !truth, nil
		},
		"html":     escaper(template.HTMLEscaper),
		"js":       escaper(template.JSEscaper),
		"urlquery": escaper(template.URLQueryEscaper),
	}
}

func escaper(escape func(...any) string) func(...any) (string, error) {
	return func(args ...any) (string, error) {
		for _, a := range args {
			if _, err := known(a); err != nil {
				return "", err
			}
		}
		return escape(args...), nil
	}
}

// join puts a separator between the elements of a list: {{join ", " .hosts}}.
func (r *run) join(sep string, list any) (string, error) {
	if _, err := known(list); err != nil {
		return "", err
	}
	v := reflect.ValueOf(list)
	if v.Kind() != reflect.Slice {
		return "", fmt.Errorf("join: got %T, want a list", list)
	}
	parts := make([]string, v.Len())
	for i := range parts {
		parts[i] = fmt.Sprint(v.Index(i).Interface())
	}
	return strings.Join(parts, sep), nil
}

// indent begins every line but empty ones with n spaces.
func indent(n int, s string) (string, error) {
	if n < 0 || n > 100 {
		return "", fmt.Errorf("indent: got %d, want 0 to 100 spaces", n)
	}
	lines := strings.SplitAfter(s, "\n")
	for i, l := range lines {
		if strings.TrimSpace(l) != "" {
			lines[i] = strings.Repeat(" ", n) + l
		}
	}
	return strings.Join(lines, ""), nil
}

// toJSON writes a value as JSON, as a string for one that needs quotes.
func toJSON(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}
