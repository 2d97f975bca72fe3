package engine

import (
	"context"
	"io"
	"net/http"
	"slices"
	"sync"

	"github.com/docker/docker/api/server/httpstatus"
	"github.com/docker/docker/api/server/httputils"
	"github.com/docker/docker/api/server/middleware"
	"github.com/docker/docker/api/server/router"
	containerrouter "github.com/docker/docker/api/server/router/container"
	swarmrouter "github.com/docker/docker/api/server/router/swarm"
	systemrouter "github.com/docker/docker/api/server/router/system"
	volumerouter "github.com/docker/docker/api/server/router/volume"
	"github.com/docker/docker/api/types"
	containertypes "github.com/docker/docker/api/types/container"
	networktypes "github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/pkg/sysinfo"
	"github.com/docker/docker/runconfig"
	"github.com/gorilla/mux"
)

// shape is what the routes of engines depend on.
type shape struct {
	version, api        string
	experimental, swarm bool
}

// muxes has what finds the route of a request, by [shape]. Docker's takes most of a
// megabyte, and a lab has a hundred engines that differ in what answers only.
var muxes sync.Map

// newRoutes are those that engines have since a version of the API which is newer
// than the oldest engine's.
var newRoutes = map[string]string{"PUT /volumes/{name:.*}": "1.42"}

// answering is the key of the engine that a request is for, in its context.
type answering struct{}

// Handler serves the engine's API.
func (e *Engine) Handler() http.Handler {
	features := func() map[string]bool { return e.daemon.Features }
	routers := []router.Router{
		containerrouter.NewRouter(e, decoder{}, true),
		systemrouter.NewRouter(e, e.swarm, builder{}, features),
		volumerouter.NewRouter(volumeBackend{e}, e.swarm),
		imageRoutes{e}, networkRoutes{e}, otherRoutes{},
	}
	_, none := e.swarm.(alone)
	if !none {
		routers = append(routers, swarmrouter.NewRouter(e.swarm))
	}
	var routes []router.Route
	for _, r := range routers {
		routes = append(routes, r.Routes()...)
	}
	routes = slices.DeleteFunc(routes, func(r router.Route) bool {
		since := newRoutes[r.Method()+" "+r.Path()]
		return since != "" && versions.LessThan(e.api, since)
	})
	e.routes = routes
	of := shape{e.cfg.Version, e.api, e.daemon.Experimental, !none}
	m, ok := muxes.Load(of)
	if !ok {
		m, _ = muxes.LoadOrStore(of, newMux(of, routes))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.(http.Handler).ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), answering{}, e)))
	})
}

// newMux returns what finds the routes of all engines of a shape, with a version of the
// API before their paths and without. It stands in for Docker's api/server.Server, which
// brings a megabyte of exporters of traces along.
func newMux(of shape, routes []router.Route) http.Handler {
	version, err := middleware.NewVersionMiddleware(of.version, of.api, minAPI)
	if err != nil {
		panic("lab engine: " + err.Error()) // New chose the version from our own table
	}
	m := mux.NewRouter()
	for i, r := range routes {
		var h httputils.APIFunc = func(ctx context.Context, w http.ResponseWriter, r *http.Request, vars map[string]string) error {
			return ctx.Value(answering{}).(*Engine).routes[i].Handler()(ctx, w, r, vars)
		}
		for _, around := range []middleware.Middleware{linux{}, middleware.NewExperimentalMiddleware(of.experimental), version} {
			h = around.WrapHandler(h)
		}
		m.Path(versionPrefix + r.Path()).Methods(r.Method()).Handler(answer(h))
		m.Path(r.Path()).Methods(r.Method()).Handler(answer(h))
	}
	m.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, "page not found") })
	m.MethodNotAllowedHandler = m.NotFoundHandler
	return m
}

// versionPrefix stands before a path for a client that says which API it speaks.
const versionPrefix = "/v{version:[0-9.]+}"

// answer serves a route, and says what went wrong as Docker does.
func answer(h httputils.APIFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		vars := mux.Vars(r)
		if vars == nil {
			vars = map[string]string{} // which the routes of Docker may write to
		}
		err := h(r.Context(), w, r, vars)
		switch version := vars["version"]; {
		case err == nil:
		case version != "" && versions.LessThan(version, minAPI): // such a client shows the answer as it is
			http.Error(w, err.Error(), httpstatus.FromError(err))
		default:
			refuse(w, httpstatus.FromError(err), err.Error())
		}
	}
}

// refuse writes an error; nobody is left to tell where that fails.
func refuse(w http.ResponseWriter, status int, why string) {
	_ = httputils.WriteJSON(w, status, &types.ErrorResponse{Message: why})
}

// linux corrects what Docker's middleware says of this computer: a lab's machines
// are Linux on any.
type linux struct{}

func (linux) WrapHandler(next func(context.Context, http.ResponseWriter, *http.Request, map[string]string) error) func(context.Context, http.ResponseWriter, *http.Request, map[string]string) error {
	return func(ctx context.Context, w http.ResponseWriter, r *http.Request, vars map[string]string) error {
		w.Header().Set("Ostype", "linux")
		return next(ctx, w, r, vars)
	}
}

// decoder reads a container's configuration. It checks as Docker's does on Linux.
type decoder struct{}

func (decoder) DecodeConfig(src io.Reader) (*containertypes.Config, *containertypes.HostConfig, *networktypes.NetworkingConfig, error) {
	return runconfig.ContainerDecoder{GetSysInfo: able}.DecodeConfig(src)
}

// able is the kernel of a simulated machine: it can do all.
func able() *sysinfo.SysInfo {
	si := &sysinfo.SysInfo{}
	for _, can := range []*bool{
		&si.MemoryLimit, &si.SwapLimit, &si.MemoryReservation, &si.OomKillDisable, &si.MemorySwappiness,
		&si.CPUShares, &si.CPUCfs, &si.Cpuset, &si.PidsLimit, &si.CPURealtime,
	} {
		*can = true
	}
	return si
}

// otherRoutes are those of what a lab does not have.
type otherRoutes struct{}

func (otherRoutes) Routes() []router.Route {
	empty := func(_ context.Context, w http.ResponseWriter, _ *http.Request, _ map[string]string) error {
		return httputils.WriteJSON(w, http.StatusOK, []struct{}{})
	}
	noPlugin := func(_ context.Context, _ http.ResponseWriter, _ *http.Request, vars map[string]string) error {
		return notFound("plugin %q not found", vars["name"])
	}
	return []router.Route{
		router.NewGetRoute("/plugins", empty),
		router.NewGetRoute("/plugins/{name:.*}/json", noPlugin),
		router.NewDeleteRoute("/plugins/{name:.*}", noPlugin),
		router.NewPostRoute("/plugins/{name:.*}/enable", noPlugin),
		router.NewPostRoute("/plugins/{name:.*}/disable", noPlugin),
		router.NewPostRoute("/plugins/{name:.*}/upgrade", noPlugin),
		router.NewPostRoute("/plugins/{name:.*}/push", noPlugin),
		router.NewPostRoute("/plugins/{name:.*}/set", noPlugin),
		router.NewPostRoute("/plugins/pull", unsimulated("plugins")),
		router.NewPostRoute("/plugins/create", unsimulated("plugins")),
		router.NewGetRoute("/plugins/privileges", unsimulated("plugins")),
		router.NewPostRoute("/build/prune", pruneBuilds),
		router.NewPostRoute("/build/cancel", unsimulated("build")),
		router.NewPostRoute("/session", unsimulated("build")),
		router.NewPostRoute("/grpc", unsimulated("build")),
	}
}

func pruneBuilds(_ context.Context, w http.ResponseWriter, _ *http.Request, _ map[string]string) error {
	return httputils.WriteJSON(w, http.StatusOK, map[string]any{"CachesDeleted": nil, "SpaceReclaimed": 0})
}
