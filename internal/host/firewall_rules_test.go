package host

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// firewallOf makes arguments of a firewall from rules in short, "deny 22 10.0.0.1
// comment"; an address with a $ is not known yet.
func firewallOf(t *testing.T, rules ...string) value.Struct {
	t.Helper()
	var list value.List
	for _, r := range rules {
		w := strings.SplitN(r, " ", 4)
		entries := []value.Entry{{Key: "action", Value: w[0]}, {Key: "from_", Value: w[2]}}
		if w[1] != "esp" {
			var port int64
			fmt.Sscan(w[1], &port)
			entries = append(entries, value.Entry{Key: "port", Value: port})
		} else {
			entries = append(entries, value.Entry{Key: "proto", Value: "esp"})
		}
		if vm, ok := strings.CutPrefix(w[2], "$"); ok {
			entries[1].Value = value.Ref{Address: value.Address("vm." + vm), Output: "private_ip", Type: "string"}
		}
		if len(w) > 3 {
			entries = append(entries, value.Entry{Key: "comment", Value: w[3]})
		}
		rule, err := rulesField.Type.Elem.Check(value.NewMap(entries))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, rule)
	}
	args := firewallSchema.Defaults()
	args[rulesField.Index] = list
	return args
}

// shortRules is the other way round.
func shortRules(args value.Struct) []string {
	out := []string{}
	list, _ := args[rulesField.Index].(value.List)
	for _, e := range list {
		rule := e.(value.Struct)
		get := func(name string) string { return value.Text(get(ruleSchema, rule, name)) }
		port := get("port")
		if port == "" {
			port = get("proto")
		}
		from := get("from_")
		if ref, ok := rule[4].(value.Ref); ok {
			from = "$" + ref.Address.Name()
		}
		out = append(out, strings.TrimSpace(strings.Join([]string{get("action"), port, from, get("comment")}, " ")))
	}
	return out
}

// Rules are brought to what ufw makes of them: what it takes for the same rule is
// there once, and IPv6 comes last.
func TestFirewallNormal(t *testing.T) {
	args := firewallOf(t, "allow 22 2001:db8::1", "deny 22 any", "allow 22 any later", "allow esp 10.0.0.1", "deny esp 10.0.0.1", "allow 80 $m1", "allow 80 $m1")
	completeFirewall(args)
	want := []string{"deny 22 any", "allow esp 10.0.0.1", "allow 80 $m1", "allow 80 $m1", "allow 22 2001:db8::1"}
	if got := shortRules(args); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A firewall is widened to what it has of its swarm; a script's own rules are what
// they shall be at once, unless some are not known.
func TestFirewallWidens(t *testing.T) {
	for _, tt := range []struct {
		name             string
		live, args, want []string
		more             bool
	}{
		{"nothing differs", []string{"allow 22 any", "allow 7946 10.0.0.2 swarm: b"}, []string{"allow 22 any", "allow 7946 10.0.0.2 swarm: b"}, []string{"allow 22 any", "allow 7946 10.0.0.2 swarm: b"}, false},
		{"one comes", []string{"allow 7946 10.0.0.2 swarm: b"}, []string{"allow 7946 10.0.0.1 swarm: a", "allow 7946 10.0.0.2 swarm: b"}, []string{"allow 7946 10.0.0.2 swarm: b", "allow 7946 10.0.0.1 swarm: a"}, false},
		{"one goes", []string{"allow 7946 10.0.0.1 swarm: a", "allow 7946 10.0.0.2 swarm: b"}, []string{"allow 7946 10.0.0.2 swarm: b"}, []string{"allow 7946 10.0.0.1 swarm: a", "allow 7946 10.0.0.2 swarm: b"}, true},
		{"one goes, and a rule of the script", []string{"allow 22 any", "allow 80 any", "allow 7946 10.0.0.1 swarm: a"}, []string{"allow 22 any"}, []string{"allow 22 any", "allow 7946 10.0.0.1 swarm: a"}, true},
		{"the script says something else", []string{"allow 22 any", "allow 7946 10.0.0.1 swarm: a"}, []string{"deny 7946 10.0.0.1"}, []string{"deny 7946 10.0.0.1"}, false},
		{"one is not known", []string{"allow 22 any", "allow 5000 10.0.0.2", "allow 7946 10.0.0.2 swarm: b"}, []string{"allow 22 any", "allow 5000 $b", "allow 7946 10.0.0.3 swarm: c", "allow 7946 $b swarm: b"},
			[]string{"allow 22 any", "allow 5000 10.0.0.2", "allow 7946 10.0.0.2 swarm: b", "allow 7946 10.0.0.3 swarm: c"}, true},
	} {
		live := firewallOf(t, tt.live...)
		args := firewallOf(t, tt.args...)
		before := shortRules(args)
		wide, more := widenFirewall(&resource.Object{Args: live}, args)
		if got := shortRules(wide); !slices.Equal(got, tt.want) || more != tt.more {
			t.Errorf("%s: got %q, %t, want %q, %t", tt.name, got, more, tt.want, tt.more)
		}
		if got := shortRules(args); !slices.Equal(got, before) {
			t.Errorf("%s: the arguments are changed to %q", tt.name, got)
		}
	}
}

// That we would be cut off is seen although addresses of the swarm are not known.
func TestFirewallAdmitsUnknown(t *testing.T) {
	f := &Facts{SSH: Login{"10.0.0.5", 22}}
	for text, found := range map[string]int{"allow 22 any": 0, "allow 23 any": 1, "allow 23 $m1": 0} {
		p := []resource.Prospect{{Address: "vm.m1/firewall.m1", Kind: "firewall", Changes: true, Args: firewallOf(t, text, "allow 7946 $m2 swarm: m2"), Schema: firewallSchema}}
		if got := f.Forecast(p, nil); len(got) != found {
			t.Errorf("%s: got %+v, want %d", text, got, found)
		}
	}
}
