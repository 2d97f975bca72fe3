package emulator

import (
	"maps"
	"slices"
	"strings"
)

// A tx is what one request, or the end of one operation, reads and writes. What it
// writes is seen by itself at once, and by others when it is committed; one that is
// not has done nothing. There is one at a time.
type tx struct {
	*Emulator
	records    map[string]*record // nil: deleted
	operations map[string]*operation
}

// do runs a function as a transaction.
func (e *Emulator) do(f func(*tx) error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := &tx{Emulator: e, records: map[string]*record{}, operations: map[string]*operation{}}
	if err := f(t); err != nil {
		return err
	}
	if len(t.records) == 0 && len(t.operations) == 0 {
		return nil
	}
	if err := e.store.keep(t.records, t.operations); err != nil {
		return err
	}
	for key, r := range t.records {
		if old := e.store.records[key]; old != nil && r == nil {
			t.forgets(old)
		}
		e.store.set(key, r)
	}
	for id, op := range t.operations {
		begun := e.store.operations[id] == nil
		e.store.operations[id] = op
		if begun {
			e.start(op)
		}
	}
	select {
	case e.changed <- struct{}{}:
	default: // whoever looks has not seen the last change yet
	}
	return nil
}

// get returns a record to be read, nil where there is none.
func (t *tx) get(key string) *record {
	if r, ok := t.records[key]; ok {
		return r
	}
	return t.store.records[key]
}

// edit returns a record to be changed, nil where there is none.
func (t *tx) edit(key string) *record {
	if r, ok := t.records[key]; ok {
		return r
	}
	r := t.store.records[key]
	if r != nil {
		r = r.clone()
		t.records[key] = r
	}
	return r
}

func (t *tx) put(r *record)     { t.records[r.key()] = r }
func (t *tx) remove(key string) { t.records[key] = nil }

// below returns the keys of all records whose key begins with a prefix, sorted.
func (t *tx) below(prefix string) []string {
	found := map[string]bool{}
	for key := range t.store.records {
		if strings.HasPrefix(key, prefix) {
			found[key] = true
		}
	}
	for key, r := range t.records {
		if strings.HasPrefix(key, prefix) {
			found[key] = r != nil
		}
	}
	maps.DeleteFunc(found, func(_ string, there bool) bool { return !there })
	return slices.Sorted(maps.Keys(found))
}

// users returns who names something, but for itself, in a fixed order.
func (t *tx) users(key string) []reference {
	var out []reference
	for holder, refs := range t.store.users[key] {
		if _, staged := t.records[holder]; !staged {
			out = append(out, refs...)
		}
	}
	for _, r := range t.records {
		if r == nil {
			continue
		}
		for _, ref := range references(r) {
			if keyOf(ref.To) == key {
				out = append(out, ref)
			}
		}
	}
	slices.SortFunc(out, func(a, b reference) int { return strings.Compare(a.From, b.From) })
	return out
}

// userOf returns the first user that is of a type, "" where there is none.
func (t *tx) userOf(key, kind string) string {
	for _, ref := range t.users(key) {
		if p, err := parsePath(ref.holder); err == nil && p.kind() == kind {
			return ref.From
		}
	}
	return ""
}

// exists reports whether an ID is that of a resource, or of a part of one.
func (t *tx) exists(id string) bool {
	p, err := parsePath(id)
	if err != nil || !p.whole() {
		return false
	}
	if t.get(p.key()) != nil {
		return true
	}
	_, part := t.part(p)
	return part != nil
}

// part finds a part of a resource, such as a subnet, with the record that it is of.
func (t *tx) part(p path) (*record, object) {
	if len(p.Types) != 2 || !p.whole() {
		return nil, nil
	}
	r := t.get(p.parent().key())
	k := kinds[p.parent().kind()]
	if r == nil || k == nil {
		return r, nil
	}
	array := k.parts[strings.ToLower(p.Types[1])]
	return r, named(objects(r.Body, "properties", array), p.name())
}
