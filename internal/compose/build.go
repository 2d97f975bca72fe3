package compose

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/engine"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/value"
)

// builds reports whether the image of a service is built, and not given otherwise.
func (c *converter) builds(key string, s types.ServiceConfig) bool {
	return s.Build != nil && c.in.o.Build && !slices.Contains(c.in.o.Images, key)
}

// imageName is what a service's image is called: where the file does not say it,
// as docker compose calls it.
func (c *converter) imageName(key string, s types.ServiceConfig) string {
	if s.Image != "" || s.Build == nil {
		return s.Image
	}
	return strings.ToLower(c.stack.Name + "-" + key)
}

// build adds the build of a service's image. Paths are from the root.
func (c *converter) build(key string, s types.ServiceConfig) *Part {
	b, image := s.Build, c.imageName(key, s)
	at := func(more string) []string { return []string{"services", key, "build", more} }
	folder, ok := c.in.rel(b.Context)
	if strings.Contains(b.Context, "://") || strings.HasPrefix(b.Context, "git@") || !ok {
		c.fail(at("context"), "", "services.%s.build: %s is not a folder under the root folder", key, b.Context)
	}
	spec := &engine.BuildSpec{
		Name: strings.ToLower(c.stack.Name + "-" + key), Context: "//" + strings.TrimPrefix(folder, "."), Dockerfile: engine.ContextPath(orDefault(b.Dockerfile, "Dockerfile")), Target: b.Target,
		Labels: maps.Clone(map[string]string(b.Labels)), Network: b.Network, Pull: b.Pull, NoCache: b.NoCache,
		Tags: []engine.LocalRef{engine.LocalRef(image)}, Push: c.pushes(image),
	}
	if b.Network == "default" {
		spec.Network = ""
	}
	for _, t := range b.Tags {
		if t != image {
			spec.Tags = append(spec.Tags, engine.LocalRef(t))
		}
	}
	platforms := []string(b.Platforms)
	if len(platforms) == 0 && s.Platform != "" {
		platforms = []string{s.Platform}
	}
	spec.Platforms = convert[engine.Platform](platforms)
	for _, name := range sorted(b.Args) {
		if v := b.Args[name]; v != nil {
			if spec.Args == nil {
				spec.Args = map[string]string{}
			}
			spec.Args[name] = *v
		}
	}
	for _, name := range sorted(b.ExtraHosts) {
		for _, ip := range b.ExtraHosts[name] {
			spec.AddHosts = append(spec.AddHosts, name+":"+ip)
		}
	}
	for _, k := range b.SSH {
		id := k.ID
		if k.Path != "" {
			id += "=" + k.Path
		}
		spec.SSH = append(spec.SSH, id)
	}
	slices.Sort(spec.SSH) // compose-go gives them in no order
	c.buildCache(key, b, spec)
	sources := c.buildSecrets(key, b, spec)
	c.unbuildable(key, b)
	p := c.part(engine.BuildKind, "services", key, spec.Name, spec)
	p.SecretsFrom = sources
	if f, _ := p.Kind.Schema.Field("secrets"); sources == nil {
		p.Args[f.Index] = nil
	}
	p.args = func(arg string) diag.Pos { return c.in.at("services", key, "build", orDefault(buildKeys[arg], arg)) }
	return p
}

// pushes reports whether an image is pushed: where its name has a registry's host
// in it, unless the script says.
func (c *converter) pushes(image string) bool {
	if c.in.o.Push != nil {
		return *c.in.o.Push
	}
	host, _, ok := strings.Cut(image, "/")
	return ok && (strings.ContainsAny(host, ".:") || host == "localhost")
}

// buildCache converts what layers may come from. Of the ways that compose files
// know, images are ours.
func (c *converter) buildCache(key string, b *types.BuildConfig, spec *engine.BuildSpec) {
	for _, from := range b.CacheFrom {
		kind, attributes := cacheOf(from)
		switch {
		case !strings.Contains(from, "="):
			spec.CacheFrom = append(spec.CacheFrom, from)
		case kind == "registry" && attributes["ref"] != "":
			spec.CacheFrom = append(spec.CacheFrom, attributes["ref"])
		default:
			c.warnBuild(key, "cache_from", "%s is no image, and is ignored", from)
		}
	}
	for _, to := range b.CacheTo {
		if kind, _ := cacheOf(to); kind == "inline" || to == "inline" {
			spec.CacheTo = "inline"
		} else {
			c.warnBuild(key, "cache_to", "%s is ignored: only type=inline is known", to)
		}
	}
}

// cacheOf takes "type=registry,ref=IMAGE" apart.
func cacheOf(s string) (kind string, attributes map[string]string) {
	attributes = map[string]string{}
	for _, part := range strings.Split(s, ",") {
		k, v, _ := strings.Cut(part, "=")
		attributes[k] = v
	}
	return attributes["type"], attributes
}

// buildSecrets gives the build its secrets, and returns where they come from.
func (c *converter) buildSecrets(key string, b *types.BuildConfig, spec *engine.BuildSpec) (from map[string]Source) {
	for _, r := range b.Secrets {
		s, ok := c.project.Secrets[r.Source]
		if !ok || bool(s.External) {
			c.fail([]string{"services", key, "build", "secrets"}, "", "services.%s.build.secrets: %s has no content here", key, r.Source)
			continue
		}
		text, ok := c.content("secrets", r.Source, types.FileObjectConfig(s))
		if !ok {
			continue // reported
		}
		if spec.Secrets == nil {
			spec.Secrets, from = map[string]string{}, map[string]Source{}
		}
		id := orDefault(r.Target, r.Source)
		spec.Secrets[id], from[id] = text, c.source(types.FileObjectConfig(s))
	}
	return from
}

func (c *converter) warnBuild(key, what, format string, args ...any) {
	pos, _ := c.in.has("services", key, "build", what)
	c.warn(&diag.Diagnostic{Severity: diag.Warning, Pos: pos, Summary: fmt.Sprintf("services.%s.build.%s: %s", key, what, fmt.Sprintf(format, args...))})
}

// unbuildable tells what an engine does not do for build(). What would build
// something else is a mistake.
func (c *converter) unbuildable(key string, b *types.BuildConfig) {
	for _, what := range []struct {
		name  string
		given bool
	}{{"dockerfile_inline", b.DockerfileInline != ""}, {"additional_contexts", len(b.AdditionalContexts) > 0}} {
		if what.given {
			c.fail([]string{"services", key, "build", what.name}, "stack(..., build = False) takes the image as it is", "services.%s.build.%s: build() does not know it", key, what.name)
		}
	}
	for _, what := range []struct {
		name  string
		given bool
	}{
		{"entitlements", len(b.Entitlements) > 0}, {"isolation", b.Isolation != ""}, {"privileged", b.Privileged}, {"provenance", b.Provenance != ""},
		{"sbom", b.SBOM != ""}, {"shm_size", b.ShmSize != 0}, {"ulimits", len(b.Ulimits) > 0},
	} {
		if what.given {
			c.warnBuild(key, what.name, "build() does not know it, and it is ignored")
		}
	}
}

// share has services that name an image which another one builds run that.
func (c *converter) share() {
	f, _ := swarm.ServiceSchema.Field("image")
	made := map[value.Value]*Part{}
	for _, p := range c.stack.Parts {
		if p.Built != nil && made[p.Args[f.Index]] == nil {
			made[p.Args[f.Index]] = p.Built
		}
	}
	for _, p := range c.stack.Parts {
		if p.Kind == swarm.ServiceKind && p.Built == nil && !slices.Contains(c.in.o.Images, p.Key) {
			p.Built = made[p.Args[f.Index]]
		}
	}
	// Builds come before the services, as all that others use.
	slices.SortStableFunc(c.stack.Parts, func(a, b *Part) int { return rankOf(a) - rankOf(b) })
}

func rankOf(p *Part) int {
	if p.Kind == swarm.ServiceKind {
		return 1
	}
	return 0
}

// buildKeys are those of a file that have another name here.
var buildKeys = map[string]string{"add_hosts": "extra_hosts"}
