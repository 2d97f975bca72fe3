package testengine

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
)

// PluginConfig is a managed plugin's config.json, as far as tests need it.
func PluginConfig(description string) map[string]any {
	return map[string]any{
		"description":   description,
		"documentation": "https://docs.docker.com/engine/extend/",
		"entrypoint":    []string{"/plugin"},
		"interface":     map[string]any{"socket": "test.sock", "types": []string{"docker.volumedriver/1.0"}},
		"network":       map[string]any{"type": "host"},
		"linux":         map[string]any{"capabilities": []string{"CAP_NET_ADMIN"}},
		"args":          map[string]any{"name": "args", "settable": []string{"value"}, "value": []string{"-a", "-b"}},
		"env": []map[string]any{
			{"name": "DEBUG", "settable": []string{"value"}, "value": "0"},
			{"name": "LEVEL", "settable": []string{"value"}, "value": "info"},
			{"name": "FIXED", "value": "1"},
		},
		"mounts": []map[string]any{
			{"name": "state", "source": "/tmp", "destination": "/state", "type": "bind", "options": []string{"rbind"}, "settable": []string{"source"}},
		},
	}
}

// Plugin makes a managed plugin on the engine, disabled: a driver of volumes that hold nothing.
func Plugin(e *Engine, name string, config map[string]any) {
	e.tb.Helper()
	source, err := sourceDir()
	if err != nil {
		e.tb.Fatal(err)
	}
	program := filepath.Join(e.tb.TempDir(), "plugin")
	if err := goBuild(context.Background(), filepath.Join(source, "plugin"), program, "-ldflags=-s -w", "."); err != nil {
		e.tb.Fatal(err)
	}
	dir := e.tb.TempDir()
	content, err := os.ReadFile(program)
	if err != nil {
		e.tb.Fatal(err)
	}
	text, err := json.Marshal(config)
	if err != nil {
		e.tb.Fatal(err)
	}
	for path, b := range map[string][]byte{"rootfs/plugin": content, "config.json": text} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			e.tb.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o755); err != nil {
			e.tb.Fatal(err)
		}
	}
	e.Docker("plugin", "create", name, dir)
}

// PushPlugin makes a plugin in the registry; the engine keeps none of it.
func (r *Registry) PushPlugin(e *Engine, configDir, name string, config map[string]any) {
	r.tb.Helper()
	ref := r.Addr + "/" + name
	Plugin(e.In(r.tb), ref, config)
	r.cli(e, configDir, "", "plugin", "push", ref)
	r.cli(e, configDir, "", "plugin", "rm", ref)
}
