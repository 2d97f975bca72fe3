package examples_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// The registry's own image; the link is what Docker Hub's calls its program.
var registryImage = testengine.PackageImage{
	Name:       "swarmtest/registry:1",
	Packages:   []string{"docker-registry", "busybox", "dash", "grep"},
	Links:      []string{"/usr/bin/registry -> docker-registry", "/usr/bin/wget -> busybox"},
	Entrypoint: []string{"registry"},
}

// copied is an example in a folder of the test's own, which may change its files.
func copied(t *testing.T, example string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), example)
	if err := os.CopyFS(dir, os.DirFS(example)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// An image is built, pushed to the swarm's own registry, and run from there; another
// content, or another tag, makes the service roll to it.
func TestRegistry(t *testing.T) {
	dir := copied(t, "registry")
	s, e := onEngine(t, filepath.Join(dir, "cluster.star"), "registry_image="+registryImage.Name, "base="+nginxImage.Name, "monitor=1s")
	testengine.LoadPackages(t, nginxImage, e)
	testengine.LoadPackages(t, registryImage, e)
	serves := func(text, tag string) {
		t.Helper()
		s.eventually("the service answers "+text, func() bool {
			return strings.Contains(page("http://"+e.Addr+":8080/"), text)
		})
		if got := page("http://" + e.Addr + ":5000/v2/site/tags/list"); !strings.Contains(got, `"`+tag+`"`) {
			t.Errorf("the registry has %s", got)
		}
		if got, want := e.Docker("service", "inspect", "--format", "{{.Spec.TaskTemplate.ContainerSpec.Image}}", "web"), "localhost:5000/site:"+tag+"@sha256:"; !strings.HasPrefix(got, want) {
			t.Errorf("the service runs %s, want %s...", got, want)
		}
	}

	s.apply(nil)
	s.settled()
	serves("part of an image that was built", "1.0")
	// What the engine has no more it gets from the registry.
	task := e.Docker("ps", "--quiet", "--filter", "label=com.docker.swarm.service.name=web")
	e.Docker("image", "rm", "--force", "localhost:5000/site:1.0")
	e.Docker("rm", "--force", task)
	serves("part of an image that was built", "1.0")

	if err := os.WriteFile(filepath.Join(dir, "site", "index.html"), []byte("another page\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.apply([]string{"tag=1.1"})
	s.settled()
	serves("another page", "1.1")
	s.gone(e)
}

// Each node of a swarm has a web server and a cache, also one that joins later.
func TestWebAndCache(t *testing.T) {
	s, one := onEngine(t, "web-and-cache/cluster.star", "web_image="+nginxImage.Name, "cache_image="+redisImage.Name, "monitor=1s")
	engines := []*testengine.Engine{one}
	// joined is another engine, which has the images.
	joined := func() {
		t.Helper()
		e := testengine.Start(t, testengine.Docker28)
		testengine.LoadPackages(t, nginxImage, e)
		testengine.LoadPackages(t, redisImage, e)
		e.Docker("swarm", "join", "--token", one.Docker("swarm", "join-token", "--quiet", "worker"), one.Addr+":2377")
		engines = append(engines, e)
	}
	serve := func() {
		t.Helper()
		for _, e := range engines {
			s.eventually(e.Hostname+" has both", func() bool {
				healthy := len(strings.Fields(e.Docker("ps", "--quiet", "--filter", "health=healthy")))
				return healthy == 2 && page("http://"+e.Addr+":8080/") == "200 OK: web on "+e.Hostname+"\n"
			})
			cache := e.Docker("ps", "--quiet", "--filter", "label=com.docker.swarm.service.name=cache")
			if got := e.Docker("exec", cache, "redis-cli", "config", "get", "maxmemory"); !strings.Contains(got, fmt.Sprint(64<<20)) {
				t.Errorf("the cache of %s says %s", e.Hostname, got)
			}
		}
	}
	testengine.LoadPackages(t, nginxImage, one)
	testengine.LoadPackages(t, redisImage, one)
	joined()
	s.apply(nil)
	s.settled()
	serve()

	joined()
	serve()
	s.settled()
	s.gone(one)
}

// The five services of the voting application run as their compose file says, of
// images that only stand for them.
func TestVoting(t *testing.T) {
	s, e := onEngine(t, "voting/cluster.star")
	testengine.LoadPackages(t, redisImage, e)
	s.env = append(s.env, "MONITOR=1s", "VOTE_IMAGE="+testengine.Web1, "RESULT_IMAGE="+testengine.Web1,
		"WORKER_IMAGE="+testengine.Sleep, "REDIS_IMAGE="+redisImage.Name, "DB_IMAGE="+testengine.Sleep)
	s.apply(nil)
	s.settled()
	want := "voting_db 1/1\nvoting_redis 1/1\nvoting_result 1/1\nvoting_vote 2/2\nvoting_worker 2/2"
	if got := e.Docker("service", "ls", "--format", "{{.Name}} {{.Replicas}}"); got != want {
		t.Errorf("there is\n%s\nwant\n%s", got, want)
	}
	s.apply([]string{"voters=4"})
	s.settled()
	if got := e.Docker("service", "ls", "--filter", "name=voting_vote", "--format", "{{.Replicas}}"); got != "4/4" {
		t.Errorf("of those to vote at there are %s", got)
	}
	s.gone(e)
}
