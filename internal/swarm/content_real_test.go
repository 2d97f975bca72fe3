package swarm_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/resource/resourcetest"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/testengine"
	"github.com/swarmscript/swarmscript/internal/value"
)

// version makes the version that a wants, unless it is there, and returns its
// name.
func (w *world) version(k *resource.Kind, key []byte, a args) string {
	w.t.Helper()
	c := w.check(k, a)
	name, hash, known := k.Handler.(resource.Versioner).Version(c, key)
	if !known {
		w.t.Fatal("the version is not known")
	}
	if w.find(k, name) != nil {
		return name
	}
	r := w.request(k, a["name"].(string), c)
	r.Name, r.Mark.Hash = name, hash
	if _, err := k.Handler.Create(w.t.Context(), w.sw, r); err != nil {
		w.t.Fatal(err)
	}
	w.wantDiff(k, name, a)
	if o := w.find(k, name); !o.Mark.Equal(r.Mark) || o.Created.IsZero() || o.Out["name"] != name {
		w.t.Errorf("%s is %+v", name, o)
	}
	return name
}

func TestRealSecret(t *testing.T) {
	onEngines(t, func(w *world) {
		t := w.t
		w.inSwarm()
		testengine.Images(w.e)
		k, key := swarm.SecretKind, bytes.Repeat([]byte{7}, 32)
		a := args{"name": "db", "value": "hunter2", "labels": map[string]string{"tier": "web", "a": "1"}}
		one := w.version(k, key, a)
		if got := w.version(k, key, a); got != one {
			t.Errorf("the same content is %s and %s", one, got)
		}
		for _, change := range []args{{"value": "hunter3"}, {"rotate": "2"}, {"template_driver": "golang"}} {
			if got := w.version(k, key, a.With(change)); got == one || !strings.HasPrefix(got, "db-") {
				t.Errorf("%v gives %s, as before %s", change, got, one)
			}
		}
		made := args{"name": "gen", "generate": 40}
		gen := w.version(k, key, made)
		if w.version(k, key, made) != gen || w.version(k, key, made.With(args{"rotate": "b"})) == gen {
			t.Error("a generated value is not kept, or not rotated")
		}

		// What a service gets is what was meant.
		w.e.Docker("service", "create", "--quiet", "--name", "web", "--secret", "source="+one+",target=a", "--secret", "source="+gen+",target=b",
			"--publish", "mode=host,target=8080,published=80", testengine.Web1)
		if got := secretOf(t, w, "a"); got != "hunter2" {
			t.Errorf("the secret is %q", got)
		}
		if got := secretOf(t, w, "b"); len(got) != 40 || strings.Trim(got, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != "" {
			t.Errorf("the generated secret is %q", got)
		}
		r := w.request(k, "db", w.check(k, a))
		r.Live = w.find(k, one)
		w.e.Docker("service", "rm", "web")
		if err := k.Handler.Delete(t.Context(), w.sw, r); err != nil {
			t.Error(err)
		}
		w.version(k, key, a)
		w.labels(k, one, a)
		w.taken(k, one, a)
		w.delete(k, one)

		// The largest that an engine takes, and a name of the greatest length.
		w.version(k, key, args{"name": strings.Repeat("x", 51), "value": strings.Repeat("v", 500*1024-1)})
	})
}

func secretOf(t *testing.T, w *world, name string) string {
	t.Helper()
	return strings.TrimSpace(httpGet(t, "http://"+w.e.Addr+"/secret/"+name))
}

func TestRealConfig(t *testing.T) {
	onEngines(t, func(w *world) {
		t := w.t
		w.inSwarm()
		k, key := swarm.ConfigKind, bytes.Repeat([]byte{7}, 32)
		a := args{"name": "site.conf", "content": "one\n", "labels": map[string]string{"tier": "web", "a": "1"}}
		one := w.version(k, key, a)
		for _, change := range []args{{"content": "two\n"}, {"template_driver": "golang"}} {
			if got := w.version(k, key, a.With(change)); got == one || !strings.HasPrefix(got, "site.conf-") {
				t.Errorf("%v gives %s, as before %s", change, got, one)
			}
		}
		if got := w.e.Docker("config", "inspect", "--format", "{{printf \"%s\" .Spec.Data}}", one); got != "one\n" {
			t.Errorf("the content is %q", got)
		}
		w.labels(k, one, a)
		w.taken(k, one, a)
		w.delete(k, one)
		w.version(k, key, args{"name": "big", "content": strings.Repeat("v", 500*1024-1)})
		w.version(k, key, args{"name": "huge", "content": strings.Repeat("v", 1000*1024-1)})
	})
}

// labels changes labels in place: only ours count.
func (w *world) labels(k *resource.Kind, name string, a args) {
	w.t.Helper()
	next := a.With(args{"labels": map[string]string{"tier": "db"}})
	w.wantDiff(k, name, next, `labels["tier"]`, `labels["a"]`)
	change := func(a args) error {
		o := w.find(k, name)
		r := w.request(k, a["name"].(string), w.check(k, a))
		r.Live, r.Name, r.Mark.Hash = o, name, o.Mark.Hash
		_, err := k.Handler.Update(w.t.Context(), w.sw, r)
		return err
	}
	if err := change(next); err != nil {
		w.t.Fatal(err)
	}
	w.wantDiff(k, name, next)
	w.wantDiff(k, name, a, `labels["tier"]`, `labels["a"]`)

	// Somebody adds one of theirs and changes one of ours. The CLI cannot.
	if k == swarm.SecretKind {
		w.handLabels(name)
		w.wantDiff(k, name, next, `labels["tier"]`)
		if err := change(next); err != nil {
			w.t.Fatal(err)
		}
		w.wantDiff(k, name, next)
		if got := w.e.Docker("secret", "inspect", "--format", `{{.Spec.Labels.theirs}}`, name); got != "1" {
			w.t.Errorf("their label is now %q", got)
		}
	}
}

// taken makes a second one of a live name.
func (w *world) taken(k *resource.Kind, name string, a args) {
	w.t.Helper()
	r := w.request(k, a["name"].(string), w.check(k, a))
	r.Name = name
	if _, err := k.Handler.Create(w.t.Context(), w.sw, r); !errors.Is(err, resource.ErrExists) {
		w.t.Errorf("a second %s gives %v", name, err)
	}
}

// Errors and values that are printed by mistake never hold a secret.
func TestSecretNeverShown(t *testing.T) {
	c, problems := resourcetest.Check(swarm.SecretKind, args{"name": "db", "value": "hunter2"})
	if problems != nil {
		t.Fatal(problems)
	}
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%#v", c), fmt.Sprintf("%+v", c)} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("the secret is in %s", text)
		}
	}
	if _, ok := c[1].(value.Secret); !ok {
		t.Errorf("the value is %T", c[1])
	}
	_, problems = resourcetest.Check(swarm.SecretKind, args{"name": "db", "value": strings.Repeat("hunter2", 100_000)})
	if problems == nil || strings.Contains(problems.Error(), "hunter2") {
		t.Errorf("the problems are %v", problems)
	}
}
