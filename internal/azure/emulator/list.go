package emulator

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/swarmscript/swarmscript/internal/pattern"
)

// subscriptionWide answers what is asked of the subscription: its groups, all its
// resources, the places that it can use.
func (t *tx) subscriptionWide(c *call) (*answer, error) {
	if c.Method != http.MethodGet || len(c.path.Types) != 1 {
		return nil, errMethod(c)
	}
	switch strings.ToLower(c.path.Types[0]) {
	case "resourcegroups":
		match, err := parseFilter(c.URL.Query().Get("$filter"))
		if err != nil {
			return nil, err
		}
		var out []object
		for _, key := range t.below(c.path.group().key() + "/resourcegroups/") {
			if r := t.get(key); r.path().kind() == groupKind && match(r.Body) {
				out = append(out, r.Body)
			}
		}
		return t.page(c, out)
	case "resources":
		return t.resources(c, c.path.group().key()+"/resourcegroups/")
	case "locations":
		var out []object
		for _, l := range locations {
			o := object{"id": c.path.group().id() + "/locations/" + l.name, "name": l.name, "displayName": l.display, "regionalDisplayName": l.display, "metadata": object{"regionType": "Physical"}}
			if l.zones > 0 {
				var zones []any
				for z := 1; z <= l.zones; z++ {
					zones = append(zones, object{"logicalZone": strconv.Itoa(z), "physicalZone": l.name + "-az" + strconv.Itoa(z)})
				}
				o["availabilityZoneMappings"] = zones
			}
			out = append(out, o)
		}
		return t.page(c, out)
	case "providers":
		var out []object
		for _, ns := range namespaces {
			out = append(out, t.providerBody(ns))
		}
		return t.page(c, out)
	}
	return nil, errMethod(c)
}

func (e *Emulator) subscription() object {
	s := e.opts.Subscription
	return object{
		"id": "/subscriptions/" + s.ID, "subscriptionId": s.ID, "tenantId": e.opts.Tenant, "displayName": s.Name, "state": "Enabled",
		"subscriptionPolicies": object{"locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off"}, "authorizationSource": "RoleBased",
	}
}

// resources answers the list of resources of all types, of which it tells the
// head only.
func (t *tx) resources(c *call, prefix string) (*answer, error) {
	match, err := parseFilter(c.URL.Query().Get("$filter"))
	if err != nil {
		return nil, err
	}
	listed := t.remnants(prefix)
	for _, key := range t.below(prefix) {
		if r := t.get(key); !t.unheard(r.path()) {
			listed = append(listed, r)
		}
	}
	var out []object
	for _, r := range listed {
		if r.path().kind() == groupKind || !match(r.Body) {
			continue
		}
		head := object{}
		for _, k := range []string{"id", "name", "type", "location", "tags", "sku", "kind", "identity", "managedBy"} {
			if v := r.Body[k]; v != nil {
				head[k] = v
			}
		}
		if strings.Contains(c.URL.Query().Get("$expand"), "provisioningState") {
			head["provisioningState"] = at(r.Body, "properties", "provisioningState")
		}
		out = append(out, head)
	}
	return t.page(c, out)
}

var conjunction = pattern.Of(`(?i)\s+and\s+`)

var term = pattern.Of(`(?i)^\s*(tagName|tagValue|resourceType|name|location|resourceGroup)\s+eq\s+'((?:[^']|'')*)'\s*$`)

// parseFilter reads the $filter of lists of resources: equalities joined by "and".
func parseFilter(filter string) (func(object) bool, error) {
	if strings.TrimSpace(filter) == "" {
		return func(object) bool { return true }, nil
	}
	want := map[string]string{}
	for _, part := range conjunction().Split(filter, -1) {
		m := term().FindStringSubmatch(part)
		if m == nil {
			return nil, bad("InvalidFilterInQueryString", "Invalid $filter '%s' specified in the query string.", filter)
		}
		want[strings.ToLower(m[1])] = strings.ReplaceAll(m[2], "''", "'")
	}
	return func(o object) bool {
		for k, v := range want {
			p, _ := parsePath(text(o, "id"))
			got := map[string]string{"resourcetype": text(o, "type"), "name": text(o, "name"), "location": text(o, "location"), "resourcegroup": p.Group}
			switch k {
			case "tagname":
				tag, has := tagOf(o, v)
				if value, also := want["tagvalue"]; !has || also && value != tag {
					return false
				}
			case "tagvalue":
			default:
				if !strings.EqualFold(got[k], v) {
					return false
				}
			}
		}
		return true
	}, nil
}

// tagOf is the value of a tag; letter case means nothing in its name.
func tagOf(o object, name string) (string, bool) {
	for k, v := range sub(o, "tags") {
		if strings.EqualFold(k, name) {
			s, _ := v.(string)
			return s, true
		}
	}
	return "", false
}

// page answers one page of a list, and where the next one is.
func (t *tx) page(c *call, all []object) (*answer, error) {
	q := c.URL.Query()
	size := t.opts.PageSize
	if top, err := strconv.Atoi(q.Get("$top")); err == nil && top > 0 {
		size = min(size, top)
	}
	skip, _ := strconv.Atoi(q.Get("$skiptoken"))
	skip = max(0, min(skip, len(all)))
	body := object{}
	if len(all)-skip > size {
		next := url.Values{}
		for k, v := range q {
			next[k] = v
		}
		next.Set("$skiptoken", strconv.Itoa(skip+size))
		body["nextLink"] = t.opts.URL + c.URL.Path + "?" + next.Encode()
		all = all[:skip+size]
	}
	body["value"] = list(all[skip:])
	return ok(body), nil
}
