package emulator

import (
	"context"
	"net/http"
	"strings"

	"github.com/swarmscript/swarmscript/internal/pattern"
)

var groupName = pattern.Of(`^[-\w._()]{0,89}[-\w_()]$`)

// group answers what is asked of a resource group.
func (t *tx) group(c *call) (*answer, error) {
	p := c.path
	key := p.group().key()
	g := t.get(key)
	if len(p.Types) > 0 {
		if g == nil {
			return nil, errGroupNotFound(p.Group)
		}
		if c.Method == http.MethodGet && p.kind() == "/resources" {
			return t.resources(c, key+"/")
		}
		return nil, errMethod(c)
	}
	switch c.Method {
	case http.MethodGet:
		if g == nil {
			return nil, errGroupNotFound(p.Group)
		}
		return ok(cloneObject(g.Body)), nil
	case http.MethodHead:
		if g == nil {
			return &answer{status: http.StatusNotFound}, nil
		}
		return &answer{status: http.StatusNoContent}, nil
	case http.MethodPut, http.MethodPatch:
		return t.writeGroup(c, g)
	case http.MethodDelete:
		return t.deleteGroup(c)
	}
	return nil, errMethod(c)
}

func (t *tx) writeGroup(c *call, old *record) (*answer, error) {
	p := c.path
	if err := t.groupAdmits(p); err != nil {
		return nil, err
	}
	at := location(text(c.body, "location"))
	switch {
	case !groupName().MatchString(p.Group):
		return nil, bad("InvalidResourceGroup", "The provided resource group name '%s' has these invalid characters or ends with a period. The name can only be a letter, digit, '-', '.', '(', ')' or '_', 90 at most.", p.Group)
	case old == nil && c.Method == http.MethodPatch:
		return nil, errGroupNotFound(p.Group)
	case old == nil && at == "":
		return nil, bad("LocationRequired", "The location property is required for this definition.")
	case at != "" && !isLocation(at):
		return nil, bad("LocationNotAvailableForResourceGroup", "The provided location '%s' is not available for resource group. List of available regions is '%s'.", at, strings.Join(locationNames(), ","))
	case old != nil && at != "" && at != old.location():
		return nil, conflict("InvalidResourceGroupLocation", "Invalid resource group location '%s'. The Resource group already exists in location '%s'.", at, old.location())
	}
	if err := checkTags(c.body); err != nil {
		return nil, err
	}
	r := &record{ID: p.group().id(), Body: object{"name": p.Group, "type": "Microsoft.Resources/resourceGroups", "location": at}}
	a := &answer{status: http.StatusCreated}
	if old != nil {
		r, a.status = old.clone(), http.StatusOK
	}
	r.Body["id"] = r.ID
	r.Body["properties"] = object{"provisioningState": succeeded}
	if tags, given := c.body["tags"]; given || c.Method == http.MethodPut {
		delete(r.Body, "tags")
		if tags != nil {
			r.Body["tags"] = clone(tags)
		}
	}
	if by := text(c.body, "managedBy"); by != "" {
		r.Body["managedBy"] = by
	}
	t.put(r)
	a.body = r.Body
	return a, nil
}

// deleteGroup begins the deletion of a group with all that is in it.
func (t *tx) deleteGroup(c *call) (*answer, error) {
	g := t.edit(c.path.group().key())
	if g == nil {
		return nil, errGroupNotFound(c.path.Group)
	}
	if g.Operation != "" { // it is being deleted already
		op := t.store.operations[g.Operation]
		return t.accepted(&answer{status: http.StatusAccepted}, op, c.path, g.location()), nil
	}
	if t.groupIsFree(g.key()) == nil { // what nobody uses goes first, long before the group
		for _, key := range t.below(g.key() + "/") {
			if r := t.get(key); r.Operation == "" && !r.Machine && len(t.users(key)) == 0 {
				t.remove(key)
			}
		}
	}
	op := t.begin(g, verbDelete, "Deleting")
	op.ByLocation = true
	return t.accepted(&answer{status: http.StatusAccepted}, op, c.path, g.location()), nil
}

// emptyGroup ends the machines of a group that is being deleted. Operations on
// what is in it come to their end first.
func (e *Emulator) emptyGroup(ctx context.Context, p path) error {
	var machines []string
	for {
		waits := false
		err := e.do(func(t *tx) error {
			machines = nil
			for _, key := range t.below(p.key() + "/") {
				r := t.get(key)
				waits = waits || r.Operation != ""
				if r.Machine {
					machines = append(machines, r.ID)
				}
			}
			return t.groupIsFree(p.key())
		})
		if err != nil {
			return err
		}
		if !waits {
			break
		}
		if err := sleep(ctx, max(e.opts.PollEvery/10, minPause)); err != nil {
			return err
		}
	}
	for _, id := range machines {
		if err := e.opts.Machines.Delete(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// tags answers the tags of a resource or a group, which can be changed without the
// rest of it.
func (t *tx) tags(c *call) (*answer, error) {
	target, _ := strings.CutSuffix(c.path.key(), "/providers/microsoft.resources/tags/default")
	r := t.edit(target)
	if r == nil {
		return nil, errResourceNotFound(c.path)
	}
	tags := ensure(r.Body, "tags")
	given := sub(c.body, "properties", "tags")
	switch operation := text(c.body, "operation"); {
	case c.Method == http.MethodGet:
		delete(t.records, target) // nothing was changed
	case c.Method == http.MethodDelete:
		delete(r.Body, "tags")
		t.touch(r)
		return ok(nil), nil
	case c.Method == http.MethodPut || c.Method == http.MethodPatch && operation == "Replace":
		r.Body["tags"] = cloneObject(given)
	case c.Method == http.MethodPatch && operation == "Merge":
		for k, v := range given {
			tags[k] = v
		}
	case c.Method == http.MethodPatch && operation == "Delete":
		for k, v := range given {
			if tags[k] == v {
				delete(tags, k)
			}
		}
	default:
		return nil, bad("InvalidTagsOperation", "The operation '%s' is not one of 'Replace, Merge, Delete'.", operation)
	}
	if c.Method != http.MethodGet {
		if err := checkTags(r.Body); err != nil {
			return nil, err
		}
		t.touch(r)
	}
	return ok(object{
		"id": r.ID + "/providers/Microsoft.Resources/tags/default", "name": "default", "type": "Microsoft.Resources/tags",
		"properties": object{"tags": cloneObject(ensure(r.Body, "tags"))},
	}), nil
}
