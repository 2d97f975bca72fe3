package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"github.com/swarmscript/swarmscript/internal/build"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// BuildSpec is what docker build can say. What an image was built from is kept in
// a label of it, which is how the next plan knows what has changed.
type BuildSpec struct {
	Name       string            `star:"name" doc:"What it is called here, and the repository of its tag where tags are not given. The last part of the first tag's repository if left out, or else the context's folder."`
	Context    string            `star:"context,required,pos,local" flag:"PATH" doc:"The folder that it is built from, relative to the script or from the root with //. What its .dockerignore leaves out is neither read nor sent."`
	Dockerfile ContextPath       `star:"dockerfile" default:"Dockerfile" flag:"--file" doc:"The path of the Dockerfile in the context. NAME.dockerignore beside it takes the place of .dockerignore."`
	Target     string            `star:"target" flag:"--target" doc:"The stage to build; the last one if left out."`
	Args       map[string]string `star:"args" flag:"--build-arg" doc:"The values of ARG. They are kept in the image, so nothing sensitive is taken: that goes into secrets."`
	Labels     map[string]string `star:"labels" flag:"--label" doc:"Labels of the image, beside those of the Dockerfile."`
	Platforms  []Platform        `star:"platforms" flag:"--platform" doc:"The platform to build for, such as linux/arm64; the engine's own if left out. Engines build for one at a time."`
	Network    string            `star:"network" enum:",host,none" flag:"--network" doc:"The network of RUN: host, none, or the engine's default."`
	AddHosts   []string          `star:"add_hosts,set" flag:"--add-host" doc:"Names that RUN knows, as name:address."`
	Secrets    map[string]string `star:"secrets,secret,local" flag:"--secret" doc:"Values for RUN --mount=type=secret, by their IDs. They are in no layer; another value is no reason to build."`
	SSH        []string          `star:"ssh,local" flag:"--ssh" doc:"Agents for RUN --mount=type=ssh: default for SSH_AUTH_SOCK's, or ID=SOCKET, or ID=KEYFILE."`
	CacheFrom  []string          `star:"cache_from,local" flag:"--cache-from" doc:"Images whose layers may be used."`
	CacheTo    string            `star:"cache_to,local" enum:",inline" flag:"--cache-to" doc:"inline: the image holds what another build needs to use its layers from a registry."`
	Pull       bool              `star:"pull,local" flag:"--pull" doc:"Whether a build asks the registries for newer base images. It is no reason to build."`
	NoCache    bool              `star:"no_cache,local" flag:"--no-cache" doc:"Whether a build runs every step again."`
	Tags       []LocalRef        `star:"tags" flag:"--tag" doc:"What the image is called. If left out, NAME:sha- and what stands for all it is built from, so that whoever uses ref gets another name with another image."`
	Push       bool              `star:"push" flag:"--push" doc:"Whether it is pushed to the registry of its tags. A plan asks the registry whether it is there; one that does not answer is a warning."`
	Content    map[string]string `star:"content" doc:"What is in the context, by path: found out, not given. With many files, what is in a folder counts together."`
	ContentTag *string           `star:"content_tag,local" doc:"The tag that says all that it is built from, where it is not pushed: found out, not given."`
}

// ContextPath is a path in the context. ./Dockerfile is Dockerfile.
type ContextPath string

// Normal implements [schema.Normaler].
func (p ContextPath) Normal() (string, error) { return path.Clean(filepath.ToSlash(string(p))), nil }

// SchemaName implements [schema.Named].
func (*BuildSpec) SchemaName() (string, string) {
	return "build", "An image that an engine builds from a folder of this computer, with BuildKit where it has that. It is built when the engine has none that was built from the same: files, Dockerfile, target, args, labels, platform, network. " +
		"Images carry no marks: one that is no longer declared is forgotten, not removed."
}

var buildSchema = schema.Of(BuildSpec{})

// BuildKind is an image that an engine builds.
var BuildKind = &resource.Kind{
	Name:     "build",
	Schema:   buildSchema,
	Scope:    "engine",
	Rank:     5,
	Unmarked: true,
	Out: []resource.Output{
		{Name: "ref", Type: "string", Arg: "content_tag", Doc: "The image, for a service or a container: with its digest where it is pushed, otherwise by a tag that another content changes."},
		{Name: "id", Type: "string", Doc: "The image's ID."},
		{Name: "digest", Type: "string", Doc: "Its digest in the registry; empty where it is in none."},
		{Name: "size", Type: "int", Doc: "How many bytes its layers are."},
	},
	Folder:   readContext,
	Check:    checkBuild,
	Complete: completeBuild,
	Effect:   buildEffect,
	Unnamed:  nameBuild,
	Handler:  buildHandler{},
}

// buildFields gives access to arguments by name.
func buildFields(args value.Struct) (get func(string) value.Value, set func(string, value.Value)) {
	at := func(name string) int {
		f, ok := buildSchema.Field(name)
		if !ok {
			panic("engine: no field " + name)
		}
		return f.Index
	}
	return func(name string) value.Value { return args[at(name)] }, func(name string, v value.Value) { args[at(name)] = v }
}

// readContext finds out what is in the context.
func readContext(args value.Struct, find func(string) (string, error)) ([]byte, schema.Problems) {
	get, set := buildFields(args)
	for _, name := range []string{"content", "content_tag"} {
		if get(name) != nil {
			return nil, schema.Problems{{Path: name, Msg: "it is found out, not given"}}
		}
	}
	if get("context") == nil {
		return nil, nil // it is required, or the object is external
	}
	folder, ok := get("context").(string)
	if !ok {
		return nil, schema.Problems{{Path: "context", Msg: "the path must be known when the script runs"}}
	}
	dockerfile := "Dockerfile"
	if v := get("dockerfile"); v != nil {
		if dockerfile, ok = v.(string); !ok {
			return nil, schema.Problems{{Path: "dockerfile", Msg: "the path must be known when the script runs"}}
		}
	}
	dir, err := find(folder)
	if err != nil {
		return nil, schema.Problems{{Path: "context", Msg: err.Error()}}
	}
	c, err := build.Open(dir, dockerfile)
	if err != nil {
		return nil, schema.Problems{{Path: "context", Msg: err.Error()}}
	}
	digests, err := c.Digests(context.Background())
	if err != nil {
		return nil, schema.Problems{{Path: "context", Msg: err.Error()}}
	}
	set("context", dir)
	set("content", stringMap(digests))
	sum, err := json.Marshal(digests)
	if err != nil {
		return nil, schema.Problems{{Path: "context", Msg: err.Error()}}
	}
	return sum, nil
}

func stringMap(m map[string]string) value.Value {
	return buildSchema.Encode(&BuildSpec{Content: m})[must("content")]
}

func must(name string) int {
	f, _ := buildSchema.Field(name)
	return f.Index
}

// nameBuild is the name that the first tag or the folder makes.
func nameBuild(args value.Struct) string {
	get, _ := buildFields(args)
	if tags, ok := get("tags").(value.List); ok && len(tags) > 0 {
		if tag, ok := tags[0].(string); ok {
			return path.Base(repository(tag))
		}
	}
	folder, _ := get("context").(string)
	name := strings.ToLower(path.Base(strings.ReplaceAll(folder, `\`, "/")))
	if _, err := reference.ParseNormalizedNamed(name); err != nil {
		return ""
	}
	return name
}

// checkBuild finds what no engine would take, or keep to itself.
func checkBuild(args value.Struct) (ps schema.Problems) {
	get, _ := buildFields(args)
	add := func(path, hint, format string, a ...any) {
		ps = append(ps, &schema.Problem{Path: path, Msg: fmt.Sprintf(format, a...), Hint: hint})
	}
	if l, ok := get("platforms").(value.List); ok && len(l) > 1 {
		add("platforms", "declare one build for each", "an engine builds for one platform at a time")
	}
	tags, _ := get("tags").(value.List)
	for i, t := range tags {
		if s, ok := t.(string); ok && strings.Contains(s, "@") {
			add(fmt.Sprintf("tags[%d]", i), "", "got %q, want a name with a tag: a digest is the registry's to say", s)
		}
	}
	if name, ok := get("name").(string); ok && len(tags) == 0 && get("tags") == nil {
		if n, err := reference.ParseNormalizedNamed(name); err != nil || !reference.IsNameOnly(n) {
			add("name", "give tags, or another name", "%q is no repository, for its tag", name)
		}
	}
	if push, _ := get("push").(bool); push {
		ps = append(ps, checkPushed(get("name"), tags)...)
	}
	ps = buildSchema.HideSecrets(args, ps)
	for _, name := range []string{"args", "labels"} {
		if value.Sensitive(get(name)) {
			add(name, "give it as one of secrets, for RUN --mount=type=secret", "something sensitive would be kept in the image")
		}
	}
	return ps
}

// checkPushed finds names that would be pushed to where nobody may: those without a
// registry or a user are Docker's own on Docker Hub.
func checkPushed(name value.Value, tags value.List) (ps schema.Problems) {
	path := "tags"
	if len(tags) == 0 {
		path, tags = "name", value.List{name}
	}
	for _, t := range tags {
		s, _ := t.(string)
		named, err := reference.ParseNormalizedNamed(s)
		if err == nil && reference.Domain(named) == "docker.io" && strings.HasPrefix(reference.Path(named), "library/") {
			ps = append(ps, &schema.Problem{Path: path, Msg: fmt.Sprintf("%s would be pushed to %s, where only Docker may", s, reference.TrimNamed(named)),
				Hint: `name the registry, as in tags = ["registry.example.com/web:1"], or the user of Docker Hub`})
		}
	}
	return ps
}

// completeBuild says what the image is called for its users, as soon as all that
// it is built from is known. One that is pushed is called by its digest, which
// only the registry says.
func completeBuild(args value.Struct) {
	get, set := buildFields(args)
	set("content_tag", nil)
	spec, ok := buildSpecOf(args)
	if ok && !spec.Push && get("content") != nil {
		set("content_tag", spec.contentTag())
	}
}

// buildSpecOf are arguments as far as they say what an image is; false while that
// is not known.
func buildSpecOf(args value.Struct) (*BuildSpec, bool) {
	args = slices.Clone(args)
	for i, f := range buildSchema.Fields() {
		if f.Local && !value.Known(args[i]) {
			args[i] = nil
		}
	}
	var spec BuildSpec
	if !value.Known(args) || buildSchema.Decode(args, &spec) != nil {
		return nil, false
	}
	return &spec, true
}

// recipe is what an image is built from, as its label says it.
type recipe struct {
	Content    map[string]string `json:"content,omitempty"`
	Dockerfile ContextPath       `json:"dockerfile"`
	Target     string            `json:"target,omitempty"`
	Args       map[string]string `json:"args,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
	Platforms  []Platform        `json:"platforms,omitempty"`
	Network    string            `json:"network,omitempty"`
	AddHosts   []string          `json:"add_hosts,omitempty"`
}

// labelBuild holds the recipe of an image. It is no mark: containers inherit it.
const labelBuild = "swarmscript.build"

func (s *BuildSpec) recipe() string {
	hosts := slices.Sorted(slices.Values(s.AddHosts))
	text, err := json.Marshal(recipe{s.Content, s.Dockerfile, s.Target, s.Args, s.Labels, s.Platforms, s.Network, hosts})
	if err != nil {
		panic("engine: a recipe: " + err.Error()) // strings can always be written
	}
	return string(text)
}

// contentTag is a name that another recipe changes.
func (s *BuildSpec) contentTag() string {
	repo := s.Name
	if len(s.Tags) > 0 {
		repo = repository(string(s.Tags[0]))
	}
	sum := sha256.Sum256([]byte(s.recipe()))
	tag := LocalRef(repo + ":sha-" + hex.EncodeToString(sum[:6]))
	if normal, err := tag.Normal(); err == nil {
		return normal
	}
	return string(tag)
}

// names are what the image is called: its tags, and where its digest does not
// tell it apart, a tag that does. The first is the one that says most.
func (s *BuildSpec) names() []string {
	var out []string
	if !s.Push || len(s.Tags) == 0 {
		out = append(out, s.contentTag())
	}
	for _, t := range s.Tags {
		out = append(out, string(t))
	}
	return slices.Compact(out)
}

// buildEffect says whether a difference needs a build.
func buildEffect(_ *resource.Object, _ value.Struct, changes []schema.Change, _ bool) string {
	effect := ""
	for _, c := range changes {
		switch c.Field.Name {
		case "push":
			effect = "pushes"
		case "tags":
			effect = "tags"
		default:
			return "builds"
		}
	}
	return effect
}
