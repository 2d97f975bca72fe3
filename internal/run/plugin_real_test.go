package run

import (
	"fmt"
	"testing"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// A plugin: installed with the permissions that it is granted, set, disabled,
// upgraded, changed and removed by hand; a volume of its driver.
func TestRealPlugin(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	for _, v := range []testengine.Version{testengine.Debian20, testengine.Docker28} {
		t.Run(v.String(), func(t *testing.T) {
			w := pluginWorld{newRegistryWorld(t, v)}
			w.r.PushPlugin(w.e, w.config, "driver:1", testengine.PluginConfig("version 1"))
			two := testengine.PluginConfig("version 2")
			two["env"] = append(two["env"].([]map[string]any), map[string]any{"name": "EXTRA", "settable": []string{"value"}, "value": "x"})
			w.r.PushPlugin(w.e, w.config, "driver:2", two)
			w.permissions()
			w.settings()
			w.upgrades()
			w.byHand()
			w.ofVolumes()
			w.forgotten()
		})
	}
}

// pluginWorld has two versions of a plugin in its registry: the second one has
// a setting more.
type pluginWorld struct{ *registryWorld }

// is checks the plugin on the engine.
func (w pluginWorld) is(want string) {
	w.t.Helper()
	got := w.e.Docker("plugin", "inspect", "drv", "--format", "{{.Config.Description}}, {{.Enabled}}, {{.Settings.Env}} {{.Settings.Args}}")
	if got != want {
		w.t.Errorf("the plugin is %q, want %q", got, want)
	}
}

// plugin declares a version of it.
func (w pluginWorld) plugin(ref, more string) Options {
	return w.declare(`drv = plugin("drv", "R/` + ref + `", grant_all_permissions = True` + more + `)`)
}

// fails applies, which must fail and say all of the texts.
func (w pluginWorld) fails(opts Options, texts ...string) {
	w.t.Helper()
	code, said := w.apply(w.t, opts)
	if code != apply.ExitFailed {
		w.t.Errorf("exit code %d", code)
	}
	wants(w.t, said, texts...)
}

// Without its permissions it is not installed.
func (w pluginWorld) permissions() {
	for _, granted := range []string{``, `, permissions = {"network": ["host"], "mount": ["/tmp"]}`} {
		w.fails(w.declare(`plugin("drv", "R/driver:1"`+granted+`)`), "asks for more than it is granted", "capabilities: CAP_NET_ADMIN", "grant_all_permissions = True")
	}
	w.repaired(w.declare(`plugin("drv", "R/driver:1", permissions = {"network": ["host"], "mount": ["/tmp"], "capabilities": ["CAP_NET_ADMIN"]})`), "+ plugin.drv")
	w.is("version 1, true, [DEBUG=0 LEVEL=info FIXED=1] [-a -b]")
	w.fails(w.declare(`plugin("none", "R/none:1", grant_all_permissions = True)`), fmt.Sprintf("%s/none:1 was not pulled", w.r.Addr))
}

func (w pluginWorld) settings() {
	w.repaired(w.plugin("driver:1", `, settings = {"DEBUG": "1", "args": "-c"}`), `~ plugin.drv: settings["DEBUG"] settings["args"]`)
	w.is("version 1, true, [DEBUG=1 LEVEL=info FIXED=1] [-c]")
	w.plan(w.plugin("driver:1", `, settings = {"DEBUG": "1", "args": "-c", "LEVEL": "info", "state.source": "/tmp"}`))
	w.repaired(w.plugin("driver:1", `, settings = {"LEVEL": "info"}`), `~ plugin.drv: settings["DEBUG"] settings["args"]`)
	w.is("version 1, true, [DEBUG=0 LEVEL=info FIXED=1] [-a -b]")
	w.repaired(w.plugin("driver:1", `, settings = {"state.source": "/var"}`), `~ plugin.drv: settings["state.source"]`)
	w.fails(w.plugin("driver:1", `, settings = {"NONE": "1"}`), `setting "NONE" not found`)
	w.plan(w.plugin("driver:1", "")) // it runs as it did
}

// Disabled, and another version while it is and while it is not.
func (w pluginWorld) upgrades() {
	w.repaired(w.plugin("driver:1", `, enabled = False`), "~ plugin.drv: enabled")
	w.is("version 1, false, [DEBUG=0 LEVEL=info FIXED=1] [-a -b]")
	w.repaired(w.plugin("driver:2", `, enabled = False`), "~ plugin.drv: ref")
	w.e.Restart()
	w.plan(w.plugin("driver:2", `, enabled = False`)) // the engine has written it down
	w.repaired(w.plugin("driver:1", `, settings = {"DEBUG": "1"}`), `~ plugin.drv: ref enabled settings["DEBUG"]`)
	w.repaired(w.plugin("driver:2", `, settings = {"DEBUG": "1", "EXTRA": "y"}`), `~ plugin.drv: ref settings["EXTRA"]`)
	w.is("version 2, true, [DEBUG=1 LEVEL=info FIXED=1 EXTRA=y] [-a -b]")
}

func (w pluginWorld) byHand() {
	full := w.plugin("driver:2", `, settings = {"DEBUG": "1", "EXTRA": "y"}`)
	w.e.Docker("plugin", "disable", "drv")
	w.e.Docker("plugin", "set", "drv", "DEBUG=7", "LEVEL=trace")
	w.repaired(full, `~ plugin.drv: enabled settings["DEBUG"] settings["LEVEL"]`)
	w.e.Docker("plugin", "rm", "--force", "drv")
	w.repaired(full, "+ plugin.drv")
	w.is("version 2, true, [DEBUG=1 LEVEL=info FIXED=1 EXTRA=y] [-a -b]")
}

// A volume of its driver comes after it, and holds it.
func (w pluginWorld) ofVolumes() {
	w.repaired(w.plugin("driver:1", ""), `~ plugin.drv: ref settings["DEBUG"] settings["EXTRA"]`)
	with := func(settings string) Options {
		return w.declare(`drv = plugin("drv", "R/driver:1", grant_all_permissions = True`+settings+`)`,
			`volume("of_drv", driver = drv, options = {"a": "b"})`, `volume("too", driver = "drv")`)
	}
	w.repaired(with(""), "+ volume.of_drv", "+ volume.too")
	if got := w.e.Docker("volume", "inspect", "of_drv", "--format", "{{.Driver}} {{.Options}}"); got != "drv:latest map[a:b]" {
		w.t.Errorf("the volume is %q", got)
	}
	w.fails(with(`, settings = {"DEBUG": "1"}`), "is in use")
	w.is("version 1, true, [DEBUG=0 LEVEL=info FIXED=1 EXTRA=y] [-a -b]") // version 1 does not know EXTRA
	w.e.Docker("volume", "rm", "of_drv", "too")
}

// What is no longer declared is forgotten; external, it is only read.
func (w pluginWorld) forgotten() {
	w.plan(w.declare(`plugin("drv", external = True)`))
	w.plan(w.declare(`output("enabled", lookup("plugin", "drv").enabled)`))
	again := w.plugin("driver:1", "")
	again.Replace = []string{"plugin.drv"}
	w.plan(again, "-/+ plugin.drv (--replace)")
	applyAll(w.t, again)
	w.plan(w.declare())
	destroy := w.plugin("driver:1", "")
	destroy.Destroy = true
	w.plan(destroy)
	w.is("version 1, true, [DEBUG=0 LEVEL=info FIXED=1] [-a -b]")
	w.e.Docker("plugin", "disable", "drv")
}
