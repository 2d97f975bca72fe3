package testengine

import (
	"strings"
	"testing"
	"time"
)

// Three managers and two workers; a task runs on each of them.
func TestStartSwarm(t *testing.T) {
	begun := time.Now()
	s := StartSwarm(t, 3, 2)
	t.Logf("five engines in a swarm in %s", time.Since(begun))
	s.Images()
	m := s.Managers[0]
	m.Docker("service", "create", "--quiet", "--mode=global", "--name=web", "--publish=mode=host,target=8080,published=80", Web1)
	for _, e := range s.Engines() {
		if body := get(t, "http://"+e.Addr+"/"); !strings.HasPrefix(body, "version 1 on ") {
			t.Errorf("%s answers %q", e.Hostname, body)
		}
	}
	want := map[string]string{"mgr-0": "Leader", "mgr-1": "Reachable", "mgr-2": "Reachable", "wrk-0": "", "wrk-1": ""}
	for host, manager := range want {
		if got := m.Docker("node", "inspect", "--format={{with .ManagerStatus}}{{if .Leader}}Leader{{else}}Reachable{{end}}{{end}}", host); got != manager {
			t.Errorf("%s is %q, want %q", host, got, manager)
		}
	}
}
