package compose

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	units "github.com/docker/go-units"
	"go.yaml.in/yaml/v3"

	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/schema"
)

// mapping is a YAML mapping, its keys in the order in which they were put.
type mapping struct{ node yaml.Node }

func newMapping() *mapping { return &mapping{yaml.Node{Kind: yaml.MappingNode}} }

func (m *mapping) empty() bool { return len(m.node.Content) == 0 }

// set puts a key, unless its value says nothing: a zero, an empty text, list or
// mapping.
func (m *mapping) set(key string, v any) {
	switch v := v.(type) {
	case *mapping:
		if v.empty() {
			return
		}
	default:
		rv := reflect.ValueOf(v)
		if !rv.IsValid() || rv.IsZero() || (rv.Kind() == reflect.Slice || rv.Kind() == reflect.Map) && rv.Len() == 0 {
			return
		}
	}
	m.put(key, v)
}

// put puts a key, whatever its value.
func (m *mapping) put(key string, v any) {
	m.node.Content = append(m.node.Content, textNode(key), nodeOf(v))
}

// nodeOf is a value as YAML has it, with what compose files would interpolate
// escaped.
func nodeOf(v any) *yaml.Node {
	switch v := v.(type) {
	case nil:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: ""}
	case *mapping:
		if v.empty() {
			return nodeOf(nil)
		}
		return &v.node
	case string:
		return textNode(escape(v))
	case *string:
		if v == nil {
			return nodeOf(nil)
		}
		return nodeOf(*v)
	case time.Duration:
		return textNode(durationText(v))
	case schema.Size:
		return textNode(sizeText(int64(v)))
	case schema.NanoCPUs:
		return textNode(cpusText(int64(v)))
	case schema.FileMode:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: "0" + strconv.FormatUint(uint64(v), 8)}
	}
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Pointer:
		return nodeOf(rv.Elem().Interface())
	case reflect.String:
		return nodeOf(rv.String())
	case reflect.Bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(rv.Bool())}
	case reflect.Float64:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: strconv.FormatFloat(rv.Float(), 'f', -1, 64)}
	case reflect.Slice:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range rv.Len() {
			n.Content = append(n.Content, nodeOf(rv.Index(i).Interface()))
		}
		return n
	case reflect.Map:
		m := newMapping()
		for _, k := range sortedKeys(rv) {
			m.put(k.String(), rv.MapIndex(k).Interface())
		}
		return &m.node
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int"}
	if rv.CanUint() {
		n.Value = strconv.FormatUint(rv.Uint(), 10)
	} else {
		n.Value = strconv.FormatInt(rv.Int(), 10)
	}
	return n
}

// textNode is a text, in quotes where some reader of YAML would take it for
// something else.
func textNode(s string) *yaml.Node {
	n := &yaml.Node{}
	if err := n.Encode(s); err != nil {
		panic("compose: a text as YAML: " + err.Error()) // every text is one
	}
	return n
}

// Variables stand in texts between two of these, which no text of a script that
// an engine takes has in it.
const variableMark = "\x00"

var variableIn = pattern.Of(variableMark + `([A-Za-z_][A-Za-z0-9_]*)` + variableMark)

// escape doubles the dollars of a text, and writes its variables as compose files
// do.
func escape(s string) string {
	s = strings.ReplaceAll(s, "$", "$$")
	return variableIn().ReplaceAllString(s, "$${$1:?set it}")
}

// durationText is a duration without the zeros that Go writes: 1m, not 1m0s.
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func sizeText(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{units.GiB, "G"}, {units.MiB, "M"}, {units.KiB, "K"}} {
		if n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

func cpusText(nano int64) string {
	s := strconv.FormatInt(nano/1e9, 10)
	if frac := nano % 1e9; frac != 0 {
		s += "." + strings.TrimRight(strconv.FormatInt(1e9+frac, 10)[1:], "0")
	}
	return s
}

func sortedKeys(m reflect.Value) []reflect.Value {
	return slices.SortedFunc(slices.Values(m.MapKeys()), func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
}
