package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/value"
)

// PluginSpec is what docker plugin install, upgrade, set, enable and disable
// can say.
type PluginSpec struct {
	Alias       PluginName          `star:"alias,livename,local" flag:"--alias" doc:"What the engine calls it."`
	Ref         *swarm.ImageRef     `star:"ref,pos" flag:"PLUGIN" doc:"The reference in its registry; another one is an upgrade, for which the plugin is disabled. The alias if left out."`
	GrantAll    bool                `star:"grant_all_permissions,local" flag:"--grant-all-permissions" doc:"Grant what the plugin asks for when it is installed or upgraded."`
	Permissions map[string][]string `star:"permissions,local" doc:"Grant this and no more, as {\"network\": [\"host\"]}: a plugin that asks for more is not installed, and the error says for what."`
	Enabled     bool                `star:"enabled" default:"true" flag:"--disable" doc:"Whether it runs."`
	Settings    map[string]string   `star:"settings" flag:"KEY=VALUE" doc:"Its settings, for whose change it is disabled for a moment. What is not given has the plugin's default, but for mounts and devices, whose default is not kept."`
}

// SchemaName implements [schema.Named].
func (*PluginSpec) SchemaName() (string, string) {
	return "plugin", "A plugin of an engine. Plugins carry no marks: one that is no longer declared is forgotten, not removed."
}

var pluginSchema = schema.Of(PluginSpec{})

// PluginKind is a plugin of an engine.
var PluginKind = &resource.Kind{
	Name:     "plugin",
	Schema:   pluginSchema,
	Scope:    "engine",
	Rank:     5,
	Unmarked: true,
	Out: []resource.Output{
		{Name: "name", Type: "string", Stable: true, Arg: "alias", Doc: "What the engine calls it, and volumes and networks as their driver."},
		{Name: "id", Type: "string", Stable: true, Doc: "The plugin's ID."},
	},
	Complete: completePlugin,
	Effect:   pluginEffect,
	Handler:  pluginHandler{},
}

// PluginName is what an engine calls a plugin: with a tag.
type PluginName string

// Normal implements [schema.Normaler].
func (n PluginName) Normal() (string, error) {
	named, err := reference.ParseNormalizedNamed(string(n))
	if err != nil {
		return "", fmt.Errorf("%q is not a plugin's name: %w", string(n), err)
	}
	if _, ok := named.(reference.Digested); ok {
		return "", fmt.Errorf("got %q: what an engine calls a plugin has no digest (give it as ref)", string(n))
	}
	return reference.FamiliarString(reference.TagNameOnly(named)), nil
}

// completePlugin gives a plugin without a reference the one that it is called
// by.
func completePlugin(args value.Struct) {
	alias, _ := pluginSchema.Field("alias")
	ref, _ := pluginSchema.Field("ref")
	if args[ref.Index] == nil {
		args[ref.Index] = args[alias.Index]
	}
}

func pluginEffect(_ *resource.Object, _ value.Struct, changes []schema.Change, _ bool) string {
	for _, c := range changes {
		if c.Field.Name != "enabled" {
			return "disabled for a moment"
		}
	}
	return ""
}

// listPlugins returns the plugins.
func listPlugins(ctx context.Context, api client.APIClient, info listInfo) ([]*resource.Object, error) {
	all, err := api.PluginList(ctx, filters.Args{})
	if err != nil {
		return nil, err
	}
	declared := map[string]map[string]string{}
	for _, d := range info.Declared {
		var spec PluginSpec
		if d.Kind == PluginKind && value.Known(d.Args) && pluginSchema.Decode(d.Args, &spec) == nil {
			declared[string(spec.Alias)] = spec.Settings
		}
	}
	var out []*resource.Object
	for _, p := range all {
		out = append(out, pluginObject(p, declared[p.Name]))
	}
	return out, nil
}

// pluginObject is a plugin; of its settings it has those that are not the
// plugin's default, and those that are declared.
func pluginObject(p *types.Plugin, declared map[string]string) *resource.Object {
	ref := swarm.ImageRef(p.PluginReference)
	if normal, err := ref.Normal(); err == nil {
		ref = swarm.ImageRef(normal)
	}
	return &resource.Object{
		Kind: "plugin", ID: p.ID, Name: p.Name,
		Args: pluginSchema.Encode(&PluginSpec{
			Alias: PluginName(p.Name), Ref: &ref, Enabled: p.Enabled, Settings: shownSettings(settingsOf(p), declared),
		}),
		Out:    map[string]value.Value{"name": p.Name, "id": p.ID},
		Native: p,
	}
}

// setting is one setting of a plugin. Where nobody knows its default, it has
// none.
type setting struct {
	value, preset string
	hasPreset     bool
}

// settingsOf returns what can be set, by the names that docker plugin set
// takes. A field that docker leaves out where it is the only one is left out.
func settingsOf(p *types.Plugin) map[string]setting {
	out := map[string]setting{}
	live := map[string]string{}
	for _, e := range p.Settings.Env {
		key, val, _ := strings.Cut(e, "=")
		live[key] = val
	}
	for _, e := range p.Config.Env {
		if slices.Contains(e.Settable, "value") {
			s := setting{value: live[e.Name], hasPreset: true}
			if e.Value != nil {
				s.preset = *e.Value
			}
			if _, is := live[e.Name]; !is { // of a version that did not have it
				s.value = s.preset
			}
			out[e.Name] = s
		}
	}
	if a := p.Config.Args; slices.Contains(a.Settable, "value") {
		out[a.Name] = setting{value: strings.Join(p.Settings.Args, " "), preset: strings.Join(a.Value, " "), hasPreset: true}
	}
	for _, m := range p.Config.Mounts { // setting one changes the configuration too
		if slices.Contains(m.Settable, "source") && m.Source != nil {
			out[m.Name] = setting{value: *m.Source}
		}
	}
	for _, d := range p.Config.Linux.Devices {
		if slices.Contains(d.Settable, "path") && d.Path != nil {
			out[d.Name] = setting{value: *d.Path}
		}
	}
	return out
}

// settingKey drops the field from a setting's name: docker knows one for each.
func settingKey(name string) string {
	for _, field := range []string{".value", ".source", ".path"} {
		if key, ok := strings.CutSuffix(name, field); ok {
			return key
		}
	}
	return name
}

// shownSettings are those settings that a declaration is compared with, under
// the names that it uses.
func shownSettings(all map[string]setting, declared map[string]string) map[string]string {
	out := map[string]string{}
	names := map[string]string{}
	for name := range declared {
		names[settingKey(name)] = name
	}
	for key, s := range all {
		if name, ok := names[key]; ok {
			out[name] = s.value
		} else if s.hasPreset && s.value != s.preset {
			out[key] = s.value
		}
	}
	return out
}

// toSet is what docker plugin set has to be told for a plugin to have the
// declared settings, and the defaults of all others.
func toSet(all map[string]setting, declared map[string]string) []string {
	var out []string
	given := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		key := settingKey(name)
		given[key] = true
		// One that the plugin does not have is docker's to refuse.
		if s, ok := all[key]; !ok || s.value != declared[name] {
			out = append(out, name+"="+declared[name])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if s := all[key]; !given[key] && s.hasPreset && s.value != s.preset {
			out = append(out, key+"="+s.preset)
		}
	}
	return out
}

// notGranted says what a plugin asks for and is not granted.
func notGranted(wanted types.PluginPrivileges, granted map[string][]string) []string {
	var out []string
	for _, p := range wanted {
		for _, v := range p.Value {
			if !slices.Contains(granted[p.Name], v) {
				out = append(out, p.Name+": "+v)
			}
		}
	}
	slices.Sort(out)
	return out
}
