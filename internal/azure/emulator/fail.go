package emulator

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// A Failure is an error as Azure answers it.
type Failure struct {
	Status  int    `json:"-"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Target  string `json:"target,omitempty"`
	// Details are errors of parts; clients show them below the message.
	Details []*Failure `json:"details,omitempty"`

	retryAfter time.Duration // 0: not said
	challenge  string        // WWW-Authenticate
}

// Error implements error.
func (f *Failure) Error() string { return f.Code + ": " + f.Message }

func fail(status int, code, format string, args ...any) *Failure {
	return &Failure{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

func bad(code, format string, args ...any) *Failure {
	return fail(http.StatusBadRequest, code, format, args...)
}

func conflict(code, format string, args ...any) *Failure {
	return fail(http.StatusConflict, code, format, args...)
}

func (f *Failure) on(target string) *Failure { f.Target = target; return f }

// failure is an error as Azure answers it: what is not a Failure went wrong in the
// emulator.
func failure(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return fail(http.StatusInternalServerError, "InternalServerError", "%s", err)
}

func errResourceNotFound(p path) *Failure {
	return fail(http.StatusNotFound, "ResourceNotFound", "The Resource '%s/%s' under resource group '%s' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
		typeOf(p), joined(p.Names), p.Group)
}

func errParentNotFound(p path) *Failure {
	return fail(http.StatusNotFound, "ParentResourceNotFound", "Failed to perform 'write' on resource(s) of type '%s', because the parent resource '%s' could not be found.", joined(p.Types), p.parent().id())
}

func errGroupNotFound(name string) *Failure {
	return fail(http.StatusNotFound, "ResourceGroupNotFound", "Resource group '%s' could not be found.", name)
}

func errSubscription(id string) *Failure {
	return fail(http.StatusNotFound, "SubscriptionNotFound", "The subscription '%s' could not be found.", id)
}

func errReference(from, to string) *Failure {
	return bad("InvalidResourceReference", "Resource %s referenced by resource %s was not found. Please make sure that the referenced resource exists, and that both resources are in the same region.", to, from)
}

// errParameter is Compute's word on a value.
func errParameter(target, format string, args ...any) *Failure {
	return bad("InvalidParameter", format, args...).on(target)
}
