package compose

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"path"
	"strings"
	"sync"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/sirupsen/logrus"
	"go.yaml.in/yaml/v3"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/pattern"
)

// variable matches the name in $NAME and ${NAME...}, and the first sign behind it;
// $$ is an escaped dollar.
var variable = pattern.Of(`\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)(:?[-+?}])|([A-Za-z_][A-Za-z0-9_]*))`)

// variableFiles reads the files of env_files, or .env.
func (in *input) variableFiles() (problems diag.List) {
	files := in.o.EnvFiles
	if files == nil {
		if dot := path.Join(path.Dir(in.o.Files[0]), ".env"); in.o.Exists(dot) {
			files = []string{dot}
		}
	}
	for _, f := range files {
		problems = append(problems, in.variables(f, in.files, diag.Pos{})...)
	}
	return problems
}

// variables adds to env what a file of variables says. One that is not given a
// value there has that of the script or the environment.
func (in *input) variables(file string, env map[string]string, from diag.Pos) diag.List {
	data, err := in.o.Read(file)
	if err != nil {
		return diag.List{{Pos: from, Summary: err.Error()}}
	}
	got, err := dotenv.ParseWithLookup(bytes.NewReader(data), func(name string) (string, bool) {
		if v, ok := in.lookup(name); ok {
			return v, true
		}
		v, ok := env[name]
		return v, ok
	})
	if err != nil {
		return diag.List{{Pos: diag.Pos{File: file, Line: 1, Col: 1}, Summary: variableErr(err)}}
	}
	maps.Copy(env, got)
	for name := range got {
		in.filling[name] = true
	}
	in.outside = in.outside || len(got) > 0
	return nil
}

// variableErrs are what dotenv says of a file of variables, as we say it. The first
// that is in an error's text counts.
var variableErrs = [][2]string{
	{"unterminated quoted value", "a quote is not closed"},
	{"contain a space", "a name has a blank in it"},
	{"contains whitespaces", "a name has a blank in it"},
	{"unexpected character", "a name has a sign in it that none can have"},
	{"no variable name", "a line has no name before its ="},
	{"invalid utf8", "it is not text"},
	{"Invalid template", "a value has a $ that begins no variable"},
}

// variableErr is what is wrong with a file of variables, without what it says,
// which may be a password.
func variableErr(err error) string {
	for _, e := range variableErrs {
		if strings.Contains(err.Error(), e[0]) {
			return "not a file of variables: " + e[1]
		}
	}
	return "not a file of variables, a NAME=value on each line"
}

// environment finds the values of the variables that the files ask for, and
// only of those: what is asked for is an input of the evaluation.
func (in *input) environment() {
	for _, d := range in.docs {
		in.ask(d)
	}
	for k, v := range in.files {
		if _, ok := in.env[k]; ok {
			continue
		}
		if given, ok := in.lookup(k); ok { // the environment wins, as with docker compose
			v = given
		}
		in.env[k] = v
	}
	maps.Copy(in.env, in.o.Vars)
	in.env["COMPOSE_PROJECT_NAME"] = in.o.Name
}

// lookup is a variable's value as the script or the environment gives it.
func (in *input) lookup(name string) (string, bool) {
	if v, ok := in.o.Vars[name]; ok {
		return v, true
	}
	if in.o.Env == nil || name == "" {
		return "", false
	}
	v, ok := in.o.Env(name)
	in.outside = in.outside || ok
	return v, ok
}

// given looks up a variable as a file is filled with it.
func (in *input) given(d *document) func(name string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := in.env[name]
		if !ok {
			v, ok = d.env[name]
		}
		return v, ok
	}
}

// ask looks up every variable that a file names.
func (in *input) ask(d *document) {
	take := func(name string, n *yaml.Node, needed bool) {
		if _, ok := in.env[name]; ok {
			return
		}
		if v, ok := in.lookup(name); ok {
			in.env[name] = v
			return
		}
		if _, filed := d.env[name]; filed {
			return
		}
		if _, known := in.names[name]; needed && !known {
			in.names[name] = d.pos(n)
		}
	}
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode {
			for _, m := range variable().FindAllStringSubmatch(n.Value, -1) {
				switch {
				case m[1] != "":
					take(m[1], n, m[2] == "}")
				case m[3] != "":
					take(m[3], n, true)
				}
			}
		}
		for i, c := range n.Content {
			if n.Kind != yaml.MappingNode || i%2 == 1 { // keys are not interpolated
				walk(c)
			}
		}
	}
	walk(d.root)
	top := d.top()
	for _, kind := range []string{"secrets", "configs"} {
		for _, p := range pairs(child(top, kind)) {
			for _, e := range texts(child(p.value, "environment")) {
				take(e.Value, e, false)
			}
		}
	}
	for _, s := range pairs(child(top, "services")) {
		for _, env := range []*yaml.Node{child(s.value, "environment"), child(child(s.value, "build"), "args")} {
			for _, n := range unsaid(env) {
				take(n.Value, n, false)
			}
		}
	}
}

// unsaid are the names in a mapping or list of variables that have no value there.
func unsaid(env *yaml.Node) (names []*yaml.Node) {
	for _, p := range pairs(env) {
		if resolve(p.value).Tag == "!!null" {
			names = append(names, p.key)
		}
	}
	if env != nil && env.Kind == yaml.SequenceNode {
		for _, e := range texts(env) {
			if !strings.Contains(e.Value, "=") {
				names = append(names, e)
			}
		}
	}
	return names
}

// unset warns of variables that nobody gives, and that have no default.
func (in *input) unset() (out diag.List) {
	for _, name := range sorted(in.names) {
		if _, ok := in.env[name]; !ok {
			out = append(out, &diag.Diagnostic{
				Severity: diag.Warning, Pos: in.names[name],
				Summary: fmt.Sprintf("the variable %s is not set, and is taken as empty", name),
				Hint:    fmt.Sprintf(`give it: vars = {%q: "..."}, the environment, or a default: ${%s:-...}`, name, name),
			})
		}
	}
	return out
}

func substitute(s string, m template.Mapping) (string, error) {
	return template.SubstituteWithOptions(s, m, template.WithoutLogging)
}

// loading is held while compose-go loads: it keeps a list of what it has warned
// of, and writes to the standard logger. What it has to say is said with its
// place, by us.
var loading sync.Mutex

func quietly[T any](fn func() (T, error)) (T, error) {
	loading.Lock()
	defer loading.Unlock()
	out := logrus.StandardLogger().Out
	logrus.SetOutput(io.Discard)
	defer logrus.SetOutput(out)
	return fn()
}
