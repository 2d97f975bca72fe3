package value

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// FromJSON makes plain values of what a JSON decoder made.
func FromJSON(v any) Value {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n
		}
		f, _ := v.Float64() // a number that is too large is infinite
		return FromJSON(f)
	case float64:
		if math.Trunc(v) == v && math.Abs(v) < 1<<53 {
			return int64(v)
		}
		return v
	case []any:
		l := make(List, len(v))
		for i, e := range v {
			l[i] = FromJSON(e)
		}
		return l
	case map[string]any:
		entries := make([]Entry, 0, len(v))
		for k, e := range v {
			entries = append(entries, Entry{Key: k, Value: FromJSON(e)})
		}
		return NewMap(entries)
	}
	return v
}

// ToJSON is the reverse of [FromJSON]. What is secret is revealed.
func ToJSON(v Value) (any, error) {
	switch v := Reveal(v).(type) {
	case nil, bool, int64, float64, string:
		return v, nil
	case List:
		l := make([]any, len(v))
		for i, e := range v {
			var err error
			if l[i], err = ToJSON(e); err != nil {
				return nil, err
			}
		}
		return l, nil
	case *Map:
		m := make(map[string]any, v.Len())
		for i := range v.Len() {
			e, err := ToJSON(v.Entries[i].Value)
			if err != nil {
				return nil, err
			}
			m[v.Entries[i].Key] = e
		}
		return m, nil
	default:
		return nil, fmt.Errorf("%T is not plain data", v)
	}
}
