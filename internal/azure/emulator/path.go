package emulator

import (
	"errors"
	"strings"
)

// A path is where a request to Resource Manager goes: a subscription, a resource
// group, a resource, a collection, or an action of a resource. Letter case
// means nothing in it.
type path struct {
	Subscription string
	Group        string
	Namespace    string   // "Microsoft.Compute"
	Types        []string // "virtualMachines", "extensions"
	// Names has as many as Types, or one less: then the last type is a collection
	// or an action.
	Names []string
}

var errPath = errors.New("not a path of Resource Manager")

// parsePath reads the path of a URL, or a resource's ID.
func parsePath(text string) (path, error) {
	parts := strings.Split(strings.Trim(text, "/"), "/")
	for _, part := range parts {
		if part == "" {
			return path{}, errPath
		}
	}
	take := func(word string) (string, bool) {
		if len(parts) < 2 || !strings.EqualFold(parts[0], word) {
			return "", false
		}
		value := parts[1]
		parts = parts[2:]
		return value, true
	}
	var p path
	var ok bool
	if p.Subscription, ok = take("subscriptions"); !ok {
		return path{}, errPath
	}
	p.Group, _ = take("resourceGroups")
	if p.Namespace, ok = take("providers"); !ok && len(parts) > 1 {
		return path{}, errPath
	}
	for i, part := range parts {
		if i%2 == 0 {
			p.Types = append(p.Types, part)
		} else {
			p.Names = append(p.Names, part)
		}
	}
	return p, nil
}

// id is the path as Azure writes it.
func (p path) id() string {
	var b strings.Builder
	b.WriteString("/subscriptions/" + p.Subscription)
	if p.Group != "" {
		b.WriteString("/resourceGroups/" + p.Group)
	}
	if p.Namespace != "" {
		b.WriteString("/providers/" + p.Namespace)
	}
	for i, t := range p.Types {
		b.WriteString("/" + t)
		if i < len(p.Names) {
			b.WriteString("/" + p.Names[i])
		}
	}
	return b.String()
}

// key is what resources are kept by: two IDs that differ in letter case are one.
func (p path) key() string { return strings.ToLower(p.id()) }

func keyOf(id string) string { return strings.ToLower(strings.TrimRight(id, "/")) }

// kind is the type in small letters: "microsoft.network/virtualnetworks/subnets".
func (p path) kind() string {
	return strings.ToLower(strings.Join(append([]string{p.Namespace}, p.Types...), "/"))
}

// name is the last name.
func (p path) name() string {
	if len(p.Names) == 0 {
		return ""
	}
	return p.Names[len(p.Names)-1]
}

// whole reports whether it names a resource, and not a collection or an action.
func (p path) whole() bool { return len(p.Types) > 0 && len(p.Types) == len(p.Names) }

// parent is the resource that another one is in, or that a collection is of.
func (p path) parent() path {
	n := len(p.Types) - 1
	p.Types, p.Names = p.Types[:n], p.Names[:n]
	return p
}

// group is the path of its resource group.
func (p path) group() path { return path{Subscription: p.Subscription, Group: p.Group} }

// at is the path of another resource in the same group.
func (p path) at(namespace, kind, name string) path {
	p.Namespace, p.Types, p.Names = namespace, []string{kind}, []string{name}
	return p
}

// child is the path of what is in a resource.
func (p path) child(kind, name string) path {
	p.Types = append(p.Types[:len(p.Types):len(p.Types)], kind)
	p.Names = append(p.Names[:len(p.Names):len(p.Names)], name)
	return p
}
