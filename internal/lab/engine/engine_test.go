package engine

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/client"

	"github.com/swarmscript/swarmscript/internal/lab/store"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// served is an engine that listens on a socket, as a host's does.
type served struct {
	t *testing.T
	*Engine
	host string
}

func config(name string) Config {
	return Config{
		Hostname: name, Address: "127.80.0.1", Version: "28.5.2", OS: "Debian GNU/Linux 12 (bookworm)",
		NanoCPUs: 2e9, Memory: 4 << 30,
	}
}

func serve(t *testing.T, cfg Config) *served {
	t.Helper()
	e, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	dir, err := os.MkdirTemp("", "lab")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "docker.sock"))
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: e.Handler()}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return &served{t, e, "unix://" + l.Addr().String()}
}

func (s *served) client() *client.Client {
	s.t.Helper()
	c, err := client.NewClientWithOpts(client.WithHost(s.host), client.WithAPIVersionNegotiation())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}

// docker runs the real CLI, and returns what it says, errors too.
func (s *served) docker(args ...string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, testengine.CLI(s.t), args...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+s.host)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		out.WriteString("(" + err.Error() + ")")
	}
	return strings.TrimSpace(out.String())
}

func open(t *testing.T, path string) *store.Store {
	t.Helper()
	s, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// says runs the CLI and checks that its output has a text.
func (s *served) says(want, line string) {
	s.t.Helper()
	if got := s.docker(strings.Fields(line)...); !strings.Contains(got, want) {
		s.t.Errorf("docker %s:\n%s\nwant %q", line, got, want)
	}
}

// TestDockerCLI works with an engine as people do.
func TestDockerCLI(t *testing.T) {
	s := serve(t, config("m1"))
	for _, c := range []struct{ want, line string }{
		{"swarmscript lab (simulated)", "version"},
		{"API version:      1.51", "version"},
		{"lab=true", "info"},
		{"WARNING: this engine is simulated", "info"},
		{"Status: Downloaded newer image for nginx:1.27", "pull nginx:1.27"},
		{"Status: Image is up to date for nginx:1.27", "pull nginx:1.27"},
		{"map[80/tcp:{}]", "image inspect --format {{.Config.ExposedPorts}} nginx:1.27"},
		{"", "network create --subnet 10.5.0.0/24 back"},
		{"", "run -d --name web --network back -p 8080:80 --restart always -v data:/data -e A=B nginx:1.27"},
		{"0.0.0.0:8080->80/tcp, [::]:8080->80/tcp", "ps"},
		{"10.5.0.2", "inspect --format {{.NetworkSettings.Networks.back.IPAddress}} web"},
		{"80/tcp -> 0.0.0.0:8080", "port web"},
		{"ready for start up", "logs web"},
		{"has active endpoints (name:\"web\"", "network rm back"},
		{"volume is in use", "volume rm data"},
		{"port is already allocated", "run -d --name other -p 8080:80 nginx:1.27"},
		{"is already in use by container", "run -d --name web nginx:1.27"},
		{"not simulated: exec", "exec web ls"},
		{"not simulated: what is typed into a container: run it without --interactive", "run -i --name typed nginx:1.27"},
		{"No such object: typed", "inspect typed"},
		{"not simulated: stats", "stats --no-stream web"},
		{"not simulated: files", "cp web:/etc /tmp/nowhere"},
		{"not simulated: processes", "top web"},
		{"the Dockerfile (Dockerfile) cannot be empty", "build -"},
		{"manifest.json", "save nginx:1.27"},
		{"digest: sha256:", "push nginx:1.27"},
		{"Login Succeeded", "login -u a -p b registry.example.com"},
		{"", "rename web www"},
		{"www", "stop www"},
		{"Exited (0)", "ps -a --filter name=www"},
		{"www", "start www"},
		{"www", "rm -f www"},
		{"Deleted Networks:\nback", "system prune -f"},
		{"Deleted: sha256:", "rmi nginx:1.27"},
		{"No such image: nginx:1.27", "image inspect nginx:1.27"},
		{"Total reclaimed space", "system prune -af --volumes"},
	} {
		s.says(c.want, c.line)
	}
}
