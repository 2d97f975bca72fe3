// Package operate is day two: what runs of a project, its logs, a command in
// its containers, and changes by a person's word: rollback, scale, rebalance.
//
// It looks at services by their tasks, where a plan looks at them by what is
// declared. What decides is pure and apart from what asks and acts: rows of
// tasks, how a service is, whether its tasks are spread unevenly.
package operate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	swarmkind "github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Swarm is a swarm that a verb looks at.
type Swarm struct {
	Conn *swarmkind.Conn
	// Address is the script's, "" where there is no script.
	Address string
	// Project limits what is looked at to what carries its mark; "" for all.
	Project string
	// All adds what is not the project's.
	All bool
}

// State is what runs in a swarm.
type State struct {
	Swarm    *Swarm
	Services []*Service // by name
	Nodes    []swarm.Node

	hosts map[string]string
}

// Service is a service with its tasks.
type Service struct {
	swarm.Service
	Mark  resource.Mark
	Tasks []swarm.Task
	State *State
}

// Load asks for everything: three requests.
func (s *Swarm) Load(ctx context.Context) (*State, error) {
	var services []swarm.Service
	var tasks []swarm.Task
	st := &State{Swarm: s, hosts: map[string]string{}}
	api := s.Conn.Docker()
	var wg sync.WaitGroup
	var errs [3]error
	wg.Go(func() { services, errs[0] = api.ServiceList(ctx, swarm.ServiceListOptions{Status: true}) })
	wg.Go(func() { tasks, errs[1] = api.TaskList(ctx, swarm.TaskListOptions{}) })
	wg.Go(func() { st.Nodes, errs[2] = api.NodeList(ctx, swarm.NodeListOptions{}) })
	wg.Wait()
	if err := cmp.Or(errs[0], errs[1], errs[2]); err != nil {
		return nil, remote.Err(err)
	}
	for _, n := range st.Nodes {
		st.hosts[n.ID] = n.Description.Hostname
	}
	byService := map[string][]swarm.Task{}
	for _, t := range tasks {
		byService[t.ServiceID] = append(byService[t.ServiceID], t)
	}
	for _, svc := range services {
		mark, _ := resource.ReadMark(svc.Spec.Labels)
		if s.Project != "" && mark.Project != s.Project && !s.All {
			continue
		}
		st.Services = append(st.Services, &Service{Service: svc, Mark: mark, Tasks: byService[svc.ID], State: st})
	}
	slices.SortFunc(st.Services, func(a, b *Service) int { return strings.Compare(a.Spec.Name, b.Spec.Name) })
	return st, nil
}

// Host is a node's name, its ID where it has none any more.
func (st *State) Host(id string) string { return cmp.Or(st.hosts[id], id) }

// Ours reports whether the service belongs to the project that is looked at.
func (s *Service) Ours() bool {
	return s.Mark.Project != "" && s.Mark.Project == s.State.Swarm.Project
}

// Address is the service's in the project that made it; that of what has no
// mark is made of its name.
func (s *Service) Address() value.Address {
	if s.Mark.Address != "" {
		return s.Mark.Address
	}
	return value.NewAddress(s.State.Swarm.Address, "service", s.Spec.Name)
}

// Find returns the services that are meant by names: as they are called, as
// they are declared, by an address, by the beginning of an ID. It tells of all
// that are not there.
func Find(states []*State, names []string) ([]*Service, error) {
	var all []*Service
	var known []string
	for _, st := range states {
		all = append(all, st.Services...)
		for _, s := range st.Services {
			known = append(known, s.Spec.Name)
		}
	}
	if len(names) == 0 {
		return all, nil
	}
	var out []*Service
	var problems diag.List
	for _, name := range names {
		found := named(all, name)
		switch len(found) {
		case 0:
			problems = append(problems, &diag.Diagnostic{Summary: fmt.Sprintf("there is no service %q", name), Hint: notFound(name, known, states)})
		case 1:
			if !slices.Contains(out, found[0]) {
				out = append(out, found[0])
			}
		default:
			var full []string
			for _, s := range found {
				full = append(full, string(s.Address()))
			}
			problems = append(problems, &diag.Diagnostic{Summary: fmt.Sprintf("%q could be %s", name, strings.Join(full, " or "))})
		}
	}
	return out, problems.Err()
}

// named returns the services that a name may mean, by the best of the ways in
// which it means one.
func named(all []*Service, name string) []*Service {
	ways := []func(s *Service) bool{
		func(s *Service) bool { return string(s.Address()) == name },
		func(s *Service) bool { return s.Spec.Name == name },
		func(s *Service) bool { return s.Address().Short() == name || s.Ours() && s.Address().Name() == name },
		func(s *Service) bool { return len(name) >= 4 && strings.HasPrefix(s.ID, name) },
	}
	for _, is := range ways {
		var found []*Service
		for _, s := range all {
			if is(s) {
				found = append(found, s)
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

func notFound(name string, known []string, states []*State) string {
	if hint := diag.DidYouMean(name, known); hint != "" {
		return hint
	}
	for _, st := range states {
		if st.Swarm.Project != "" && !st.Swarm.All {
			return "only those of " + st.Swarm.Project + " are looked at; --all looks at the others too"
		}
	}
	return ""
}
