package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sort"
	"strconv"
	"strings"

	"github.com/docker/docker/api/server/httputils"
	"github.com/docker/docker/api/server/router"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	networktypes "github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/errdefs"

	networkfilter "github.com/docker/docker/daemon/network"
)

// networkRoutes serve networks: Docker's own router for them does not build
// everywhere. Those of the host and those of the swarm are shown as one list.
type networkRoutes struct{ e *Engine }

func (r networkRoutes) Routes() []router.Route {
	return []router.Route{
		router.NewGetRoute("/networks", r.list),
		router.NewGetRoute("/networks/", r.list),
		router.NewGetRoute("/networks/{id:.+}", r.inspect),
		router.NewPostRoute("/networks/create", r.create),
		router.NewPostRoute("/networks/{id:.*}/connect", r.connect),
		router.NewPostRoute("/networks/{id:.*}/disconnect", r.disconnect),
		router.NewPostRoute("/networks/prune", r.prune),
		router.NewDeleteRoute("/networks/{id:.*}", r.remove),
	}
}

// local is the networks that the engine has, filtered.
func (r networkRoutes) local(f filters.Args, detailed bool) ([]networktypes.Inspect, error) {
	r.e.mu.Lock()
	list := make([]networktypes.Inspect, 0, len(r.e.networks))
	for _, n := range r.e.networks {
		shown := n.Inspect
		shown.Containers = r.e.endpoints(n)
		list = append(list, shown)
	}
	r.e.mu.Unlock()
	sort.Slice(list, func(i, j int) bool {
		return list[i].Name < list[j].Name || list[i].Name == list[j].Name && list[i].ID < list[j].ID
	})
	list, err := networkfilter.FilterNetworks(list, f)
	if !detailed {
		for i := range list {
			list[i].Containers = map[string]networktypes.EndpointResource{}
		}
	}
	return list, err
}

func (r networkRoutes) list(ctx context.Context, w http.ResponseWriter, req *http.Request, _ map[string]string) error {
	if err := httputils.ParseForm(req); err != nil {
		return err
	}
	f, err := filters.FromJSON(req.Form.Get("filters"))
	if err != nil {
		return err
	}
	if err := networktypes.ValidateFilters(f); err != nil {
		return err
	}
	list, _ := r.e.swarm.GetNetworks(f) // a worker has none
	local, err := r.local(f, versions.LessThan(httputils.VersionFromContext(ctx), "1.28"))
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, n := range list {
		seen[n.ID] = true
	}
	for _, n := range local {
		if !seen[n.ID] {
			list = append(list, n)
		}
	}
	if list == nil {
		list = []networktypes.Inspect{}
	}
	return httputils.WriteJSON(w, http.StatusOK, list)
}

func (r networkRoutes) inspect(_ context.Context, w http.ResponseWriter, req *http.Request, vars map[string]string) error {
	if err := httputils.ParseForm(req); err != nil {
		return err
	}
	verbose := false
	if v := req.URL.Query().Get("verbose"); v != "" {
		var err error
		if verbose, err = strconv.ParseBool(v); err != nil {
			return invalid("invalid value for verbose: %s: %w", v, err)
		}
	}
	scope := req.URL.Query().Get("scope")
	found, err := r.lookup(vars["id"], scope)
	if err != nil {
		return err
	}
	if verbose && found.Scope == scopeSwarm {
		found.Services = r.e.servicesOn(found.ID)
	}
	return httputils.WriteJSON(w, http.StatusOK, found)
}

// lookup finds one network of the host or the swarm: by its ID, else by its name
// if only one has it, else by the beginning of its ID.
func (r networkRoutes) lookup(term, scope string) (networktypes.Inspect, error) {
	f := filters.NewArgs()
	if scope != "" {
		f.Add("scope", scope)
	}
	all, _ := r.local(f, true)
	byID := map[string]bool{}
	for _, n := range all {
		byID[n.ID] = true
	}
	swarmed, _ := r.e.swarm.GetNetworks(f)
	for _, n := range swarmed {
		if !byID[n.ID] {
			all = append(all, n)
		}
	}
	var named, begins []networktypes.Inspect
	for _, n := range all {
		switch {
		case n.ID == term:
			return n, nil
		case n.Name == term:
			named = append(named, n)
		case strings.HasPrefix(n.ID, term):
			begins = append(begins, n)
		}
	}
	for _, c := range []struct {
		found []networktypes.Inspect
		by    string
	}{{named, "name"}, {begins, "ID prefix"}} {
		switch len(c.found) {
		case 0:
		case 1:
			return c.found[0], nil
		default:
			return networktypes.Inspect{}, invalid("%d matches found based on %s: network %s is ambiguous", len(c.found), c.by, term)
		}
	}
	return networktypes.Inspect{}, notFound("network %s not found", term)
}

func (r networkRoutes) create(ctx context.Context, w http.ResponseWriter, req *http.Request, _ map[string]string) error {
	if err := httputils.ParseForm(req); err != nil {
		return err
	}
	var given networktypes.CreateRequest
	if err := httputils.ReadJSON(req, &given); err != nil {
		return err
	}
	if same, err := r.e.swarm.GetNetworksByName(given.Name); err == nil && len(same) > 0 {
		return conflict("network with name %s already exists", given.Name)
	}
	if versions.LessThan(httputils.VersionFromContext(ctx), "1.48") {
		given.EnableIPv4 = nil
	}
	manager := r.e.swarm.IsManager()
	r.e.mu.Lock()
	n, err := r.e.createNetwork(given, manager)
	r.e.mu.Unlock()
	if errors.Is(err, errRedirect) {
		id, err := r.e.swarm.CreateNetwork(given)
		if err != nil {
			return err
		}
		return httputils.WriteJSON(w, http.StatusCreated, &networktypes.CreateResponse{ID: id})
	}
	if err != nil {
		return err
	}
	return httputils.WriteJSON(w, http.StatusCreated, &networktypes.CreateResponse{ID: n.ID})
}

func (r networkRoutes) connect(ctx context.Context, _ http.ResponseWriter, req *http.Request, vars map[string]string) error {
	var given networktypes.ConnectOptions
	if err := httputils.ReadJSON(req, &given); err != nil {
		return err
	}
	return r.e.ConnectContainerToNetwork(ctx, given.Container, vars["id"], given.EndpointConfig)
}

func (r networkRoutes) disconnect(_ context.Context, _ http.ResponseWriter, req *http.Request, vars map[string]string) error {
	var given networktypes.DisconnectOptions
	if err := httputils.ReadJSON(req, &given); err != nil {
		return err
	}
	return r.e.DisconnectContainerFromNetwork(given.Container, vars["id"], given.Force)
}

func (r networkRoutes) remove(_ context.Context, w http.ResponseWriter, _ *http.Request, vars map[string]string) error {
	found, err := r.lookup(vars["id"], "")
	if err != nil {
		return err
	}
	if found.Scope == scopeSwarm {
		if err := r.e.swarm.RemoveNetwork(found.ID); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	n := r.e.networks[found.ID]
	if n == nil {
		return errdefs.NotFound(fmt.Errorf("network %s not found", vars["id"]))
	}
	if err := r.e.deleteNetwork(n); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (r networkRoutes) prune(_ context.Context, w http.ResponseWriter, req *http.Request, _ map[string]string) error {
	if err := httputils.ParseForm(req); err != nil {
		return err
	}
	f, err := filters.FromJSON(req.Form.Get("filters"))
	if err != nil {
		return err
	}
	keep, err := pruneFilter(f)
	if err != nil {
		return err
	}
	report := &networktypes.PruneReport{}
	if r.e.swarm.IsManager() {
		list, _ := r.e.swarm.GetNetworks(filters.NewArgs())
		for _, n := range list {
			if !n.Ingress && n.Scope == scopeSwarm && !keep(n.Created, n.Labels) && r.e.swarm.RemoveNetwork(n.ID) == nil {
				report.NetworksDeleted = append(report.NetworksDeleted, n.Name)
			}
		}
	}
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	for _, n := range r.e.networks {
		if predefined(n.Name) || n.Name == gwbridge || n.Dynamic || n.ConfigOnly || keep(n.Created, n.Labels) || len(r.e.endpoints(n)) > 0 {
			continue
		}
		if r.e.deleteNetwork(n) == nil {
			report.NetworksDeleted = append(report.NetworksDeleted, n.Name)
		}
	}
	r.e.event(events.NetworkEventType, events.ActionPrune, "", map[string]string{"reclaimed": "0"})
	return httputils.WriteJSON(w, http.StatusOK, report)
}
