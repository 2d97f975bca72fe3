package cluster

import (
	"context"

	types "github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/daemon/cluster/convert"
	"github.com/moby/swarmkit/v2/api"
)

// GetTasks lists the swarm's tasks, those of containers unless a filter says otherwise.
func (c *Cluster) GetTasks(options types.TaskListOptions) ([]types.Task, error) {
	return ask(c, func(ctx context.Context, s state) ([]types.Task, error) {
		filters, err := s.taskFilters(ctx, options)
		if err != nil {
			return nil, err
		}
		list, err := s.control.ListTasks(ctx, &api.ListTasksRequest{Filters: filters}, anySize)
		if err != nil {
			return nil, err
		}
		tasks := make([]types.Task, 0, len(list.Tasks))
		for _, t := range list.Tasks {
			task, err := convert.TaskFromGRPC(*t)
			if err != nil {
				return nil, err
			}
			tasks = append(tasks, task)
		}
		return tasks, nil
	})
}

func (s state) taskFilters(ctx context.Context, options types.TaskListOptions) (*api.ListTasksRequest_Filters, error) {
	f := options.Filters
	if err := f.Validate(map[string]bool{
		"name": true, "id": true, "label": true, "service": true, "node": true, "desired-state": true,
		"_up-to-date": true, // of the docker CLI's own progress bars
		"runtime":     true,
	}); err != nil {
		return nil, err
	}
	var services, nodes []string
	for _, input := range f.Get("service") {
		service, err := s.findService(ctx, input, false)
		if err != nil {
			return nil, err
		}
		services = append(services, service.ID)
	}
	for _, input := range f.Get("node") {
		n, err := s.findNode(ctx, input)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n.ID)
	}
	runtimes := f.Get("runtime")
	if !f.Contains("runtime") {
		runtimes = []string{"container", ""}
	}
	states, err := enum[api.TaskState]("desired-state", f.Get("desired-state"), api.TaskState_value)
	if err != nil {
		return nil, err
	}
	return &api.ListTasksRequest_Filters{
		NamePrefixes: f.Get("name"), IDPrefixes: f.Get("id"), Labels: labelFilter(f.Get("label")),
		ServiceIDs: services, NodeIDs: nodes, DesiredStates: states,
		UpToDate: len(f.Get("_up-to-date")) != 0, Runtimes: runtimes,
	}, nil
}

func (s state) findTask(ctx context.Context, input string) (*api.Task, error) {
	return find("task", input,
		func(id string) (*api.Task, error) {
			r, err := s.control.GetTask(ctx, &api.GetTaskRequest{TaskID: id})
			if err != nil {
				return nil, err
			}
			return r.Task, nil
		},
		func(names, prefixes []string) ([]*api.Task, error) {
			r, err := s.control.ListTasks(ctx, &api.ListTasksRequest{Filters: &api.ListTasksRequest_Filters{Names: names, IDPrefixes: prefixes}}, anySize)
			if err != nil {
				return nil, err
			}
			return r.Tasks, nil
		})
}

// GetTask returns a task by name or ID.
func (c *Cluster) GetTask(input string) (types.Task, error) {
	return ask(c, func(ctx context.Context, s state) (types.Task, error) {
		t, err := s.findTask(ctx, input)
		if err != nil {
			return types.Task{}, err
		}
		return convert.TaskFromGRPC(*t)
	})
}
