package builtins_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/value"
)

// A file's source, template and variables are its content once the script has
// run, and nothing else.
func TestContent(t *testing.T) {
	const head = "project('p')\nh = host('h', '192.0.2.1')\nm = vm('m', provider = local())\n"
	files := map[string]string{
		"site.conf": "listen 80;\n", "logo.png": "\x89PNG\x00", "latin1.txt": "caf\xe9",
		"site.tmpl": "{{range .peers}}server {{.}}:{{$.port}};\n{{end}}", "word.tmpl": "requirepass {{.word}}\n",
	}
	ip := value.Ref{Address: "vm.m", Output: "private_ip", Type: "string"}
	encoded := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(files[s])) }
	for _, tt := range []struct {
		args          string
		text, encoded value.Value
	}{
		{`source = "site.conf"`, "listen 80;\n", nil},
		{`source = "//site.conf", sensitive = True`, value.Secret{V: "listen 80;\n"}, nil},
		{`source = "logo.png"`, nil, encoded("logo.png")},
		{`source = "latin1.txt", sensitive = True`, nil, value.Secret{V: encoded("latin1.txt")}},
		{`template = "site.conf"`, "listen 80;\n", nil},
		{`template = "site.tmpl", vars = {"peers": ["192.0.2.9", m.private_ip], "port": 80}`,
			&value.Template{Parts: []value.Value{"server 192.0.2.9:80;\nserver ", ip, ":80;\n"}}, nil},
		{`content = template("site.tmpl", {"peers": [m.private_ip], "port": 80})`,
			&value.Template{Parts: []value.Value{"server ", ip, ":80;\n"}}, nil},
		{`template = "word.tmpl", vars = {"word": env("SWARMSCRIPT_NOBODY_SETS_THIS", default = "hunter2", sensitive = True)}`, value.Secret{V: "requirepass hunter2\n"}, nil},
		{`content = "x", sensitive = True`, value.Secret{V: "x"}, nil},
		{`content = "x", sensitive = False`, "x", nil},
		{`mode = "0600"`, nil, nil},
	} {
		p, problems := evaluate(t, head+`file(h, "/etc/x", `+tt.args+")", files)
		if len(problems) > 0 {
			t.Errorf("%s: %v", tt.args, problems)
			continue
		}
		d := p.Declarations[len(p.Declarations)-1]
		for name, want := range map[string]value.Value{"content": tt.text, "content_base64": tt.encoded, "source": nil, "template": nil, "vars": nil, "sensitive": nil} {
			f, _ := d.Kind.Schema.Field(name)
			if got := d.Args[f.Index]; !value.Equal(got, want) {
				t.Errorf("%s: %s is %v, want %v", tt.args, name, value.RevealAll(got), value.RevealAll(want))
			}
		}
	}

	for _, tt := range []struct{ args, want string }{
		{`source = "nope"`, `4:19: file: source: nope: no such file`},
		{`source = "../x"`, "outside the root folder"},
		{`source = "site.conf", content = "x"`, `file: source cannot be given beside content`},
		{`source = "site.conf", template = "site.conf"`, `file: template cannot be given beside source`},
		{`source = m.private_ip`, "file: source: the path must be known when the script runs"},
		{`content = "x", vars = {}`, "4:34: file: vars are those of a template, which is not given"},
		{`template = "site.tmpl", vars = {"port": 80}`, `file: site.tmpl:1:8: executing "site.tmpl" at <.peers>: there is no "peers": the variables are port`},
		{`template = "site.tmpl"`, `there is no "peers": no variables are given`},
		{`content = template("nope", {})`, "template: nope: no such file"},
		{`content = template("site.tmpl", [])`, "got list, want dict"},
		{`content = template("site.tmpl", {"peers": [len], "port": 80})`, "template: vars: "},
	} {
		_, problems := evaluate(t, head+`file(h, "/etc/x", `+tt.args+")", files)
		if len(problems) != 1 || !strings.Contains(problems[0].Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.args, problems, tt.want)
		}
	}
}
