package schema

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/swarmscript/swarmscript/internal/value"
)

// minShown is the length from which on a secret's text in a message about
// another argument is no coincidence.
const minShown = 4

// HideSecrets is for what a kind's own checks find: they look at revealed
// values, and may quote them. A problem with an argument that holds a secret
// keeps the argument's name only; so does any other whose text shows one.
func (s *Struct) HideSecrets(args value.Struct, found Problems) Problems {
	if len(found) == 0 {
		return found
	}
	var texts []string
	sensitive := map[string]bool{}
	for i, v := range args {
		if value.Sensitive(v) {
			sensitive[s.Fields()[i].Name] = true
			texts = secretTexts(texts, v, false)
		}
	}
	if len(sensitive) == 0 {
		return found
	}
	out := make(Problems, len(found))
	for i, p := range found {
		out[i] = p
		name, _, _ := strings.Cut(p.Path, "[")
		name, _, _ = strings.Cut(name, ".")
		shows := sensitive[name]
		for _, t := range texts {
			shows = shows || len(t) >= minShown && strings.Contains(p.Error(), t)
		}
		if shows {
			out[i] = &Problem{Path: name, Msg: "a sensitive value is not valid here"}
		}
	}
	return out
}

// secretTexts appends the forms in which a message would show what is secret.
func secretTexts(out []string, v value.Value, secret bool) []string {
	switch v := v.(type) {
	case value.Secret:
		return secretTexts(out, v.V, true)
	case value.List:
		for _, e := range v {
			out = secretTexts(out, e, secret)
		}
	case value.Struct:
		for _, e := range v {
			out = secretTexts(out, e, secret)
		}
	case *value.Map:
		if v == nil {
			break
		}
		for _, e := range v.Entries {
			if secret {
				out = secretTexts(out, e.Key, true)
			}
			out = secretTexts(out, e.Value, secret)
		}
	case string:
		if secret && v != "" {
			quoted := strconv.Quote(v)
			out = append(out, v, quoted[1:len(quoted)-1])
		}
	case int64, float64:
		if secret {
			out = append(out, fmt.Sprint(v))
		}
	}
	return out
}
