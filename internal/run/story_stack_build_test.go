package run

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A compose file that says how its images are built: they are, before the
// services; again they are when what they are built from changes, and the services
// follow.
func TestStoryStackBuild(t *testing.T) {
	onNewest(t, func(f *fixture) {
		if err := os.Mkdir(filepath.Join(f.dir, "site"), 0o700); err != nil {
			t.Fatal(err)
		}
		f.File("shop.yml", `
services:
  web:
    build: {context: ./site, dockerfile: ./Dockerfile, args: {GREETING: hello}}
    stop_grace_period: 1s
    deploy: {update_config: {monitor: 100ms}}
  tagged:
    image: story/tagged:3
    build: site
    stop_grace_period: 1s
    deploy: {update_config: {monitor: 100ms}}
`)
		f.File("site/Dockerfile", "FROM swarmtest/web:1\nARG GREETING=none\nLABEL greeting=$GREETING\nCOPY motd /motd\n")
		f.File("site/motd", "one")
		f.Script(`stack("story-built", files = ["shop.yml"])`)
		f.Repaired("+ network.story-built_default", "+ build.story-built-tagged", "+ build.story-built-web",
			"+ service.story-built_tagged", "+ service.story-built_web")
		image := func() string {
			return f.Docker("service", "inspect", "story-built_web", "--format", "{{.Spec.TaskTemplate.ContainerSpec.Image}}")
		}
		first := image()
		if !strings.HasPrefix(first, "story-built-web:sha-") {
			t.Errorf("it runs %s", first)
		}
		if got := f.Docker("image", "inspect", "story-built-web:latest", "story/tagged:3", "--format", `{{index .Config.Labels "greeting"}}`); got != "hello\nnone" {
			t.Errorf("the images' labels are %q", got)
		}

		// What they are built from changes.
		f.File("site/motd", "two")
		f.Repaired(`~ build.story-built-tagged: content["motd"]`, `~ build.story-built-web: content["motd"]`, "~ service.story-built_tagged: image", "~ service.story-built_web: image")
		if got := image(); got == first {
			t.Errorf("it still runs %s", got)
		}

		// Without: the images are as they are, as for docker stack deploy.
		f.Script(`stack("story-built", files = ["shop.yml"], build = False, resolve_image = "never")`)
		f.PlanFails("service web has no image")
	})
}
