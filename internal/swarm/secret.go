package swarm

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// SecretSpec is what docker secret create can say, and what only we can: a
// value that is made once.
type SecretSpec struct {
	Name           string            `star:"name,required,pos,local" doc:"The name; each version's own name adds a part to it."`
	Value          *string           `star:"value,secret,writeonly,binary" doc:"The content."`
	Generate       *int              `star:"generate,writeonly" min:"8" max:"4096" doc:"Make a random value of so many letters and digits, once, and keep it."`
	Rotate         *string           `star:"rotate,writeonly" doc:"Any text, such as a date. Changing it makes a new version; a generated value is made anew."`
	Driver         *string           `star:"driver,writeonly" flag:"--driver" doc:"The plugin that has the value, in place of the swarm."`
	DriverOpts     map[string]string `star:"driver_opts,writeonly" doc:"Options of that plugin."`
	TemplateDriver *string           `star:"template_driver,writeonly" flag:"--template-driver" doc:"Evaluate the value as a template; the driver is golang."`
	PlainName      bool              `star:"plain_name,local" doc:"The first version has the name as it is, as docker gives it; those after it have a part added, as usual."`
	Labels         map[string]string `star:"labels,merge" flag:"--label" doc:"Labels."`
}

// SchemaName implements [schema.Named].
func (*SecretSpec) SchemaName() (string, string) {
	return "secret", "A secret of the swarm. A changed value makes a new version; services move over, then the old one goes."
}

var secretSchema = schema.Of(SecretSpec{})

// SecretKind is a secret of a swarm.
var SecretKind = &resource.Kind{
	Name:      "secret",
	Schema:    secretSchema,
	Scope:     "swarm",
	Rank:      10,
	Versioned: true,
	Out:       versionedOut,
	Check:     checkSecret,
	Warn:      func(args value.Struct) schema.Problems { return warnTemplate(secretSchema, "value", args) },
	Handler:   secretHandler{},
}

var versionedOut = []resource.Output{
	{Name: "name", Type: "string", Stable: true, Doc: "The name of the version that is used."},
	{Name: "id", Type: "string", Stable: true, Doc: "Its ID."},
}

// objectName is SwarmKit's rule.
var objectName = pattern.Of(`^[a-zA-Z0-9]+(?:[a-zA-Z0-9-_.]*[a-zA-Z0-9])?$`)

// Sizes are SwarmKit's: data must be shorter.
const (
	secretSize = 500 * 1024
	configSize = 1000 * 1024
)

func checkSecret(args value.Struct) schema.Problems {
	get, _ := fieldsOf(secretSchema, args)
	ps := checkName("secret", get("name"), maxDeclared)
	var from []string
	for _, n := range []string{"value", "generate", "driver"} {
		if get(n) != nil {
			from = append(from, n)
		}
	}
	switch {
	case len(from) == 0:
		ps = append(ps, &schema.Problem{Msg: "missing argument value", Hint: "or generate = 32 for a random value that is made once and kept"})
	case len(from) > 1:
		ps = append(ps, &schema.Problem{Path: from[1], Msg: "cannot be given beside " + from[0]})
	}
	if get("driver_opts") != nil && get("driver") == nil {
		ps = append(ps, &schema.Problem{Path: "driver_opts", Msg: "needs driver"})
	}
	ps = append(ps, checkLabels("labels", get("labels"))...)
	// Of a value's problems only its size is told.
	return append(secretSchema.HideSecrets(args, ps), checkSize("value", get("value"), secretSize)...)
}

func checkSize(field string, v value.Value, max int) schema.Problems {
	s, ok := value.Reveal(v).(string)
	switch {
	case !ok:
		return nil
	case s == "":
		return schema.Problems{{Path: field, Msg: "is empty, which a swarm does not allow"}}
	case len(s) >= max:
		return schema.Problems{{Path: field, Msg: fmt.Sprintf("has %d bytes, and a swarm allows %d", len(s), max-1)}}
	}
	return nil
}

type secretHandler struct{}

// Version implements [resource.Versioner]. A generated value is hashed by its
// parameters: the value itself is made once and never read back.
func (secretHandler) Version(args value.Struct, key []byte) (name, hash string, known bool) {
	t, known := texts(secretSchema, args, "name", "value", "generate", "rotate", "driver", "template_driver")
	if opts, ok := texts(secretSchema, args, "driver_opts"); !ok || opts[0] != "" {
		t, known = append(t, opts...), known && ok
	}
	if !known || key == nil {
		return "", "", false
	}
	sum := slow.sum(key, content(append([]string{"secret"}, t...)...))
	return versionName(t[0], sum), fmt.Sprintf("%x", sum), true
}

// PlainName implements [resource.PlainNamer].
func (secretHandler) PlainName(args value.Struct) (string, bool) {
	return plainName(secretSchema, args)
}

// Base implements [resource.Versioner].
func (secretHandler) Base(live string) string { return versionBase(live) }

// SlowVersion implements [resource.SlowVersioner].
func (secretHandler) SlowVersion() {}

// Create implements [resource.Handler].
func (secretHandler) Create(ctx context.Context, c resource.Conn, r *resource.Request) (*resource.Object, error) {
	var spec SecretSpec
	if err := secretSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	s := swarm.SecretSpec{Annotations: swarm.Annotations{Name: r.Name, Labels: r.Mark.Labels(spec.Labels)}}
	switch {
	case spec.Value != nil:
		s.Data = []byte(*spec.Value)
	case spec.Generate != nil:
		s.Data = randomText(*spec.Generate)
	}
	if spec.Driver != nil {
		s.Driver = &swarm.Driver{Name: *spec.Driver, Options: spec.DriverOpts}
	}
	if spec.TemplateDriver != nil {
		s.Templating = &swarm.Driver{Name: *spec.TemplateDriver}
	}
	made, err := dockerOf(c).SecretCreate(ctx, s)
	if err != nil {
		return nil, remote.Err(err)
	}
	s.Data = nil
	return secretObject(swarm.Secret{ID: made.ID, Spec: s}), nil
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// randomText returns n letters and digits, each as likely as the others.
func randomText(n int) []byte {
	out := make([]byte, 0, n)
	buf := make([]byte, n)
	for len(out) < n {
		rand.Read(buf) // never fails
		for _, b := range buf {
			// 4 * 62 = 248: what is above would favour the first letters.
			if b < 248 && len(out) < n {
				out = append(out, alphabet[b%62])
			}
		}
	}
	return out
}

// Update implements [resource.Handler]: labels are all that can change.
func (secretHandler) Update(ctx context.Context, c resource.Conn, r *resource.Request) (*resource.Object, error) {
	var spec SecretSpec
	if err := secretSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	s := r.Live.Native.(swarm.Secret)
	s.Spec.Labels = mergeLabels(s.Spec.Labels, spec.Labels, r)
	if err := dockerOf(c).SecretUpdate(ctx, s.ID, s.Version, s.Spec); err != nil {
		return nil, updateErr(err)
	}
	s.Version = swarm.Version{} // changed; the next observation knows
	return secretObject(s), nil
}

// Delete implements [resource.Handler].
func (secretHandler) Delete(ctx context.Context, c resource.Conn, r *resource.Request) error {
	return whenFree(ctx, r, func() error { return dockerOf(c).SecretRemove(ctx, r.Live.ID) })
}

func observeSecrets(l *lists) []*resource.Object {
	out := make([]*resource.Object, 0, len(l.Secrets))
	for _, s := range l.Secrets {
		out = append(out, secretObject(s))
	}
	return out
}

func secretObject(s swarm.Secret) *resource.Object {
	mark, labels := resource.ReadMark(s.Spec.Labels)
	return &resource.Object{
		Kind: "secret", ID: s.ID, Name: s.Spec.Name, Mark: mark,
		Args:    secretSchema.Encode(&SecretSpec{Name: s.Spec.Name, Labels: labels}),
		Out:     map[string]value.Value{"name": s.Spec.Name, "id": s.ID},
		Version: s.Version.Index, Created: s.CreatedAt, Native: s,
	}
}

// mergeLabels returns the labels that an object shall have: what it has, less
// what we set once and do not any more, with what we set.
func mergeLabels(live, want map[string]string, r *resource.Request) map[string]string {
	_, out := resource.ReadMark(live)
	for _, k := range r.Live.Mark.Owned()["labels"] {
		delete(out, k)
	}
	for k, v := range want {
		out[k] = v
	}
	return r.Mark.Labels(out)
}
