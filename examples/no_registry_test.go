package examples_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/local"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// Two machines share no registry: an image that the first builds is copied to the
// other over SSH, and both answer with it, and with the next one.
func TestNoRegistry(t *testing.T) {
	if _, err := local.Open(local.Config{}); err != nil {
		t.Skip(err)
	}
	s := &stage{T: t, script: filepath.Join(copied(t, "no-registry"), "cluster.star"), project: "no-registry/test",
		vars: []string{"env=test", "port=8080", "monitor=1s"}, flags: []string{"--provider", "local"}}
	s.destroy() // what a run left that was killed
	t.Cleanup(s.destroy)
	first := "base=" + testengine.Web1
	s.apply([]string{first}, "--exclude", "build.site")
	s.load("node-0") // what is built on
	serves := func(version string) {
		t.Helper()
		for _, name := range []string{"node-0", "node-1"} {
			s.eventually(name+" answers with "+version, func() bool {
				return strings.HasPrefix(page("http://"+s.machine(name).Address.String()+":8080/"), "200 OK: "+version+" on ")
			})
		}
	}
	s.apply([]string{first})
	s.settled()
	serves("version 1")

	s.apply([]string{"base=" + testengine.Web2})
	s.settled()
	serves("version 2")
	for _, name := range []string{"node-0", "node-1"} {
		if got := s.on(name, "docker image ls --quiet --filter reference='site:sha-*' | wc -l", nil); got != "2" {
			t.Errorf("%s has %s images of the site", name, got)
		}
	}

	s.on("node-1", "docker ps --quiet | xargs docker rm --force; docker image ls --quiet --filter reference='site:*' | xargs docker image rm --force", nil)
	s.apply([]string{"base=" + testengine.Web2})
	s.settled()
	serves("version 2")
}
