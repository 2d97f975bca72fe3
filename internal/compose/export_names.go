package compose

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/swarmscript/swarmscript/internal/pattern"
)

var notInKeys = pattern.Of(`[^a-zA-Z0-9._-]+`)

// key is what an object of that name is called in the file: the name without the
// stack's, which docker puts before it.
func (e *exporter) key(in, name string) string { return e.keyOf(in, name, name) }

// keyOf is the key of what has an ID of its own beside its name.
func (e *exporter) keyOf(in, id, name string) string {
	s := e.sections[in]
	if k, ok := s.keys[id]; ok {
		return k
	}
	base := notInKeys().ReplaceAllString(strings.TrimPrefix(name, scoped(e.out.Stack, "")), "_")
	key := cmp.Or(base, "unnamed")
	for n := 2; s.taken[key]; n++ {
		key = base + "_" + strconv.Itoa(n)
	}
	s.keys[id], s.taken[key] = key, true
	return key
}

// named begins an object of the file, with its name where docker would make
// another one of the key.
func (e *exporter) named(key, name string) *mapping {
	m := newMapping()
	if scoped(e.out.Stack, key) != name {
		m.put("name", name)
	}
	return m
}

// refer returns the key of an object that something names. What the script does
// not declare is external.
func (e *exporter) refer(in, name string) string { return e.referAs(in, name, name) }

func (e *exporter) referAs(in, id, name string) string {
	key := e.keyOf(in, id, name)
	s := e.sections[in]
	if in != "services" && !s.has(key) {
		m := newMapping()
		if key != name {
			m.put("name", name)
		}
		m.put("external", true)
		s.node.put(key, m)
	}
	return key
}
