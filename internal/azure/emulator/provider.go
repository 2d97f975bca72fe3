package emulator

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The states of a subscription's registration for a resource provider.
const (
	notRegistered = "NotRegistered"
	registering   = "Registering"
	registered    = "Registered"
)

// Registrable are the resource providers that a subscription has to be registered for.
func Registrable() []string {
	return slices.DeleteFunc(slices.Clone(namespaces), func(ns string) bool { return ns == "Microsoft.Resources" })
}

// registrations are those that a subscription does not have from the start: when each
// holds, by its provider in small letters, and no time where nobody has asked for it.
type registrations map[string]time.Time

func newRegistrations(without []string) registrations {
	r := registrations{}
	for _, ns := range without {
		r[strings.ToLower(ns)] = time.Time{}
	}
	return r
}

func (r registrations) state(namespace string) string {
	switch at, lacks := r[strings.ToLower(namespace)]; {
	case lacks && at.IsZero():
		return notRegistered
	case time.Now().Before(at):
		return registering
	}
	return registered
}

// isProvider reports whether a path is a resource provider itself, or its registration.
func isProvider(p path) bool {
	return p.Namespace != "" && (len(p.Types) == 0 || strings.EqualFold(p.Types[0], "register"))
}

// usable refuses what is asked of a provider that the subscription is not registered for.
func (t *tx) usable(p path) error {
	if isProvider(p) || t.registrations.state(p.Namespace) == registered {
		return nil
	}
	return conflict("MissingSubscriptionRegistration", "The subscription is not registered to use namespace '%s'. See https://aka.ms/rps-not-found for how to register subscriptions.", p.Namespace)
}

// provider answers what is asked of a resource provider: its types, and its
// registration, which can be asked for.
func (t *tx) provider(c *call) (*answer, error) {
	i := slices.IndexFunc(namespaces, func(ns string) bool { return strings.EqualFold(ns, c.path.Namespace) })
	if i < 0 {
		return nil, fail(http.StatusNotFound, "InvalidResourceNamespace", "The resource namespace '%s' is invalid.", c.path.Namespace)
	}
	if asks := len(c.path.Types) > 0; asks != (c.Method == http.MethodPost) {
		return nil, errMethod(c)
	} else if asks && t.registrations.state(namespaces[i]) == notRegistered {
		t.registrations[strings.ToLower(namespaces[i])] = time.Now().Add(t.opts.OperationTime)
	}
	return ok(t.providerBody(namespaces[i])), nil
}

func (t *tx) providerBody(ns string) object {
	var types []any
	var names []string
	for _, l := range locations {
		names = append(names, l.display)
	}
	for _, key := range slices.Sorted(maps.Keys(kinds)) {
		if rest, found := strings.CutPrefix(key, strings.ToLower(ns)+"/"); found {
			k := kinds[key]
			types = append(types, object{"resourceType": k.name[len(k.name)-len(rest):], "locations": list(names), "apiVersions": []any{"2025-05-01", "2024-07-01"}})
		}
	}
	return object{"id": "/subscriptions/" + t.opts.Subscription.ID + "/providers/" + ns, "namespace": ns, "registrationState": t.registrations.state(ns), "resourceTypes": types}
}
