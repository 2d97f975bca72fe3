package engine

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"

	"github.com/swarmscript/swarmscript/internal/value"
)

// What no engine would take, or keep to itself.
func TestBuildCheck(t *testing.T) {
	for _, tt := range []struct {
		field string
		v     value.Value
		want  string // "" is right
	}{
		{"args", value.NewMap([]value.Entry{{Key: "A", Value: value.Secret{V: "hidden-word"}}}), "would be kept in the image"},
		{"labels", value.NewMap([]value.Entry{{Key: "A", Value: value.Secret{V: "hidden-word"}}}), "would be kept in the image"},
		{"platforms", value.List{"linux/amd64", "linux/arm64"}, "one platform at a time"},
		{"platforms", value.List{"linux/amd64"}, ""},
		{"tags", value.List{"web@" + digestA}, "a digest is the registry's to say"},
		{"tags", value.List{"web:1"}, ""},
		{"name", "Not A Repository", "is no repository"},
		{"name", "team/web", ""},
	} {
		args := make(value.Struct, len(buildSchema.Fields()))
		args[must(tt.field)] = tt.v
		got := checkBuild(args)
		if tt.want == "" && len(got) > 0 || tt.want != "" && !strings.Contains(got.Error(), tt.want) {
			t.Errorf("%s = %v gives %v, want %q", tt.field, tt.v, got, tt.want)
		}
		if strings.Contains(got.Error(), "hidden-word") {
			t.Errorf("it shows %v", got)
		}
	}
}

// A name that says no registry is Docker Hub's, where only users have a place.
func TestBuildPushed(t *testing.T) {
	for _, tt := range []struct {
		name string
		tags value.Value
		want string
	}{
		{"web", nil, "name: web would be pushed to docker.io/library/web, where only Docker may"},
		{"web", value.List{"r:5000/web:1", "web:2"}, "tags: web:2 would be pushed to docker.io/library/web"},
		{"web", value.List{"ann/web:1", "localhost/web", "r:5000/web:1"}, ""},
		{"r:5000/web", nil, ""},
	} {
		args := make(value.Struct, len(buildSchema.Fields()))
		args[must("name")], args[must("tags")], args[must("push")] = tt.name, tt.tags, true
		got := checkBuild(args)
		if tt.want == "" && len(got) > 0 || tt.want != "" && (len(got) != 1 || !strings.Contains(got.Error(), tt.want)) {
			t.Errorf("%s, %v gives %v, want %q", tt.name, tt.tags, got, tt.want)
		}
		args[must("push")] = false
		if got := checkBuild(args); len(got) > 0 {
			t.Errorf("not pushed, %s, %v gives %v", tt.name, tt.tags, got)
		}
	}
}

// What the arguments name it.
func TestBuildName(t *testing.T) {
	for _, tt := range []struct{ context, tag, want string }{
		{"web", "", "web"}, {"//services/Web/", "", "web"}, {"./api", "r:5000/shop/front:2", "front"}, {".", "", ""}, {"my app", "", ""},
	} {
		args := make(value.Struct, len(buildSchema.Fields()))
		args[must("context")] = tt.context
		if tt.tag != "" {
			args[must("tags")] = value.List{tt.tag}
		}
		if got := nameBuild(args); got != tt.want {
			t.Errorf("%s, %s is called %q, want %q", tt.context, tt.tag, got, tt.want)
		}
	}
}

// One Dockerfile has one path, however it is written: it is compared with that in the
// label of an image.
func TestDockerfilePath(t *testing.T) {
	for _, path := range []ContextPath{"Dockerfile", "./Dockerfile", "web/../Dockerfile", ".//Dockerfile"} {
		f := buildSchema.Fields()[must("dockerfile")]
		if !f.Type.Same(buildSchema.Encode(&BuildSpec{Dockerfile: path})[f.Index], f.Default) {
			t.Errorf("%s is another one", path)
		}
	}
}

// Another recipe is another tag, and nothing else is.
func TestContentTag(t *testing.T) {
	base := func() *BuildSpec {
		return &BuildSpec{Name: "web", Dockerfile: "Dockerfile", Content: map[string]string{"Dockerfile": "1"}, AddHosts: []string{"a:1", "b:2"}}
	}
	tag := base().contentTag()
	for name, change := range map[string]func(*BuildSpec){
		"order of hosts": func(s *BuildSpec) { s.AddHosts = []string{"b:2", "a:1"} },
		"secret":         func(s *BuildSpec) { s.Secrets = map[string]string{"a": "b"} },
		"how":            func(s *BuildSpec) { s.NoCache, s.Pull, s.CacheTo = true, true, "inline" },
	} {
		s := base()
		if change(s); s.contentTag() != tag {
			t.Errorf("another %s is another tag", name)
		}
	}
	for name, change := range map[string]func(*BuildSpec){
		"content":  func(s *BuildSpec) { s.Content["Dockerfile"] = "2" },
		"target":   func(s *BuildSpec) { s.Target = "x" },
		"args":     func(s *BuildSpec) { s.Args = map[string]string{"A": "1"} },
		"labels":   func(s *BuildSpec) { s.Labels = map[string]string{"A": "1"} },
		"platform": func(s *BuildSpec) { s.Platforms = []Platform{"linux/arm64"} },
		"network":  func(s *BuildSpec) { s.Network = "none" },
	} {
		s := base()
		if change(s); s.contentTag() == tag || s.differs(base()) != 1 {
			t.Errorf("another %s is no other tag, or differs in %d", name, s.differs(base()))
		}
	}
}

// Whatever stands in the label of an image, it is read as far as it can be.
func FuzzBuildLabel(f *testing.F) {
	f.Add(`{"content":{"a":"b"},"dockerfile":"Dockerfile"}`)
	f.Add(`{"platforms":["x"],"args":null}`)
	f.Fuzz(func(t *testing.T, label string) {
		img := &image.Summary{ID: "sha256:1", Labels: map[string]string{labelBuild: label}}
		spec := &BuildSpec{Name: "web", Tags: []LocalRef{"web:1"}, Dockerfile: "Dockerfile"}
		if o := buildObject(spec, img, nil); len(o.Args) != len(buildSchema.Fields()) {
			t.Errorf("%d arguments", len(o.Args))
		}
	})
}
