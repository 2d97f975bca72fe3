package check

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// HTTPSpec is what a script says of a check_http. The request is made by the
// machine that swarmscript runs on.
type HTTPSpec struct {
	URL     string            `star:"url,required,pos" doc:"The address to ask, with http:// or https://."`
	Name    string            `star:"name,local" doc:"The check's name; its url where it is not given."`
	Method  string            `star:"method" enum:"GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS" default:"GET" doc:"The request's method."`
	Headers map[string]string `star:"headers" doc:"The request's headers. What is sensitive in them is not shown."`
	Body    string            `star:"body" doc:"What is sent."`

	ExpectStatus []int64        `star:"expect_status,set" min:"100" max:"599" doc:"The status codes that pass; any from 200 to 299 where it is not given."`
	ExpectBody   string         `star:"expect_body" doc:"A regular expression that the answer must match somewhere."`
	ExpectJSON   map[string]any `star:"expect_json" doc:"What the answer must hold as JSON, by path: {\"status\": \"ok\", \"checks.0.up\": True}."`

	FollowRedirects bool   `star:"follow_redirects" default:"True" doc:"Whether the answer to a redirect is the one that counts."`
	CACert          string `star:"ca_cert" doc:"The certificate that the server's must be signed with, in PEM format; the system's if left out."`
	Insecure        bool   `star:"insecure" doc:"Take any certificate of the server."`

	Interval   time.Duration `star:"interval" default:"5s" min:"1000000" doc:"The longest pause between two tries; the first ones are shorter."`
	TryTimeout time.Duration `star:"try_timeout" default:"10s" min:"1000000" doc:"How long one try may take; timeout is for all of them."`
}

// HTTPKind is a check of what an address answers.
var HTTPKind = &resource.Kind{
	Name:    "check_http",
	Schema:  httpSchema,
	Check:   checkHTTP,
	Unnamed: firstText,
	Verify:  verifyHTTP,
}

var httpSchema = schema.Of(HTTPSpec{})

// SchemaName implements [schema.Named].
func (HTTPSpec) SchemaName() (name, doc string) {
	return "check_http", "Asks an address by HTTP until it answers as expected, after what it comes after has converged; otherwise the apply fails. It is made when something that it comes after changes, and by `swarmscript check`."
}

// firstText is the text of the first argument, with references in braces.
func firstText(args value.Struct) string {
	switch v := args[0].(type) {
	case string:
		return v
	case *value.Template:
		return v.String()
	case value.Ref:
		return "${" + v.String() + "}"
	}
	return "" // sensitive, or not given
}

func checkHTTP(args value.Struct) (out schema.Problems) {
	problem := func(path, format string, a ...any) {
		out = append(out, &schema.Problem{Path: path, Msg: fmt.Sprintf(format, a...)})
	}
	text := func(name string) (string, bool) {
		f, _ := httpSchema.Field(name)
		s, ok := args[f.Index].(string)
		return s, ok && s != ""
	}
	if s, ok := text("url"); ok {
		u, err := url.Parse(s)
		switch {
		case err != nil:
			problem("url", "%v", errors.Unwrap(err))
		case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
			problem("url", "got %q, want http:// or https:// and a host", s)
		}
	}
	if s, ok := text("expect_body"); ok {
		if _, err := regexp.Compile(s); err != nil {
			problem("expect_body", "%v", err)
		}
	}
	if s, ok := text("ca_cert"); ok && !x509.NewCertPool().AppendCertsFromPEM([]byte(s)) {
		problem("ca_cert", "holds no certificate in PEM format; read_file(\"ca.pem\") reads one")
	}
	return out
}

func verifyHTTP(ctx context.Context, _ resource.Conn, r *resource.Request) error {
	spec := &HTTPSpec{}
	if err := httpSchema.Decode(r.Args, spec); err != nil {
		return err
	}
	p := &httpProbe{spec: spec, client: spec.client()}
	if spec.ExpectBody != "" {
		var err error
		if p.body, err = regexp.Compile(spec.ExpectBody); err != nil {
			return err
		}
	}
	return until(ctx, r, Pace{spec.Interval, spec.TryTimeout}, p.try)
}

type httpProbe struct {
	spec   *HTTPSpec
	client *http.Client
	body   *regexp.Regexp
}

// client makes a new connection for each try: one that is kept would go on
// asking the task that is about to go.
func (s *HTTPSpec) client() *http.Client {
	conf := &tls.Config{InsecureSkipVerify: s.Insecure}
	if s.CACert != "" {
		conf.RootCAs = x509.NewCertPool()
		conf.RootCAs.AppendCertsFromPEM([]byte(s.CACert)) // checked before
	}
	c := &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: conf, DisableKeepAlives: true, ForceAttemptHTTP2: true,
	}}
	if !s.FollowRedirects {
		c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return c
}

// bodyMax is how much of an answer is read.
const bodyMax = 1 << 20

func (p *httpProbe) try(ctx context.Context) *failure {
	begun := time.Now()
	req, err := http.NewRequestWithContext(ctx, p.spec.Method, p.spec.URL, strings.NewReader(p.spec.Body))
	if err != nil {
		return &failure{short: err.Error(), final: true}
	}
	for k, v := range p.spec.Headers {
		req.Header.Set(k, v)
		if strings.EqualFold(k, "host") {
			req.Host = v
		}
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return &failure{short: connProblem(ctx, err, spent(begun, p.spec.TryTimeout))}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, bodyMax))
	why := p.wrong(resp.StatusCode, body)
	if why == "" && err != nil {
		why = "the answer broke off: " + connProblem(ctx, err, spent(begun, p.spec.TryTimeout))
	}
	if why == "" {
		return nil
	}
	return &failure{short: resp.Proto + " " + resp.Status + why, detail: describeAnswer(resp, body)}
}

// wrong says what of an answer is not as expected, "" where all is.
func (p *httpProbe) wrong(status int, body []byte) string {
	switch want := p.spec.ExpectStatus; {
	case len(want) == 0 && (status < 200 || status > 299):
		return ", want 2xx"
	case len(want) > 0 && !slices.Contains(want, int64(status)):
		text := make([]string, len(want))
		for i, n := range want {
			text[i] = strconv.FormatInt(n, 10)
		}
		return ", want " + strings.Join(text, " or ")
	case p.body != nil && !p.body.Match(body):
		return fmt.Sprintf(", but its body does not match %q", p.spec.ExpectBody)
	}
	return wrongJSON(p.spec.ExpectJSON, body)
}

func wrongJSON(want map[string]any, body []byte) string {
	if len(want) == 0 {
		return ""
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var got any
	if err := d.Decode(&got); err != nil {
		return ", but its body is no JSON"
	}
	paths := make([]string, 0, len(want))
	for path := range want {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		v, ok := at(got, path)
		if !ok {
			return fmt.Sprintf(", but its JSON has no %s", path)
		}
		if !sameJSON(want[path], v) {
			text, _ := json.Marshal(v) // it came from JSON
			return fmt.Sprintf(", but its JSON has %s = %s, want %s", path, text, jsonText(want[path]))
		}
	}
	return ""
}

// at follows a path of keys and indices with dots between them.
func at(v any, path string) (any, bool) {
	for _, key := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			e, ok := x[key]
			if !ok {
				return nil, false
			}
			v = e
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(x) {
				return nil, false
			}
			v = x[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// sameJSON compares what a script says with what JSON says: numbers by what
// they are, not by how they are written.
func sameJSON(want any, got any) bool {
	if n, ok := got.(json.Number); ok {
		f, err := n.Float64()
		switch w := want.(type) {
		case int64:
			i, ierr := n.Int64()
			return ierr == nil && i == w || ierr != nil && err == nil && f == float64(w)
		case float64:
			return err == nil && f == w
		}
		return false
	}
	return reflect.DeepEqual(want, got)
}

func jsonText(v any) string {
	if text, err := json.Marshal(v); err == nil {
		return string(text)
	}
	return fmt.Sprint(v)
}

// shownHeaders say where an answer comes from, and why it is what it is.
var shownHeaders = []string{"Server", "Content-Type", "Location", "Retry-After", "Www-Authenticate", "Via"}

func describeAnswer(resp *http.Response, body []byte) string {
	var lines []string
	for _, k := range shownHeaders {
		if v := resp.Header.Get(k); v != "" {
			lines = append(lines, "  "+k+": "+v)
		}
	}
	if len(lines) > 0 {
		lines = append([]string{"its headers:"}, lines...)
	}
	return strings.Join(append(lines, excerpt("body", body)), "\n")
}
