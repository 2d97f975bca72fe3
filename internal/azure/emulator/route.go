package emulator

import (
	"maps"
	"net/http"
	"strings"
)

// groupKind is what path.kind() is for a resource group.
const groupKind = ""

// typeOf is a path's type as Azure writes it.
func typeOf(p path) string {
	if k := kinds[p.kind()]; k != nil {
		return k.name
	}
	return joined(append([]string{p.Namespace}, p.Types...))
}

func joined(words []string) string { return strings.Join(words, "/") }

func errMethod(c *call) *Failure {
	return fail(http.StatusMethodNotAllowed, "HttpMethodNotAllowed", "%s is not supported for %s", c.Method, c.path.id())
}

// route finds out what a request is about.
func (t *tx) route(c *call) (*answer, error) {
	p := c.path
	switch {
	case p.Namespace == "" && p.Group == "" && len(p.Types) == 0:
		return ok(t.subscription()), nil
	case p.Namespace == "" && p.Group == "":
		return t.subscriptionWide(c)
	case p.Namespace == "":
		return t.group(c)
	case strings.EqualFold(p.Namespace, termsNamespace):
		return t.terms(c)
	case strings.HasSuffix(p.key(), "/providers/microsoft.resources/tags/default"):
		return t.tags(c)
	case isProvider(p):
		return t.provider(c)
	case strings.EqualFold(p.Types[0], "locations"):
		return t.catalog(c)
	case p.Group == "":
		return t.collection(c) // of the whole subscription
	}
	if t.get(p.group().key()) == nil {
		return nil, errGroupNotFound(p.Group)
	}
	if !p.whole() && c.Method == http.MethodPost {
		return t.act(c)
	}
	if !p.whole() {
		if strings.HasSuffix(p.kind(), "/instanceview") {
			return t.instanceView(p.parent())
		}
		return t.collection(c)
	}
	switch c.Method {
	case http.MethodGet:
		return t.readExpanded(p, c.URL.Query().Get("$expand"))
	case http.MethodPut, http.MethodPatch:
		return t.write(c)
	case http.MethodDelete:
		return t.delete(c)
	}
	return nil, errMethod(c)
}

// kindOf is the kind of a path, or an error that says that there is none.
func kindOf(p path) (*kind, error) {
	if k := kinds[p.kind()]; k != nil {
		return k, nil
	}
	return nil, bad("InvalidResourceType", "The resource type '%s' could not be found in the namespace '%s', or is not simulated by this emulator.", joined(p.Types), p.Namespace)
}

// read answers a GET of a resource, or of a part of one.
func (t *tx) read(p path) (*answer, error) { return t.readExpanded(p, "") }

func (t *tx) readExpanded(p path, expand string) (*answer, error) {
	if _, err := kindOf(p); err != nil {
		return nil, err
	}
	if r := t.get(p.key()); r != nil {
		return ok(t.render(r, expand)), nil
	}
	r, part := t.part(p)
	if part == nil {
		if len(p.Types) > 1 && r == nil {
			return nil, errResourceNotFound(p.parent())
		}
		return nil, errResourceNotFound(p)
	}
	body := t.render(r, "")
	array := kinds[p.parent().kind()].parts[strings.ToLower(p.Types[1])]
	return ok(named(objects(body, "properties", array), p.name())), nil
}

// render is a record as it is answered: with the references back to it.
func (t *tx) render(r *record, expand string) object {
	body := cloneObject(r.Body)
	if k := kinds[r.path().kind()]; k != nil && k.render != nil {
		k.render(t, r, body)
	}
	if strings.EqualFold(expand, "instanceView") && r.path().kind() == vmKind {
		body["properties"].(object)["instanceView"] = t.view(r)
	}
	if strings.EqualFold(expand, "instanceView") && r.path().kind() == extensionKind {
		body["properties"].(object)["instanceView"] = extensionView(r)
	}
	return body
}

// collection answers a list of resources, of a group or of the subscription.
func (t *tx) collection(c *call) (*answer, error) {
	p := c.path
	if c.Method != http.MethodGet {
		return nil, errMethod(c)
	}
	if p.kind() == "microsoft.compute/skus" {
		return t.skus(c)
	}
	k, err := kindOf(p)
	if err != nil {
		return nil, err
	}
	if len(p.Types) > 1 {
		if t.get(p.parent().key()) == nil {
			return nil, errResourceNotFound(p.parent())
		}
		if array := kinds[p.parent().kind()].parts[strings.ToLower(p.Types[1])]; array != "" {
			return t.page(c, objects(t.render(t.get(p.parent().key()), ""), "properties", array))
		}
	}
	base := p.group().key() + "/"
	if len(p.Types) > 1 {
		base = p.parent().key() + "/"
	}
	var found []object
	for _, key := range t.below(base) {
		if r := t.get(key); r.path().kind() == p.kind() {
			expand := c.URL.Query().Get("$expand")
			if k.name == kinds[vmKind].name && c.URL.Query().Get("statusOnly") == "true" {
				expand = "instanceView"
			}
			body := t.render(r, expand)
			for _, part := range objects(body, "resources") { // a list names a machine's extensions, and tells no more of them
				maps.DeleteFunc(part, func(key string, _ any) bool { return key != "id" })
			}
			found = append(found, body)
		}
	}
	return t.page(c, found)
}
