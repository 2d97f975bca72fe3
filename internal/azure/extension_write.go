package azure

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

type extensionHandler struct{}

// Create implements [resource.Handler].
func (h extensionHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, cl, spec, err := specOf[ExtensionSpec](ctx, rc, r, extensionSchema)
	if err != nil {
		return nil, err
	}
	if _, err := cl.extensions.Get(ctx, c.Group(), spec.VM, spec.Extension, nil); absent(err) != nil {
		return nil, absent(err)
	}
	if err := c.alone(telling(ctx, toProgress(r)), cl, r, spec); err != nil {
		return nil, err
	}
	return h.put(ctx, c, cl, r, "")
}

// alone waits for another extension of the same type that goes in this very run: a
// machine has one. One that stays Azure refuses.
func (c *Conn) alone(ctx context.Context, cl *clients, r *resource.Request, spec ExtensionSpec) error {
	_, err := await(ctx, r, func() (string, error) {
		got, err := cl.extensions.List(ctx, c.Group(), spec.VM, nil)
		if err != nil {
			return "", explain(err)
		}
		i := slices.IndexFunc(got.Value, func(e *armcompute.VirtualMachineExtension) bool {
			p := val(e.Properties)
			return strings.EqualFold(text(p.Publisher), spec.Publisher) && strings.EqualFold(text(p.Type), spec.Type)
		})
		if i < 0 || unpack(got.Value[i].Tags)[resource.LabelProject] != c.project {
			return "", nil
		}
		return fmt.Sprintf("%s, of the same type, to go", text(got.Value[i].Name)), nil
	})
	return err
}

// Update implements [resource.Handler]. What has not changed Azure does not run
// again, unless it is forced to.
func (h extensionHandler) Update(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, cl, err := connOf(ctx, rc)
	if err != nil {
		return nil, err
	}
	n, err := nativeOf(r.Live)
	if err != nil {
		return nil, err
	}
	live, ok := n.arm.(*liveExtension)
	if !ok {
		return nil, fmt.Errorf("%s: not observed as an extension in Azure", r.Live.Name)
	}
	force := text(val(live.arm.Properties).ForceUpdateTag)
	if r.Restart || r.Live.Stuck {
		force = rand.Text()
	} else if onlyTags(r) {
		return h.retag(ctx, c, cl, r, n)
	}
	return h.put(ctx, c, cl, r, force)
}

// onlyTags reports whether nothing but tags changes.
func onlyTags(r *resource.Request) bool {
	for _, f := range extensionSchema.Diff(r.Args, r.Live.Args, nil) {
		if f.Field.Name != "tags" && !sameExtension(r.Live, r.Args, f) {
			return false
		}
	}
	return true
}

func (extensionHandler) retag(ctx context.Context, c *Conn, cl *clients, r *resource.Request, n *native) (*resource.Object, error) {
	var spec ExtensionSpec
	if err := extensionSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	tags := armcompute.VirtualMachineExtensionUpdate{Tags: tagsFor(r, nil, spec.Tags, n.own)}
	poller, err := cl.extensions.BeginUpdate(telling(ctx, toProgress(r)), c.Group(), spec.VM, spec.Extension, tags, nil)
	got, err := finish(ctx, poller, err)
	if err != nil {
		return nil, err
	}
	return c.extensionObject(spec.VM, &got.VirtualMachineExtension), nil
}

// put writes an extension, and waits until Azure's agent is done with it.
func (extensionHandler) put(ctx context.Context, c *Conn, cl *clients, r *resource.Request, force string) (*resource.Object, error) {
	var spec ExtensionSpec
	if err := extensionSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	e := armcompute.VirtualMachineExtension{Location: &c.cfg.Location, Properties: &armcompute.VirtualMachineExtensionProperties{
		Publisher: &spec.Publisher, Type: &spec.Type, TypeHandlerVersion: &spec.Version, AutoUpgradeMinorVersion: &spec.AutoUpgrade,
	}}
	if force != "" {
		e.Properties.ForceUpdateTag = &force
	}
	own := map[string]string{}
	var err error
	if e.Properties.Settings, _, err = c.settings(r.Args, "settings"); err != nil {
		return nil, err
	}
	var hashes map[string]string
	if e.Properties.ProtectedSettings, hashes, err = c.settings(r.Args, "protected_settings"); err != nil {
		return nil, err
	}
	if len(hashes) > 0 {
		data, err := json.Marshal(hashes)
		if err != nil {
			return nil, err
		}
		own[tagProtected] = string(data)
	}
	e.Tags = tagsFor(r, nil, spec.Tags, own)
	toProgress(r)("runs on " + spec.VM)
	poller, err := cl.extensions.BeginCreateOrUpdate(telling(ctx, toProgress(r)), c.Group(), spec.VM, spec.Extension, e, nil)
	got, err := finish(ctx, poller, err)
	if err != nil {
		return nil, plainFailure(err, r.Args)
	}
	return c.extensionObject(spec.VM, &got.VirtualMachineExtension), nil
}

// settings are those of an argument as JSON has them, with their hashes; nil where
// there are none.
func (c *Conn) settings(args value.Struct, name string) (any, map[string]string, error) {
	f, _ := extensionSchema.Field(name)
	m, ok := value.Reveal(args[f.Index]).(*value.Map)
	if !ok || m.Len() == 0 {
		return nil, nil, nil
	}
	plain, err := value.ToJSON(m)
	if err != nil || !f.Secret {
		return plain, nil, err
	}
	hashes := map[string]string{}
	for _, e := range m.Entries {
		if hashes[e.Key], err = c.hashes.of(e.Value); err != nil {
			return nil, nil, err
		}
	}
	return plain, hashes, nil
}

// plainFailure leaves of what Azure says of an extension what the extension says.
func plainFailure(err error, args value.Struct) error {
	var f *Failure
	if !errors.As(err, &f) || f.Code != "VMExtensionProvisioningError" {
		return err
	}
	_, said, ok := strings.Cut(f.Message, `Error message: "`)
	if !ok {
		return err
	}
	if i := strings.LastIndex(said, `"`); i >= 0 {
		said = said[:i]
	}
	plain := *f
	plain.Message, plain.Advice = hideProtected(strings.TrimSpace(said), args), "its log on the machine is in /var/log/azure"
	return &plain
}

// hideProtected hides protected settings in what an extension says, where it repeats
// them.
func hideProtected(said string, args value.Struct) string {
	f, _ := extensionSchema.Field("protected_settings")
	var hide func(value.Value)
	hide = func(v value.Value) {
		switch v := value.Reveal(v).(type) {
		case string:
			if v = strings.TrimSpace(v); len(v) > 3 { // what is shorter is in other words too
				said = strings.ReplaceAll(said, v, "(sensitive value)")
			}
		case value.List:
			for _, e := range v {
				hide(e)
			}
		case *value.Map:
			for i := range v.Len() {
				hide(v.Entries[i].Value)
			}
		}
	}
	hide(args[f.Index])
	return said
}

// Settle implements [resource.Settler]: of one that an earlier run asked for Azure
// may still be at it.
func (extensionHandler) Settle(ctx context.Context, rc resource.Conn, r *resource.Request, o *resource.Object) error {
	c, cl, err := connOf(ctx, rc)
	if err != nil {
		return err
	}
	machine, name, _ := strings.Cut(o.Name, "/")
	for o.Unsettled != "" && !o.Stuck {
		toProgress(r)("still runs on " + machine)
		if err := pause(ctx, 2*time.Second); err != nil {
			return &resource.NotConverged{Address: r.Address, Summary: "is not done yet", Detail: "Azure is still " + o.Unsettled + " it"}
		}
		got, err := cl.extensions.Get(ctx, c.Group(), machine, name, nil)
		if err != nil {
			return explain(err)
		}
		o = c.extensionObject(machine, &got.VirtualMachineExtension)
	}
	if !o.Stuck {
		return nil
	}
	got, err := cl.extensions.Get(ctx, c.Group(), machine, name, &armcompute.VirtualMachineExtensionsClientGetOptions{Expand: ptr("instanceView")})
	if err != nil {
		return explain(err)
	}
	return &resource.NotConverged{Address: r.Address, Summary: "has failed", Detail: hideProtected(said(&got.VirtualMachineExtension), r.Args)}
}

// said is what an extension says of itself.
func said(e *armcompute.VirtualMachineExtension) string {
	if e.Properties == nil || e.Properties.InstanceView == nil {
		return "it does not say why; its log on the machine is in /var/log/azure"
	}
	var out []string
	for _, s := range e.Properties.InstanceView.Statuses {
		out = append(out, strings.TrimSpace(text(s.Message)))
	}
	return strings.Join(out, "\n")
}

// Delete implements [resource.Handler]. With its machine it is gone.
func (extensionHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	machine, name, _ := strings.Cut(r.Live.Name, "/")
	return deletes(ctx, rc, r, func(ctx context.Context, cl *clients, group, _ string) error {
		poller, err := cl.extensions.BeginDelete(ctx, group, machine, name, nil)
		return finishDelete(ctx, poller, err)
	})
}

// lookExtensions completes machines whose extensions a list names without telling
// what they are. Azure tells it of one machine at a time: a few are asked at once.
func (c *Conn) lookExtensions(ctx context.Context, cl *clients, vms []*armcompute.VirtualMachine) error {
	var parts []func() error
	for _, vm := range vms {
		if !slimExtensions(vm) {
			continue
		}
		parts = append(parts, func() error {
			got, err := cl.extensions.List(ctx, c.Group(), text(vm.Name), nil)
			if err == nil {
				vm.Resources = got.Value
			}
			if isMissing(err) { // it went in between
				return nil
			}
			return explain(err)
		})
	}
	const most = 16
	for some := range slices.Chunk(parts, most) {
		if err := atOnce(some); err != nil {
			return err
		}
	}
	return nil
}

func slimExtensions(vm *armcompute.VirtualMachine) bool {
	for _, e := range vm.Resources {
		if e != nil && e.Properties == nil {
			return true
		}
	}
	return false
}
