package swarm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/registry"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm/placement"
)

// inquireSlots is how many images are asked for at a time.
const inquireSlots = 8

// wantedImage is a reference that a plan has to ask for.
type wantedImage struct {
	name string
	of   []*wantedBy
	got  registry.DistributionInspect
	err  error
}

// wantedBy is a declared service that makes us ask.
type wantedBy struct {
	decl *resource.Declaration
	live *resource.Object // nil where it is to be made
	// moved asks only whether the tag has another digest by now.
	moved bool
}

// Inquire implements [resource.Inquirer]. Registries are asked for the images of
// services that are made, or get another image, and of those with resolve_image =
// "always": each once, several at a time. What all others need is at hand.
func (c *Conn) Inquire(ctx context.Context, q resource.Query, obs *resource.Observation) diag.List {
	in := &inquiry{c: c, q: q, now: time.Now(), told: map[string]bool{}}
	in.find(obs.Objects)
	in.ask(ctx)
	known := map[string][]placement.Platform{}
	for _, w := range in.wanted {
		if w.err != nil {
			in.failed(ctx, w)
			continue
		}
		known[w.name] = runnable(w.got)
		for _, by := range w.of {
			in.tagMoved(w, by)
		}
	}
	if f, ok := obs.Forecaster.(forecaster); ok {
		f.images = known
		obs.Forecaster = f
	}
	in.logins(obs)
	return in.out
}

// inquiry is one run of [Conn.Inquire].
type inquiry struct {
	c      *Conn
	q      resource.Query
	now    time.Time
	wanted []*wantedImage
	ours   []*wantedBy // services that are there, with an image that is known
	sent   []*wantedBy // those that are written, and get a login
	out    diag.List
	told   map[string]bool
}

// find sorts out which images are asked for.
func (in *inquiry) find(objects []*resource.Object) {
	byAddress, byName := map[string]*resource.Object{}, map[string]*resource.Object{}
	for _, o := range objects {
		if o.Kind != ServiceKind.Name {
			continue
		}
		byName[o.Name] = o
		if o.Mark.Project == in.q.Project {
			byAddress[string(o.Mark.Address)] = o
		}
	}
	byImage := map[string]*wantedImage{}
	for _, d := range in.q.Declared {
		image := imageArg(d.Args)
		if d.Kind != ServiceKind || d.External || image == "" {
			continue // an image that is not known yet is asked for by the step
		}
		r := reader{ServiceSchema, d.Args}
		by := &wantedBy{decl: d, live: byAddress[string(d.Address)]}
		if by.live == nil {
			by.live = byName[d.Address.Name()]
		}
		same := by.live != nil && imageArg(by.live.Args) == image
		if same {
			in.ours = append(in.ours, by)
		} else if sendsAuth(in.c, r, image) {
			in.sent = append(in.sent, by)
		}
		mode := resolving(r)
		if by.moved = same; mode == "never" || same && (mode != "always" || slices.Contains(d.Lifecycle.IgnoreChanges, "image")) {
			continue
		}
		w := byImage[image]
		if w == nil {
			w = &wantedImage{name: image}
			byImage[image] = w
			in.wanted = append(in.wanted, w)
		}
		w.of = append(w.of, by)
	}
}

func (in *inquiry) ask(ctx context.Context) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, inquireSlots)
	for _, w := range in.wanted {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			w.got, w.err = in.c.inspect(ctx, w.name)
		})
	}
	wg.Wait()
}

// failed tells of an image that could not be asked for. Of a registry that the
// script does not name, only the step does, as docker: it may need none.
func (in *inquiry) failed(ctx context.Context, w *wantedImage) {
	var refused *refusedLogin
	switch {
	case ctx.Err() != nil: // it is said elsewhere
	case !w.of[0].moved && in.c.Credentials().Declared(w.name) == nil:
	case errors.As(w.err, &refused):
		in.say(&diag.Diagnostic{Pos: refused.login.Pos, Summary: w.err.Error(), Hint: refused.hint()})
	default:
		what := "could not be looked up: it will go by its tag"
		switch {
		case strings.Contains(w.name, "@"):
			what = "could not be looked up: whether the registry has it is not known"
		case w.of[0].moved:
			what = "could not be looked up: whether the tag has moved is not known"
		}
		in.say(&diag.Diagnostic{
			Severity: diag.Warning, Pos: w.of[0].decl.Pos,
			Summary: fmt.Sprintf("%s: the digest of image %s %s: %v", w.of[0].decl.Address.Short(), w.name, what, w.err),
		})
	}
}

// say adds what has not been said.
func (in *inquiry) say(d *diag.Diagnostic) {
	if !in.told[d.Summary] {
		in.told[d.Summary] = true
		in.out = append(in.out, d)
	}
}

// tagMoved makes it a difference that a tag has another digest in the registry
// than the live service runs: the observed image gets the digest that it has.
func (in *inquiry) tagMoved(w *wantedImage, by *wantedBy) {
	svc := nativeService(by.live)
	if !by.moved || svc == nil || svc.Spec.TaskTemplate.ContainerSpec == nil {
		return
	}
	live := svc.Spec.TaskTemplate.ContainerSpec.Image
	_, digest, _ := strings.Cut(live, "@")
	if digest == w.got.Descriptor.Digest.String() || strings.Contains(w.name, "@") {
		return
	}
	if digest == "" {
		live += "@(not pinned)"
	}
	by.live.Aside = fmt.Sprintf("%s is %s in the registry by now", w.name, shortDigest(w.got.Descriptor.Digest.String()))
	f, _ := ServiceSchema.Field("image")
	by.live.Args = slices.Clone(by.live.Args)
	by.live.Args[f.Index] = live
}

// logins finds services whose nodes have a login that is not what it should be
// any more, and warns of those that will not hold.
func (in *inquiry) logins(obs *resource.Observation) {
	f, _ := ServiceSchema.Field("registry_auth")
	for _, by := range in.ours {
		r := reader{ServiceSchema, by.decl.Args}
		svc := nativeService(by.live)
		image := imageArg(by.decl.Args)
		if svc == nil || svc.JobStatus != nil || by.live.Mark.Project != in.q.Project || r.str("registry_auth") == "kept" || !sendsAuth(in.c, r, image) {
			continue
		}
		why, warning := in.c.outdatedAuth(svc.Spec.Labels[labelAuth], image, obs.Ledger.HashKey, in.now)
		if warning != "" {
			in.say(&diag.Diagnostic{Severity: diag.Warning, Pos: by.decl.Pos, Summary: warning})
		}
		if why != "" {
			by.live.Args = slices.Clone(by.live.Args)
			by.live.Args[f.Index] = why
			in.sent = append(in.sent, by)
		}
	}
	for _, by := range in.sent {
		login, err := in.c.Credentials().Login(imageArg(by.decl.Args))
		if err != nil {
			continue // the step says it, if the lookup did not
		}
		if text, hint := shortLivedText(login, in.now); text != "" && !in.told[login.Host] {
			in.told[login.Host] = true
			in.say(&diag.Diagnostic{Severity: diag.Warning, Summary: text, Hint: hint})
		}
	}
}

// runnable are the platforms that tasks can run on: a list of images also holds
// what is none, such as how one was built.
func runnable(got registry.DistributionInspect) (out []placement.Platform) {
	for _, p := range platformsIn(got) {
		if p.OS != "unknown" {
			out = append(out, placement.Platform{OS: p.OS, Arch: p.Architecture})
		}
	}
	return out
}

// shortDigest is as much of a digest as docker shows.
func shortDigest(d string) string { return d[:min(len(d), len("sha256:")+12)] }
