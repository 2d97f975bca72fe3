package engine

import (
	"context"
	"errors"
	"sync"

	"github.com/docker/docker/client"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// lister lists the live objects of one kind that are an engine's own.
type lister struct {
	kind string
	// always is set for kinds whose objects carry marks: what the script does
	// not declare any more is found only in a list.
	always bool
	list   func(ctx context.Context, api client.APIClient, info listInfo) ([]*resource.Object, error)
}

// listInfo is what a list needs to know of the observation.
type listInfo struct {
	API     string // the engine's
	Project string
}

// listers are the kinds that live on an engine, but for networks and swarms:
// the swarm's own observation lists those.
var listers = []lister{
	{kind: "container", always: true, list: listContainers},
}

// list runs the lists that a query asks for, all at once.
func list(ctx context.Context, d *remote.Docker, q resource.Query) ([]*resource.Object, error) {
	api, err := d.Ready(ctx)
	if err != nil {
		return nil, err
	}
	found := make([][]*resource.Object, len(listers))
	errs := make([]error, len(listers))
	var wg sync.WaitGroup
	for i, l := range listers {
		if l.always || q.Kinds[l.kind] {
			wg.Go(func() {
				var err error
				found[i], err = l.list(ctx, d.API(), listInfo{API: api, Project: q.Project})
				errs[i] = remote.Err(err)
			})
		}
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var out []*resource.Object
	for _, objects := range found {
		out = append(out, objects...)
	}
	return out, nil
}
