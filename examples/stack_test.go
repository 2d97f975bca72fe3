package examples_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// Programs of Debian, where Docker Hub's images would be.
var (
	nginxImage = testengine.PackageImage{
		Name:     "swarmtest/nginx:1",
		Packages: []string{"nginx-light", "busybox", "dash"},
		Links:    []string{"/usr/bin/wget -> busybox"},
		Cmd:      []string{"nginx", "-g", "daemon off;"},
	}
	redisImage = testengine.PackageImage{
		Name:     "swarmtest/redis:1",
		Packages: []string{"redis-server", "redis-tools"},
		Cmd:      []string{"redis-server"},
	}
)

// onEngine is an example that is tried on a swarm of one real engine.
func onEngine(t *testing.T, script string, vars ...string) (*stage, *testengine.Engine) {
	t.Helper()
	e := testengine.Start(t, testengine.Docker28)
	testengine.Images(e)
	e.Docker("swarm", "init", "--advertise-addr", e.Addr)
	env := []string{"DOCKER_HOST=" + e.Host, "DOCKER_CONFIG=" + t.TempDir()}
	return &stage{T: t, script: script, vars: append([]string{"nodes=0"}, vars...), env: env}, e
}

// gone destroys, and checks that no service, secret or network is left.
func (s *stage) gone(e *testengine.Engine) {
	s.Helper()
	s.destroy()
	left := e.Docker("service", "ls", "-q") + e.Docker("secret", "ls", "-q") +
		strings.TrimPrefix(e.Docker("network", "ls", "--filter", "scope=swarm", "--format", "{{.Name}}"), "ingress")
	if left != "" {
		s.Errorf("after the destroy there is still\n%s", left)
	}
}

// page is what is answered, or why nothing is.
func page(url string) string {
	return pageOf(http.DefaultClient, url)
}

// pageOf is that by a client of its own.
func pageOf(web *http.Client, url string) string {
	resp, err := web.Get(url)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return resp.Status + ": " + string(body)
}

// A stack of compose files is deployed, scaled, updated, and stays what it was where
// an update fails. Its services find each other's tasks by name.
func TestStack(t *testing.T) {
	s, e := onEngine(t, "stack/cluster.star", "web_image="+nginxImage.Name, "cache_image="+redisImage.Name, "monitor=6s") // a program may take a while to fail
	testengine.LoadPackages(t, nginxImage, e)
	testengine.LoadPackages(t, redisImage, e)
	api := func(image string, replicas int) []string {
		return []string{"api_image=" + image, fmt.Sprint("api_replicas=", replicas)}
	}
	// serves waits until the proxy has found each of so many tasks, all of a version.
	serves := func(version string, tasks int) {
		t.Helper()
		answers := map[string]int{}
		defer func() {
			if t.Failed() {
				t.Logf("the answers of the last look: %v\n%s", answers, e.Docker("stack", "ps", "shop"))
			}
		}()
		s.eventually(fmt.Sprintf("%d tasks answer with version %s", tasks, version), func() bool {
			clear(answers) // a task that answered before may have gone
			for range 4 * tasks {
				answers[page("http://"+e.Addr+":8080/")]++
			}
			for answer := range answers {
				if !strings.HasPrefix(answer, "200 OK: version "+version+" on ") {
					return false // an old one, or none
				}
			}
			return len(answers) == tasks
		})
	}

	s.apply(api(testengine.Web1, 2))
	s.settled()
	serves("1", 2)
	if got := e.Docker("ps", "--filter", "health=healthy", "--format", "{{.Image}}"); !strings.Contains(got, nginxImage.Name) || !strings.Contains(got, redisImage.Name) {
		t.Errorf("healthy are\n%s", got)
	}
	if got := strings.Fields(e.Docker("stack", "ls", "--format", "{{.Name}} {{.Services}}")); len(got) != 2 || got[0] != "shop" || got[1] != "3" {
		t.Errorf("docker stack ls has %v", got)
	}

	s.apply(api(testengine.Web1, 4))
	s.settled()
	serves("1", 4)
	s.apply(api(testengine.Web2, 4))
	s.settled()
	serves("2", 4)

	code, out := s.run(s.args("apply", api(testengine.Fail, 4), "--auto-approve")...)
	for _, want := range []string{"service.shop_api did not converge", "exited with 1", "Database is uninitialized and password option is not specified", "rolled back"} {
		if code != 5 || !strings.Contains(out, want) {
			t.Errorf("the apply of a bad image ended with %d, want %q:\n%s", code, want, out)
		}
	}
	s.settled()
	serves("2", 4)
	s.gone(e)
}
