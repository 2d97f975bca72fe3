package run

import (
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// A compose file that says how its images are built, with everything that build may
// say there, on both builders of real engines: pushed where the name has a registry
// in it, or where the script says so, and nothing is built again.
func TestRealStackBuild(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	for _, v := range []testengine.Version{testengine.Debian20, testengine.Docker28} {
		t.Run(v.String(), func(t *testing.T) {
			w := newBuildWorld(t, v)
			w.file("shop.yml", strings.ReplaceAll(`
services:
  web: &web
    image: R/site/web:1
    build:
      context: ./web
      dockerfile: ./Dockerfile
      target: base
      args: {GREETING: "a $$price", FROM_OUTSIDE: }
      labels: ["org.team=web"]
      network: none
      extra_hosts: {db: 10.0.0.1}
      cache_from: [`+testengine.Web1+`]
      no_cache: true
      secrets: [pw]
      tags: [R/site/web:new]
    stop_grace_period: 1s
    deploy: {update_config: {monitor: 100ms}}
  again:
    <<: *web
  named:
    image: R/site/web:1
    stop_grace_period: 1s
    deploy: {update_config: {monitor: 100ms}}
  own:
    build: {context: web, dockerfile: sub/../Dockerfile}
    stop_grace_period: 1s
    deploy: {update_config: {monitor: 100ms}}
secrets:
  pw: {file: ./pw}
`, "R/", w.r.Addr+"/"))
			w.file("pw", "hidden-word")
			w.stackBuilt()
		})
	}
}

func (w *buildWorld) stackBuilt() {
	opts := w.script(`s = stack("shop", files = ["shop.yml"])`)
	w.repaired(opts, "+ network.shop_default", "+ secret.shop_pw", "+ build.shop-again", "+ build.shop-own", "+ build.shop-web",
		"+ service.shop_again", "+ service.shop_named", "+ service.shop_own", "+ service.shop_web")
	one := w.image("shop_web")
	if !strings.HasPrefix(one, w.r.Addr+"/site/web:1@sha256:") || w.image("shop_again") != one || w.image("shop_named") != one {
		w.t.Errorf("they run %s, %s and %s", one, w.image("shop_again"), w.image("shop_named"))
	}
	if got := w.image("shop_own"); !strings.HasPrefix(got, "shop-own:sha-") {
		w.t.Errorf("it runs %s", got)
	}
	if got := w.e.Docker("image", "inspect", "--format", `{{.Config.Env}} {{.Config.Labels}}`, w.r.Addr+"/site/web:new"); !strings.Contains(got, "GREETING=a $price") || !strings.Contains(got, "org.team:web") || strings.Contains(got, "hidden-word") {
		w.t.Errorf("the image has %s", got)
	}
	w.file("web/index.html", "two")
	w.repaired(opts, `~ build.shop-again: content["index.html"]`, `~ build.shop-own: content["index.html"]`, `~ build.shop-web: content["index.html"]`,
		"~ service.shop_again: image", "~ service.shop_named: image", "~ service.shop_own: image", "~ service.shop_web: image")
	if two := w.image("shop_web"); two == one || w.image("shop_again") != two || w.image("shop_named") != two {
		w.t.Errorf("they run %s, %s and %s", two, w.image("shop_again"), w.image("shop_named"))
	}
	// The script says that it is not pushed.
	opts = w.script(`s = stack("shop", files = ["shop.yml"], push = False)`)
	applyAll(w.t, opts)
	w.plan(opts)
	if got := w.image("shop_web"); !strings.HasPrefix(got, w.r.Addr+"/site/web:sha-") {
		w.t.Errorf("it runs %s", got)
	}
	// What has a name of Docker Hub's own cannot be pushed.
	refuses(w.t, w.script(`s = stack("shop", files = ["shop.yml"], push = True)`), "would be pushed to")
}

// refuses evaluates what is wrong.
func refuses(t *testing.T, opts Options, text string) {
	t.Helper()
	if _, err := Evaluate(t.Context(), opts); err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %q", err, text)
	}
}
