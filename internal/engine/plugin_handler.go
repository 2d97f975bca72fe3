package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/docker/docker/api/types"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// pluginHandler installs plugins and changes them.
type pluginHandler struct{}

func (s *PluginSpec) name() string { return string(s.Alias) }

// enableSeconds is how long a plugin may take to answer when it is enabled, as
// the docker CLI has it.
const enableSeconds = 30

// Create implements [resource.Handler]. A plugin that is there and not as it
// shall be, because a step before failed, is an update for the next run.
func (pluginHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, err := connOf(rc)
	if err != nil {
		return nil, err
	}
	var spec PluginSpec
	if err := pluginSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	o, err := c.pluginOptions(&spec)
	if err != nil {
		return nil, err
	}
	err = c.pullPlugin(r, &spec, func() (io.ReadCloser, error) { return c.Docker().PluginInstall(ctx, spec.name(), o) })
	if err != nil {
		return nil, err
	}
	if err := c.setPlugin(ctx, &spec, false); err != nil {
		return nil, err
	}
	if spec.Enabled {
		if err := c.enablePlugin(ctx, spec.name()); err != nil {
			return nil, err
		}
	}
	return c.plugin(ctx, &spec)
}

// pluginOptions are those of an installation or an upgrade: it is pulled, and
// set and enabled afterwards.
func (c *Conn) pluginOptions(spec *PluginSpec) (types.PluginInstallOptions, error) {
	o := types.PluginInstallOptions{Disabled: true, AcceptAllPermissions: spec.GrantAll, RemoteRef: string(*spec.Ref)}
	o.AcceptPermissionsFunc = func(_ context.Context, wanted types.PluginPrivileges) (bool, error) {
		if missing := notGranted(wanted, spec.Permissions); len(missing) > 0 {
			return false, fmt.Errorf("plugin %s asks for more than it is granted: %s (grant it with permissions, or all with grant_all_permissions = True)",
				*spec.Ref, strings.Join(missing, "; "))
		}
		return true, nil
	}
	var err error
	o.RegistryAuth, err = c.Credentials().For(o.RemoteRef)
	return o, err
}

func (c *Conn) pullPlugin(r *resource.Request, spec *PluginSpec, pull func() (io.ReadCloser, error)) error {
	login := c.Credentials().Declared(string(*spec.Ref))
	body, err := pull()
	if err != nil {
		return pullErr(string(*spec.Ref), login, remote.Err(err))
	}
	defer body.Close()
	return pullErr(string(*spec.Ref), login, follow(body, r.Progress))
}

// setPlugin makes the settings what they shall be; the plugin is disabled. The
// engine writes the reference of an upgraded plugin down only with what comes
// after it: save is for that.
func (c *Conn) setPlugin(ctx context.Context, spec *PluginSpec, save bool) error {
	p, _, err := c.Docker().PluginInspectWithRaw(ctx, spec.name())
	if err != nil {
		return remote.Err(err)
	}
	set := toSet(settingsOf(p), spec.Settings)
	if len(set) == 0 && !save {
		return nil
	}
	if set == nil {
		set = []string{}
	}
	return remote.Err(c.Docker().PluginSet(ctx, spec.name(), set))
}

func (c *Conn) enablePlugin(ctx context.Context, name string) error {
	return remote.Err(c.Docker().PluginEnable(ctx, name, types.PluginEnableOptions{Timeout: enableSeconds}))
}

func (c *Conn) plugin(ctx context.Context, spec *PluginSpec) (*resource.Object, error) {
	p, _, err := c.Docker().PluginInspectWithRaw(ctx, spec.name())
	if err != nil {
		return nil, remote.Err(err)
	}
	return pluginObject(p, spec.Settings), nil
}

// Update implements [resource.Handler]. Only a disabled plugin can be upgraded
// and set. One that was enabled is so again, also where that failed.
func (pluginHandler) Update(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, err := connOf(rc)
	if err != nil {
		return nil, err
	}
	var spec, live PluginSpec
	if err := errors.Join(pluginSchema.Decode(r.Args, &spec), pluginSchema.Decode(r.Live.Args, &live)); err != nil {
		return nil, err
	}
	upgrade := *spec.Ref != *live.Ref
	off := upgrade || len(toSet(settingsOf(r.Live.Native.(*types.Plugin)), spec.Settings)) > 0
	enabled := live.Enabled
	if enabled && (off || !spec.Enabled) {
		if err := c.Docker().PluginDisable(ctx, spec.name(), types.PluginDisableOptions{}); err != nil {
			return nil, remote.Err(err)
		}
		enabled = false
	}
	if off {
		err = c.changePlugin(ctx, r, &spec, upgrade)
	}
	if !enabled && (spec.Enabled || err != nil && live.Enabled) {
		err = errors.Join(err, c.enablePlugin(ctx, spec.name()))
	}
	if err != nil {
		return nil, err
	}
	return c.plugin(ctx, &spec)
}

func (c *Conn) changePlugin(ctx context.Context, r *resource.Request, spec *PluginSpec, upgrade bool) error {
	if upgrade {
		o, err := c.pluginOptions(spec)
		if err == nil {
			err = c.pullPlugin(r, spec, func() (io.ReadCloser, error) { return c.Docker().PluginUpgrade(ctx, spec.name(), o) })
		}
		if err != nil {
			return err
		}
	}
	return c.setPlugin(ctx, spec, upgrade)
}

// Delete implements [resource.Handler].
func (pluginHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	c, err := connOf(rc)
	if err != nil {
		return err
	}
	if r.Live.Native.(*types.Plugin).Enabled {
		if err := c.Docker().PluginDisable(ctx, r.Live.Name, types.PluginDisableOptions{}); err != nil && !remote.IsNotFound(err) {
			return remote.Err(err)
		}
	}
	if err := c.Docker().PluginRemove(ctx, r.Live.Name, types.PluginRemoveOptions{}); err != nil && !remote.IsNotFound(err) {
		return remote.Err(err)
	}
	return nil
}
