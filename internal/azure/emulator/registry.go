package emulator

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/pattern"
)

// The tokens of a container registry: the one that a login of Entra's is exchanged
// for, and those that it is worth, each for one thing. Azure's last as long.
const (
	registryLife = 3 * time.Hour
	accessLife   = 75 * time.Minute
	registryUser = "00000000-0000-0000-0000-000000000000"

	// The audiences of tokens.
	armAudience      = "https://management.azure.com"
	registryAudience = "https://containerregistry.azure.net"
)

// pull is the right that an exchange takes, which faults are picked by.
const pull = "Microsoft.ContainerRegistry/registries/pull/read"

// registryHost is what the registries of Azure are called, in each of its clouds.
var registryHost = pattern.Of(`^[a-z0-9-]+\.azurecr\.(io|cn|us)$`)

// atRegistry answers what is asked of a registry, and reports whether it was. A host
// that the emulator itself has may be one too.
func (e *Emulator) atRegistry(w http.ResponseWriter, r *http.Request) bool {
	host := strings.ToLower(r.Host)
	there := e.registries[host]
	switch {
	case there != nil && (strings.HasPrefix(r.URL.Path, "/oauth2/") || strings.HasPrefix(r.URL.Path, "/v2/")):
		there.ServeHTTP(w, r)
	case there == nil && registryHost().MatchString(host): // Azure's DNS would not know its name
		refuseRegistry(w, http.StatusNotFound, "NAME_UNKNOWN", "there is no registry "+host)
	default:
		return false
	}
	return true
}

// emptyRegistry has no image.
func emptyRegistry(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v2/" {
		writeJSON(w, http.StatusOK, object{})
		return
	}
	refuseRegistry(w, http.StatusNotFound, "NAME_UNKNOWN", "repository name not known to registry")
}

// registry is the login of an Azure Container Registry.
type registry struct {
	e       *Emulator
	service string
	url     string
	life    time.Duration
	behind  http.Handler
}

// Registry puts the login of an Azure Container Registry before a registry that has
// none. It is to be served over HTTPS at the host that its images' names begin with.
func (e *Emulator) Registry(host string, behind http.Handler) http.Handler {
	life := e.opts.RegistryLogin
	if life == 0 {
		life = registryLife
	}
	r := &registry{e: e, service: host, url: "https://" + host, life: life, behind: behind}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth2/exchange", r.exchange)
	mux.HandleFunc("/oauth2/token", r.token)
	mux.HandleFunc("/v2/", r.serve)
	return mux
}

// grant is what a token of a registry says.
type grant struct {
	Audience string   `json:"aud"`
	Type     string   `json:"grant_type"` // "refresh_token" or "access_token"
	App      string   `json:"sub"`
	Access   []access `json:"access,omitempty"`
	Expires  int64    `json:"exp"`
	ID       string   `json:"jti"`
}

// access is one thing and what may be done to it, as "repository:web:pull,push".
type access struct {
	Type    string   `json:"type"`
	Name    string   `json:"name"`
	Actions []string `json:"actions"`
}

func (r *registry) sign(g grant, life time.Duration) string {
	g.Audience, g.ID, g.Expires = r.service, newID(), time.Now().Add(life).Unix()
	return r.e.jwt(g)
}

// read checks a token of this registry.
func (r *registry) read(token, kind string) (grant, bool) {
	var g grant
	return g, r.e.readJWT(token, &g) && g.Type == kind && g.Audience == r.service && time.Now().Unix() < g.Expires
}

// exchange gives a token of the registry for one of Entra's.
func (r *registry) exchange(w http.ResponseWriter, req *http.Request) {
	var who claims
	switch {
	case req.PostFormValue("grant_type") != "access_token" || req.PostFormValue("service") != r.service:
		refuseRegistry(w, http.StatusBadRequest, "UNSUPPORTED", "the request is not for "+r.service)
		return
	case !r.e.readJWT(req.PostFormValue("access_token"), &who) || who.Tenant != r.e.opts.Tenant || time.Now().Unix() > who.Expires,
		who.Audience != armAudience && who.Audience != registryAudience,
		!r.e.opts.app(who.App).may(pull):
		refuseLogin(w)
		return
	}
	if hits := r.e.faults.pick(pull, r.service, func(f *Fault) bool { return f.Status != 0 }); hits != nil {
		code, message := "UNAUTHORIZED", loginRequired
		switch status := hits[0].Status; {
		case status == http.StatusForbidden:
			code, message = "DENIED", "client with IP '203.0.113.7' is not allowed access. Refer https://aka.ms/acr/firewall to grant access."
		case status == http.StatusTooManyRequests || status >= 500:
			code, message = "TOOMANYREQUESTS", "too many requests"
		}
		refuseRegistry(w, hits[0].Status, code, message)
		return
	}
	writeJSON(w, http.StatusOK, object{"refresh_token": r.sign(grant{Type: "refresh_token", App: who.App}, r.life)})
}

// token gives one for what is asked for: with the registry's in a form, or as the
// password of the user who is nobody.
func (r *registry) token(w http.ResponseWriter, req *http.Request) {
	refresh := req.FormValue("refresh_token")
	if user, password, ok := req.BasicAuth(); ok && user == registryUser {
		refresh = password
	}
	g, ok := r.read(refresh, "refresh_token")
	if !ok {
		refuseLogin(w)
		return
	}
	given := grant{Type: "access_token", App: g.App}
	for _, scopes := range req.Form["scope"] {
		for _, scope := range strings.Fields(scopes) {
			if p := strings.Split(scope, ":"); len(p) == 3 {
				given.Access = append(given.Access, access{Type: p[0], Name: p[1], Actions: strings.Split(p[2], ",")})
			}
		}
	}
	answer := object{"access_token": r.sign(given, accessLife)}
	if req.Method == http.MethodPost {
		answer["refresh_token"] = refresh
	}
	writeJSON(w, http.StatusOK, answer)
}

// serve lets through what a token is good for.
func (r *registry) serve(w http.ResponseWriter, req *http.Request) {
	token, _ := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	g, ok := r.read(token, "access_token")
	scope := ""
	if repository := repositoryOf(req.URL.Path); repository != "" {
		action := "push"
		if req.Method == http.MethodGet || req.Method == http.MethodHead {
			action = "pull"
		}
		scope = fmt.Sprintf(`,scope="repository:%s:%s"`, repository, action)
		ok = ok && slices.ContainsFunc(g.Access, func(a access) bool {
			return a.Type == "repository" && a.Name == repository && (slices.Contains(a.Actions, action) || slices.Contains(a.Actions, "*"))
		})
	}
	if !ok {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s/oauth2/token",service="%s"%s`, r.url, r.service, scope))
		refuseLogin(w)
		return
	}
	r.behind.ServeHTTP(w, req)
}

// repositoryOf is the repository of a path, "" of what is in none.
func repositoryOf(path string) string {
	rest := strings.TrimPrefix(path, "/v2/")
	for _, part := range []string{"/manifests/", "/blobs/", "/tags/", "/referrers/"} {
		if i := strings.LastIndex(rest, part); i > 0 {
			return rest[:i]
		}
	}
	return ""
}

const loginRequired = "authentication required, visit https://aka.ms/acr/authorization for more information."

// refuseLogin answers who may not.
func refuseLogin(w http.ResponseWriter) {
	refuseRegistry(w, http.StatusUnauthorized, "UNAUTHORIZED", loginRequired)
}

// refuseRegistry answers an error as registries do.
func refuseRegistry(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, object{"errors": []any{object{"code": code, "message": message}}})
}
