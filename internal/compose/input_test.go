package compose

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// folder writes files into a folder of their own, and returns options that load
// its compose.yml, and what has been read of it.
func folder(t *testing.T, files map[string]string) (o Options, read map[string]bool) {
	t.Helper()
	outer := t.TempDir()
	root := filepath.Join(outer, "root")
	for name, text := range files {
		p := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read = map[string]bool{}
	o = Options{Name: "shop", Root: root, Files: []string{"compose.yml"}}
	o.Read = func(p string) ([]byte, error) {
		read[p] = true
		return reader(root)(p)
	}
	o.Exists = func(p string) bool { _, err := reader(root)(p); return err == nil }
	return o, read
}

const plain = "services: {other: {image: swarmtest/web:1}}\n"

// Paths of included and extended files are filled from .env as the rest is, and
// each file that is loaded has been read as an input.
func TestPathsFromDotenv(t *testing.T) {
	o, read := folder(t, map[string]string{
		".env": "DIR=parts\n",
		"compose.yml": `
include: ["${DIR}/x.yml", {path: "${DIR}/deep/y.yml", env_file: "${DIR}/y.env"}]
services:
  web: {extends: {file: "${DIR:-nowhere}/base.yml", service: base}}
`,
		"parts/x.yml":      plain,
		"parts/base.yml":   "services: {base: {image: swarmtest/web:2}}\n",
		"parts/y.env":      "NEXT=z\n",
		"parts/deep/y.yml": "include: ['${NEXT}.yml']\n",
		"parts/deep/z.yml": "services: {third: {image: swarmtest/web:3}}\n",
	})
	if got := len(load(t, o).Parts); got != 4 { // and the network
		t.Errorf("there are %d parts, want 4", got)
	}
	for _, name := range []string{".env", "parts/x.yml", "parts/base.yml", "parts/y.env", "parts/deep/y.yml", "parts/deep/z.yml"} {
		if !read[name] {
			t.Errorf("%s was read past the script", name)
		}
	}
}

// Nothing outside the root is loaded, whoever says its path.
func TestOnlyUnderTheRoot(t *testing.T) {
	for name, text := range map[string]string{
		"include": "include: ['${DIR:-.}/x.yml']\n",
		"extends": "services: {web: {extends: {file: '${DIR:-.}/x.yml', service: other}}}\n",
		"labels":  "services: {web: {image: x, label_file: '${DIR:-.}/l.env'}}\n",
		"deep":    "include: [{path: a.yml, env_file: a.env}]\n",
	} {
		for _, dir := range []string{"..", "absolute"} {
			t.Run(name+"/"+dir, func(t *testing.T) {
				o, _ := folder(t, map[string]string{"compose.yml": text, "a.yml": "include: ['${DIR:-.}/x.yml']\n", "x.yml": plain})
				outside := filepath.Dir(o.Root)
				if err := os.WriteFile(filepath.Join(outside, "x.yml"), []byte(plain), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(outside, "l.env"), []byte("!pass=s3cr3t\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				if dir == "absolute" {
					dir = outside
				}
				for _, env := range []string{".env", "a.env"} {
					if err := os.WriteFile(filepath.Join(o.Root, env), []byte("DIR="+dir+"\n"), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				s, _, problems := Load(t.Context(), o)
				if s != nil || problems.Err() == nil {
					t.Fatalf("it is taken: %s", describe(s, o.Root))
				}
				if name == "labels" && !strings.Contains(problems.Error(), "only files under the root folder") {
					t.Error(problems)
				}
			})
		}
	}
}

// A file of variables holds passwords: what is wrong with it is told without them.
func TestVariablesAreNotTold(t *testing.T) {
	for _, text := range []string{"PW=\"s3cr3t\n", "PW='s3cr3t\n", "s3cr3t word=x\n", "s3cr3t!=1\n", "PW=${s3cr3t\n", "=s3cr3t\n"} {
		for name, files := range map[string]map[string]string{
			"dotenv":   {".env": text, "compose.yml": "services: {web: {image: 'x:${PW:-1}'}}\n"},
			"env_file": {"a.env": text, "compose.yml": "services: {web: {image: x, env_file: a.env}}\n"},
			"labels":   {"a.env": text, "compose.yml": "services: {web: {image: x, label_file: a.env}}\n"},
			"format":   {"a.env": text, "compose.yml": "services: {web: {image: x, env_file: [{path: a.env, format: .env}]}}\n"},
		} {
			o, _ := folder(t, files)
			if _, _, problems := Load(t.Context(), o); strings.Contains(problems.Error(), "s3cr3t") {
				t.Errorf("%s with %q: %v", name, text, problems)
			}
		}
	}
}

// Labels are those of the files, the last one's first, and above all their own.
func TestLabelFiles(t *testing.T) {
	o, read := folder(t, map[string]string{
		"compose.yml": "services:\n  web: {image: x, deploy: {}, labels: {A: own}, label_file: [a.env, b.env]}\n  no: {image: x, profiles: [no], label_file: none.env}\n",
		"a.env":       "A=a\nB=a\nC=a\n", "b.env": "B=b\nD=${C}${UNSET:-d}\n",
	})
	if got := describe(load(t, o), o.Root); !strings.Contains(got, `{"A": "own", "B": "b", "C": "a", "D": "ad", `) {
		t.Error(got)
	}
	if !read["a.env"] || !read["b.env"] || read["none.env"] {
		t.Errorf("read %v", read)
	}
}

// What the .env of an included file gives is set in that file, and in no other.
func TestVariablesOfIncluded(t *testing.T) {
	files := map[string]string{
		"compose.yml": "include: [inc/x.yml]\nservices: {web: {image: 'x:${MUST:-1}'}}\n",
		"inc/.env":    "TAG=7\nMUST=8\nPORT=80\n",
		"inc/x.yml":   "services: {other: {image: 'redis:${TAG}', environment: {'a$KEY': '${MUST:?say it}'}, ports: ['${PORT}:80']}}\n",
	}
	o, _ := folder(t, files)
	got := describe(load(t, o), o.Root)
	if !strings.Contains(got, "redis:7") || strings.Contains(got, "warning") {
		t.Error(got)
	}
	for with, wrong := range map[string][2]string{
		"web: {image: 'x:${TAG}', ":               {"", "2:25: the variable TAG is not set"},
		"web: {image: 'x:${TAG:?must}', ":         {"the variable TAG must be given: must", ""},
		"web: {nonsense: 1, image: 'x:${MUST:?}'": {"the variable MUST must be given", "say it"},
		"web: {nonsense: 1, image: x, ":           {`there is no key "nonsense"`, "MUST must"},
	} {
		files["compose.yml"] = "include: [inc/x.yml]\nservices: {" + with + "}}\n"
		o, _ := folder(t, files)
		s, _, problems := Load(t.Context(), o)
		if s != nil {
			if got := describe(s, o.Root); wrong[0] != "" || !strings.Contains(got, wrong[1]) {
				t.Errorf("%s: %s", with, got)
			}
			continue
		}
		if got := problems.Error(); wrong[0] == "" || !strings.Contains(got, wrong[0]) || wrong[1] != "" && strings.Contains(got, wrong[1]) {
			t.Errorf("%s: %s", with, got)
		}
	}
}
