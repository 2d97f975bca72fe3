package check

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// args fills in the arguments of a check.
func args(k *resource.Kind, given map[string]value.Value) value.Struct {
	out := make(value.Struct, len(k.Schema.Fields()))
	for name, v := range given {
		f, ok := k.Schema.Field(name)
		if !ok {
			panic(name)
		}
		checked, err := f.Check(v)
		if err != nil {
			panic(fmt.Sprint(name, ": ", err))
		}
		out[f.Index] = checked
	}
	return out
}

// verify makes a check for as long as limit.
func verify(t *testing.T, k *resource.Kind, limit time.Duration, given map[string]value.Value) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	a := args(k, given)
	if p := k.Check(a); p != nil {
		t.Fatal(p)
	}
	return k.Verify(ctx, nil, &resource.Request{Address: value.NewAddress("", k.Name, "x"), Args: a, Progress: func(resource.Progress) {}})
}

type given = map[string]value.Value

// short ends a check that cannot pass after a few tries, one at least on a busy
// computer.
const short = 2 * time.Second

func failsWith(t *testing.T, what string, err error, texts ...string) {
	t.Helper()
	var nc *resource.NotConverged
	if !errors.As(err, &nc) {
		t.Errorf("%s: got %v, want that it did not pass", what, err)
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%s: no %q in\n%v", what, text, err)
		}
	}
}

func TestHTTP(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "all is well") })
	mux.HandleFunc("/json", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"status":"ok","n":3,"f":1.5,"big":12345678901234567890,"checks":[{"up":true},{"up":null}]}`)
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Host, r.Header.Get("Authorization"), body)
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/ok", http.StatusFound) })
	mux.HandleFunc("/long", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		fmt.Fprint(w, strings.Repeat("x", 2000))
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	for _, tt := range []struct {
		path  string
		given given
		texts []string // nil: it passes
	}{
		{path: "/ok"},
		{path: "/ok", given: given{"expect_body": "is w.ll$"}},
		{path: "/ok", given: given{"expect_body": "is bad"}, texts: []string{`200 OK, but its body does not match "is bad"`, "its body:\n  all is well"}},
		{path: "/ok", given: given{"expect_status": value.List{int64(204), int64(404)}}, texts: []string{"200 OK, want 204 or 404"}},
		{path: "/nowhere", given: given{"expect_status": value.List{int64(404)}}},
		{path: "/nowhere", texts: []string{"404 Not Found, want 2xx", "Content-Type: text/plain", "404 page not found", "tried "}},
		{path: "/json", given: given{"expect_json": value.NewMap([]value.Entry{{Key: "status", Value: "ok"}, {Key: "n", Value: int64(3)}, {Key: "f", Value: 1.5}, {Key: "checks.0.up", Value: true}})}},
		{path: "/json", given: given{"expect_json": value.NewMap([]value.Entry{{Key: "n", Value: 3.0}})}},
		{path: "/json", given: given{"expect_json": value.NewMap([]value.Entry{{Key: "status", Value: "down"}})}, texts: []string{`its JSON has status = "ok", want "down"`}},
		{path: "/json", given: given{"expect_json": value.NewMap([]value.Entry{{Key: "n", Value: "3"}})}, texts: []string{`its JSON has n = 3, want "3"`}},
		{path: "/json", given: given{"expect_json": value.NewMap([]value.Entry{{Key: "checks.7.up", Value: true}})}, texts: []string{"its JSON has no checks.7.up"}},
		{path: "/json", given: given{"expect_json": value.NewMap([]value.Entry{{Key: "status.deep", Value: true}})}, texts: []string{"its JSON has no status.deep"}},
		{path: "/ok", given: given{"expect_json": value.NewMap([]value.Entry{{Key: "a", Value: true}})}, texts: []string{"its body is no JSON"}},
		{path: "/moved"},
		{path: "/moved", given: given{"follow_redirects": false}, texts: []string{"302 Found, want 2xx", "Location: /ok"}},
		{path: "/moved", given: given{"follow_redirects": false, "expect_status": value.List{int64(302)}}},
		{path: "/echo", given: given{"method": "PUT", "body": "b", "headers": value.MapOf(map[string]string{"Host": "shop.example.com", "Authorization": "Basic x"}),
			"expect_status": value.List{int64(418)}, "expect_body": "^PUT shop.example.com Basic x b$"}},
		{path: "/long", texts: []string{"502 Bad Gateway", strings.Repeat("x", 600) + "\n  ... of 2000 bytes"}},
		{path: "/slow", given: given{"try_timeout": "50ms"}, texts: []string{"no answer in 50ms"}},
	} {
		in := given{"url": s.URL + tt.path, "interval": "50ms"}
		for k, v := range tt.given {
			in[k] = v
		}
		limit := time.Minute
		if tt.texts != nil {
			limit = short
		}
		t.Run(tt.path, func(t *testing.T) {
			t.Parallel()
			err := verify(t, HTTPKind, limit, in)
			switch {
			case tt.texts != nil:
				failsWith(t, tt.path, err, tt.texts...)
			case err != nil:
				t.Errorf("%s %v: %v", tt.path, tt.given, err)
			}
		})
	}
}

// A server's certificate is checked, unless the script says otherwise.
func TestHTTPS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	s.Config.ErrorLog = nil
	s.StartTLS()
	defer s.Close()
	failsWith(t, "unknown", verify(t, HTTPKind, 3*time.Second, given{"url": s.URL}), "certificate signed by unknown authority")
	if err := verify(t, HTTPKind, time.Minute, given{"url": s.URL, "insecure": true}); err != nil {
		t.Error(err)
	}
	cert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	if err := verify(t, HTTPKind, time.Minute, given{"url": s.URL, "ca_cert": cert}); err != nil {
		t.Error(err)
	}
}

// What fails in several ways is told in their order, and it passes once it does.
func TestUntil(t *testing.T) {
	var n atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch i := n.Add(1); {
		case i <= 2:
			http.Error(w, "starting", http.StatusServiceUnavailable)
		case i == 3:
			http.Error(w, "broken", http.StatusInternalServerError)
		case i > 5:
			return
		default:
			http.Error(w, "starting", http.StatusServiceUnavailable)
		}
	}))
	defer s.Close()
	if err := verify(t, HTTPKind, time.Minute, given{"url": s.URL, "interval": "10ms"}); err != nil || n.Load() != 6 {
		t.Errorf("%d tries, %v", n.Load(), err)
	}
	h := &history{began: time.Now()}
	for _, s := range []string{"a", "a", "b", "a", "c", "c", "d", "e", "f", "g", "h"} {
		h.add(failure{short: s, detail: "at last " + s})
	}
	err := h.report("check_http.x", "did not pass")
	failsWith(t, "history", err, "tried 11 times", "it saw, in this order:\n  (3 others before)\n  c, 2 times\n  d, once", "h, once\nat last h")
}

// Ctrl-C is no failure of the check, which still says what it saw.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	a := args(TCPKind, given{"address": "127.0.0.1:1"})
	r := &resource.Request{Args: a, Progress: func(resource.Progress) { cancel() }}
	err := TCPKind.Verify(ctx, nil, r)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	failsWith(t, "cancelled", err, "had not passed when it was stopped: tried once", "connection refused")
}

// What is sensitive in the arguments is not in what is told, though an answer
// repeats it.
func TestSensitive(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "I do not know "+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")+" nor "+r.Header.Get("Authorization"), http.StatusForbidden)
	}))
	defer s.Close()
	err := verify(t, HTTPKind, short, given{"url": s.URL, "headers": value.NewMap([]value.Entry{
		{Key: "Authorization", Value: value.Secret{V: "Bearer hunter2hunter2"}}})})
	failsWith(t, "sensitive", err, "I do not know (sensitive value) nor (sensitive value)")
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("it is told:\n%v", err)
	}
}

func TestTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, "SSH-2.0-")
			io.WriteString(c, "test\r\n")
			c.Close()
		}
	}()
	addr := l.Addr().String()
	for _, expect := range []string{"", "^SSH-2", "test"} {
		if err := verify(t, TCPKind, time.Minute, given{"address": addr, "expect": expect}); err != nil {
			t.Error(err)
		}
	}
	failsWith(t, "banner", verify(t, TCPKind, short, given{"address": addr, "expect": "^HTTP"}),
		`it took the connection, but said nothing that matches "^HTTP"`, "its banner:\n  SSH-2.0-test")
	failsWith(t, "closed", verify(t, TCPKind, short, given{"address": "127.0.0.1:1"}), "connection refused (127.0.0.1:1)")
}

// What is wrong with arguments is told before anything is asked.
func TestArguments(t *testing.T) {
	for _, tt := range []struct {
		kind *resource.Kind
		given
		want string
	}{
		{HTTPKind, given{"url": "ftp://x"}, `got "ftp://x", want http:// or https:// and a host`},
		{HTTPKind, given{"url": "http://"}, "want http:// or https:// and a host"},
		{HTTPKind, given{"url": "http://[::1"}, "missing ']' in host"},
		{HTTPKind, given{"url": "http://x", "expect_body": "("}, "missing closing )"},
		{HTTPKind, given{"url": "http://x", "ca_cert": "x"}, "holds no certificate in PEM format"},
		{TCPKind, given{"address": "x"}, `got "x", want host:port`},
		{TCPKind, given{"address": ":80"}, "want host:port"},
		{TCPKind, given{"address": "x:80", "expect": "["}, "missing closing ]"},
		{ExecKind, given{"target": "web", "command": "x", "expect_output": "*"}, "missing argument to repetition operator"},
		{ExecKind, given{"target": "web", "command": value.List{}}, "is empty"},
	} {
		if p := tt.kind.Check(args(tt.kind, tt.given)); len(p) != 1 || !strings.Contains(p[0].Msg, tt.want) {
			t.Errorf("%s %v: got %v, want %q", tt.kind.Name, tt.given, p, tt.want)
		}
	}
}

// A check without a name is called by what it asks; what is sensitive makes no
// name.
func TestUnnamed(t *testing.T) {
	id := value.Ref{Address: "swarm.main/service.web", Output: "id"}
	for _, tt := range []struct {
		kind *resource.Kind
		args value.Struct
		want string
	}{
		{HTTPKind, value.Struct{"http://a/b"}, "http://a/b"},
		{HTTPKind, value.Struct{&value.Template{Parts: []value.Value{"http://", id, ":80"}}}, "http://${service.web.id}:80"},
		{HTTPKind, value.Struct{id}, "${service.web.id}"},
		{HTTPKind, value.Struct{value.Secret{V: "http://x"}}, ""},
		{HTTPKind, value.Struct{nil}, ""},
		{ExecKind, value.Struct{"web", value.List{"a", "b"}}, "web a b"},
		{ExecKind, value.Struct{value.Ref{Address: "swarm.main/service.web"}, value.List{"a"}}, "web a"},
		{ExecKind, value.Struct{"web", value.List{value.Secret{V: "a"}}}, ""},
		{ExecKind, value.Struct{"web", nil}, "web"},
	} {
		if got := tt.kind.Unnamed(tt.args); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.args, got, tt.want)
		}
	}
}
