//lint:file-ignore SA1019 deprecated, and still sent: clients read it

package engine

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/server/httputils"
	"github.com/docker/docker/api/server/router"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	imagetypes "github.com/docker/docker/api/types/image"
	registrytypes "github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/errdefs"
	"github.com/docker/docker/pkg/ioutils"
	"github.com/docker/docker/pkg/streamformatter"
	"github.com/opencontainers/go-digest"
)

// imageRoutes serve images: Docker's own router for them does not build everywhere.
type imageRoutes struct{ e *Engine }

func (r imageRoutes) Routes() []router.Route {
	return []router.Route{
		router.NewGetRoute("/images/json", r.list),
		router.NewGetRoute("/images/search", unsimulated("search")),
		router.NewGetRoute("/images/get", r.save),
		router.NewGetRoute("/images/{name:.*}/get", r.save),
		router.NewGetRoute("/images/{name:.*}/history", r.history),
		router.NewGetRoute("/images/{name:.*}/json", r.inspect),
		router.NewPostRoute("/images/load", r.load),
		router.NewPostRoute("/images/create", r.create),
		router.NewPostRoute("/images/{name:.*}/push", r.push),
		router.NewPostRoute("/build", r.build),
		router.NewPostRoute("/images/{name:.*}/tag", r.tag),
		router.NewPostRoute("/images/prune", r.prune),
		router.NewDeleteRoute("/images/{name:.*}", r.remove),
		router.NewGetRoute("/distribution/{name:.*}/json", r.distribution),
		router.NewPostRoute("/auth", r.login),
	}
}

func unsimulated(what string) httputils.APIFunc {
	return func(context.Context, http.ResponseWriter, *http.Request, map[string]string) error {
		return notSimulated(what)
	}
}

// create is a pull, or an import.
func (r imageRoutes) create(ctx context.Context, w http.ResponseWriter, req *http.Request, _ map[string]string) error {
	if err := httputils.ParseForm(req); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	out := ioutils.NewWriteFlusher(w)
	defer out.Close()
	err := r.pullOrImport(ctx, req, out)
	if err != nil && out.Flushed() {
		_, _ = out.Write(streamformatter.FormatError(err))
		return nil
	}
	return err
}

func (r imageRoutes) pullOrImport(ctx context.Context, req *http.Request, out io.Writer) error {
	name, tag := req.Form.Get("fromImage"), req.Form.Get("tag")
	if name == "" {
		return r.importImage(req, out)
	}
	named, err := reference.ParseNormalizedNamed(strings.TrimSuffix(name, ":"))
	if err != nil {
		return errdefs.InvalidParameter(err)
	}
	if tag != "" {
		if d, derr := digest.Parse(tag); derr == nil {
			named, err = reference.WithDigest(reference.TrimNamed(named), d)
		} else {
			named, err = reference.WithTag(named, tag)
		}
		if err != nil {
			return errdefs.InvalidParameter(err)
		}
	}
	if reference.FamiliarName(named) == "scratch" {
		return forbidden("'scratch' is a reserved name")
	}
	return r.e.pull(ctx, named, "", nil, out)
}

func (r imageRoutes) importImage(req *http.Request, out io.Writer) error {
	ref, err := httputils.RepoTagReference(req.Form.Get("repo"), req.Form.Get("tag"))
	if err != nil {
		return errdefs.InvalidParameter(err)
	}
	source, comment := req.Form.Get("fromSrc"), req.Form.Get("message")
	if source != "-" {
		return notSimulated("import of an address")
	}
	if comment == "" {
		comment = "Imported from " + source
	}
	var named reference.Named
	if ref != nil {
		named = ref
	}
	img, err := r.e.importLayer(named, comment, req.Body, req.Form["changes"])
	if err != nil {
		return err
	}
	_, _ = out.Write(streamformatter.FormatStatus("", "%v", img.ID))
	return nil
}

func (r imageRoutes) load(_ context.Context, w http.ResponseWriter, req *http.Request, _ map[string]string) error {
	w.Header().Set("Content-Type", "application/json")
	out := ioutils.NewWriteFlusher(w)
	defer out.Close()
	if err := r.e.loadArchive(req.Body, out); err != nil {
		_, _ = out.Write(streamformatter.FormatError(err))
	}
	return nil
}

func (r imageRoutes) list(ctx context.Context, w http.ResponseWriter, req *http.Request, _ map[string]string) error {
	if err := httputils.ParseForm(req); err != nil {
		return err
	}
	f, err := filters.FromJSON(req.Form.Get("filters"))
	if err != nil {
		return err
	}
	version := httputils.VersionFromContext(ctx)
	if old := req.Form.Get("filter"); old != "" && versions.LessThan(version, "1.41") {
		f.Add("reference", old)
	}
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	list, err := r.e.listImages(f)
	if err != nil {
		return err
	}
	for _, s := range list {
		if versions.LessThan(version, "1.43") && len(s.RepoTags)+len(s.RepoDigests) == 0 {
			s.RepoTags, s.RepoDigests = []string{"<none>:<none>"}, []string{"<none>@<none>"}
		}
		if versions.LessThan(version, "1.44") {
			s.VirtualSize = s.Size
		}
		if versions.GreaterThanOrEqualTo(version, "1.51") {
			s.Containers = int64(len(r.e.imageUsers(r.e.images.images[s.ID])))
		}
	}
	return httputils.WriteJSON(w, http.StatusOK, list)
}

// legacyFields are always in an image's configuration, whether set or not.
var legacyFields = map[string]any{
	"Cmd": nil, "Entrypoint": nil, "Env": nil, "Labels": nil, "OnBuild": nil, "User": "", "Volumes": nil, "WorkingDir": "",
}

// olderFields were, too, before API 1.50.
var olderFields = map[string]any{
	"AttachStderr": false, "AttachStdin": false, "AttachStdout": false, "Cmd": nil, "Domainname": "", "Entrypoint": nil, "Env": nil, "Hostname": "",
	"Image": "", "Labels": nil, "OnBuild": nil, "OpenStdin": false, "StdinOnce": false, "Tty": false, "User": "", "Volumes": nil, "WorkingDir": "",
}

func (r imageRoutes) inspect(ctx context.Context, w http.ResponseWriter, req *http.Request, vars map[string]string) error {
	if err := httputils.ParseForm(req); err != nil {
		return err
	}
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	img, err := r.e.images.find(vars["name"])
	if err != nil {
		return err
	}
	shown, err := r.e.inspectImage(img)
	if err != nil {
		return err
	}
	version := httputils.VersionFromContext(ctx)
	if versions.LessThan(version, "1.44") {
		shown.VirtualSize = shown.Size
		if shown.Created == "" {
			shown.Created = "0001-01-01T00:00:00Z"
		}
	}
	fields := legacyFields
	if versions.LessThan(version, "1.50") {
		fields = olderFields
	}
	full, err := withFields(shown, fields)
	if err != nil {
		return err
	}
	return httputils.WriteJSON(w, http.StatusOK, full)
}

// withFields adds what is missing of an image's configuration.
func withFields(shown *imagetypes.InspectResponse, fields map[string]any) (any, error) {
	raw, err := json.Marshal(shown)
	if err != nil {
		return nil, err
	}
	full := map[string]any{}
	if err := json.Unmarshal(raw, &full); err != nil {
		return nil, err
	}
	config := maps.Clone(fields)
	if have, ok := full["Config"].(map[string]any); ok {
		maps.Copy(config, have)
	}
	full["Config"] = config
	return full, nil
}

func (r imageRoutes) history(_ context.Context, w http.ResponseWriter, _ *http.Request, vars map[string]string) error {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	img, err := r.e.images.find(vars["name"])
	if err != nil {
		return err
	}
	return httputils.WriteJSON(w, http.StatusOK, img.history())
}

func (r imageRoutes) tag(_ context.Context, w http.ResponseWriter, req *http.Request, vars map[string]string) error {
	if err := httputils.ParseForm(req); err != nil {
		return err
	}
	ref, err := httputils.RepoTagReference(req.Form.Get("repo"), req.Form.Get("tag"))
	if ref == nil || err != nil {
		return errdefs.InvalidParameter(err)
	}
	if reference.FamiliarName(ref) == string(digest.Canonical) {
		return invalid("refusing to create an ambiguous tag using digest algorithm as name")
	}
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	img, err := r.e.images.find(vars["name"])
	if err != nil {
		return errdefs.NotFound(err)
	}
	r.e.tag(img, ref)
	r.e.imageEvent(img, events.ActionTag, reference.FamiliarString(ref))
	w.WriteHeader(http.StatusCreated)
	return nil
}

func (r imageRoutes) remove(_ context.Context, w http.ResponseWriter, req *http.Request, vars map[string]string) error {
	if err := httputils.ParseForm(req); err != nil {
		return err
	}
	if strings.TrimSpace(vars["name"]) == "" {
		return invalid("image name cannot be blank")
	}
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	gone, err := r.e.deleteImage(vars["name"], httputils.BoolValue(req, "force"))
	if err != nil {
		return err
	}
	return httputils.WriteJSON(w, http.StatusOK, gone)
}

func (r imageRoutes) prune(_ context.Context, w http.ResponseWriter, req *http.Request, _ map[string]string) error {
	if err := httputils.ParseForm(req); err != nil {
		return err
	}
	f, err := filters.FromJSON(req.Form.Get("filters"))
	if err != nil {
		return err
	}
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	report, err := r.e.pruneImages(f)
	if err != nil {
		return err
	}
	return httputils.WriteJSON(w, http.StatusOK, report)
}

func (r imageRoutes) distribution(ctx context.Context, w http.ResponseWriter, _ *http.Request, vars map[string]string) error {
	w.Header().Set("Content-Type", "application/json")
	d, err := r.e.Distribution(ctx, vars["name"])
	if err != nil {
		return err
	}
	return httputils.WriteJSON(w, http.StatusOK, d)
}

// login takes every login: a lab's images come from no registry.
func (r imageRoutes) login(_ context.Context, w http.ResponseWriter, req *http.Request, _ map[string]string) error {
	var auth registrytypes.AuthConfig
	if err := httputils.ReadJSON(req, &auth); err != nil {
		return err
	}
	return httputils.WriteJSON(w, http.StatusOK, &registrytypes.AuthenticateOKBody{Status: "Login Succeeded"})
}
