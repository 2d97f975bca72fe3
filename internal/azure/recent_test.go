package azure

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// What this run has made a moment ago, and is not found, is asked for again; what is
// not there, or is not there any more, is not.
func TestWhatIsNotHeardOfYet(t *testing.T) {
	const group = "/subscriptions/S/resourceGroups/shop"
	const network, machines = group + "/providers/Microsoft.Network/", group + "/providers/Microsoft.Compute/virtualMachines/"
	begun := time.Unix(1000, 0)
	var k recent
	note := func(method, path string, status int) {
		t.Helper()
		r, err := http.NewRequest(method, "https://azure.test"+path+"?api-version=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		k.note(r, status, begun)
	}
	note("PUT", group, 201)
	note("PUT", network+"virtualNetworks/net", 201)
	note("PUT", network+"publicIPAddresses/refused", 400)
	note("PUT", network+"publicIPAddresses/gone", 201)
	note("DELETE", network+"publicIPAddresses/gone", 202)
	note("PUT", machines+"web", 201)

	reference := func(id string) string {
		return "Resource " + id + " referenced by resource " + machines + "web was not found."
	}
	for _, c := range []struct {
		name, method, path string
		status             int
		code, message      string
		after              time.Duration
		again              bool
	}{
		{"the group, of a write in it", "PUT", network + "networkSecurityGroups/walls", 404, "ResourceGroupNotFound", "", 0, true},
		{"the group, of a list", "GET", network + "networkSecurityGroups", 404, "ResourceGroupNotFound", "", time.Minute, true},
		{"in another letter case", "GET", strings.ToLower(group), 404, "ResourceGroupNotFound", "", 0, true},
		{"for too long", "GET", group, 404, "ResourceGroupNotFound", "", heardWithin, false},
		{"another group", "GET", group + "2", 404, "ResourceGroupNotFound", "", 0, false},
		{"what was made", "GET", network + "virtualNetworks/net", 404, "ResourceNotFound", "", 0, true},
		{"what is asked of it", "POST", machines + "web/deallocate", 404, "ResourceNotFound", "", 0, true},
		{"what nobody made, in a group that is new", "GET", network + "virtualNetworks/other", 404, "ResourceNotFound", "", 0, false},
		{"what was refused", "GET", network + "publicIPAddresses/refused", 404, "ResourceNotFound", "", 0, false},
		{"what was deleted", "GET", network + "publicIPAddresses/gone", 404, "ResourceNotFound", "", 0, false},
		{"what a part is to be in", "PUT", machines + "web/extensions/setup", 404, "ParentResourceNotFound", "", 0, true},
		{"a part that nobody made", "GET", machines + "web/extensions/setup", 404, "ResourceNotFound", "", 0, false},
		{"what is named", "PUT", machines + "web", 400, "InvalidResourceReference", reference(network + "virtualNetworks/net/subnets/nodes"), 0, true},
		{"what is named, and nobody made", "PUT", machines + "web", 400, "InvalidResourceReference", reference(network + "virtualNetworks/other/subnets/nodes"), 0, false},
		{"another error", "PUT", machines + "web", 400, "InvalidParameter", reference(network + "virtualNetworks/net"), 0, false},
	} {
		r, err := http.NewRequest(c.method, "https://azure.test"+c.path+"?api-version=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		body := `{"error":{"code":"` + c.code + `","message":"` + c.message + `"}}`
		resp := &http.Response{StatusCode: c.status, Body: io.NopCloser(strings.NewReader(body))}
		if got := k.unheard(r, resp, begun.Add(c.after)); got != c.again {
			t.Errorf("%s: it is asked for again: %v, want %v", c.name, got, c.again)
		}
		if left, err := io.ReadAll(resp.Body); err != nil || string(left) != body {
			t.Errorf("%s: of the answer %q is left: %v", c.name, left, err)
		}
	}
}
