package swarm

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// ConfigSpec is what docker config create can say. The content could be read
// back, but its version's name says already whether it is the same: nobody
// can change it in place, and a plan need not show a file twice.
type ConfigSpec struct {
	Name           string            `star:"name,required,pos,local" doc:"The name; each version's own name adds a part to it."`
	Content        string            `star:"content,required,writeonly,binary" doc:"The content."`
	TemplateDriver *string           `star:"template_driver,writeonly" flag:"--template-driver" doc:"Evaluate the content as a template; the driver is golang."`
	PlainName      bool              `star:"plain_name,local" doc:"The first version has the name as it is, as docker gives it; those after it have a part added, as usual."`
	Labels         map[string]string `star:"labels,merge" flag:"--label" doc:"Labels."`
}

// SchemaName implements [schema.Named].
func (*ConfigSpec) SchemaName() (string, string) {
	return "config", "A config of the swarm. Changed content makes a new version; services move over, then the old one goes."
}

var configSchema = schema.Of(ConfigSpec{})

// ConfigKind is a config of a swarm.
var ConfigKind = &resource.Kind{
	Name:      "config",
	Schema:    configSchema,
	Scope:     "swarm",
	Rank:      10,
	Versioned: true,
	Out:       versionedOut,
	Check:     checkConfig,
	Warn:      func(args value.Struct) schema.Problems { return warnTemplate(configSchema, "content", args) },
	Given:     givenConfig,
	Handler:   configHandler{},
}

func checkConfig(args value.Struct) schema.Problems {
	get, _ := fieldsOf(configSchema, args)
	ps := checkName("config", get("name"), maxDeclared)
	if name, ok := get("name").(string); ok && strings.HasPrefix(name, ledgerPrefix) {
		ps = append(ps, &schema.Problem{Path: "name", Msg: "names that begin with " + ledgerPrefix + " are ours"})
	}
	ps = append(ps, checkSize("content", get("content"), configSize)...)
	return configSchema.HideSecrets(args, append(ps, checkLabels("labels", get("labels"))...))
}

type configHandler struct{}

// Version implements [resource.Versioner].
func (configHandler) Version(args value.Struct, key []byte) (name, hash string, known bool) {
	t, known := texts(configSchema, args, "name", "content", "template_driver")
	if !known || key == nil {
		return "", "", false
	}
	sum := keyed(key, content(append([]string{"config"}, t...)...))
	return versionName(t[0], sum), fmt.Sprintf("%x", sum), true
}

// Holds implements [resource.Holder].
func (configHandler) Holds(o *resource.Object, args value.Struct) bool {
	t, known := texts(configSchema, args, "content", "template_driver")
	live := o.Native.(swarm.Config).Spec
	return known && string(live.Data) == t[0] && templateDriver(live.Templating) == t[1]
}

func templateDriver(d *swarm.Driver) string {
	if d == nil {
		return ""
	}
	return d.Name
}

// givenConfig adds the content to what is observed.
func givenConfig(o *resource.Object) value.Struct {
	live := o.Native.(swarm.Config).Spec
	args := slices.Clone(o.Args)
	_, set := fieldsOf(configSchema, args)
	set("content", string(live.Data))
	if t := templateDriver(live.Templating); t != "" {
		set("template_driver", t)
	}
	return args
}

// PlainName implements [resource.PlainNamer].
func (configHandler) PlainName(args value.Struct) (string, bool) {
	return plainName(configSchema, args)
}

// Base implements [resource.Versioner].
func (configHandler) Base(live string) string { return versionBase(live) }

// Create implements [resource.Handler].
func (configHandler) Create(ctx context.Context, c resource.Conn, r *resource.Request) (*resource.Object, error) {
	var spec ConfigSpec
	if err := configSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	s := swarm.ConfigSpec{
		Annotations: swarm.Annotations{Name: r.Name, Labels: r.Mark.Labels(spec.Labels)},
		Data:        []byte(spec.Content),
	}
	if spec.TemplateDriver != nil {
		s.Templating = &swarm.Driver{Name: *spec.TemplateDriver}
	}
	made, err := dockerOf(c).ConfigCreate(ctx, s)
	if err != nil {
		return nil, remote.Err(err)
	}
	return configObject(swarm.Config{ID: made.ID, Spec: s}), nil
}

// Update implements [resource.Handler]: labels are all that can change.
func (configHandler) Update(ctx context.Context, c resource.Conn, r *resource.Request) (*resource.Object, error) {
	var spec ConfigSpec
	if err := configSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	s := r.Live.Native.(swarm.Config)
	s.Spec.Labels = mergeLabels(s.Spec.Labels, spec.Labels, r)
	s.Spec.Data = nil // as it is
	if err := dockerOf(c).ConfigUpdate(ctx, s.ID, s.Version, s.Spec); err != nil {
		return nil, updateErr(err)
	}
	s.Version = swarm.Version{} // changed; the next observation knows
	return configObject(s), nil
}

// Delete implements [resource.Handler].
func (configHandler) Delete(ctx context.Context, c resource.Conn, r *resource.Request) error {
	return whenFree(ctx, r, func() error { return dockerOf(c).ConfigRemove(ctx, r.Live.ID) })
}

// freeTime is how long a version that a service has just let go of may still
// be called in use.
const freeTime = 10 * time.Second

// whenFree removes a secret or config that its services have let go of.
func whenFree(ctx context.Context, r *resource.Request, remove func() error) error {
	deadline := time.Now().Add(freeTime)
	for {
		err := remote.Err(remove())
		if err == nil || remote.IsNotFound(err) {
			return nil
		}
		if !strings.Contains(err.Error(), "is in use by the following") || time.Now().After(deadline) {
			return err
		}
		r.Progress(resource.Progress{Text: "waiting for its services to let go"})
		if err := Pause(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
}

func observeConfigs(l *lists) []*resource.Object {
	out := make([]*resource.Object, 0, len(l.Configs))
	for _, c := range l.Configs {
		if !isLedger(c) {
			out = append(out, configObject(c))
		}
	}
	return out
}

func configObject(c swarm.Config) *resource.Object {
	mark, labels := resource.ReadMark(c.Spec.Labels)
	return &resource.Object{
		Kind: "config", ID: c.ID, Name: c.Spec.Name, Mark: mark,
		Args:    configSchema.Encode(&ConfigSpec{Name: c.Spec.Name, Labels: labels}),
		Out:     map[string]value.Value{"name": c.Spec.Name, "id": c.ID},
		Version: c.Version.Index, Created: c.CreatedAt, Native: c,
	}
}
