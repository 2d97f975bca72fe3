package ui

import (
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// What the script declares sensitive is hidden in what is live, which has
// forgotten it: in a no-op, and in a deletion of what is still declared.
func TestLiveSecretsInJSON(t *testing.T) {
	want := fields(serviceKind, "image", "nginx", "command", value.List{"sh", value.Secret{V: hush}},
		"env", value.NewMap([]value.Entry{{Key: "P", Value: value.Secret{V: hush}}, {Key: "Q", Value: "seen"}}), "motd", value.Secret{V: hush})
	live := fields(serviceKind, "image", "nginx", "command", texts_(hush, "sh"),
		"env", value.MapOf(map[string]string{"P": hush, "Q": "seen"}), "motd", hush)
	for action, after := range map[plan.Action]string{
		plan.NoOp:   `"after_sensitive":{"command":[false,true],"env":{"P":true},"token":true,"motd":true}`,
		plan.Delete: `"after_sensitive":{}`,
	} {
		c := change(serviceKind, "web", action)
		c.Live = &resource.Object{Name: "web", Args: live}
		if c.Decl.Args = want; action != plan.Delete {
			c.Args = want
		}
		got := string(planJSON(t, &plan.Plan{Changes: []*plan.Change{c}}))
		for _, s := range []string{`"env":{"P":null,"Q":"seen"}`, `"before_sensitive":{"command":true,"env":{"P":true},"motd":true}`, after} {
			if !strings.Contains(got, s) {
				t.Errorf("%v: there is no %s in\n%s", action, s, got)
			}
		}
		if strings.Contains(got, hush) {
			t.Errorf("%v: the secret is shown:\n%s", action, got)
		}
	}
}

// Of a list with something sensitive in it no element's old value is shown:
// which one it was cannot be told.
func TestLiveSecretsInLists(t *testing.T) {
	f, _ := serviceKind.Schema.Field("command")
	c := change(serviceKind, "web", plan.Update)
	c.Args = fields(serviceKind, "command", value.List{"sh", value.Secret{V: hush}})
	c.Fields = []schema.Change{{Path: "command[0]", Field: f, Type: f.Type.Elem, Before: hush, After: "sh"}}
	if got := string(renderPlan(t, &plan.Plan{Changes: []*plan.Change{c}}, PlanOptions{})); strings.Contains(got, hush) {
		t.Errorf("the secret is shown:\n%s", got)
	}
}
