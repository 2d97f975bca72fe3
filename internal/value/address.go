package value

import (
	"strconv"
	"strings"
)

// Address names a resource of a project: "swarm.main/service.web". The part
// before the slash is its scope, which is itself the address of the resource
// that opens it; what stands alone ("swarm.main", "vm.m1") opens a scope.
type Address string

// NewAddress makes an address; scope is "" for what stands alone. A name that
// holds a slash or a quote is written in brackets: vm.m1/file["/etc/motd"].
func NewAddress(scope, kind, name string) Address {
	own := kind + "." + name
	if strings.ContainsAny(name, "/\"[]") {
		own = kind + "[" + strconv.Quote(name) + "]"
	}
	if scope == "" {
		return Address(own)
	}
	return Address(scope + "/" + own)
}

// Scope returns the part before the last slash that is not part of a bracketed
// name, "" where there is none.
func (a Address) Scope() string {
	s := string(a)
	if strings.IndexByte(s, '[') < 0 {
		return s[:max(strings.LastIndexByte(s, '/'), 0)]
	}
	slash, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '/' && !quoted:
			slash = i
		}
	}
	return s[:slash]
}

// Short returns the address without its scope.
func (a Address) Short() string {
	if s := a.Scope(); s != "" {
		return string(a)[len(s)+1:]
	}
	return string(a)
}

// Kind returns the kind, as in "service".
func (a Address) Kind() string {
	s := a.Short()
	if i := strings.IndexAny(s, ".["); i >= 0 {
		return s[:i]
	}
	return s
}

// Name returns the name within kind and scope, as in "web".
func (a Address) Name() string {
	s := a.Short()
	i := strings.IndexAny(s, ".[")
	if i < 0 {
		return ""
	}
	if s[i] == '.' {
		return s[i+1:]
	}
	quoted := strings.TrimSuffix(s[i+1:], "]")
	name, err := strconv.Unquote(quoted)
	if err != nil { // not an address of ours: a person typed it
		return strings.Trim(quoted, "\"")
	}
	return name
}
