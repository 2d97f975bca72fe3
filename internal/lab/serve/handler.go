package serve

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"

	"github.com/swarmscript/swarmscript/internal/lab/api"
	"github.com/swarmscript/swarmscript/internal/lab/world"
)

// handler is the control API.
func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	on := func(pattern string, do func(r *http.Request) (any, error)) { mux.HandleFunc(pattern, s.answer(do)) }
	w := s.world
	on("GET /v1/lab", func(*http.Request) (any, error) { return s.info(), nil })
	on("POST /v1/stop", func(*http.Request) (any, error) { s.end(); return nil, nil })
	on("POST /v1/reset", func(*http.Request) (any, error) {
		s.mu.Lock()
		s.reset = true
		s.mu.Unlock()
		s.end()
		return nil, nil
	})
	on("GET /v1/hosts", func(*http.Request) (any, error) { return w.Hosts(), nil })
	on("POST /v1/hosts", func(r *http.Request) (any, error) {
		spec, err := read[api.Spec](r)
		if err != nil {
			return nil, err
		}
		return described(w.Create(r.Context(), spec))
	})
	host := func(do func(r *http.Request, h *world.Host) (any, error)) func(r *http.Request) (any, error) {
		return func(r *http.Request) (any, error) {
			h, err := w.Host(r.PathValue("id"))
			if err != nil {
				return nil, err
			}
			return do(r, h)
		}
	}
	on("GET /v1/hosts/{id}", host(func(_ *http.Request, h *world.Host) (any, error) { return h.Describe(), nil }))
	on("POST /v1/hosts/{id}", host(func(r *http.Request, h *world.Host) (any, error) {
		change, err := read[api.Change](r)
		if err != nil {
			return nil, err
		}
		return described(h, h.Change(change))
	}))
	on("DELETE /v1/hosts/{id}", host(func(_ *http.Request, h *world.Host) (any, error) { return nil, h.Destroy() }))
	on("POST /v1/hosts/{id}/engine", host(func(_ *http.Request, h *world.Host) (any, error) {
		at, err := h.Engine()
		return api.Endpoint{Host: at}, err
	}))
	on("POST /v1/hosts/{id}/{verb}", host(s.power))
	pair := func(do func(a, b string) error) func(r *http.Request) (any, error) {
		return func(r *http.Request) (any, error) {
			p, err := read[api.Pair](r)
			if err != nil {
				return nil, err
			}
			return nil, do(p.A, p.B)
		}
	}
	on("POST /v1/partition", pair(w.Partition))
	on("POST /v1/heal", pair(w.Heal))
	on("GET /v1/faults", func(*http.Request) (any, error) { return w.Faults(), nil })
	on("POST /v1/faults", func(r *http.Request) (any, error) {
		f, err := read[api.Fault](r)
		if err != nil {
			return nil, err
		}
		return w.SetFault(f)
	})
	on("DELETE /v1/faults", func(*http.Request) (any, error) { return nil, w.ClearFault("") })
	on("DELETE /v1/faults/{id}", func(r *http.Request) (any, error) { return nil, w.ClearFault(r.PathValue("id")) })
	on("POST /v1/lease/read", lease(func(l api.LeaseWrite) (*api.Lease, error) { return w.ReadLease(l.Project) }))
	on("POST /v1/lease", lease(w.WriteLease))
	return mux
}

func lease(do func(api.LeaseWrite) (*api.Lease, error)) func(r *http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		l, err := read[api.LeaseWrite](r)
		if err != nil {
			return nil, err
		}
		return do(l)
	}
}

// power does something to a host's power. It goes on though who asked for it does
// not wait.
func (s *server) power(r *http.Request, h *world.Host) (any, error) {
	ctx := context.WithoutCancel(r.Context())
	switch verb := r.PathValue("verb"); verb {
	case "start":
		return described(h, h.Start(ctx))
	case "stop":
		return described(h, h.Stop(ctx))
	case "kill":
		return described(h, h.Kill())
	case "pause":
		return described(h, h.Pause())
	case "resume":
		return described(h, h.Resume())
	default:
		return nil, &api.Failure{Code: api.CodeInvalid, Message: fmt.Sprintf("there is no verb %q", verb)}
	}
}

func described(h *world.Host, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return h.Describe(), nil
}

func (s *server) info() *api.Info {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	info := &api.Info{
		Dir: filepath.Clean(s.cfg.Dir), ID: s.world.ID(), PID: s.process.PID, Build: s.process.Build, Started: s.started.UTC(),
		Idle: s.idle().String(), Memory: mem.Sys - mem.HeapReleased,
	}
	info.Hosts, info.Running = s.world.Count()
	return info
}

// answer makes a handler: who has the token may ask, and is somebody who uses the
// lab.
func (s *server) answer(do func(r *http.Request) (any, error)) http.HandlerFunc {
	want := []byte("Bearer " + s.process.Token)
	return func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
			http.Error(w, "this is the control API of a swarmscript lab", http.StatusUnauthorized)
			return
		}
		if s.ctx.Err() != nil {
			http.Error(w, "the lab's process ends", http.StatusServiceUnavailable)
			return
		}
		defer s.use.begin()()
		out, err := do(r)
		status := http.StatusOK
		if err != nil {
			var f *api.Failure
			if !errors.As(err, &f) {
				f = &api.Failure{Code: api.CodeFailed, Message: err.Error()}
			}
			out, status = f, statusOf[f.Code]
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if err := json.NewEncoder(w).Encode(out); err != nil {
			s.log.Debug("an answer was not read", "path", r.URL.Path, "err", err)
		}
	}
}

var statusOf = map[api.Code]int{
	api.CodeExists: http.StatusConflict, api.CodeMissing: http.StatusNotFound, api.CodeConflict: http.StatusConflict,
	api.CodeInvalid: http.StatusBadRequest, api.CodeFailed: http.StatusInternalServerError,
}

// read decodes a request.
func read[T any](r *http.Request) (v T, err error) {
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<20)).Decode(&v); err != nil {
		return v, &api.Failure{Code: api.CodeInvalid, Message: "the request is not understood: " + err.Error()}
	}
	return v, nil
}
