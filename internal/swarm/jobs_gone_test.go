package swarm_test

import (
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm"
)

// A job goes just after it was listed: an engine that is asked for the tasks of a service
// that is gone, and of others, answers for none, and the others are observed all the same.
func TestJobGoneMeanwhile(t *testing.T) {
	answers := map[string]string{
		"services": `[{"ID": "gone", "Spec": {"Name": "gone", "Mode": {"ReplicatedJob": {}}, "TaskTemplate": {"ContainerSpec": {"Image": "x"}}}, "JobStatus": {"JobIteration": {"Index": 1}}, "ServiceStatus": {"DesiredTasks": 1}}]`,
		"swarm":    `{"ID": "s"}`,
		"volumes":  `{}`,
		"_ping":    ``,
	}
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("API-Version", "1.51")
		what := path.Base(r.URL.Path)
		if what == "tasks" {
			asked++
			if strings.Contains(r.URL.RawQuery, "gone") {
				w.WriteHeader(http.StatusNotFound)
				w.Write([]byte(`{"message": "service gone not found"}`))
				return
			}
		}
		if text, ok := answers[what]; ok {
			w.Write([]byte(text))
			return
		}
		w.Write([]byte(`[]`))
	}))
	defer s.Close()
	d, err := remote.Dial(remote.Endpoint{Host: strings.Replace(s.URL, "http://", "tcp://", 1), ConfigDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := swarm.NewConn(d, nil).Observe(t.Context(), resource.Query{}); err != nil {
		t.Error(err)
	}
	if asked != 2 {
		t.Errorf("tasks were asked for %d times", asked)
	}
}
