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
	for _, v := range []testengine.Version{testengine.Debian20, testengine.Docker28} {
		t.Run(v.String(), func(t *testing.T) { testRealPlugin(t, v) })
	}
}

func testRealPlugin(t *testing.T, v testengine.Version) {
	w := newRegistryWorld(t, v)
	w.r.PushPlugin(w.e, w.config, "driver:1", testengine.PluginConfig("version 1"))
	two := testengine.PluginConfig("version 2")
	two["env"] = append(two["env"].([]map[string]any), map[string]any{"name": "EXTRA", "settable": []string{"value"}, "value": "x"})
	w.r.PushPlugin(w.e, w.config, "driver:2", two)
	is := func(want string) {
		t.Helper()
		got := w.e.Docker("plugin", "inspect", "drv", "--format", "{{.Config.Description}}, {{.Enabled}}, {{.Settings.Env}} {{.Settings.Args}}")
		if got != want {
			t.Errorf("the plugin is %q, want %q", got, want)
		}
	}
	plugin := func(ref, more string) Options {
		return w.declare(`drv = plugin("drv", "R/` + ref + `", grant_all_permissions = True` + more + `)`)
	}

	// Without its permissions it is not installed.
	for _, granted := range []string{``, `, permissions = {"network": ["host"], "mount": ["/tmp"]}`} {
		code, said := w.apply(t, w.declare(`plugin("drv", "R/driver:1"`+granted+`)`))
		if code != apply.ExitFailed {
			t.Errorf("with the permissions %q: exit code %d", granted, code)
		}
		wants(t, said, "asks for more than it is granted", "capabilities: CAP_NET_ADMIN", "grant_all_permissions = True")
	}
	w.repaired(w.declare(`plugin("drv", "R/driver:1", permissions = {"network": ["host"], "mount": ["/tmp"], "capabilities": ["CAP_NET_ADMIN"]})`), "+ plugin.drv")
	is("version 1, true, [DEBUG=0 LEVEL=info FIXED=1] [-a -b]")

	// Its settings.
	w.repaired(plugin("driver:1", `, settings = {"DEBUG": "1", "args": "-c"}`), `~ plugin.drv: settings["DEBUG"] settings["args"]`)
	is("version 1, true, [DEBUG=1 LEVEL=info FIXED=1] [-c]")
	w.plan(plugin("driver:1", `, settings = {"DEBUG": "1", "args": "-c", "LEVEL": "info", "state.source": "/tmp"}`))
	w.repaired(plugin("driver:1", `, settings = {"LEVEL": "info"}`), `~ plugin.drv: settings["DEBUG"] settings["args"]`)
	is("version 1, true, [DEBUG=0 LEVEL=info FIXED=1] [-a -b]")
	w.repaired(plugin("driver:1", `, settings = {"state.source": "/var"}`), `~ plugin.drv: settings["state.source"]`)
	code, said := w.apply(t, plugin("driver:1", `, settings = {"NONE": "1"}`))
	if code != apply.ExitFailed {
		t.Errorf("a setting that there is not: exit code %d", code)
	}
	wants(t, said, `setting "NONE" not found`)
	w.plan(plugin("driver:1", "")) // it runs as it did

	// Disabled, and another version while it is.
	w.repaired(plugin("driver:1", `, enabled = False`), "~ plugin.drv: enabled")
	is("version 1, false, [DEBUG=0 LEVEL=info FIXED=1] [-a -b]")
	w.repaired(plugin("driver:2", `, enabled = False`), "~ plugin.drv: ref")
	w.e.Restart()
	w.plan(plugin("driver:2", `, enabled = False`)) // the engine has written it down
	w.repaired(plugin("driver:1", `, settings = {"DEBUG": "1"}`), `~ plugin.drv: ref enabled settings["DEBUG"]`)
	w.repaired(plugin("driver:2", `, settings = {"DEBUG": "1", "EXTRA": "y"}`), `~ plugin.drv: ref settings["EXTRA"]`)
	is("version 2, true, [DEBUG=1 LEVEL=info FIXED=1 EXTRA=y] [-a -b]")

	// By hand.
	full := plugin("driver:2", `, settings = {"DEBUG": "1", "EXTRA": "y"}`)
	w.e.Docker("plugin", "disable", "drv")
	w.e.Docker("plugin", "set", "drv", "DEBUG=7", "LEVEL=trace")
	w.repaired(full, `~ plugin.drv: enabled settings["DEBUG"] settings["LEVEL"]`)
	w.e.Docker("plugin", "rm", "--force", "drv")
	w.repaired(full, "+ plugin.drv")
	is("version 2, true, [DEBUG=1 LEVEL=info FIXED=1 EXTRA=y] [-a -b]")

	// A volume of its driver comes after it, and holds it.
	with := w.declare(`drv = plugin("drv", "R/driver:1", grant_all_permissions = True)`,
		`volume("of_drv", driver = drv, options = {"a": "b"})`, `volume("too", driver = "drv")`)
	w.repaired(plugin("driver:1", ""), `~ plugin.drv: ref settings["DEBUG"] settings["EXTRA"]`)
	w.repaired(with, "+ volume.of_drv", "+ volume.too")
	if got := w.e.Docker("volume", "inspect", "of_drv", "--format", "{{.Driver}} {{.Options}}"); got != "drv:latest map[a:b]" {
		t.Errorf("the volume is %q", got)
	}
	code, said = w.apply(t, w.declare(`drv = plugin("drv", "R/driver:1", settings = {"DEBUG": "1"}, grant_all_permissions = True)`,
		`volume("of_drv", driver = drv, options = {"a": "b"})`, `volume("too", driver = "drv")`))
	if code != apply.ExitFailed {
		t.Errorf("a plugin in use: exit code %d", code)
	}
	wants(t, said, "is in use")
	is("version 1, true, [DEBUG=0 LEVEL=info FIXED=1 EXTRA=y] [-a -b]") // which version 1 does not know

	// What is no longer declared is forgotten; external, it is only read.
	w.e.Docker("volume", "rm", "of_drv", "too")
	w.plan(w.declare(`plugin("drv", external = True)`))
	w.plan(w.declare())
	destroy := full
	destroy.Destroy = true
	w.plan(destroy)
	w.e.Docker("plugin", "inspect", "drv")
	w.e.Docker("plugin", "disable", "drv")

	t.Run("not there", func(t *testing.T) {
		code, said := w.apply(t, w.declare(`plugin("none", "R/none:1", grant_all_permissions = True)`))
		if code != apply.ExitFailed {
			t.Errorf("exit code %d", code)
		}
		wants(t, said, fmt.Sprintf("%s/none:1 was not pulled", w.r.Addr))
	})
}
