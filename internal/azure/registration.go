package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources/v4"

	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// A subscription has to be registered, once, to use a resource provider such as
// Microsoft.Compute, and a new one is not. Until then it has nothing of it, which is all
// that a plan needs to know; the first step that needs it registers it. The SDK's own
// policy for that would register where a plan reads, too, tells nobody, and does not
// understand the paths of lists.

// codeUnregistered is what Azure says then.
const codeUnregistered = "MissingSubscriptionRegistration"

// registerPause is how far apart a registration, which takes a minute or two, is asked
// after; registerTries is how often a request may be refused all the same: not all of
// Azure hears of it at once.
const (
	registerPause = 2 * time.Second
	registerTries = 10
)

var usesNamespace = pattern.Of(`to use namespace '([^']+)'`)

// isUnregistered reports whether an error is that.
func isUnregistered(err error) bool {
	var f *Failure
	return errors.As(err, &f) && f.Code == codeUnregistered
}

// registerAdvice is what somebody can do about it.
func registerAdvice(message string) string {
	advice := "an apply does that, and so does az provider register"
	if m := usesNamespace().FindStringSubmatch(message); m != nil {
		advice += " --namespace " + m[1]
	}
	return advice
}

// registrar is the policy that registers.
type registrar struct {
	account *account
	one     chan struct{} // has room for the one who registers
}

// Do implements [policy.Policy].
func (g *registrar) Do(req *policy.Request) (*http.Response, error) {
	ctx := req.Raw().Context()
	for try := 0; ; try++ {
		if err := req.RewindBody(); err != nil {
			return nil, err
		}
		resp, err := req.Clone(ctx).Next()
		if err != nil || !needs(req.Raw()) || try == registerTries {
			return resp, err
		}
		code, message := errorOf(resp)
		m := usesNamespace().FindStringSubmatch(message)
		if code != codeUnregistered || m == nil {
			return resp, nil
		}
		runtime.Drain(resp)
		if try > 0 { // not all of Azure has heard of it
			if err := pause(ctx, registerPause); err != nil {
				return nil, err
			}
		}
		if err := g.register(ctx, strings.Split(req.Raw().URL.Path, "/")[2], m[1]); err != nil {
			return nil, err
		}
	}
}

// needs reports whether a request is one that its provider is registered for: a write,
// or what a step reads. Deletions have nothing to do there.
func needs(r *http.Request) bool {
	switch r.Method {
	case http.MethodPut, http.MethodPatch, http.MethodPost:
		return true
	}
	return r.Method == http.MethodGet && told(r.Context())
}

// register registers a subscription for a provider, and waits until it is: one at a
// time, of whom the next finds it done.
func (g *registrar) register(ctx context.Context, subscription, namespace string) error {
	select {
	case g.one <- struct{}{}:
		defer func() { <-g.one }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	providers, err := armresources.NewProvidersClient(subscription, g.account.cred, &g.account.options)
	if err != nil {
		return err
	}
	ctx = policy.WithHTTPHeader(ctx, http.Header{}) // conditions are those of the write
	for asked := false; ; {
		got, err := providers.Get(ctx, namespace, nil)
		state := text(got.RegistrationState)
		if err != nil || state == "Registered" {
			return notRegistered(namespace, err)
		}
		if !asked && state != "Registering" {
			tell(ctx, "registers "+namespace+" in the subscription")
			if _, err := providers.Register(ctx, namespace, nil); err != nil {
				return notRegistered(namespace, err)
			}
		}
		asked = true
		if err := pause(ctx, registerPause); err != nil {
			return err
		}
	}
}

// notRegistered says what could not be done, and who else can. Nil stays nil.
func notRegistered(namespace string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the subscription is not registered to use %s, and could not be: %w; or have somebody who may run az provider register --namespace %s", namespace, explain(err), namespace)
}

// ReadyLease implements [resource.LeaseReadier]: the lease is a resource of Azure's
// network.
func (c *Conn) ReadyLease(ctx context.Context, progress func(string)) error {
	cl, err := c.dial(ctx)
	if err != nil {
		return err
	}
	_, err = cl.nsgs.Get(telling(ctx, progress), c.Group(), leaseName(c.project), nil)
	if isMissing(err) {
		return nil
	}
	return explain(err)
}

var _ resource.LeaseReadier = (*Conn)(nil)
