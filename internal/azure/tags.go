package azure

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Our own tags beside the mark's.
const (
	tagHostKey    = "swarmscript.host_key"    // the public half of a machine's SSH host key
	tagCustomData = "swarmscript.custom_data" // a hash of a machine's custom data
	tagProtected  = "swarmscript.protected"   // hashes of an extension's protected settings
	tagLease      = "swarmscript.lease"
)

// Azure's limits of tags.
const (
	maxTags     = 50
	maxTagName  = 512
	maxTagValue = 256
)

// pack makes tags of labels. A value that is too long for one of ours goes on in
// others: name.2, name.3.
func pack(labels map[string]string) map[string]*string {
	out := make(map[string]*string, len(labels))
	for name, v := range labels {
		at := name
		for i := 2; resource.IsMark(name) && len(v) > maxTagValue; i++ {
			cut := v[:maxTagValue]
			out[at], v = &cut, v[maxTagValue:]
			at = fmt.Sprintf("%s.%d", name, i)
		}
		rest := v
		out[at] = &rest
	}
	return out
}

// unpack is the inverse of pack.
func unpack(tags map[string]*string) map[string]string {
	out := make(map[string]string, len(tags))
	for name, v := range tags {
		if v == nil || isContinuation(name) {
			continue
		}
		text := *v
		for i := 2; resource.IsMark(name); i++ {
			more := tags[fmt.Sprintf("%s.%d", name, i)]
			if more == nil {
				break
			}
			text += *more
		}
		out[name] = text
	}
	return out
}

func isContinuation(name string) bool {
	i := strings.LastIndexByte(name, '.')
	return resource.IsMark(name) && strings.Trim(name[i+1:], "0123456789") == "" && i+1 < len(name)
}

// tagsFor are the tags that an object shall have: the script's, the mark's, and
// those that others have put there. live are those that it has, nil where it was not
// read again since it was observed.
func tagsFor(r *resource.Request, live map[string]*string, declared map[string]string, own map[string]string) map[string]*string {
	_, labels := resource.ReadMark(unpack(live))
	var was []string
	if r.Live != nil {
		was = r.Live.Mark.Owned()["tags"]
		if n, ok := r.Live.Native.(*native); ok && live == nil {
			labels = n.tags
		}
	}
	out := r.Mark.Labels(retagged(labels, was, declared))
	maps.Copy(out, own)
	return pack(out)
}

// retagged are tags with those that are declared now in place of those that were. To
// Azure letter case means nothing in their names, and they keep the one that they got.
func retagged[V any](tags map[string]V, was []string, now map[string]V) map[string]V {
	out := maps.Clone(tags)
	for _, name := range was {
		if _, stays := now[spelling(now, name)]; !stays {
			delete(out, spelling(out, name))
		}
	}
	for name, v := range now {
		out[spelling(out, name)] = v
	}
	return out
}

// spelling is how tags write a name, if they have it.
func spelling[V any](tags map[string]V, name string) string {
	if _, same := tags[name]; same {
		return name
	}
	for has := range tags {
		if strings.EqualFold(has, name) {
			return has
		}
	}
	return name
}

// ownTags are those of live tags that we have set, as we write them.
func ownTags(live map[string]string, m resource.Mark) map[string]string {
	out := map[string]string{}
	for _, name := range m.Owned()["tags"] {
		if v, ok := live[spelling(live, name)]; ok {
			out[name] = v
		}
	}
	return out
}

// native is what the handlers need of a live object.
type native struct {
	id   string            // Azure's
	etag string            // "" where the type has none
	tags map[string]string // those that are not ours
	own  map[string]string // ours beside the mark
	arm  any               // the SDK's struct
	// defaults are the tags of all that is made, of a group.
	defaults map[string]string
	// guests are what others have in a group, by their IDs in small letters.
	guests map[string]string
	// sizes are those of the region, of a machine, where they were asked for.
	sizes []sku
}

// object begins an object as the planner sees it. The ID is one that is never
// given again, where the type has one: names are.
func (c *Conn) object(kind *resource.Kind, id, unique, name string, tags map[string]*string, arm any) *resource.Object {
	labels := unpack(tags)
	mark, rest := resource.ReadMark(labels)
	n := &native{id: id, tags: rest, own: map[string]string{}, arm: arm}
	for k, v := range labels {
		if k == tagHostKey || k == tagCustomData || k == tagProtected || k == tagPart {
			n.own[k] = v
		}
	}
	return &resource.Object{
		Kind: kind.Name, ID: cmp.Or(unique, strings.ToLower(id)), Name: name, Mark: mark, Native: n,
		Out: map[string]value.Value{"name": name, "id": id},
	}
}

func nativeOf(o *resource.Object) (*native, error) {
	n, ok := o.Native.(*native)
	if !ok {
		return nil, fmt.Errorf("%s: not observed in Azure", o.Name)
	}
	return n, nil
}

// checkTags finds what Azure does not take as tags. It is told at once, not by a
// request that fails in the middle.
func checkTags(v value.Value) schema.Problems {
	m, ok := value.Reveal(v).(*value.Map)
	if !ok || m == nil {
		return nil
	}
	var ps schema.Problems
	add := func(format string, a ...any) {
		ps = append(ps, &schema.Problem{Path: "tags", Msg: fmt.Sprintf(format, a...)})
	}
	if len(m.Entries) > maxTags-10 {
		add("are %d, and Azure allows %d beside ours", len(m.Entries), maxTags-10)
	}
	seen := map[string]string{} // by its name in small letters
	for _, e := range m.Entries {
		name := strings.ToLower(e.Key)
		other, twice := seen[name]
		seen[name] = e.Key
		switch {
		case twice:
			add("%q and %q are one to Azure, which knows no letter case in names", other, e.Key)
		case resource.IsMark(name):
			add("%q is ours", e.Key)
		case e.Key == "" || len(e.Key) > maxTagName || strings.ContainsAny(e.Key, `<>%&\?/`):
			add(`%q: a name has 1 to %d characters, and none of <>%%&\?/`, e.Key, maxTagName)
		}
		if s, ok := value.Reveal(e.Value).(string); ok && len(s) > maxTagValue {
			add("%q has %d characters, and Azure allows %d", e.Key, len(s), maxTagValue)
		}
	}
	return ps
}

// out adds outputs that are known.
func out(o *resource.Object, name string, v string) {
	if v != "" {
		o.Out[name] = v
	}
}

// text is what a pointer of the SDK's points to, "" where it is nil.
func text[T ~string](p *T) string {
	if p == nil {
		return ""
	}
	return string(*p)
}

// val is what a pointer points to, the zero value where it is nil.
func val[T any](p *T) T {
	if p == nil {
		var none T
		return none
	}
	return *p
}

func ptr[T any](v T) *T { return &v }

func texts(list []*string) []string {
	var out []string
	for _, s := range list {
		if s != nil {
			out = append(out, *s)
		}
	}
	return out
}

func pointers(list []string) []*string {
	var out []*string
	for _, s := range list {
		out = append(out, &s)
	}
	return out
}

// problemsOf collects what is wrong with arguments that are known.
type problemsOf struct {
	schema *schema.Struct
	args   value.Struct
	ps     schema.Problems
}

func (p *problemsOf) get(name string) value.Value {
	f, ok := p.schema.Field(name)
	if !ok {
		return nil
	}
	return value.Reveal(p.args[f.Index])
}

func (p *problemsOf) text(name string, wrong func(string) string) {
	if s, ok := p.get(name).(string); ok {
		if msg := wrong(s); msg != "" {
			p.ps = append(p.ps, &schema.Problem{Path: name, Msg: msg})
		}
	}
}

func (p *problemsOf) done() schema.Problems { return p.schema.HideSecrets(p.args, p.ps) }

// sorted are the keys of a map in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
