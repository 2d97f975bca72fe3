package template

import (
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/value"
)

var (
	addr  = value.Ref{Address: "vm.one", Output: "private_ip", Type: "string"}
	other = value.Ref{Address: "vm.two", Output: "private_ip", Type: "string"}
	vars  = value.NewMap([]value.Entry{
		{Key: "port", Value: int64(80)}, {Key: "tls", Value: true}, {Key: "off", Value: false}, {Key: "none"}, {Key: "name", Value: "a <b>"},
		{Key: "hosts", Value: value.List{"a", "b"}},
		{Key: "peers", Value: value.List{addr, "10.0.0.9", other}},
		{Key: "site", Value: value.NewMap([]value.Entry{{Key: "root", Value: "/srv"}})},
		{Key: "addr", Value: addr}, {Key: "word", Value: value.Secret{V: "hunter2"}},
		{Key: "url", Value: &value.Template{Parts: []value.Value{"http://", addr}}},
	})
)

func TestFill(t *testing.T) {
	for _, tt := range []struct {
		text string
		want value.Value
	}{
		{"", ""},
		{"listen {{.port}};\n", "listen 80;\n"},
		{"{{if .tls}}on{{else}}off{{end}}{{if not .off}}!{{end}}{{if .none}}?{{end}}[{{.none}}]", "on![]"},
		{"{{range $i, $h := .hosts}}{{if $i}}, {{end}}{{$h}}{{end}}", "a, b"},
		{`{{join " " .hosts}} {{.site.root}} {{json .hosts}} {{json .name}} {{html .name}}`, `a b /srv ["a","b"] "a <b>" a &lt;b&gt;`},
		{"{{with .site}}{{.root}}{{end}}{{define \"x\"}}<{{.}}>{{end}}{{template \"x\" .port}}", "/srv<80>"},
		{"{{indent 2 \"a\\n\\nb\"}}", "  a\n\n  b"},
		{"{{if and .tls (eq .port 80)}}yes{{end}}", "yes"},
		{"at {{.addr}}:{{.port}}", &value.Template{Parts: []value.Value{"at ", addr, ":80"}}},
		{"{{.url}}/", &value.Template{Parts: []value.Value{"http://", addr, "/"}}},
		{"{{range .peers}}peer {{.}}\n{{end}}", &value.Template{Parts: []value.Value{"peer ", addr, "\npeer 10.0.0.9\npeer ", other, "\n"}}},
		{`{{join "," .peers}}{{printf "%s" .addr}}`, &value.Template{Parts: []value.Value{addr, ",10.0.0.9,", other, addr}}},
		{"requirepass {{.word}}\n", value.Secret{V: "requirepass hunter2\n"}},
		{"{{.addr}}{{.word}}", &value.Template{Parts: []value.Value{addr, value.Secret{V: "hunter2"}}}},
	} {
		got, err := Fill("x.tmpl", tt.text, vars)
		if err != nil || !value.Equal(got, tt.want) {
			t.Errorf("Fill(%q) = %v, %v; want %v", tt.text, value.RevealAll(got), err, value.RevealAll(tt.want))
		}
	}
}

// What would come out otherwise once a value is known is refused, and nothing
// of a secret is said.
func TestFillRefuses(t *testing.T) {
	const (
		unknown = "vm.one.private_ip, which is known after apply, can only be written out as it is"
		secret  = "a sensitive value can only be written out as it is"
	)
	for _, tt := range []struct{ text, want string }{
		{"a\n {{.prot}}", `x.tmpl:2:3: executing "x.tmpl" at <.prot>: there is no "prot": the variables are addr, hosts,`},
		{"{{.port", "x.tmpl:1: unclosed action"},
		{"{{shout .port}}", `x.tmpl:1: function "shout" not defined`},
		{"{{if .addr}}x{{end}}", unknown},
		{"{{if not .addr}}x{{end}}", unknown},
		{"{{if and .tls .addr}}x{{end}}", unknown},
		{"{{if or .addr .tls}}x{{end}}", unknown},
		{"{{with .word}}x{{end}}", secret},
		{"{{range .word}}x{{end}}", secret},
		{`{{if eq .addr "10.0.0.1"}}x{{end}}`, "x.tmpl:1:5: "},
		{`{{if eq .addr .addr}}x{{end}}`, "x.tmpl:1:5: "},
		{"{{len .word}}", "x.tmpl:1:2: "},
		{"{{slice .addr 1}}", "x.tmpl:1:2: "},
		{`{{printf "%q" .addr}}`, unknown},
		{`{{printf "%30s" .word}}`, secret},
		{"{{json .peers}}", unknown},
		{"{{html .word}}", secret},
		{"{{urlquery .addr}}", unknown},
		{"{{upper .word}}", "x.tmpl:1:8: "},
		{"{{index .site .word}}", "x.tmpl:1:2: "},
		{"{{range 1000000000000}}{{end}}", "it takes more than 1000000 steps"},
		{`{{define "x"}}{{template "x"}}{{end}}{{template "x"}}`, "x.tmpl:1:"},
		{`{{define "x"}}{{range 300}}{{range 300}}{{range 300}}{{end}}{{end}}{{end}}{{end}}{{template "x"}}`, "it takes more than 1000000 steps"},
		{`{{range 999}}{{range 999}}0123456789012345678901{{end}}{{end}}`, "it gives more than 16 MiB of text"},
	} {
		got, err := Fill("x.tmpl", tt.text, vars)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Fill(%q) = %v, %v; want an error with %q", tt.text, got, err, tt.want)
		} else if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\x00") {
			t.Errorf("Fill(%q) says %q", tt.text, err)
		}
	}
}

// FuzzFill: no template panics or hangs, and a secret never is in an error.
func FuzzFill(f *testing.F) {
	for _, s := range []string{"{{.port}}", "{{range .peers}}{{.}}{{end}}", "{{if .word}}x{{end}}", `{{printf "%v" .word}}`, "{{with $x := .site}}{{$x.root}}{{end}}", "{{range 10}}{{break}}{{end}}", `{{block "a" .}}{{.addr}}{{end}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Fill("x.tmpl", text, vars)
		if err != nil && strings.Contains(err.Error(), "hunter2") && !strings.Contains(text, "hunter2") {
			t.Errorf("the error %q tells the secret", err)
		}
		if s, ok := got.(string); ok && strings.Contains(s, "hunter2") && !strings.Contains(text, "hunter2") {
			t.Errorf("%q is not sensitive", s)
		}
		if s, ok := got.(string); ok && strings.Contains(s, "\x000\x00") && !strings.Contains(text, "\x00") && !strings.Contains(text, "\\") {
			t.Errorf("a token is left in %q", s)
		}
	})
}
