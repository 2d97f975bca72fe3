package swarm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// clusterFields are the arguments of a volume that only those of a swarm have.
var clusterFields = []string{"type", "scope", "sharing", "group", "availability", "limit_bytes", "required_bytes", "secrets",
	"topology_required", "topology_preferred"}

func checkVolume(scope string, args value.Struct) schema.Problems {
	get, _ := fieldsOf(volumeSchema, args)
	var ps schema.Problems
	add := func(path, hint, format string, a ...any) {
		ps = append(ps, &schema.Problem{Path: path, Msg: fmt.Sprintf(format, a...), Hint: hint})
	}
	if name, ok := get("name").(string); ok {
		switch {
		case len(name) < 2 || !localName().MatchString(name):
			add("name", "", "got %q, want at least two letters, digits, '_', '.' and '-', beginning with a letter or digit", name)
		case strings.HasPrefix(name, reservedVolume):
			add("name", "", "got %q: names that begin with %s are the program's own", name, reservedVolume)
		}
	}
	if get("driver") == "" {
		add("driver", "", "is empty")
	}
	if scope == "swarm" {
		switch get("driver") {
		case nil:
			add("driver", "", "a volume of a swarm needs the name of a CSI plugin")
		case "local":
			add("driver", "leave cluster= out for a volume of one engine", "the local driver is the engine's; a volume of a swarm needs a CSI plugin")
		}
		limit, ok1 := value.Reveal(get("limit_bytes")).(int64)
		required, ok2 := value.Reveal(get("required_bytes")).(int64)
		if ok1 && ok2 && limit > 0 && required > limit {
			add("required_bytes", "", "is more than limit_bytes")
		}
	} else {
		for _, f := range clusterFields {
			if get(f) != nil {
				add(f, "give cluster=", "belongs to volumes of a swarm")
			}
		}
		ps = append(ps, checkLocalOptions(get("driver"), get("options"))...)
	}
	ps = append(ps, checkLabels("labels", get("labels"))...)
	return volumeSchema.HideSecrets(args, ps)
}

// localOptions are those that the local driver knows.
var localOptions = []string{"type", "o", "device", "size"}

// checkLocalOptions checks as the local driver does, on Linux.
func checkLocalOptions(driver, options value.Value) (ps schema.Problems) {
	m, ok := value.Reveal(options).(*value.Map)
	if !ok || m == nil || driver != nil && driver != "local" {
		return nil
	}
	for _, e := range m.Entries {
		if !slices.Contains(localOptions, e.Key) {
			ps = append(ps, &schema.Problem{Path: "options", Msg: fmt.Sprintf("the local driver does not know %q, only %s", e.Key, strings.Join(localOptions, ", "))})
		}
	}
	return ps
}
