package run

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// The script that `import --compose` writes of files declares just what stack()
// does.
func TestImportCompose(t *testing.T) {
	for _, dir := range []string{stackFiles, "../compose/testdata/more"} {
		for _, c := range stackCases(t, dir) {
			if strings.HasSuffix(c.name, "_over") {
				continue
			}
			t.Run(c.name, func(t *testing.T) {
				dir := copyDir(t, dir)
				env := func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }
				want := declaredBy(t, filepath.Join(dir, "stack.star"), c.script(nil), env)
				var files []string
				for _, f := range c.files {
					files = append(files, filepath.Join(dir, f))
				}
				l, _, err := ImportCompose(t.Context(), ComposeOptions{Files: files, Profiles: c.profiles, Project: "oracle-" + c.stackName(), Stack: c.stackName(), Env: env})
				if err != nil {
					t.Fatal(err)
				}
				got := declaredBy(t, filepath.Join(dir, "import.star"), string(l.Text), env)
				sameDeclared(t, got, want)
				if t.Failed() {
					t.Logf("the script:\n%s", l.Text)
				}
			})
		}
	}
}

// declaredBy is what a script declares, by its addresses.
func declaredBy(t *testing.T, file, text string, env func(string) (string, bool)) map[value.Address]*resource.Declaration {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Evaluate(t.Context(), Options{File: file, Env: env})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	out := map[value.Address]*resource.Declaration{}
	for _, d := range s.Program.Declarations {
		out[d.Address] = d
	}
	return out
}

// sameDeclared compares what two scripts declare.
func sameDeclared(t *testing.T, got, want map[value.Address]*resource.Declaration) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d are declared, want %d", len(got), len(want))
	}
	for a, w := range want {
		g := got[a]
		if g == nil {
			t.Errorf("%s is not declared", a)
			continue
		}
		for i, f := range w.Kind.Schema.Fields() {
			if gv, wv := orDefault(g, i), orDefault(w, i); !value.Equal(gv, wv) && !f.Type.Same(gv, wv) {
				t.Errorf("%s: %s is %s, want %s", a, f.Name, fmt.Sprint(gv), fmt.Sprint(wv))
			}
		}
		if !slices.Equal(sortedAddresses(g.After), sortedAddresses(w.After)) || g.External != w.External {
			t.Errorf("%s: after %v, external %v; want %v, %v", a, g.After, g.External, w.After, w.External)
		}
	}
}

// What the environment says is asked for by the script, and is not in it; where that
// cannot be, a warning says so.
func TestImportComposeVariables(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"DBPW": "hunter2", "INH": "inher%ted", "N": "3", "TAG": "1.2", "KEY": "team", "ARGS": "a b", "SEC": "s3cret", "EMPTY": ""}[name]
		return v, ok
	}
	path := file("compose.yml", `
services:
  a:
    image: "web:${TAG:-1}"
    command: "serve ${ARGS}"
    environment: {PW: "${DBPW}", TWO: "50% ${DBPW}-${TAG}", INH: , FILED: "${FILED}", E: "${EMPTY}", D: "${UNSET:-plain}", G: "${GIVEN:-x}"}
    ports: ["${PORT:-80}:80"]
    labels: ["${KEY}.name=x"]
    secrets: [e]
    configs: [cc]
    deploy: {replicas: "${N}"}
secrets: {e: {environment: SEC}}
configs: {cc: {content: "cfg ${DBPW}"}}
`)
	file(".env", "FILED=of-a-file\nOTHER=x\nGIVEN=y\n")
	l, _, err := ImportCompose(t.Context(), ComposeOptions{Files: []string{path}, Project: "shop", Stack: "shop", Env: env})
	if err != nil {
		t.Fatal(err)
	}
	text := string(l.Text)
	wants(t, text, `env("DBPW")`, `"50%% %s-%s" % (env("DBPW"), env("TAG"))`, `"cfg %s" % env("DBPW")`, `image = "web:%s" % env("TAG")`, `"%s.name" % env("KEY")`,
		`"INH": env("INH")`, `env("SEC", sensitive = True)`, `["serve", "a", "b"]`, "replicas = 3", `"D": env("UNSET", default = "plain")`)
	for _, hidden := range []string{"hunter2", "inher", "s3cret", "swarmscriptenv"} {
		if strings.Contains(text, hidden) {
			t.Errorf("%s is in the script:\n%s", hidden, text)
		}
	}
	wants(t, strings.Join(l.Notes, "\n"), "the values that ARGS, N had in the environment", "the values that files of variables have of FILED, GIVEN:", "the defaults of PORT, and")
	evaluated := file("import.star", text)
	s, err := Evaluate(t.Context(), Options{File: evaluated, Env: env})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, d := range s.Program.Declarations {
		if f, ok := d.Kind.Schema.Field("env"); ok && d.Kind.Name == "service" {
			if got, _ := d.Args[f.Index].(*value.Map).Get("TWO"); got != "50% hunter2-1.2" {
				t.Errorf("it is %v", got)
			}
		}
	}
}

// So does one of what the env files of services say, and the .env of what is included.
func TestImportComposeEnvFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"compose.yml":     "include: [inc/compose.yml]\nservices:\n  a:\n    image: x\n    environment: {OVER: mine}\n    env_file: [a.env, {path: b.env, format: .env}]\n",
		"a.env":           "RAW_PW=hidden1\nASKED\nOVER=lost\nNONE=\n",
		"b.env":           "DOT_PW='hidden2'\nFROM=${ASKED}\n",
		"inc/compose.yml": "services: {b: {image: x, environment: {P: '${INC_PW}', N: '${NOBODY:-x}'}}}\n",
		"inc/.env":        "INC_PW=hidden3\nUNUSED=x\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := func(name string) (string, bool) { return "elsewhere", name == "ASKED" }
	l, _, err := ImportCompose(t.Context(), ComposeOptions{Files: []string{filepath.Join(dir, "compose.yml")}, Project: "shop", Stack: "shop", Env: env})
	if err != nil {
		t.Fatal(err)
	}
	wants(t, strings.Join(l.Notes, "\n"), "the values that files of variables have of DOT_PW, FROM, INC_PW, RAW_PW:")
	wants(t, string(l.Text), "hidden1", "hidden2", "hidden3", `"ASKED": env("ASKED")`)
}

// What a script may not read, import does not read either.
func TestImportComposeOnlyUnderTheRoot(t *testing.T) {
	outer := t.TempDir()
	dir := filepath.Join(outer, "in")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"outside.yml":     "services: {b: {image: x}}\n",
		"in/above.yml":    "include: [../outside.yml]\n",
		"in/link.yml":     "include: [there.yml]\n",
		"in/env_file.yml": "services: {b: {image: x, env_file: there.yml}}\n",
	} {
		if err := os.WriteFile(filepath.Join(outer, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../outside.yml", filepath.Join(dir, "there.yml")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"above.yml", "link.yml", "env_file.yml", "there.yml"} {
		l, _, err := ImportCompose(t.Context(), ComposeOptions{Files: []string{filepath.Join(dir, name)}, Project: "shop", Stack: "shop"})
		if err == nil {
			t.Errorf("%s is taken:\n%s", name, l.Text)
		} else if !strings.Contains(err.Error(), "outside the root folder") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A script that is not right is not written.
func TestImportComposeNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "compose.yml")
	if err := os.WriteFile(path, []byte("services: {we.b2: {image: x}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, _, err := ImportCompose(t.Context(), ComposeOptions{Files: []string{path}, Project: "shop", Stack: "shop"})
	if err == nil {
		t.Fatalf("it is taken:\n%s", l.Text)
	}
	wants(t, err.Error(), "compose.yml:1:", "service we.b2: name")
}

func orDefault(d *resource.Declaration, i int) value.Value {
	if v := d.Args[i]; v != nil {
		return v
	}
	return d.Kind.Schema.Fields()[i].Default
}

func sortedAddresses(list []value.Address) []value.Address {
	out := slices.Clone(list)
	slices.Sort(out)
	return slices.Compact(out)
}
