package emulator

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/pattern"
)

// A write is the PUT or PATCH of a resource, while it is being checked.
type write struct {
	*tx
	path  path
	kind  *kind
	old   *record // nil: it is new
	rec   *record // what it is to be: hooks complete it
	patch bool    // a PATCH: what it leaves out stays
	op    *operation
}

// props are the properties that are to be.
func (w *write) props() object { return w.rec.properties() }

// was are the properties that are, nil for what is new.
func (w *write) was() object {
	if w.old == nil {
		return nil
	}
	return sub(w.old.Body, "properties")
}

// write makes or changes a resource, or a part of one.
func (t *tx) write(c *call) (*answer, error) {
	k, err := kindOf(c.path)
	if err != nil {
		return nil, err
	}
	if c.body == nil {
		return nil, bad("InvalidRequestContent", "The request content was invalid: the body is missing.")
	}
	if err := t.groupAdmits(c.path); err != nil {
		return nil, err
	}
	if k.part {
		return t.writePart(c)
	}
	old := t.get(c.path.key())
	if old == nil && c.Method == http.MethodPatch {
		return nil, errResourceNotFound(c.path)
	}
	if old == nil {
		if err := k.checkName(c.path.name()); err != nil {
			return nil, err
		}
	} else if err := t.busy(old); err != nil {
		return nil, err
	}
	if err := checkConditions(c.Header, old != nil, etagOf(old)); err != nil {
		return nil, err
	}
	w := &write{tx: t, path: c.path, kind: k, old: old, patch: c.Method == http.MethodPatch}
	w.rec = &record{ID: c.path.id(), Body: cloneObject(c.body)}
	if old != nil {
		w.rec = old.clone()
		if c.Method == http.MethodPatch {
			merge(w.rec.Body, c.body)
		} else {
			w.rec.Body = cloneObject(c.body)
		}
	}
	if err := w.head(); err != nil {
		return nil, err
	}
	return w.finish()
}

// head completes what all resources have in common.
func (w *write) head() error {
	b := w.rec.Body
	p := w.path
	if w.old != nil { // as it was first written
		p = w.old.path()
	}
	b["id"], b["name"], b["type"] = p.id(), p.name(), w.kind.name
	ensure(b, "properties")
	if len(p.Types) > 1 && w.get(p.parent().key()) == nil {
		return errParentNotFound(p)
	}
	at := location(text(b, "location"))
	switch {
	case at == "" && w.old != nil:
		at = w.old.location()
	case at == "" && len(p.Types) > 1:
		at = w.get(p.parent().key()).location()
	case at == "":
		return bad("LocationRequired", "The location property is required for this definition.")
	case !isLocation(at):
		return bad("LocationNotAvailableForResourceType", "The provided location '%s' is not available for resource type '%s'. List of available regions for the resource type is '%s'.", at, w.kind.name, strings.Join(locationNames(), ","))
	case w.old != nil && at != w.old.location():
		return conflict("InvalidResourceLocation", "The resource '%s' already exists in location '%s' in resource group '%s'. A resource with the same name cannot be created in location '%s'. Please select a new resource name.", p.name(), w.old.location(), p.Group, at)
	}
	b["location"] = at
	for array := range w.kind.arrays() {
		if err := w.nameParts(array); err != nil {
			return err
		}
	}
	w.foldTags()
	return checkTags(b)
}

// foldTags makes one tag of those whose names differ in letter case alone. It keeps the
// name that it got first.
func (w *write) foldTags() {
	var was object
	if w.old != nil {
		was = sub(w.old.Body, "tags")
	}
	tags, out := sub(w.rec.Body, "tags"), object{}
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		as := name
		for _, had := range []object{was, out} {
			for k := range had {
				if strings.EqualFold(k, name) {
					as = k
				}
			}
		}
		out[as] = tags[name]
	}
	if len(tags) > 0 {
		w.rec.Body["tags"] = out
	}
}

// nameParts gives the parts of a resource their IDs.
func (w *write) nameParts(array string) error {
	seen := map[string]bool{}
	for _, part := range objects(w.rec.Body, "properties", array) {
		name := text(part, "name")
		if name == "" || seen[strings.ToLower(name)] {
			return bad("InvalidRequestFormat", "Cannot parse the request: each of %s needs a name of its own.", array)
		}
		seen[strings.ToLower(name)] = true
		part["id"], part["type"] = w.path.child(array, name).id(), w.kind.name+"/"+array
		ensure(part, "properties")
		fill(part, "etag", `W/"`+newID()+`"`)
	}
	return nil
}

// finish lets the kind have its say, and begins the operation.
func (w *write) finish() (*answer, error) {
	if w.kind.put != nil {
		if err := w.kind.put(w); err != nil {
			return nil, err
		}
	}
	if err := w.checkReferences(w.rec); err != nil {
		return nil, err
	}
	w.put(w.rec)
	a := &answer{status: http.StatusCreated}
	state := "Creating"
	if w.old != nil {
		a.status, state = http.StatusOK, "Updating"
	}
	if w.kind.instant {
		w.props()["provisioningState"] = succeeded
		w.touch(w.rec)
		if w.kind.plain {
			a.status = http.StatusOK
			delete(w.props(), "provisioningState")
		}
		a.body = w.render(w.rec, "")
		return a, nil
	}
	op := w.begin(w.rec, verbPut, state)
	if w.op != nil {
		op.Restart = w.op.Restart
	}
	a.body = w.render(w.rec, "")
	if w.kind.byLocation {
		a.status, op.ByLocation = http.StatusAccepted, true
	}
	return w.accepted(a, op, w.path, w.rec.location()), nil
}

// checkReferences refuses to name what is not there, or not there yet.
func (t *tx) checkReferences(r *record) error {
	t.put(r) // it may name its own parts
	for _, ref := range references(r) {
		if !t.exists(ref.To) {
			return errReference(ref.From, ref.To)
		}
		p, _ := parsePath(ref.To) // it exists
		if len(p.Types) > 1 && t.get(p.key()) == nil {
			p = p.parent()
		}
		if other := t.get(p.key()); other.Operation != "" && other.key() != r.key() {
			f := fail(http.StatusTooManyRequests, "ReferencedResourceNotProvisioned", "Cannot proceed with operation because resource %s used by resource %s is not in Succeeded state. Resource is in %s state and the last operation that updated/is updating the resource is still in progress.", ref.To, ref.From, text(other.Body, "properties", "provisioningState"))
			f.retryAfter = t.opts.PollEvery
			return f
		}
	}
	return nil
}

// busy refuses a second write while one goes on.
func (t *tx) busy(r *record) error {
	if r.Operation == "" {
		return nil
	}
	p := r.path()
	if strings.EqualFold(p.Namespace, "Microsoft.Network") {
		status := path{Subscription: p.Subscription, Namespace: p.Namespace}.child("locations", r.location()).child("operations", r.Operation)
		return conflict("AnotherOperationInProgress", "Another operation on this or dependent resource is in progress. To retrieve status of the operation use uri: %s%s?api-version=2024-01-01.", t.opts.URL, status.id())
	}
	return conflict("Conflict", "The request failed due to conflict with a concurrent request. To resolve it, please refer to https://aka.ms/activitylog to get more details on the conflicting requests.")
}

func (t *tx) groupAdmits(p path) error {
	g := t.get(p.group().key())
	if g != nil && g.Operation != "" {
		return conflict("ResourceGroupBeingDeleted", "The resource group '%s' is in deprovisioning state and cannot perform this operation.", p.Group)
	}
	return nil
}

func etagOf(r *record) string {
	if r == nil {
		return ""
	}
	return text(r.Body, "etag")
}

// checkConditions holds a write to what it says of what is there.
func checkConditions(h http.Header, exists bool, etag string) error {
	if match := h.Get("If-Match"); match != "" && (!exists || match != "*" && match != etag) {
		return fail(http.StatusPreconditionFailed, "PreconditionFailed", "Precondition failed. Precondition in If-Match does not match the resource's etag.")
	}
	if none := h.Get("If-None-Match"); none != "" && exists && (none == "*" || none == etag) {
		return fail(http.StatusPreconditionFailed, "PreconditionFailed", "Precondition failed. Precondition in If-None-Match is not met: the resource exists.")
	}
	return nil
}

// writePart makes or changes a part of a resource, as a subnet.
func (t *tx) writePart(c *call) (*answer, error) {
	parent, old := t.part(c.path)
	if parent == nil {
		return nil, errResourceNotFound(c.path.parent())
	}
	if err := t.busy(parent); err != nil {
		return nil, err
	}
	if err := checkConditions(c.Header, old != nil, text(old, "etag")); err != nil {
		return nil, err
	}
	k := kinds[c.path.parent().kind()]
	w := &write{tx: t, path: c.path.parent(), kind: k, old: parent, rec: parent.clone()}
	array := k.parts[strings.ToLower(c.path.Types[1])]
	part := cloneObject(c.body)
	part["name"] = c.path.name()
	delete(part, "etag")
	var all []any
	for _, o := range objects(w.rec.Body, "properties", array) {
		if !strings.EqualFold(text(o, "name"), c.path.name()) {
			all = append(all, o)
		}
	}
	w.props()[array] = append(all, part)
	if err := w.head(); err != nil {
		return nil, err
	}
	a, err := w.finish()
	if err != nil {
		return nil, err
	}
	if a.status = http.StatusCreated; old != nil {
		a.status = http.StatusOK
	}
	a.body = named(objects(a.body.(object), "properties", array), c.path.name())
	return a, nil
}

var tagName = pattern.Of(`^[^<>%&\\?/\x00-\x1f]{1,512}$`)

// checkTags holds tags to Azure's rules.
func checkTags(body object) error {
	tags, ok := body["tags"]
	if !ok || tags == nil {
		return nil
	}
	m, ok := tags.(object)
	if !ok {
		return bad("InvalidTags", "The tags are not an object.")
	}
	if len(m) > 50 {
		return bad("InvalidTags", "The number of tags '%d' exceeds the limit of 50.", len(m))
	}
	for k, v := range m {
		s, isText := v.(string)
		if !tagName().MatchString(k) {
			return bad("InvalidTagNameCharacters", "The tag name '%s' has reserved characters '<,>,%%,&,\\,?,/' or control characters, or is longer than 512.", k)
		}
		if !isText || len(s) > 256 {
			return bad("InvalidTagValueLength", "Tag value too large. Following tag value '%v' exceeded the maximum length. Maximum allowed length for tag value is 256 characters.", v)
		}
	}
	return nil
}
