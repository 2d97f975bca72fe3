package emulator

import (
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/pattern"
)

// maxBody bounds what a request may send, as Resource Manager does.
const maxBody = 4 << 20

// An answer is what a request is answered, but for errors.
type answer struct {
	status         int
	body           any
	location       string
	asyncOperation string
	retryAfter     time.Duration
}

func ok(body any) *answer { return &answer{status: http.StatusOK, body: body} }

// ServeHTTP implements [http.Handler].
func (e *Emulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("x-ms-request-id", newID())
	w.Header().Set("x-ms-correlation-request-id", newID())
	w.Header().Set("Cache-Control", "no-cache")
	if e.atRegistry(w, r) || e.entra(w, r) {
		return
	}
	a, err := e.arm(w, r)
	status, code := 0, ""
	if err != nil {
		f := failure(err)
		status, code = f.Status, f.Code
		if f.challenge != "" {
			w.Header().Set("WWW-Authenticate", f.challenge)
		}
		sayRetryAfter(w.Header(), f.retryAfter)
		w.Header().Set("x-ms-failure-cause", "service")
		writeJSON(w, status, object{"error": f})
	} else {
		status = a.status
		a.write(w)
	}
	if e.opts.Log != nil {
		e.opts.Log(Request{Method: r.Method, Path: r.URL.Path, Status: status, Code: code})
	}
}

func (a *answer) write(w http.ResponseWriter) {
	if a.location != "" {
		w.Header().Set("Location", a.location)
	}
	if a.asyncOperation != "" {
		w.Header().Set("Azure-AsyncOperation", a.asyncOperation)
	}
	sayRetryAfter(w.Header(), a.retryAfter)
	if body, isObject := a.body.(object); isObject {
		if etag := text(body, "etag"); etag != "" {
			w.Header().Set("ETag", etag)
		}
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	writeJSON(w, a.status, a.body)
}

// sayRetryAfter asks for a pause: in seconds, as HTTP has it, and where that is too
// coarse in milliseconds too, as Azure's clients understand it.
func sayRetryAfter(h http.Header, d time.Duration) {
	if d <= 0 {
		return
	}
	h.Set("Retry-After", strconv.Itoa(int(math.Ceil(d.Seconds()))))
	if d%time.Second != 0 {
		h.Set("Retry-After-Ms", strconv.FormatInt(max(1, d.Milliseconds()), 10))
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil { // bodies came from JSON
		status, data = http.StatusInternalServerError, []byte(`{"error":{"code":"InternalServerError","message":"no JSON"}}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(data) // the client may be gone
}

// A call is a request to Resource Manager that may go on.
type call struct {
	*http.Request
	path   path
	body   object // nil where there is none
	action string // as roles have it: "Microsoft.Compute/virtualMachines/write"
}

var apiVersion = pattern.Of(`^\d{4}-\d{2}-\d{2}(-preview|-alpha|-beta|-privatepreview)?$`)

// arm answers a request to Resource Manager.
func (e *Emulator) arm(w http.ResponseWriter, r *http.Request) (*answer, error) {
	who, err := e.authenticate(r)
	if err != nil {
		return nil, err
	}
	switch version := r.URL.Query().Get("api-version"); {
	case version == "":
		return nil, bad("MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.")
	case !apiVersion().MatchString(version):
		return nil, bad("InvalidApiVersionParameter", "The api-version '%s' is invalid. The supported versions are those of the form 'YYYY-MM-DD' or 'YYYY-MM-DD-preview'.", version)
	}
	switch strings.ToLower(strings.Trim(r.URL.Path, "/")) {
	case "tenants":
		return ok(object{"value": []any{object{"id": "/tenants/" + e.opts.Tenant, "tenantId": e.opts.Tenant, "displayName": "Emulated"}}}), nil
	case "subscriptions":
		return ok(object{"value": []any{e.subscription()}}), nil
	}
	c := &call{Request: r}
	if c.path, err = parsePath(r.URL.Path); err != nil {
		return nil, fail(http.StatusNotFound, "NotFound", "%s is %s", r.URL.Path, err)
	}
	if !strings.EqualFold(c.path.Subscription, e.opts.Subscription.ID) {
		return nil, errSubscription(c.path.Subscription)
	}
	c.action = actionOf(r.Method, c.path)
	if err := e.buckets.take(w.Header(), r.Method, time.Now()); err != nil {
		return nil, err
	}
	if err := e.faults.strike(c, who); err != nil {
		return nil, err
	}
	if isPermissions(c.path) {
		return e.permissions(c, who)
	}
	if err := e.authorize(c, who); err != nil {
		return nil, err
	}
	if c.body, err = readBody(r); err != nil {
		return nil, err
	}
	var a *answer
	err = e.do(func(t *tx) error {
		if err := t.usable(c.path); err != nil {
			return err
		}
		if err := t.hidden(c); err != nil {
			return err
		}
		isNew := t.get(c.path.key()) == nil
		var err error
		a, err = t.route(c)
		if err == nil && isNew && r.Method == http.MethodPut {
			t.makes(c)
		}
		return err
	})
	return a, err
}

func readBody(r *http.Request) (object, error) {
	data, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, bad("InvalidRequestContent", "the body was cut off: %s", err)
	case len(data) > maxBody:
		return nil, fail(http.StatusRequestEntityTooLarge, "RequestContentTooLarge", "The request content size exceeds the maximum size of 4 MB.")
	case len(data) == 0:
		return nil, nil
	}
	o, err := decode(data)
	if err != nil {
		return nil, bad("InvalidRequestContent", "The request content was invalid and could not be deserialized: '%s'.", err)
	}
	return o, nil
}

// actionOf is what a request needs the right to.
func actionOf(method string, p path) string {
	if p.Group != "" && p.Namespace == "" {
		p.Namespace = "Microsoft.Resources/subscriptions/resourceGroups"
	}
	action := typeOf(p)
	switch method {
	case http.MethodPut, http.MethodPatch:
		return action + "/write"
	case http.MethodDelete:
		return action + "/delete"
	case http.MethodPost:
		return action + "/action"
	}
	return action + "/read"
}
