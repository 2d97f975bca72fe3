package emulator

import (
	"strings"
	"testing"
)

func TestPath(t *testing.T) {
	for _, tt := range []struct{ in, kind, name, parent string }{
		{"/subscriptions/s", "", "", ""},
		{"/Subscriptions/s/resourcegroups/rg", "", "", ""},
		{"/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/n/subnets/a", "microsoft.network/virtualnetworks/subnets", "a", "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/n"},
		{"/subscriptions/s/providers/Microsoft.Compute/skus", "microsoft.compute/skus", "", "/subscriptions/s/providers/Microsoft.Compute"},
	} {
		p, err := parsePath(tt.in)
		if err != nil || p.kind() != tt.kind || p.name() != tt.name {
			t.Errorf("%s: %+v, %v", tt.in, p, err)
			continue
		}
		if tt.parent != "" && p.parent().id() != tt.parent {
			t.Errorf("%s is in %s, want %s", tt.in, p.parent().id(), tt.parent)
		}
	}
	for _, in := range []string{"", "/", "/subscriptions", "/groups/x", "/subscriptions/s/resourceGroups//providers", "/subscriptions/s/a/b"} {
		if p, err := parsePath(in); err == nil {
			t.Errorf("%q: %+v", in, p)
		}
	}
}

// FuzzPath checks that a path which is read is written so that it reads the same.
func FuzzPath(f *testing.F) {
	f.Add("/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/web/start")
	f.Add("/subscriptions/s/providers/a/locations/b/c")
	f.Fuzz(func(t *testing.T, in string) {
		p, err := parsePath(in)
		if err != nil {
			return
		}
		again, err := parsePath(p.id())
		if err != nil || again.key() != p.key() || !strings.HasPrefix(p.key(), "/subscriptions/") {
			t.Fatalf("%q is %q, and that is %q, %v", in, p.id(), again.id(), err)
		}
		if p.whole() {
			_ = p.parent().id()
		}
	})
}

// FuzzFilter checks that no filter of lists breaks it.
func FuzzFilter(f *testing.F) {
	f.Add("tagName eq 'a' and tagValue eq 'b'")
	f.Fuzz(func(t *testing.T, in string) {
		if match, err := parseFilter(in); err == nil {
			match(object{"tags": object{"a": "b"}})
		}
	})
}

func TestParseFault(t *testing.T) {
	f, err := ParseFault("status=429,every=10,retry-after=2s,action=*/write")
	if err != nil || f.Status != 429 || f.Every != 10 || f.RetryAfter.Seconds() != 2 || f.Action != "*/write" {
		t.Errorf("%+v, %v", f, err)
	}
	for _, in := range []string{"", "every=3", "status=200", "slow=x", "status=429,what=1"} {
		if f, err := ParseFault(in); err == nil {
			t.Errorf("%q: %+v", in, f)
		}
	}
}
