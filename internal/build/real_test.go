package build

import (
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/docker/docker/client"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// endpoint is an engine that builds.
type endpoint struct{ at *remote.Docker }

func (e endpoint) Docker() client.APIClient { return e.at.API() }

func (e endpoint) Upgrade(ctx context.Context, path, proto string, header http.Header) (net.Conn, error) {
	return e.at.Upgrade(ctx, path, proto, header)
}

// world is an engine, and a folder to build from that has a program for RUN.
type world struct {
	*testing.T
	dir    string
	engine *testengine.Engine
	api    endpoint
}

func onEngines(t *testing.T, test func(w *world)) {
	tool := filepath.Join(t.TempDir(), "tool")
	cmd := exec.Command("go", "build", "-o", tool, "./testdata/tool")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, v := range []testengine.Version{testengine.Debian20, testengine.Docker28} {
		t.Run(v.String(), func(t *testing.T) {
			e := testengine.Start(t, v)
			d, err := remote.Dial(remote.Endpoint{Host: e.Host, ConfigDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { d.Close() })
			if _, err := d.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			w := &world{t, t.TempDir(), e, endpoint{d}}
			program, err := os.ReadFile(tool)
			if err != nil {
				t.Fatal(err)
			}
			w.file("tool", string(program), 0o755)
			test(w)
		})
	}
}

func (w *world) file(name, text string, mode os.FileMode) {
	w.Helper()
	path := filepath.Join(w.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		w.Fatal(err)
	}
}

// build builds a Dockerfile of the folder, with options.
func (w *world) build(dockerfile string, change ...func(*Options)) (id string, told []string, err error) {
	w.Helper()
	w.file("Dockerfile", dockerfile, 0o644)
	c, err := Open(w.dir, "Dockerfile")
	if err != nil {
		w.Fatal(err)
	}
	o := Options{Context: c, Progress: func(p Progress) { told = append(told, fmt.Sprintf("%d/%d %s", p.Done, p.Total, p.Text)) }}
	for _, f := range change {
		f(&o)
	}
	id, err = Run(w.Context(), w.api, o)
	return id, told, err
}

func (w *world) builds(dockerfile string, change ...func(*Options)) (id string, told []string) {
	w.Helper()
	id, told, err := w.build(dockerfile, change...)
	if err != nil {
		w.Fatalf("%v\ntold: %s", err, strings.Join(told, "\n"))
	}
	return id, told
}

func (w *world) fails(dockerfile string, want []string, change ...func(*Options)) error {
	w.Helper()
	_, told, err := w.build(dockerfile, change...)
	if err == nil {
		w.Fatalf("it was built: %s", strings.Join(told, "\n"))
	}
	for _, text := range want {
		if !strings.Contains(err.Error(), text) {
			w.Errorf("%q is not said: %v", text, err)
		}
	}
	return err
}

func classicBuilder(o *Options) { o.Classic = true }

// Both builders: stages, a target, arguments, labels, what .dockerignore leaves
// out, links, a RUN that fails.
func TestRealBuild(t *testing.T) {
	onEngines(t, func(w *world) {
		w.file(".dockerignore", "# not these\n*.log\nsecret\n!keep.log\nDockerfile\n", 0o644)
		w.file("drop.log", "x", 0o644)
		w.file("keep.log", "x", 0o644)
		w.file("secret/key", "x", 0o644)
		w.file("sub/deep/file", "text", 0o600)
		if err := os.Symlink("sub/deep/file", filepath.Join(w.dir, "link")); err != nil {
			w.Fatal(err)
		}
		const dockerfile = `FROM scratch AS base
COPY . /
ARG WORD=none
LABEL word=$WORD
RUN ["/tool", "hasnot", "/drop.log"]
RUN ["/tool", "has", "/keep.log"]
RUN ["/tool", "hasnot", "/secret"]
RUN ["/tool", "hasnot", "/Dockerfile"]
RUN ["/tool", "cat", "/link"]
FROM base
LABEL stage=last
`
		for _, builder := range []struct {
			name string
			is   func(*Options)
		}{{"BuildKit", func(*Options) {}}, {"classic", classicBuilder}} {
			w.T.Run(builder.name, func(t *testing.T) {
				w := *w
				w.T = t
				inspect := func(id, what string) string { return w.engine.Docker("image", "inspect", "--format", what, id) }
				with := func(o *Options) {
					o.Args, o.Labels = map[string]string{"WORD": "hello"}, map[string]string{"mine": "a=b, c"}
				}
				id, told := w.builds(dockerfile, builder.is, with)
				if got := inspect(id, "{{.Config.Labels.word}} {{.Config.Labels.stage}} {{.Config.Labels.mine}}"); got != "hello last a=b, c" {
					t.Errorf("the labels are %s", got)
				}
				if got := inspect(id, "{{.RepoTags}}"); got != "[]" {
					t.Errorf("it has the names %s", got)
				}
				if !slices.ContainsFunc(told, func(s string) bool { return strings.Contains(s, "COPY . /") || strings.Contains(s, "RUN") }) {
					t.Errorf("told: %s", strings.Join(told, "\n"))
				}
				again, _ := w.builds(dockerfile, builder.is, with)
				if again != id {
					t.Errorf("again it is %s, not %s", again, id)
				}
				base, _ := w.builds(dockerfile, builder.is, with, func(o *Options) { o.Target = "base" })
				if got := inspect(base, "{{.Config.Labels.stage}}"); got != "<no value>" && got != "" {
					t.Errorf("the stage base has the label %s", got)
				}
				said := w.fails("FROM scratch\nCOPY tool /\nRUN [\"/tool\", \"say\", \"one\", \"two\", \"FAIL\"]\n",
					[]string{`RUN ["/tool", "say", "one", "two", "FAIL"]`, "its last lines", "  two\n", "  that was the last word", "3"}, builder.is)
				if strings.ContainsAny(said.Error(), "\x1b\r") || strings.Contains(said.Error(), "container") {
					t.Errorf("it says %q", said)
				}
				w.fails(dockerfile, []string{"nowhere"}, builder.is, func(o *Options) { o.Target = "nowhere" })
				w.fails("FROM scratch\nCOPI . /\n", []string{"COPI"}, builder.is)
				w.fails("FROM scratch\nCOPY missing /\n", []string{"missing"}, builder.is)
			})
		}
	})
}

// What only BuildKit does: secrets that are in no layer and in no output, agents,
// an ignore file of the Dockerfile's own.
func TestRealBuildKit(t *testing.T) {
	onEngines(t, func(w *world) {
		with := func(o *Options) { o.Secrets = map[string][]byte{"pw": []byte("correct horse battery")} }
		const head = "FROM scratch\nCOPY tool /\n"
		mount := `RUN --mount=type=secret,id=pw,required=true ["/tool", "cat", "/run/secrets/pw"]` + "\n"
		id, told := w.builds(head+mount, with)
		saved := w.engine.Docker("history", "--no-trunc", id) + strings.Join(told, "\n")
		if strings.Contains(saved, "horse") {
			w.Errorf("it shows the secret: %s", saved)
		}
		err := w.fails(head+strings.Replace(mount, `"]`, `"]`+"\n"+`RUN --mount=type=secret,id=pw ["/tool", "say", "correct horse battery", "FAIL"]`, 1), []string{"last word", "(sensitive)"}, with)
		if strings.Contains(err.Error(), "horse") {
			w.Errorf("the error shows the secret: %v", err)
		}
		w.fails(head+strings.ReplaceAll(mount, "id=pw", "id=other"), []string{"other"}, with)
		w.fails(head, []string{"no BuildKit", "secrets"}, with, classicBuilder)

		_, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			w.Fatal(err)
		}
		block, err := ssh.MarshalPrivateKey(key, "")
		if err != nil {
			w.Fatal(err)
		}
		file := filepath.Join(w.TempDir(), "key")
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			w.Fatal(err)
		}
		agent := head + `RUN --mount=type=ssh,required=true ["/tool", "agent"]` + "\n"
		w.builds(agent, func(o *Options) { o.SSH = []string{"default=" + file} })
		w.fails(strings.Replace(agent, `t"]`, `t", "again"]`, 1), []string{"/tool"})
		w.fails(agent, []string{"ssh", "/none"}, func(o *Options) { o.SSH = []string{"default=/none"} })

		w.file("own.Dockerfile", "FROM scratch\nCOPY . /\nRUN [\"/tool\", \"hasnot\", \"/data\"]\n", 0o644)
		w.file("own.Dockerfile.dockerignore", "data\n", 0o644)
		w.file("data", "x", 0o644)
		w.builds(head, func(o *Options) {
			if o.Context, err = Open(w.dir, "own.Dockerfile"); err != nil {
				w.Fatal(err)
			}
		})
	})
}

// A build that is cancelled ends, here and on the engine.
func TestRealCancel(t *testing.T) {
	onEngines(t, func(w *world) {
		ctx, cancel := context.WithCancel(w.Context())
		w.file("Dockerfile", "FROM scratch\nCOPY tool /\nRUN [\"/tool\", \"wait\"]\n", 0o644)
		c, err := Open(w.dir, "Dockerfile")
		if err != nil {
			w.Fatal(err)
		}
		_, err = Run(ctx, w.api, Options{Context: c, Progress: func(p Progress) {
			if strings.Contains(p.Text, "RUN") {
				cancel()
			}
		}})
		cancel()
		if !errors.Is(err, context.Canceled) {
			w.Errorf("it ends with %v", err)
		}
		w.builds("FROM scratch\nCOPY tool /\n") // the engine is free
	})
}
