package azure

import (
	"fmt"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// ID is the ID of a resource, in its parts. Azure compares IDs without regard to
// case, and answers in a case of its own.
type ID struct {
	Subscription string
	Group        string
	Type         string // with its namespace, "Microsoft.Network/virtualNetworks"; of a part "…/subnets"
	Name         string // of a part with what it is part of: "shop/nodes"
}

// ParseID reads the ID of a resource of a group, or of the group itself, whose
// type is [groupType].
func ParseID(s string) (ID, error) {
	wrong := func(why string) (ID, error) {
		return ID{}, fmt.Errorf("%q is no ID of a resource: %s", s, why)
	}
	parts := strings.Split(s, "/")
	if len(parts) < 5 || parts[0] != "" || !strings.EqualFold(parts[1], "subscriptions") || !strings.EqualFold(parts[3], "resourceGroups") {
		return wrong("it begins with /subscriptions/…/resourceGroups/…")
	}
	for _, p := range parts[1:] {
		if p == "" || strings.ContainsAny(p, " \t\r\n?#") {
			return wrong("a part of it is empty, or has what no name may have")
		}
	}
	id := ID{Subscription: parts[2], Group: parts[4], Type: groupType, Name: parts[4]}
	rest := parts[5:]
	if len(rest) == 0 {
		return id, nil
	}
	if len(rest) < 4 || len(rest)%2 != 0 || !strings.EqualFold(rest[0], "providers") {
		return wrong("after the group come providers, a namespace, and types with their names")
	}
	types, names := []string{rest[1]}, []string(nil)
	for i := 2; i < len(rest); i += 2 {
		types, names = append(types, rest[i]), append(names, rest[i+1])
	}
	id.Type, id.Name = strings.Join(types, "/"), strings.Join(names, "/")
	return id, nil
}

// groupType is the type of a resource group.
const groupType = "Microsoft.Resources/resourceGroups"

// String is the ID as Azure writes it.
func (id ID) String() string {
	s := "/subscriptions/" + id.Subscription + "/resourceGroups/" + id.Group
	if strings.EqualFold(id.Type, groupType) {
		return s
	}
	types, names := strings.Split(id.Type, "/"), strings.Split(id.Name, "/")
	s += "/providers/" + types[0]
	for i, name := range names {
		if i+1 < len(types) {
			s += "/" + types[i+1] + "/" + name
		}
	}
	return s
}

// sameID reports whether two IDs are of one resource.
func sameID(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "/"), strings.TrimSuffix(b, "/"))
}

// place is the group that a scope is, in which names alone mean something.
type place struct{ subscription, group string }

// short is what a script calls a resource: its name where it is in the group,
// otherwise its ID. What is no ID is left as it is.
func (p place) short(id string) string {
	parsed, err := ParseID(id)
	if err != nil || !strings.EqualFold(parsed.Subscription, p.subscription) || !strings.EqualFold(parsed.Group, p.group) {
		return id
	}
	return parsed.Name
}

// full is the ID of a resource that a script calls so.
func (p place) full(typ, ref string) string {
	if strings.HasPrefix(ref, "/") {
		return ref
	}
	return ID{Subscription: p.subscription, Group: p.group, Type: typ, Name: ref}.String()
}

// refersTo returns what is wrong with a name, or an ID, of something of a type.
func refersTo(typ string) func(string) string {
	return func(ref string) string {
		id, err := ParseID(ref)
		if ref == "" || err == nil && strings.EqualFold(id.Type, typ) || !strings.HasPrefix(ref, "/") && resourceName(ref) == "" {
			return ""
		}
		like := ID{Subscription: "SUBSCRIPTION", Group: "GROUP", Type: typ, Name: "NAME"}
		return fmt.Sprintf("got %q, want the name of one in this resource group, or an ID: %s", ref, like)
	}
}

// same reports whether two names or IDs mean one resource.
func (p place) same(a, b string) bool { return strings.EqualFold(p.short(a), p.short(b)) }

// sameNames is the Same of what names other resources, each by its name or its ID.
func sameNames(live *resource.Object, _ value.Struct, c schema.Change) bool {
	field := c.Path[strings.LastIndexByte(c.Path, '.')+1:] // of a part, where it is in one
	before, known := value.Reveal(c.Before).(string)
	after, is := value.Reveal(c.After).(string)
	if !known || !is || !slices.Contains([]string{"virtual_network", "network_security_group", "public_ip", "subnet"}, field) {
		return false
	}
	n, ok := live.Native.(*native)
	if !ok {
		return strings.EqualFold(before, after)
	}
	at := n.place()
	return at.same(before, after)
}
