package emulator

import (
	"net/http"
	"slices"
	"strings"
)

// delete begins the deletion of a resource, or takes a part of one away.
func (t *tx) delete(c *call) (*answer, error) {
	k, err := kindOf(c.path)
	if err != nil {
		return nil, err
	}
	if err := t.groupAdmits(c.path); err != nil {
		return nil, err
	}
	if k.part {
		return t.deletePart(c)
	}
	r := t.edit(c.path.key())
	if r == nil {
		return &answer{status: http.StatusNoContent}, nil
	}
	if err := checkConditions(c.Header, true, etagOf(r)); err != nil {
		return nil, err
	}
	if err := t.busy(r); err != nil {
		return nil, err
	}
	if k.inUse != nil {
		if f := k.inUse(t, r); f != nil {
			return nil, f
		}
	}
	if k.instant {
		return ok(nil), t.finishDelete(r.key())
	}
	op := t.begin(r, verbDelete, "Deleting")
	op.ByLocation = k.byLocation
	return t.accepted(&answer{status: http.StatusAccepted}, op, c.path, r.location()), nil
}

// finishDelete removes a resource with what is in it, what goes with it, and what
// others say of it, if nobody came to use it.
func (t *tx) finishDelete(key string) error {
	r := t.get(key)
	if r == nil {
		return nil
	}
	if p := r.path(); p.kind() == groupKind {
		if err := t.groupIsFree(key); err != nil {
			return err
		}
	} else {
		k := kinds[p.kind()]
		if k.inUse != nil {
			if f := k.inUse(t, r); f != nil {
				return f
			}
		}
		if k.drop != nil {
			k.drop(t, r)
		}
	}
	for _, below := range t.below(key + "/") {
		t.remove(below)
	}
	t.remove(key)
	return nil
}

// groupIsFree refuses the deletion of a group that another one needs.
func (t *tx) groupIsFree(key string) error {
	for _, inside := range t.below(key + "/") {
		targets := []string{inside}
		for array := range kinds[t.get(inside).path().kind()].arrays() {
			for _, part := range objects(t.get(inside).Body, "properties", array) {
				targets = append(targets, keyOf(text(part, "id")))
			}
		}
		for _, target := range targets {
			for _, ref := range t.users(target) {
				if !strings.HasPrefix(ref.holder, key+"/") {
					return conflict("ResourceGroupDeletionBlocked", "Deletion of resource group '%s' failed as resources with identifiers '%s' could not be deleted: it is in use by %s.", t.get(key).path().Group, t.get(inside).ID, ref.From)
				}
			}
		}
	}
	return nil
}

// deletePart takes a part of a resource away.
func (t *tx) deletePart(c *call) (*answer, error) {
	parent, part := t.part(c.path)
	if parent == nil {
		return nil, errResourceNotFound(c.path.parent())
	}
	if part == nil {
		return &answer{status: http.StatusNoContent}, nil
	}
	if err := checkConditions(c.Header, true, text(part, "etag")); err != nil {
		return nil, err
	}
	if err := t.busy(parent); err != nil {
		return nil, err
	}
	k := kinds[c.path.parent().kind()]
	w := &write{tx: t, path: c.path.parent(), kind: k, old: parent, rec: parent.clone()}
	array := k.parts[strings.ToLower(c.path.Types[1])]
	left := slices.DeleteFunc(objects(w.rec.Body, "properties", array), func(o object) bool {
		return strings.EqualFold(text(o, "name"), c.path.name())
	})
	w.props()[array] = list(left)
	a, err := w.finish()
	if err != nil {
		return nil, err
	}
	a.status, a.body = http.StatusAccepted, nil
	return a, nil
}
