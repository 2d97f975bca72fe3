package compose

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/schema"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// specification is the schema of compose files.
type specification struct {
	doc    any // as JSON
	schema *jsonschema.Schema
}

func newSpecification() *specification {
	c := jsonschema.NewCompiler()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema.Schema))
	if err == nil {
		err = c.AddResource("compose-spec.json", doc)
	}
	if err != nil {
		panic(err) // it is compose-go's own
	}
	return &specification{doc, c.MustCompile("compose-spec.json")}
}

// propertiesAt are the keys that a part of the schema has.
func (s *specification) propertiesAt(schemaURL string) []string {
	_, pointer, _ := strings.Cut(schemaURL, "#")
	node := s.doc
	for _, step := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		step, _ = url.PathUnescape(step)
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		switch n := node.(type) {
		case map[string]any:
			if step != "" {
				node = n[step]
			}
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(n) {
				return nil
			}
			node = n[i]
		}
	}
	at, _ := node.(map[string]any)
	props, _ := at["properties"].(map[string]any)
	return sorted(props)
}
