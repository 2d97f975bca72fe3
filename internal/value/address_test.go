package value

import (
	"fmt"
	"testing"
)

func ExampleAddress() {
	web := NewAddress("swarm.main", "service", "web")
	fmt.Println(web, web.Scope(), web.Kind(), web.Name(), web.Short())

	motd := NewAddress("vm.m1", "file", "/etc/motd")
	fmt.Println(motd, motd.Scope(), motd.Kind(), motd.Name())
	// Output:
	// swarm.main/service.web swarm.main service web service.web
	// vm.m1/file["/etc/motd"] vm.m1 file /etc/motd
}

func TestAddress(t *testing.T) {
	tests := []struct {
		scope, kind, name string
		want              Address
	}{
		{"", "swarm", "main", "swarm.main"},
		{"swarm.main", "service", "web", "swarm.main/service.web"},
		{"swarm.main", "service", "a.b", "swarm.main/service.a.b"},
		{"swarm.main", "service", "", "swarm.main/service."},
		{"vm.m1", "file", "/etc/motd", `vm.m1/file["/etc/motd"]`},
		{"vm.m1", "file", `say "hi"`, `vm.m1/file["say \"hi\""]`},
		{"vm.m1", "file", `a\/b`, `vm.m1/file["a\\/b"]`},
		{"", "image", "nginx:1.27", "image.nginx:1.27"},
		{"", "image", "library/nginx", `image["library/nginx"]`},
		{`vm["rack/1"]`, "file", "motd", `vm["rack/1"]/file.motd`},
		{`vm["rack/1"]`, "file", "/etc/motd", `vm["rack/1"]/file["/etc/motd"]`},
		{"swarm.main", "label", "a]b[c", `swarm.main/label["a]b[c"]`},
		{"swarm.main", "stack", "é\x00\xff/", `swarm.main/stack["é\x00\xff/"]`},
	}
	for _, tt := range tests {
		a := NewAddress(tt.scope, tt.kind, tt.name)
		if a != tt.want {
			t.Errorf("NewAddress(%q, %q, %q) = %s, want %s", tt.scope, tt.kind, tt.name, a, tt.want)
		}
		checkParts(t, a, tt.scope, tt.kind, tt.name)
	}
}

func checkParts(t *testing.T, a Address, scope, kind, name string) {
	t.Helper()
	if a.Scope() != scope || a.Kind() != kind || a.Name() != name {
		t.Errorf("%s is read as scope %q, kind %q, name %q; want %q, %q, %q", a, a.Scope(), a.Kind(), a.Name(), scope, kind, name)
	}
	if short := NewAddress("", kind, name); a.Short() != string(short) {
		t.Errorf("%s.Short() = %s, want %s", a, a.Short(), short)
	}
}

// What a person typed need not be an address. It is read as well as may be.
func TestAddressMalformed(t *testing.T) {
	tests := []struct {
		in                Address
		scope, kind, name string
	}{
		{"", "", "", ""},
		{"web", "", "web", ""},
		{"/", "", "/", ""},
		{"swarm.main/", "swarm.main", "", ""},
		{`file["/etc`, "", "file", "/etc"},
		{`file[/etc]`, "file[", "etc]", ""},
		{`file[x]`, "", "file", "x"},
		{`file["`, "", "file", ""},
		{`file["\`, "", "file", `\`},
	}
	for _, tt := range tests {
		if tt.in.Scope() != tt.scope || tt.in.Kind() != tt.kind || tt.in.Name() != tt.name {
			t.Errorf("%q is read as scope %q, kind %q, name %q; want %q, %q, %q",
				tt.in, tt.in.Scope(), tt.in.Kind(), tt.in.Name(), tt.scope, tt.kind, tt.name)
		}
	}
}

// Any name in any scope comes back from its address, and no two names share
// one.
func FuzzAddress(f *testing.F) {
	for _, name := range []string{"web", "", "a.b", "/etc/motd", `"`, `\`, "]", "é", "\xff", "`"} {
		f.Add(name, name)
	}
	f.Fuzz(func(t *testing.T, scopeName, name string) {
		checkParts(t, NewAddress("", "vm", name), "", "vm", name)
		scope := NewAddress("", "vm", scopeName)
		a := NewAddress(string(scope), "file", name)
		checkParts(t, a, string(scope), "file", name)
		checkParts(t, NewAddress(string(a), "line", scopeName), string(a), "line", scopeName)
	})
}

// Reading never panics.
func FuzzAddressText(f *testing.F) {
	f.Add(`vm.m1/file["/etc/motd"]`)
	f.Add(`file["\`)
	f.Fuzz(func(t *testing.T, s string) {
		a := Address(s)
		a.Kind()
		a.Name()
		if scope := a.Scope(); scope != "" && scope+"/"+a.Short() != s {
			t.Errorf("%q is taken apart as %q and %q", s, scope, a.Short())
		}
	})
}
