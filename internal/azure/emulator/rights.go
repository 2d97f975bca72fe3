package emulator

import (
	"net/http"
	"slices"
	"strings"
)

// rightsNamespace is who tells what a login may do.
const rightsNamespace = "Microsoft.Authorization"

// may reports whether an app may do something: its roles name it, or all of its kind
// by *, and take it from nothing that they name. Nobody may do nothing.
func (a *App) may(action string) bool {
	if a == nil {
		return false
	}
	named := func(patterns []string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool { return glob(p).MatchString(action) })
	}
	return named(a.actions()) && !named(a.NotActions)
}

func (a *App) actions() []string {
	if a.Actions == nil {
		return []string{"*"}
	}
	return a.Actions
}

// app is who has a token, nil where nobody has.
func (o *Options) app(id string) *App {
	i := slices.IndexFunc(o.Apps, func(a App) bool { return strings.EqualFold(a.ID, id) })
	if i < 0 {
		return nil
	}
	return &o.Apps[i]
}

// authorize refuses what the roles of a login do not have.
func (e *Emulator) authorize(c *call, who claims) error {
	if !e.opts.app(who.App).may(c.action) {
		return errForbidden(c, who)
	}
	return nil
}

func errForbidden(c *call, who claims) *Failure {
	return fail(http.StatusForbidden, "AuthorizationFailed", "The client '%s' with object id '%s' does not have authorization to perform action '%s' over scope '%s' or the scope is invalid. If access was recently granted, please refresh your credentials.", who.App, who.Object, c.action, c.path.id())
}

// permissions answers what who asks may do in a group, or in the subscription.
// Everybody may ask.
func (e *Emulator) permissions(c *call, who claims) (*answer, error) {
	if c.Method != http.MethodGet {
		return nil, errMethod(c)
	}
	p := object{"actions": []any{}, "notActions": []any{}, "dataActions": []any{}, "notDataActions": []any{}}
	if a := e.opts.app(who.App); a != nil {
		p["actions"], p["notActions"] = list(a.actions()), list(a.NotActions)
	}
	return ok(object{"value": []any{p}}), nil
}

// isPermissions reports whether a path asks for rights.
func isPermissions(p path) bool {
	return strings.EqualFold(p.Namespace, rightsNamespace) && len(p.Types) == 1 && strings.EqualFold(p.Types[0], "permissions")
}
