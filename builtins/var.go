package builtins

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

// EnvPrefix starts the names of environment variables that set variables.
const EnvPrefix = "SWARMSCRIPT_VAR_"

var varTypes = []string{"string", "int", "float", "bool", "list", "map"}

// var(name, default=, type=, choices=, sensitive=, description=) is an input of
// the script: from --var, then --var-file, then SWARMSCRIPT_VAR_name, then the
// default.
func (in *Inputs) variable(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var name, typ, description string
	var dflt starlark.Value
	var choices *starlark.List
	sensitive := false
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "name", &name, "default?", &dflt, "type?", &typ,
		"choices?", &choices, "sensitive?", &sensitive, "description?", &description); err != nil {
		return nil, err
	}
	s := lang.FromThread(thread)
	report := func(d *diag.Diagnostic) (starlark.Value, error) {
		s.Report(thread, d)
		return lang.FromValue(missing("var", name)), nil
	}
	if !identifier().MatchString(name) {
		return nil, fmt.Errorf("var: %q is not a name: want letters, digits and _", name)
	}
	if in.declared == nil {
		in.declared = map[string]bool{}
	}
	in.declared[name] = true

	var fallback value.Value
	if dflt != nil {
		var err error
		if fallback, err = lang.ToValue(dflt); err != nil {
			return nil, fmt.Errorf("var: for parameter default: %w", err)
		}
	}
	if typ == "" {
		typ = lang.TypeName(value.Reveal(fallback))
	} else if !contains(varTypes, typ) {
		return report(&diag.Diagnostic{
			Summary: fmt.Sprintf("var: for parameter type: got %q, want one of %s", typ, strings.Join(varTypes, ", ")),
			Hint:    diag.DidYouMean(typ, varTypes),
		})
	}

	given, where, ok := in.lookup(name, typ)
	if !ok {
		s.Record("var", name, nil, sensitive)
		if dflt == nil {
			return report(&diag.Diagnostic{
				Summary: fmt.Sprintf("var: %s has no value", name),
				Detail:  fmt.Sprintf("give it with --var %s=..., --var-file or %s%s, or add a default", name, EnvPrefix, name),
			})
		}
		given, where = fallback, "default"
	}
	v := given
	if value.Known(given) && given != nil {
		var err error
		if v, err = convert(value.Reveal(given), typ); err != nil {
			text := err.Error()
			if sensitive || value.Sensitive(given) {
				text = "want " + typ // the text would show the value
			}
			return report(&diag.Diagnostic{Summary: fmt.Sprintf("var: %s (from %s): %s", name, where, text)})
		}
		if value.Sensitive(given) {
			v = secret(v)
		}
	}
	if ok {
		data, _ := json.Marshal(encodable(v))
		s.Record("var", name, data, sensitive || value.Sensitive(v))
	}
	if choices != nil && v != nil && value.Known(v) {
		if d := checkChoice(name, where, typ, v, choices, sensitive); d != nil {
			return report(d)
		}
	}
	if sensitive {
		v = secret(v)
	}
	return lang.FromValue(v), nil
}

// lookup finds what was given for a variable of a type, and by what. In a
// file, null is the same as nothing.
func (in *Inputs) lookup(name, typ string) (v value.Value, where string, ok bool) {
	if text, ok := in.Vars[name]; ok {
		return text, "--var", true
	}
	for i := len(in.VarFiles) - 1; i >= 0; i-- {
		f := in.VarFiles[i]
		if v, ok := f.Values.Get(name); ok && v != nil {
			if text, ok := f.texts[name]; ok && typ == "string" {
				v = text
			}
			return v, f.Name, true
		}
	}
	if in.Env != nil {
		if text, ok := in.Env(EnvPrefix + name); ok {
			return text, EnvPrefix + name, true
		}
	}
	return nil, "", false
}

func checkChoice(name, where, typ string, v value.Value, choices *starlark.List, sensitive bool) *diag.Diagnostic {
	var texts []string
	for i := 0; i < choices.Len(); i++ {
		c, err := lang.ToValue(choices.Index(i))
		if err == nil {
			c, err = convert(c, typ)
		}
		if err != nil {
			return &diag.Diagnostic{Summary: fmt.Sprintf("var: for parameter choices: element %d: %v", i, err)}
		}
		if value.Equal(c, v) {
			return nil
		}
		texts = append(texts, fmt.Sprint(c))
	}
	got := "what was given"
	hint := ""
	if !sensitive && !value.Sensitive(v) {
		got = fmt.Sprintf("%q", fmt.Sprint(v))
		hint = diag.DidYouMean(fmt.Sprint(v), texts)
	}
	return &diag.Diagnostic{
		Summary: fmt.Sprintf("var: %s (from %s): %s is not one of %s", name, where, got, strings.Join(texts, ", ")),
		Hint:    hint,
	}
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// convert makes a value of the type. Text comes from flags and the
// environment; files have types of their own.
func convert(v value.Value, typ string) (value.Value, error) {
	fail := func() (value.Value, error) {
		if text, ok := v.(string); ok {
			return nil, fmt.Errorf("got %q, want %s", short(text), typ)
		}
		return nil, fmt.Errorf("got %s, want %s", lang.TypeName(value.Reveal(v)), typ)
	}
	text, isText := v.(string)
	switch typ {
	case "string":
		switch v := v.(type) {
		case string:
			return v, nil
		case bool, int64, float64:
			return value.Text(v), nil
		}
	case "int":
		switch v := v.(type) {
		case int64:
			return v, nil
		case float64:
			if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
				return int64(v), nil
			}
		case string:
			if i, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil {
				return i, nil
			}
		}
	case "float":
		switch v := v.(type) {
		case float64:
			return v, nil
		case int64:
			return float64(v), nil
		case string:
			if f, err := strconv.ParseFloat(strings.TrimSpace(v), 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
				return f, nil
			}
		}
	case "bool":
		if b, ok := v.(bool); ok {
			return b, nil
		}
		switch text {
		case "true", "True", "1", "yes", "on":
			return true, nil
		case "false", "False", "0", "no", "off":
			return false, nil
		}
	case "list":
		if l, ok := v.(value.List); ok {
			return l, nil
		}
		if isText {
			return listFromText(text)
		}
	case "map":
		if m, ok := v.(*value.Map); ok {
			return m, nil
		}
		if isText {
			return mapFromText(text)
		}
	}
	return fail()
}

// listFromText takes a JSON array, or words separated by commas.
func listFromText(text string) (value.Value, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "[") {
		v, err := parseJSON([]byte(text))
		if l, ok := v.(value.List); ok && err == nil {
			return l, nil
		}
		return nil, fmt.Errorf("got %q, want a list: a JSON array, or a,b,c", short(text))
	}
	list := value.List{}
	if text == "" {
		return list, nil
	}
	for _, part := range strings.Split(text, ",") {
		list = append(list, strings.TrimSpace(part))
	}
	return list, nil
}

// mapFromText takes a JSON object, or k=v pairs separated by commas.
func mapFromText(text string) (value.Value, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "{") {
		v, err := parseJSON([]byte(text))
		if m, ok := v.(*value.Map); ok && err == nil {
			return m, nil
		}
		return nil, fmt.Errorf("got %q, want a map: a JSON object, or k=v,k=v", short(text))
	}
	var entries []value.Entry
	if text != "" {
		for _, part := range strings.Split(text, ",") {
			k, v, ok := strings.Cut(part, "=")
			if !ok {
				return nil, fmt.Errorf("got %q, want a map: a JSON object, or k=v,k=v", short(text))
			}
			entries = append(entries, value.Entry{Key: strings.TrimSpace(k), Value: strings.TrimSpace(v)})
		}
	}
	return value.NewMap(entries), nil
}

func short(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:37]) + "..."
	}
	return s
}
