package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/swarm"
)

var errEnough = errors.New("enough")

// The API as such: versions, the shape of errors, requests that are none.
var api = []testCase{
	{"ping", func(c *scene) {
		for _, method := range []string{"GET", "HEAD"} {
			a := c.raw(method, "/_ping", "", "")
			c.same("status", a.status, 200)
			c.same("headers", []string{a.header.Get("Api-Version"), a.header.Get("Ostype"), a.header.Get("Docker-Experimental")}, []string{c.backend.api, "linux", "false"})
			c.same("swarm", a.header.Get("Swarm"), c.either("", "active/manager"))
			if method == "GET" {
				c.same("body", string(a.body), "OK")
			}
		}
	}},
	{"the Go client negotiates", func(c *scene) {
		c.at.api.NegotiateAPIVersion(c.Context())
		c.same("version", c.at.api.ClientVersion(), c.backend.api)
		v, err := c.at.api.ServerVersion(c.Context())
		if err != nil {
			c.Fatal(err)
		}
		c.same("versions", []string{v.APIVersion, v.MinAPIVersion, v.Os}, []string{c.backend.api, c.either("1.12", "1.24"), "linux"})
		c.same("release", strings.HasPrefix(v.Version, c.backend.release), true)
	}},
	{"versions that are not served", func(c *scene) {
		a := c.raw("GET", "/v1.99/info", "", "")
		c.isRefused(400, "client version 1.99 is too new. Maximum supported API version is "+c.backend.api, a)
		a = c.raw("GET", "/v1.1/info", "", "")
		c.isRefused(400, "client version 1.1 is too old. Minimum supported API version is "+c.either("1.12", "1.24")+", please upgrade your client to a newer version", a)
	}},
	{"older versions are served", func(c *scene) {
		for _, v := range []string{"1.24", "1.30", "1.40", "1.41"} {
			c.same(v, c.raw("GET", "/v"+v+"/services", "", "").status, 200)
		}
		c.same("none", c.raw("GET", "/services", "", "").status, 200)
	}},
	{"jobs are of API 1.41", func(c *scene) {
		spec := c.service("job")
		one := uint64(0)
		spec.Mode = swarm.ServiceMode{ReplicatedJob: &swarm.ReplicatedJob{MaxConcurrent: &one, TotalCompletions: &one}}
		text, _ := json.Marshal(spec)
		var created swarm.ServiceCreateResponse
		a := c.raw("POST", "/v1.40/services/create", "application/json", string(text))
		c.decode(a.body, &created)
		c.Cleanup(func() { c.removeService(created.ID) })
		// Its mode is dropped, and so it is one of one replica.
		c.same("replicas", c.inspect(created.ID).Spec.Mode.Replicated.Replicas, 1)
	}},
	{"an error is JSON", func(c *scene) {
		a := c.ask("GET", "/services/none", nil)
		c.same("type", a.header.Get("Content-Type"), "application/json")
		var got map[string]any
		c.decode(a.body, &got)
		c.same("error", got, map[string]any{"message": "service none not found"})
	}},
	{"headers of an answer", func(c *scene) {
		a := c.ask("GET", "/services", nil)
		c.same("API", a.header.Get("Api-Version"), c.backend.api)
		c.same("OS", a.header.Get("Ostype"), "linux")
		c.same("server", strings.HasPrefix(a.header.Get("Server"), "Docker/"+c.backend.release), true)
		c.same("type", a.header.Get("Content-Type"), "application/json")
	}},
	{"a page that is not there", func(c *scene) {
		c.refused(404, "page not found", "GET", "/none", nil)
		c.refused(404, "page not found", "PUT", "/services/create", nil)
	}},
	{"JSON that is none", func(c *scene) {
		for _, path := range []string{"/services/create", "/secrets/create", "/configs/create", "/networks/create", "/swarm/init", "/swarm/join"} {
			a := c.raw("POST", c.at.version+path, "application/json", "{")
			c.isRefused(400, c.either("unexpected EOF", "invalid JSON: unexpected EOF"), a)
		}
		a := c.raw("POST", c.at.version+"/secrets/create", "application/json", `{"Name": 1}`)
		// The field's path is as the Go that built the engine says it.
		c.isRefused(400, c.either("", "invalid JSON: ")+"json: cannot unmarshal number into Go struct field SecretSpec.*Name of type string", a)
		a = c.raw("POST", c.at.version+"/secrets/create", "application/json", `{} {}`)
		c.isRefused(400, c.either(rpc("InvalidArgument", "name must be provided"), "unexpected content after JSON"), a)
	}},
	{"no body", func(c *scene) {
		a := c.raw("POST", c.at.version+"/services/create", "application/json", "")
		c.isRefused(400, c.either("got EOF while reading request body", "mismatched Runtime and *Spec fields"), a)
	}},
	{"a content type that is none", func(c *scene) {
		a := c.raw("POST", c.at.version+"/secrets/create", "text/plain", "{}")
		c.isRefused(400, c.either(rpc("InvalidArgument", "name must be provided"), "unsupported Content-Type header (text/plain): must be 'application/json'"), a)
		a = c.raw("POST", c.at.version+"/secrets/create", "", "{}")
		c.isRefused(400, c.either(rpc("InvalidArgument", "name must be provided"), "malformed Content-Type header (): mime: no media type"), a)
	}},
	{"filters that are none", func(c *scene) {
		c.refused(400, c.either("invalid character 'x' looking for beginning of value", "invalid filter"), "GET", "/services?filters=x", nil)
	}},
	{"an error as the Go client has it", func(c *scene) {
		_, err := c.at.api.SwarmInspect(c.Context())
		c.same("error", err, nil)
		_, _, err = c.at.api.SecretInspectWithRaw(c.Context(), "none")
		c.same("error", err.Error(), "Error response from daemon: secret none not found")
		c.same("kind", cerrdefs.IsNotFound(err), true)
	}},
}

// raw does a request as it stands.
func (c *scene) raw(method, path, contentType, body string) *answer {
	c.Helper()
	a, err := c.at.send(c.Context(), method, path, contentType, bytes.NewBufferString(body))
	if err != nil {
		c.Fatal(err)
	}
	return a
}
