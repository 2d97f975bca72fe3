package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// An engine of 2020 knows nothing of what came later: a simulated one answers as it.
func TestOldEngine(t *testing.T) {
	e := testengine.Start(t, testengine.Debian20, testengine.Hostname("m1"))
	cfg := config("m1")
	cfg.Version = "20.10.24+dfsg1"
	cfg.Exists = func(path string) bool { return !strings.HasPrefix(path, "/nope") }
	real, lab := tell(t, e.Host), tell(t, serve(t, cfg).host)
	real.processes = true
	load(t, real)
	load(t, lab)
	for who, events := range map[string]string{"real": real.events(), "lab": lab.events()} {
		if !strings.Contains(events, `"die"`) || strings.Contains(events, "execDuration") {
			t.Errorf("%s: events\n%s", who, events)
		}
	}
	for _, r := range []request{
		{"GET", "/nope", ""},
		{"GET", "/_ping", ""},
		{"GET", "/v1.42/info", ""},
		{"GET", "/v1.51/containers/json", ""},
		{"POST", "/volumes/create", `{"Name":"cv","ClusterVolumeSpec":{}}`}, // which it does not know
		{"GET", "/volumes/cv", ""},
		{"PUT", "/volumes/cv?version=1", "{}"},
		{"POST", "/containers/create?name=new", `{"Image":"swarmtest/web:1","Annotations":{"a":"b"},"Healthcheck":{"Test":["CMD","x"],"StartInterval":1}}`},
		{"GET", "/containers/new/json", ""},
	} {
		wantStatus, want := real.ask(r)
		status, got := lab.ask(r)
		if status != wantStatus || r.method+r.path != "GET/containers/new/json" && text(got) != text(want) {
			t.Errorf("%s %s %s\nreal %d, lab %d\n%s", r.method, r.path, r.body, wantStatus, status, difference(text(want), text(got)))
		}
		if strings.Contains(fmt.Sprint(got), "StartInterval") != strings.Contains(fmt.Sprint(want), "StartInterval") {
			t.Errorf("%s %s: one of the two knows StartInterval", r.method, r.path)
		}
	}
}
