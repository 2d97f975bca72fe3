package azure

import (
	"context"
	"fmt"
	"strings"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// rights are what the roles of a login allow, each role by itself. None at all says
// nothing: who asks may not be told.
type rights []right

type right struct{ Actions, NotActions []string }

// writes are the rights that making or changing something takes, by its kind.
var writes = map[string]string{
	GroupKind.Name:           "Microsoft.Resources/subscriptions/resourceGroups/write",
	NetworkKind.Name:         networkType + "/write",
	SecurityGroupKind.Name:   securityGroupType + "/write",
	PublicIPKind.Name:        publicIPType + "/write",
	InterfaceKind.Name:       interfaceType + "/write",
	VMKind.Name:              "Microsoft.Compute/virtualMachines/write",
	ExtensionKind.Name:       "Microsoft.Compute/virtualMachines/extensions/write",
	DiskKind.Name:            diskType + "/write",
	AvailabilitySetKind.Name: availabilitySetType + "/write",
	BalancerKind.Name:        balancerType + "/write",
}

// allow reports whether one of the roles has a right.
func (r rights) allow(action string) bool {
	for _, role := range r {
		if anyMatches(role.Actions, action) && !anyMatches(role.NotActions, action) {
			return true
		}
	}
	return len(r) == 0
}

func anyMatches(patterns []string, action string) bool {
	for _, p := range patterns {
		if matches(strings.ToLower(p), strings.ToLower(action)) {
			return true
		}
	}
	return false
}

// matches reports whether a text is what a pattern says, in which * is any text.
func matches(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	first, last := parts[0], parts[len(parts)-1]
	if !strings.HasPrefix(s, first) || !strings.HasSuffix(s[len(first):], last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return true
}

// readRights asks what the login may do in the group, or where there is none yet in
// the subscription. Where that is not told, Azure says it when something is written.
func (c *Conn) readRights(ctx context.Context, cl *clients, obs *resource.Observation) rights {
	scope := "/subscriptions/" + cl.subscription
	for _, o := range obs.Objects {
		if o.Kind == GroupKind.Name {
			scope += "/resourceGroups/" + c.Group()
		}
	}
	var list struct {
		Value    []right
		NextLink string
	}
	err := cl.account.read(ctx, scope+"/providers/Microsoft.Authorization/permissions", "2022-04-01", &list)
	if err != nil || list.NextLink != "" { // a part of them would say too little
		return nil
	}
	return list.Value
}

// forbidden are the things that the login may not make or change.
func (f *foresight) forbidden(list []resource.Prospect) []resource.Finding {
	var out []resource.Finding
	told := map[string]bool{}
	for _, p := range list {
		action := writes[p.Kind]
		if !p.Changes || action == "" || told[action] || f.rights.allow(action) {
			continue
		}
		told[action] = true
		out = append(out, resource.Finding{Address: p.Address, Diagnostic: diag.Diagnostic{
			Severity: diag.Error,
			Summary:  fmt.Sprintf("%s: the login may not make or change it: it lacks %s", p.Title, action),
			Hint:     role(action, p.Kind == GroupKind.Name && p.Live == nil),
		}})
	}
	return out
}

// toMake are the declared things that are not there yet, and addresses that get
// another name.
func toMake(q resource.Query, obs *resource.Observation) []*resource.Declaration {
	live := map[value.Address]*resource.Object{}
	byName := map[string]*resource.Object{}
	for _, o := range obs.Objects {
		byName[o.Kind+" "+strings.ToLower(o.Name)] = o
		if o.Mark.Project == q.Project {
			live[o.Mark.Address] = o
		}
	}
	var out []*resource.Declaration
	for _, d := range q.Declared {
		o := live[d.Address]
		if o == nil {
			o = byName[d.Kind.Name+" "+strings.ToLower(asText(argument(d, "name")))]
		}
		if writes[d.Kind.Name] != "" && !d.External && (o == nil || labelOf(d) != "" && labelOf(d) != liveLabel(o)) {
			out = append(out, d)
		}
	}
	return out
}
