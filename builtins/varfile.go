package builtins

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
	"go.yaml.in/yaml/v3"

	"github.com/swarmscript/swarmscript/internal/value"
)

// VarFile holds the variables of one --var-file.
type VarFile struct {
	Name   string // as given
	Values *value.Map

	// texts holds, for top-level numbers and the like, what the file has: a
	// variable of type string keeps the 007 that its format reads as 7.
	texts map[string]string
}

const (
	maxVarFile  = 4 << 20
	maxVarDepth = 50
)

// ParseVarFile reads variables from TOML, JSON or YAML, by the name's
// extension. The top level is a map from names of variables.
func ParseVarFile(name string, data []byte) (*VarFile, error) {
	if len(data) > maxVarFile {
		return nil, fmt.Errorf("%s: larger than %d MiB", name, maxVarFile>>20)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) // a byte order mark
	var v value.Value
	var texts map[string]string
	var err error
	switch ext := strings.ToLower(filepath.Ext(name)); ext {
	case ".toml":
		v, err = parseTOML(data)
	case ".json":
		v, texts, err = parseJSONTexts(data)
	case ".yaml", ".yml":
		v, texts, err = parseYAML(data)
	default:
		return nil, fmt.Errorf("%s: want a file named *.toml, *.json, *.yaml or *.yml", name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	m, ok := v.(*value.Map)
	if !ok {
		return nil, fmt.Errorf("%s: want a map from names to values at the top level", name)
	}
	for _, e := range m.Entries {
		if !identifier().MatchString(e.Key) {
			return nil, fmt.Errorf("%s: %q is not the name of a variable", name, short(e.Key))
		}
	}
	return &VarFile{Name: name, Values: m, texts: texts}, nil
}

func parseTOML(data []byte) (value.Value, error) {
	// The parser recurses into what is nested: brackets, and dotted keys.
	depth, dots := 0, 0
	for _, c := range data {
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case '.':
			dots++
		case '\n':
			dots = 0
		}
		if depth > 1000 || dots > 10000 {
			return nil, fmt.Errorf("nested too deep")
		}
	}
	var m map[string]any
	if err := toml.Unmarshal(data, &m); err != nil {
		return nil, err
	}
	return fromAny(m, maxVarDepth)
}

func parseJSON(data []byte) (value.Value, error) {
	v, _, err := parseJSONTexts(data)
	return v, err
}

// parseJSONTexts reads a value, and the text of numbers at the top level.
func parseJSONTexts(data []byte) (value.Value, map[string]string, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	raw, err := decodeJSON(dec, maxVarDepth)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, nil, fmt.Errorf("there is more after the first value")
	}
	v, err := fromAny(raw, maxVarDepth)
	if err != nil {
		return nil, nil, err
	}
	texts := map[string]string{}
	if m, ok := raw.(map[string]any); ok {
		for k, e := range m {
			if n, ok := e.(json.Number); ok {
				texts[k] = n.String()
			}
		}
	}
	return v, texts, nil
}

// decodeJSON reads one value. The package's own decoder takes the last of two
// equal keys without a word.
func decodeJSON(dec *json.Decoder, depth int) (any, error) {
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	if depth == 0 {
		return nil, fmt.Errorf("nested more than %d levels deep", maxVarDepth)
	}
	switch tok {
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			e, err := decodeJSON(dec, depth-1)
			if err != nil {
				return nil, err
			}
			list = append(list, e)
		}
		_, err := dec.Token()
		return list, err
	case json.Delim('{'):
		m := map[string]any{}
		for dec.More() {
			tok, err := dec.Token()
			if err != nil {
				return nil, err
			}
			key, ok := tok.(string)
			if !ok {
				return nil, fmt.Errorf("want a name in quotes, got %v", tok)
			}
			if _, twice := m[key]; twice {
				return nil, fmt.Errorf("%q is there twice", short(key))
			}
			if m[key], err = decodeJSON(dec, depth-1); err != nil {
				return nil, err
			}
		}
		_, err := dec.Token()
		return m, err
	}
	return tok, nil
}

// parseYAML reads a document, and the text of plain scalars at the top level.
func parseYAML(data []byte) (value.Value, map[string]string, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); err == io.EOF {
		return value.NewMap(nil), nil, nil
	} else if err != nil {
		return nil, nil, err
	}
	if err := dec.Decode(&second); err == nil {
		return nil, nil, fmt.Errorf("line %d: there is a second document", second.Line)
	} else if err != io.EOF {
		return nil, nil, err
	}
	keepTimes(&doc)
	var raw any
	if err := doc.Decode(&raw); err != nil {
		return nil, nil, err
	}
	if raw == nil {
		return value.NewMap(nil), nil, nil
	}
	texts := map[string]string{}
	if top := doc.Content[0]; top.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(top.Content); i += 2 {
			if e := top.Content[i+1]; e.Kind == yaml.ScalarNode && e.ShortTag() != "!!null" && e.ShortTag() != "!!binary" {
				texts[top.Content[i].Value] = e.Value
			}
		}
	}
	v, err := fromAny(raw, maxVarDepth)
	return v, texts, err
}

// keepTimes makes text of dates and times: there is no such type, and a time
// that is read and written again is another text.
func keepTimes(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!timestamp" {
		n.Tag = "!!str"
	}
	for _, c := range n.Content {
		keepTimes(c)
	}
}

// fromAny converts what a decoder returned.
func fromAny(v any, depth int) (value.Value, error) {
	if depth == 0 {
		return nil, fmt.Errorf("nested more than %d levels deep", maxVarDepth)
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string, bool, int64:
		return v, nil
	case int:
		return int64(v), nil
	case uint64:
		if v > math.MaxInt64 {
			return nil, fmt.Errorf("the number %d is too large", v)
		}
		return int64(v), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("%v is not a finite number", v)
		}
		return v, nil
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i, nil
		}
		f, err := v.Float64()
		if err != nil {
			return nil, fmt.Errorf("the number %s is too large", short(v.String()))
		}
		return f, nil
	case time.Time:
		return v.Format(time.RFC3339Nano), nil
	case map[string]any:
		entries := make([]value.Entry, 0, len(v))
		for k, e := range v {
			c, err := fromAny(e, depth-1)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", short(k), err)
			}
			entries = append(entries, value.Entry{Key: k, Value: c})
		}
		return value.NewMap(entries), nil
	case map[any]any:
		entries := make([]value.Entry, 0, len(v))
		for k, e := range v {
			c, err := fromAny(e, depth-1)
			if err != nil {
				return nil, err
			}
			entries = append(entries, value.Entry{Key: fmt.Sprint(k), Value: c})
		}
		sort.Slice(entries, func(i, j int) bool { return entries[i].Key < entries[j].Key })
		return value.NewMap(entries), nil
	case []map[string]any: // TOML's arrays of tables
		list := make(value.List, len(v))
		for i, e := range v {
			c, err := fromAny(e, depth-1)
			if err != nil {
				return nil, err
			}
			list[i] = c
		}
		return list, nil
	case []any:
		list := make(value.List, len(v))
		for i, e := range v {
			c, err := fromAny(e, depth-1)
			if err != nil {
				return nil, fmt.Errorf("element %d: %w", i, err)
			}
			list[i] = c
		}
		return list, nil
	}
	if s, ok := v.(fmt.Stringer); ok { // TOML's local dates and times
		return s.String(), nil
	}
	return nil, fmt.Errorf("a %T cannot be a variable", v)
}

// encodable is the plain form of a value, for its digest.
func encodable(v value.Value) any {
	switch v := v.(type) {
	case value.List:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = encodable(e)
		}
		return out
	case *value.Map:
		out := make([]any, 0, 2*v.Len())
		for _, e := range v.Entries {
			out = append(out, e.Key, encodable(e.Value))
		}
		return out
	case nil, bool, int64, float64, string:
		return v
	}
	return value.Hidden
}
