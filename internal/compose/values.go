package compose

import (
	"fmt"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v3"

	"github.com/swarmscript/swarmscript/internal/diag"
)

// values are the mistakes that the schema does not know, and that compose-go tells
// without a place: keys that are no text, ports, how a healthcheck begins.
func (in *input) values(d *document) (problems diag.List) {
	add := func(n *yaml.Node, hint, format string, args ...any) {
		problems = append(problems, &diag.Diagnostic{Pos: d.pos(n), Summary: fmt.Sprintf(format, args...), Hint: hint})
	}
	for _, top := range pairs(d.top()) {
		if !strings.HasPrefix(top.key.Value, "x-") {
			notText(top.value, func(key *yaml.Node) {
				add(key, fmt.Sprintf("write it as %q", key.Value), "the key %s is not text", key.Value)
			})
		}
	}
	for _, s := range pairs(child(d.top(), "services")) {
		for i, n := range listed(child(s.value, "ports")) {
			text, err := substitute(n.Value, in.given(d))
			if n.Kind != yaml.ScalarNode || err != nil {
				continue
			}
			if _, err := types.ParsePortConfig(text); err != nil {
				add(n, "as in 8080:80, or 8080:80/udp", "services.%s.ports[%d]: %s", s.key.Value, i, oneLine(err))
			}
		}
		for _, section := range []string{"configs", "secrets"} {
			for i, n := range listed(child(s.value, section)) {
				if n = resolve(n); n.Kind == yaml.MappingNode && child(n, "source") == nil {
					add(n, "its key source names one of the file's "+section, "services.%s.%s[%d] has no source", s.key.Value, section, i)
				}
			}
		}
		test := listed(child(child(s.value, "healthcheck"), "test"))
		if len(test) == 0 {
			continue
		}
		if first := resolve(test[0]); !slices.Contains([]string{"NONE", "CMD", "CMD-SHELL"}, first.Value) && !strings.Contains(first.Value, "$") {
			add(first, fmt.Sprintf("[CMD, %s, ...] runs it, a text is for the shell", first.Value), "services.%s.healthcheck.test: got %q first, want CMD, CMD-SHELL or NONE", s.key.Value, first.Value)
		}
	}
	return problems
}

// listed are the elements of a list, none of what is something else.
func listed(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// notText tells the keys in a tree that YAML takes for a number, a truth or nothing.
func notText(n *yaml.Node, tell func(key *yaml.Node)) {
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			if c.Kind == yaml.ScalarNode && c.Tag != "!!str" && c.Tag != "!!merge" {
				tell(c)
			}
			continue
		}
		notText(c, tell)
	}
}
