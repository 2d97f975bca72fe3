package engine

import (
	"maps"
	"slices"
	"testing"

	"github.com/docker/docker/api/types"

	"github.com/swarmscript/swarmscript/internal/value"
)

// aPlugin has a setting of each sort; DEBUG and LEVEL are not as the plugin
// has them, and EXTRA came with an upgrade.
func aPlugin() *types.Plugin {
	text := func(s string) *string { return &s }
	p := &types.Plugin{}
	p.Config.Env = []types.PluginEnv{
		{Name: "DEBUG", Settable: []string{"value"}, Value: text("0")},
		{Name: "LEVEL", Settable: []string{"value"}, Value: text("info")},
		{Name: "EXTRA", Settable: []string{"value"}, Value: text("x")},
		{Name: "PLAIN", Settable: []string{"value"}},
		{Name: "FIXED", Value: text("1")},
	}
	p.Settings.Env = []string{"DEBUG=1", "LEVEL=", "FIXED=1", "GONE=1"}
	p.Config.Args = types.PluginConfigArgs{Name: "args", Settable: []string{"value"}, Value: []string{"-a", "-b"}}
	p.Settings.Args = []string{"-a", "-b"}
	p.Config.Mounts = []types.PluginMount{{Name: "state", Source: text("/tmp"), Settable: []string{"source"}}, {Name: "none"}}
	p.Config.Linux.Devices = []types.PluginDevice{{Name: "disk", Path: text("/dev/sda"), Settable: []string{"path"}}}
	return p
}

func TestPluginSettings(t *testing.T) {
	all := settingsOf(aPlugin())
	if got, want := slices.Sorted(maps.Keys(all)), []string{"DEBUG", "EXTRA", "LEVEL", "PLAIN", "args", "disk", "state"}; !slices.Equal(got, want) {
		t.Errorf("can be set: %v, want %v", got, want)
	}
	for _, tt := range []struct {
		name     string
		declared map[string]string
		shown    map[string]string
		set      []string
	}{
		{"nothing", nil,
			map[string]string{"DEBUG": "1", "LEVEL": ""},
			[]string{"DEBUG=0", "LEVEL=info"}},
		{"as it is", map[string]string{"DEBUG": "1", "LEVEL": ""},
			map[string]string{"DEBUG": "1", "LEVEL": ""}, nil},
		{"the default, said", map[string]string{"DEBUG": "1", "LEVEL": "", "EXTRA": "x", "args": "-a -b"},
			map[string]string{"DEBUG": "1", "LEVEL": "", "EXTRA": "x", "args": "-a -b"}, nil},
		{"mounts and devices, with their fields", map[string]string{"DEBUG": "1", "LEVEL": "", "state.source": "/srv", "disk": "/dev/sda"},
			map[string]string{"DEBUG": "1", "LEVEL": "", "state.source": "/tmp", "disk": "/dev/sda"},
			[]string{"state.source=/srv"}},
		{"another value", map[string]string{"DEBUG.value": "2", "LEVEL": "debug"},
			map[string]string{"DEBUG.value": "1", "LEVEL": ""},
			[]string{"DEBUG.value=2", "LEVEL=debug"}},
		{"one that there is not", map[string]string{"DEBUG": "1", "LEVEL": "", "NONE": "1"},
			map[string]string{"DEBUG": "1", "LEVEL": ""},
			[]string{"NONE=1"}},
	} {
		if got := shownSettings(all, tt.declared); !maps.Equal(got, tt.shown) {
			t.Errorf("%s: shown are %v, want %v", tt.name, got, tt.shown)
		}
		if got := toSet(all, tt.declared); !slices.Equal(got, tt.set) {
			t.Errorf("%s: set are %q, want %q", tt.name, got, tt.set)
		}
	}
}

func TestNotGranted(t *testing.T) {
	wanted := types.PluginPrivileges{{Name: "network", Value: []string{"host"}}, {Name: "capabilities", Value: []string{"CAP_SYS_ADMIN", "CAP_NET_ADMIN"}}}
	for _, tt := range []struct {
		granted map[string][]string
		want    []string
	}{
		{nil, []string{"capabilities: CAP_NET_ADMIN", "capabilities: CAP_SYS_ADMIN", "network: host"}},
		{map[string][]string{"network": {"host"}, "capabilities": {"CAP_NET_ADMIN"}}, []string{"capabilities: CAP_SYS_ADMIN"}},
		{map[string][]string{"network": {"host"}, "capabilities": {"CAP_NET_ADMIN", "CAP_SYS_ADMIN"}, "mount": {"/"}}, nil},
	} {
		if got := notGranted(wanted, tt.granted); !slices.Equal(got, tt.want) {
			t.Errorf("with %v it lacks %q, want %q", tt.granted, got, tt.want)
		}
	}
}

func TestPluginName(t *testing.T) {
	for _, tt := range []struct{ in, want string }{ // "" is an error
		{"sshfs", "sshfs:latest"}, {"vieux/sshfs:2", "vieux/sshfs:2"}, {"r:5000/sshfs", "r:5000/sshfs:latest"},
		{"vieux/sshfs@" + digestA, ""}, {"Not A Name", ""}, {"", ""},
	} {
		if got, err := PluginName(tt.in).Normal(); got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q is %q, %v, want %q", tt.in, got, err, tt.want)
		}
	}
	args := make(value.Struct, len(pluginSchema.Fields()))
	alias, _ := pluginSchema.Field("alias")
	ref, _ := pluginSchema.Field("ref")
	args[alias.Index] = "vieux/sshfs:latest"
	if completePlugin(args); args[ref.Index] != "vieux/sshfs:latest" {
		t.Errorf("the reference is %v", args[ref.Index])
	}
	args[ref.Index] = "vieux/sshfs:2"
	if completePlugin(args); args[ref.Index] != "vieux/sshfs:2" {
		t.Errorf("the reference is %v", args[ref.Index])
	}
}
