package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/distribution/reference"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/engine"
	"github.com/swarmscript/swarmscript/internal/oci"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/value"
)

// loginTime bounds how long a plan waits for a registry that it asks itself.
const loginTime = 5 * time.Second

// useLogins gives a connection to an engine what the registries of the project
// want: all of a run share it, and each helper runs once.
func (v *view) useLogins(conn resource.Conn) {
	if e, ok := conn.(swarm.EngineConn); ok {
		e.Remote().UseCredentials(v.creds)
	}
}

// inquire asks others than the scopes what they know of what is declared:
// registries, of images. What they refuse is an error; nothing that is as it is
// declared makes it ask.
func (v *view) inquire(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, observeTimeout)
	defer cancel()
	addresses := slices.Sorted(maps.Keys(v.scopes))
	found := make([]diag.List, len(addresses)+1)
	var wg sync.WaitGroup
	for i, addr := range addresses {
		s := v.scopes[addr]
		if in, ok := s.Conn.(resource.Inquirer); ok && s.State.Status == plan.Present {
			wg.Go(func() { found[i] = in.Inquire(ctx, v.query(s.State.Scope), s.State.Obs) })
		}
	}
	wg.Go(func() { found[len(addresses)] = v.tryLogins(ctx) })
	wg.Wait()
	var refused diag.List
	for i, addr := range addresses { // what is no matter of a login
		if v.scopes[addr].State.Scope.Type == "azure" && found[i].Err() != nil {
			return found[i]
		}
	}
	for _, d := range slices.Concat(found...) {
		if d.Severity == diag.Warning {
			v.warnings = append(v.warnings, d)
		} else if !slices.ContainsFunc(refused, func(o *diag.Diagnostic) bool { return o.Pos == d.Pos }) {
			refused = append(refused, d) // several swarms may find the same
		}
	}
	if refused.Err() != nil {
		return refusedLogins{refused}
	}
	return nil
}

// refusedLogins are the registries that did not take a login.
type refusedLogins struct{ diag.List }

// Unwrap gives the exit code, and what is shown.
func (e refusedLogins) Unwrap() []error { return []error{e.List, resource.ErrRefused} }

// tryLogins tries the logins that the script names for images in swarms that are
// not there yet: nobody else can. A registry that we cannot reach may be one
// that the swarm can, or that this script makes.
func (v *view) tryLogins(ctx context.Context) diag.List {
	if slices.ContainsFunc(v.program.Scopes, func(s *resource.Scope) bool { return s.Type == "lab" }) {
		return nil // which has no network, and takes every login
	}
	ctx, cancel := context.WithTimeout(ctx, loginTime)
	defer cancel()
	images := v.imagesToCome()
	hosts := slices.Sorted(maps.Keys(images))
	out := make(diag.List, len(hosts))
	var wg sync.WaitGroup
	for i, host := range hosts {
		wg.Go(func() { out[i] = v.tryLogin(ctx, host, images[host]) })
	}
	wg.Wait()
	out = slices.DeleteFunc(out, func(d *diag.Diagnostic) bool { return d == nil })
	out.Sort()
	return out
}

// tryLogin is what a registry says against the login that it gets, nil where that
// is nothing, or cannot be known from here.
func (v *view) tryLogin(ctx context.Context, host, image string) *diag.Diagnostic {
	login, err := v.creds.Login(image)
	if declared := v.creds.Declared(image); declared != nil && errors.Is(err, resource.ErrRefused) {
		return &diag.Diagnostic{Pos: declared.Pos, Summary: err.Error(), Hint: swarm.LoginHint(declared)}
	}
	if err != nil || login.Declared == nil || login.Empty() {
		return nil
	}
	err = swarm.OwnWay(login).Check(ctx)
	if !errors.Is(err, oci.ErrRefused) {
		return nil
	}
	return &diag.Diagnostic{Pos: login.Declared.Pos, Summary: fmt.Sprintf("registry %s: it does not take the login of %s: %v", host, userOf(login), err)}
}

func userOf(l *remote.Login) string {
	if l.Auth.Username == "" {
		return "its identity token"
	}
	return l.Auth.Username
}

// imagesToCome are images of registries that the script names, one for each: in
// services of swarms, and pushed by engines, that are still to be made.
func (v *view) imagesToCome() map[string]string {
	out := map[string]string{}
	for _, d := range v.program.Declarations {
		if v.scopes[d.Scope] == nil || v.scopes[d.Scope].State.Status != plan.Absent {
			continue
		}
		image := engine.PushedTo(d)
		if d.Kind == swarm.ServiceKind {
			f, _ := d.Kind.Schema.Field("image")
			image, _ = value.Reveal(d.Args[f.Index]).(string)
		}
		if named, err := reference.ParseNormalizedNamed(image); err == nil && v.creds.Declared(image) != nil {
			out[reference.Domain(named)] = image
		}
	}
	return out
}
