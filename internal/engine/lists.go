package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	API      string // the engine's
	Declared []*resource.Declaration
	creds    remote.Credentials
	warnings *warnings
}

// warn adds something that the plan should tell.
func (i listInfo) warn(format string, args ...any) {
	i.warnings.mu.Lock()
	defer i.warnings.mu.Unlock()
	i.warnings.list = append(i.warnings.list, fmt.Sprintf(format, args...))
}

type warnings struct {
	mu   sync.Mutex
	list []string
}

// listers are the kinds that live on an engine, but for networks, volumes and
// swarms: the swarm's own observation lists those.
var listers = []lister{
	{kind: "container", always: true, list: listContainers},
	{kind: "image", list: listImages},
	{kind: "build", list: listBuilds},
	{kind: "image_copy", list: listCopies},
	{kind: "plugin", list: listPlugins},
}

// list runs the lists that a query asks for, all at once. It also returns what
// the plan should tell.
func list(ctx context.Context, d *remote.Docker, q resource.Query) ([]*resource.Object, []string, error) {
	api, err := d.Ready(ctx)
	if err != nil {
		return nil, nil, err
	}
	info := listInfo{API: api, Declared: q.Declared, creds: d.Credentials(), warnings: &warnings{}}
	found := make([][]*resource.Object, len(listers))
	errs := make([]error, len(listers))
	var wg sync.WaitGroup
	for i, l := range listers {
		if l.always || q.Kinds[l.kind] {
			wg.Go(func() {
				var err error
				found[i], err = l.list(ctx, d.API(), info)
				errs[i] = remote.Err(err)
			})
		}
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, nil, err
	}
	var out []*resource.Object
	for _, objects := range found {
		out = append(out, objects...)
	}
	slices.Sort(info.warnings.list)
	return out, info.warnings.list, nil
}
