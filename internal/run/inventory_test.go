package run

import (
	"testing"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/local"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// What the inventory says of where a scope is leads there again.
func TestEndpoints(t *testing.T) {
	for _, tt := range []struct {
		kind   string
		config any
	}{
		{"host", builtins.Host{Address: "192.0.2.1"}},
		{"host", builtins.Host{Address: "2001:db8::1"}},
		{"host", builtins.Host{Address: "2001:db8::1", Port: 2222, User: "root"}},
		{"host", builtins.Host{Address: "web-1.example.com", Port: 2222, User: `corp\anna@x`, Key: "keys/a b&c#d.pem", Jump: "b@bastion:22,c", Sudo: "ask"}},
		{"local", local.Config{}},
		{"local", local.Config{Site: "crit"}},
		{"engine", builtins.Engine{}},
		{"engine", builtins.Engine{Host: "tcp://[2001:db8::1]:2375"}},
		{"engine", builtins.Engine{Context: "a b"}},
	} {
		text := describeEndpoint(tt.config)
		if got := parseEndpoint(resource.ScopeEntry{Type: tt.kind, Endpoint: text}); got != tt.config {
			t.Errorf("%q is read as %+v, want %+v", text, got, tt.config)
		}
	}
}
