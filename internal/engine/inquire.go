package engine

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/distribution/reference"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm"
)

// Inquire implements [resource.Inquirer]. Registries that the script names, and that
// images are pushed to, are asked whether they take its login: a build of minutes should
// not end with a push that is refused. One that has told already of an image that was
// pushed is not asked again.
func (c *Conn) Inquire(ctx context.Context, q resource.Query, obs *resource.Observation) diag.List {
	answered := map[string]bool{} // builds whose registry has
	for _, o := range obs.Objects {
		if live, ok := o.Native.(*liveImage); ok {
			answered[o.Name] = live.answered
		}
	}
	images := map[string]string{} // one of each registry
	for _, d := range q.Declared {
		image := PushedTo(d)
		if named, err := reference.ParseNormalizedNamed(image); err == nil && c.Credentials().Declared(image) != nil && !answered[d.Address.Name()] {
			images[reference.Domain(named)] = image
		}
	}
	hosts := slices.Sorted(maps.Keys(images))
	found := make([]*diag.Diagnostic, len(hosts))
	var wg sync.WaitGroup
	for i, host := range hosts {
		wg.Go(func() { found[i] = swarm.TryLogin(ctx, c.Docker(), c.Credentials(), images[host]) })
	}
	wg.Wait()
	return slices.DeleteFunc(found, func(d *diag.Diagnostic) bool { return d == nil })
}

// PushedTo is the first name under which a declared build is pushed, "" of all else.
func PushedTo(d *resource.Declaration) string {
	if d.Kind != BuildKind || d.External {
		return ""
	}
	if spec, ok := buildSpecOf(d.Args); ok && spec.Push {
		return spec.names()[0]
	}
	return ""
}
