package remote

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// quiet takes the caller's own docker settings out of a test.
func quiet(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, v := range []string{"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_AUTH_CONFIG", "DOCKER_API_VERSION"} {
		t.Setenv(v, "")
	}
	t.Setenv("DOCKER_CONFIG", dir)
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// dockerContext writes a context as docker context create does.
func dockerContext(t *testing.T, dir, name, host string) {
	t.Helper()
	id := fmt.Sprintf("%x", sha256.Sum256([]byte(name)))
	write(t, filepath.Join(dir, "contexts", "meta", id, "meta.json"),
		fmt.Sprintf(`{"Name":%q,"Metadata":{},"Endpoints":{"docker":{"Host":%q,"SkipTLSVerify":false}}}`, name, host))
}

// Which engine is meant: the docker CLI's order.
func TestEndpoint(t *testing.T) {
	for _, tt := range []struct {
		name     string
		endpoint Endpoint
		env      map[string]string
		current  string
		want     string // host, or a part of the error after "error: "
	}{
		{name: "nothing", want: "unix:///var/run/docker.sock"},
		{name: "DOCKER_HOST", env: map[string]string{"DOCKER_HOST": "tcp://1.2.3.4:2375"}, want: "tcp://1.2.3.4:2375"},
		{name: "DOCKER_HOST before DOCKER_CONTEXT", env: map[string]string{"DOCKER_HOST": "tcp://1.2.3.4:2375", "DOCKER_CONTEXT": "prod"}, want: "tcp://1.2.3.4:2375"},
		{name: "DOCKER_CONTEXT", env: map[string]string{"DOCKER_CONTEXT": "prod"}, want: "ssh://prod.example"},
		{name: "DOCKER_CONTEXT default", env: map[string]string{"DOCKER_CONTEXT": "default"}, current: "prod", want: "unix:///var/run/docker.sock"},
		{name: "current context", current: "prod", want: "ssh://prod.example"},
		{name: "explicit host", endpoint: Endpoint{Host: "unix:///x.sock"}, env: map[string]string{"DOCKER_HOST": "tcp://1.2.3.4:2375"}, want: "unix:///x.sock"},
		{name: "explicit context", endpoint: Endpoint{Context: "prod"}, env: map[string]string{"DOCKER_HOST": "tcp://1.2.3.4:2375"}, want: "ssh://prod.example"},
		{name: "explicit default", endpoint: Endpoint{Context: "default"}, env: map[string]string{"DOCKER_HOST": "tcp://1.2.3.4:2375"}, want: "unix:///var/run/docker.sock"},
		{name: "no such context", endpoint: Endpoint{Context: "nope"}, want: `error: docker context "nope": there is no such context`},
		{name: "bad scheme", endpoint: Endpoint{Host: "gopher://x"}, want: `error: unknown scheme "gopher"`},
		{name: "no scheme", env: map[string]string{"DOCKER_HOST": "localhost"}, want: `error: engine address "localhost" (DOCKER_HOST)`},
		{name: "TLS without files", env: map[string]string{"DOCKER_HOST": "tcp://1.2.3.4:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/nowhere"}, want: "error: /nowhere/ca.pem"},
		{name: "TLS means nothing to a socket", endpoint: Endpoint{Host: "unix:///x.sock"}, env: map[string]string{"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/nowhere"}, want: "unix:///x.sock"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := quiet(t)
			dockerContext(t, dir, "prod", "ssh://prod.example")
			write(t, filepath.Join(dir, "config.json"), fmt.Sprintf(`{"currentContext":%q}`, tt.current))
			for k, v := range tt.env {
				t.Setenv(k, v)
			}
			got, err := tt.endpoint.resolve()
			text := ""
			if err != nil {
				text = "error: " + err.Error()
			} else {
				text = got.host
			}
			want, isError := strings.CutPrefix(tt.want, "error: ")
			if !isError && text != tt.want || isError && (err == nil || !strings.Contains(text, want)) {
				t.Errorf("got %s, want %s", text, tt.want)
			}
		})
	}
}

// What a person reads when an engine cannot be reached.
func TestUnreachable(t *testing.T) {
	quiet(t)
	dir := t.TempDir()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := closed.Addr().String()
	closed.Close()
	hangup, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hangup.Close()
	go func() {
		for {
			c, err := hangup.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	write(t, filepath.Join(dir, "file.sock"), "")
	for _, tt := range []struct {
		name, host string
		tls        *TLS
		want       []string
	}{
		{"no socket", "unix://" + dir + "/none.sock", nil, []string{"cannot reach the Docker Engine at unix://" + dir + "/none.sock", "no such socket", "is the engine running"}},
		{"a file", "unix://" + dir + "/file.sock", nil, []string{"connection refused"}},
		{"refused", "tcp://" + refused, nil, []string{"connection refused", "is the port open"}},
		{"no TLS there", "tcp://" + plain.Listener.Addr().String(), &TLS{SkipVerify: true}, []string{"does not speak TLS", "DOCKER_TLS_VERIFY"}},
		{"TLS there", "tcp://" + secure.Listener.Addr().String(), nil, []string{"at tcp://", "wants TLS", "DOCKER_TLS_VERIFY"}},
		{"stranger's certificate", "tcp://" + secure.Listener.Addr().String(), &TLS{}, []string{"unknown authority", "check tls_ca"}},
		{"hangs up", "tcp://" + hangup.Addr().String(), nil, []string{"closed the connection"}},
		{"no such name", "tcp://no-such-host.invalid:2375", nil, []string{"cannot be resolved"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Dial(Endpoint{Host: tt.host, TLS: tt.tls})
			if err != nil {
				t.Fatal(err)
			}
			_, err = d.Ready(t.Context())
			if err == nil {
				// The engine answered the ping with an error of HTTP.
				_, err = d.API().Info(t.Context())
				err = Err(err)
			}
			if !errors.Is(err, resource.ErrUnreachable) {
				t.Fatalf("%v is not ErrUnreachable", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
		})
	}
}

// The engine's words, as 20.10 and 28 say them.
func TestErr(t *testing.T) {
	for _, tt := range []struct {
		text string
		is   error
	}{
		{"Error response from daemon: rpc error: code = Unknown desc = update out of sequence", resource.ErrConflict},
		{"Error response from daemon: rpc error: code = AlreadyExists desc = config x already exists", resource.ErrExists},
		{"Error response from daemon: network with name back already exists", resource.ErrExists},
		{"Error response from daemon: rpc error: code = Unknown desc = name conflicts with an existing object: network back already exists", resource.ErrExists},
		{`Error response from daemon: This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.`, resource.ErrExists},
		{"Error response from daemon: rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers are online.", resource.ErrUnreachable},
		{"Error response from daemon: rpc error: code = DeadlineExceeded desc = context deadline exceeded", resource.ErrTransient},
		{"Error response from daemon: rpc error: code = Unknown desc = raft: failed to process the request: node lost leader status", resource.ErrTransient},
		{"Error response from daemon: rpc error: code = Unknown desc = raft: failed to process the request: node is stopped", resource.ErrTransient},
		{"Error response from daemon: rpc error: code = Unknown desc = raft: no elected cluster leader", resource.ErrUnreachable},
		{"Error response from daemon: invalid name", nil},
	} {
		err := Err(errors.New(tt.text))
		for _, class := range []error{resource.ErrConflict, resource.ErrExists, resource.ErrUnreachable, resource.ErrTransient} {
			is := errors.Is(err, class)
			if is != (class == tt.is) && !(class == resource.ErrTransient && tt.is == resource.ErrUnreachable) {
				t.Errorf("%q is %v: %t", err, class, is)
			}
		}
		if strings.Contains(err.Error(), "rpc error") || strings.Contains(err.Error(), "daemon:") {
			t.Errorf("the text is %q", err)
		}
		if again := Err(fmt.Errorf("more: %w", err)); again.Error() != "more: "+err.Error() {
			t.Errorf("said twice: %q", again)
		}
	}
	if Err(nil) != nil {
		t.Error("nil became an error")
	}
}

func TestCredentials(t *testing.T) {
	dir := quiet(t)
	bin := t.TempDir()
	asks := filepath.Join(bin, "log")
	write(t, filepath.Join(bin, "docker-credential-test"), "#!/bin/sh\nread host\necho $host >> "+asks+"\ncase $host in\n"+
		"*none*) echo 'credentials not found in native keychain'; exit 1;;\n*broken*) echo 'no keyring'; exit 1;;\n"+
		`*token*) echo '{"ServerURL":"'$host'","Username":"<token>","Secret":"idtoken"}';;`+"\n"+
		`*) echo '{"ServerURL":"'$host'","Username":"helped","Secret":"s3cret"}';;`+"\nesac\n")
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	auth := base64.StdEncoding.EncodeToString([]byte("me:pw:with:colons"))
	write(t, filepath.Join(dir, "config.json"), fmt.Sprintf(`{
		"auths": {"https://index.docker.io/v1/": {"auth": %q}, "plain.example:5000": {"auth": %q}, "id.example": {"auth": %q, "identitytoken": "tok"}},
		"credHelpers": {"helped.example": "test", "token.example": "test", "none.example": "test", "broken.example": "test"}}`, auth, auth, auth))
	c := NewCredentials("")
	stored := t.TempDir()
	write(t, filepath.Join(stored, "config.json"), `{"credsStore": "test", "credHelpers": {"own.example": "missing"}}`)
	if got, err := NewCredentials(stored).For("any.example/x"); err != nil || got == "" {
		t.Errorf("credsStore gives %q, %v", got, err)
	}
	if _, err := NewCredentials(stored).For("own.example/x"); err == nil || !strings.Contains(err.Error(), "docker-credential-missing") {
		t.Errorf("a helper that is not there gives %v", err)
	}
	for _, tt := range []struct{ image, user, password, token string }{
		{image: "nginx", user: "me", password: "pw:with:colons"},
		{image: "docker.io/library/nginx:1.27", user: "me", password: "pw:with:colons"},
		{image: "plain.example:5000/a/b@sha256:" + strings.Repeat("0", 64), user: "me", password: "pw:with:colons"},
		{image: "id.example/x", token: "tok"},
		{image: "helped.example/x", user: "helped", password: "s3cret"},
		{image: "helped.example/y:2", user: "helped", password: "s3cret"},
		{image: "token.example/x", token: "idtoken"},
		{image: "none.example/x"},
		{image: "unknown.example/x"},
	} {
		got, err := c.For(tt.image)
		if err != nil {
			t.Errorf("%s: %v", tt.image, err)
			continue
		}
		var a struct{ Username, Password, IdentityToken string }
		raw, err := base64.URLEncoding.DecodeString(got)
		if err != nil || got != "" && json.Unmarshal(raw, &a) != nil {
			t.Errorf("%s: %q: %v", tt.image, got, err)
		}
		if tt.token == "" && (a.Username != tt.user || a.Password != tt.password) || a.IdentityToken != tt.token {
			t.Errorf("%s: got %+v, want %+v", tt.image, a, tt)
		}
	}
	if _, err := c.For("broken.example/x"); err == nil || !strings.Contains(err.Error(), "credentials for broken.example") {
		t.Errorf("a broken helper gives %v", err)
	}
	if _, err := c.For("UPPER/x:y:z"); err == nil {
		t.Error("a bad image has credentials")
	}
	asked, _ := os.ReadFile(asks)
	if n := strings.Count(string(asked), "helped.example"); n != 1 {
		t.Errorf("the helper was asked %d times", n)
	}
}
