package azure

import (
	"strings"
	"testing"
)

func TestIDs(t *testing.T) {
	const sub = "/subscriptions/0000-1"
	for _, c := range []struct{ in, group, typ, name string }{
		{sub + "/resourceGroups/shop", "shop", groupType, "shop"},
		{sub + "/resourcegroups/Shop/providers/Microsoft.Network/virtualNetworks/net", "Shop", "Microsoft.Network/virtualNetworks", "net"},
		{sub + "/resourceGroups/shop/providers/Microsoft.Network/virtualNetworks/net/subnets/nodes", "shop", "Microsoft.Network/virtualNetworks/subnets", "net/nodes"},
	} {
		id, err := ParseID(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if id.Group != c.group || id.Type != c.typ || id.Name != c.name {
			t.Errorf("%s: got %+v", c.in, id)
		}
		if !sameID(id.String(), c.in) {
			t.Errorf("%s is written %s", c.in, id)
		}
	}
	for _, bad := range []string{
		"", "/", "shop", sub, sub + "/resourceGroups", sub + "/resourceGroups/", "/subscriptions//resourceGroups/a",
		sub + "/resourceGroups/a/providers", sub + "/resourceGroups/a/providers/Microsoft.Network/virtualNetworks",
		sub + "/resourceGroups/a/providers/Microsoft.Network/virtualNetworks/", sub + "/resourceGroups/a b",
	} {
		if id, err := ParseID(bad); err == nil {
			t.Errorf("%q: got %+v, want an error", bad, id)
		}
	}
}

func TestPlace(t *testing.T) {
	p := place{"0000-1", "shop"}
	const typ = "Microsoft.Network/virtualNetworks"
	own := p.full(typ, "net")
	if got := p.short(strings.ToUpper(own)); got != "NET" {
		t.Errorf("short: got %q", got)
	}
	if !p.same("net", strings.ToUpper(own)) {
		t.Error("a name and the ID of what it names are the same, in any case")
	}
	other := place{"0000-1", "other"}.full(typ, "net")
	if p.same("net", other) || p.short(other) != other || p.full(typ, other) != other {
		t.Errorf("%s is of another group", other)
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("/subscriptions/a/resourceGroups/b/providers/c/d/e/f/g")
	f.Add("/subscriptions/a/resourceGroups/b")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		if err != nil {
			return
		}
		again, err := ParseID(id.String())
		if err != nil || again != id {
			t.Errorf("%q is written %q, which is read as %+v: %v", s, id, again, err)
		}
		if !strings.EqualFold(id.String(), s) {
			t.Errorf("%q is written %q", s, id)
		}
	})
}
