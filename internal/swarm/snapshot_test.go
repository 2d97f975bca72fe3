package swarm_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm"
)

// An engine that has just been demoted still says that it is a manager, and knows
// nothing of its swarm any more: it is asked again, not given up.
func TestReadWhileDemoted(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("API-Version", "1.51")
		switch {
		case strings.HasSuffix(r.URL.Path, "/_ping"):
		case strings.HasSuffix(r.URL.Path, "/info"):
			w.Write([]byte(`{"ID": "e", "Swarm": {"NodeID": "n", "LocalNodeState": "active", "ControlAvailable": true}}`))
		case strings.HasSuffix(r.URL.Path, "/networks"):
			w.Write([]byte(`[]`))
		case strings.HasSuffix(r.URL.Path, "/volumes"):
			w.Write([]byte(`{}`))
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
			w.Write([]byte(`{"message": "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state."}`))
		}
	}))
	defer s.Close()
	d, err := remote.Dial(remote.Endpoint{Host: strings.Replace(s.URL, "http://", "tcp://", 1), ConfigDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := swarm.Read(t.Context(), d); !errors.Is(err, resource.ErrTransient) {
		t.Errorf("it says: %v", err)
	}
}
