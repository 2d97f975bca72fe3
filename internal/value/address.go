package value

import (
	"fmt"
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
		own = kind + "[" + fmt.Sprintf("%q", name) + "]"
	}
	if scope == "" {
		return Address(own)
	}
	return Address(scope + "/" + own)
}

// Scope returns the part before the slash, "" where there is none.
func (a Address) Scope() string {
	s := string(a)
	if i := strings.IndexByte(s, '/'); i >= 0 {
		if b := strings.IndexByte(s, '['); b < 0 || i < b {
			return s[:i]
		}
	}
	return ""
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
	var name string
	if _, err := fmt.Sscanf(s[i:], "[%q]", &name); err != nil {
		return strings.Trim(s[i:], "[]\"")
	}
	return name
}
