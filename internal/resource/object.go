package resource

import (
	"slices"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Object is one live thing, as a scope's observation found it.
type Object struct {
	Kind string
	ID   string // unique in its scope and for ever, as a Docker ID is
	Name string // its live name
	Mark Mark   // zero where it is not ours
	// Args is the object in normal form, by its kind's schema; what cannot be
	// read back is nil.
	Args value.Struct
	Out  map[string]value.Value
	// Uses holds the IDs of the live objects that it uses: it goes, or lets go
	// of them, before they can.
	Uses []string
	// Version is compared on update by kinds that have one.
	Version uint64
	Created time.Time
	// Unsettled says why the object has not converged although it is what was
	// asked for, "" where it has: "2/4 running".
	Unsettled string
	// Stuck is set where it will not converge without a new update, such as a
	// paused one.
	Stuck bool
	// Aside is what a person should know of a difference that an observation has
	// found beside what is declared; the kind's Effect tells it.
	Aside string
	// MarkFixed is set where writing a mark into the object would do more than
	// that, such as run a job again: its mark goes into the project's ledger, as
	// that of kinds whose labels are fixed.
	MarkFixed bool
	// Unlisted is set on what belongs to the system, such as the ingress network
	// unless declared: it is not told among what goes with its scope.
	Unlisted bool
	// Listed is set where only a list was read, which does not tell how the object
	// was made: Args are empty.
	Listed bool
	// Native is what the kind's own handler needs later, such as the API's
	// struct.
	Native any
}

// Mark says whose an object is. It is carried by the object's labels.
type Mark struct {
	Project string // with its environment: "shop/staging"
	Address value.Address
	// Hash stands for what cannot be read back: a keyed hash.
	Hash string
	// Keys are those of what we set in merged maps and sets, as field:key.
	Keys []string
	// Sensitive are the arguments that held something sensitive, as field or
	// field:key: their live values are not shown when the script drops them.
	Sensitive []string
	// Triggers is the hash of lifecycle(replace_on=).
	Triggers string
	// On is the declaration's: such an object goes when it is declared no more,
	// though others of its kind are only released.
	On string
	// Name is the live name that was given to the object, or that it had when it
	// was adopted, where that is not the address's: somebody else may have renamed
	// it since. Only marks of kinds that can be renamed have it.
	Name string `json:",omitempty"`
}

// GivenName is the live name that the object got from us, or was adopted with.
func (m Mark) GivenName() string {
	if m.Name != "" {
		return m.Name
	}
	return m.Address.Name()
}

// The labels of a mark.
const (
	LabelProject   = "swarmscript.project"
	LabelAddress   = "swarmscript.address"
	LabelHash      = "swarmscript.hash"
	LabelKeys      = "swarmscript.keys"
	LabelSensitive = "swarmscript.sensitive"
	LabelTriggers  = "swarmscript.triggers"
	LabelOn        = "swarmscript.on"
	LabelName      = "swarmscript.name"
	labelPrefix    = "swarmscript."
)

// IsMark reports whether a label is part of a mark, or otherwise ours.
func IsMark(label string) bool { return strings.HasPrefix(label, labelPrefix) }

// Labels adds the mark to a copy of labels, in place of any mark in it.
func (m Mark) Labels(labels map[string]string) map[string]string {
	out := make(map[string]string, len(labels)+3)
	for k, v := range labels {
		if !IsMark(k) {
			out[k] = v
		}
	}
	for k, v := range map[string]string{
		LabelProject: m.Project, LabelAddress: string(m.Address), LabelHash: m.Hash,
		LabelKeys: joinKeys(m.Keys), LabelSensitive: joinKeys(m.Sensitive), LabelTriggers: m.Triggers, LabelOn: m.On, LabelName: m.Name,
	} {
		if v != "" {
			out[k] = v
		}
	}
	return out
}

// ReadMark splits labels into the mark and the rest.
func ReadMark(labels map[string]string) (Mark, map[string]string) {
	m := Mark{
		Project:  labels[LabelProject],
		Address:  value.Address(labels[LabelAddress]),
		Hash:     labels[LabelHash],
		Triggers: labels[LabelTriggers],
		On:       labels[LabelOn],
		Name:     labels[LabelName],
	}
	if k := labels[LabelKeys]; k != "" {
		m.Keys = splitKeys(k)
	}
	if k := labels[LabelSensitive]; k != "" {
		m.Sensitive = splitKeys(k)
	}
	rest := make(map[string]string, len(labels))
	for k, v := range labels {
		if !IsMark(k) {
			rest[k] = v
		}
	}
	return m, rest
}

var (
	escapeKey   = strings.NewReplacer("%", "%25", ",", "%2C")
	unescapeKey = strings.NewReplacer("%2C", ",", "%25", "%")
)

func joinKeys(keys []string) string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = escapeKey.Replace(k)
	}
	return strings.Join(out, ",")
}

func splitKeys(s string) []string {
	keys := strings.Split(s, ",")
	for i, k := range keys {
		keys[i] = unescapeKey.Replace(k)
	}
	return keys
}

// Equal reports whether two marks are the same.
func (m Mark) Equal(o Mark) bool {
	return m.Project == o.Project && m.Address == o.Address && m.Hash == o.Hash &&
		m.Triggers == o.Triggers && m.On == o.On && m.Name == o.Name && slices.Equal(m.Keys, o.Keys) && slices.Equal(m.Sensitive, o.Sensitive)
}

// MarkOthers gives objects that carry no mark those that other projects keep for
// them elsewhere, by ID: they are no more free than what carries its own.
func MarkOthers(objects []*Object, marks map[string]Mark) {
	if len(marks) == 0 {
		return
	}
	for _, o := range objects {
		if m, ok := marks[o.ID]; ok && o.Mark.Project == "" {
			o.Mark = m
		}
	}
}

// Conceal returns an object's arguments with what was sensitive hidden.
func (m Mark) Conceal(s *schema.Struct, args value.Struct) value.Struct {
	if len(m.Sensitive) == 0 || len(args) == 0 {
		return args
	}
	out := slices.Clone(args)
	for _, name := range m.Sensitive {
		field, key, inMap := strings.Cut(name, ":")
		f, ok := s.Field(field)
		if !ok {
			continue // of another version of the program
		}
		if was, isMap := out[f.Index].(*value.Map); inMap && isMap && was != nil {
			entries := slices.Clone(was.Entries)
			for i, e := range entries {
				if e.Key == key {
					entries[i].Value = hidden(e.Value)
				}
			}
			out[f.Index] = &value.Map{Entries: entries}
			continue
		}
		out[f.Index] = hidden(out[f.Index])
	}
	return out
}

func hidden(v value.Value) value.Value {
	if _, is := v.(value.Secret); is || v == nil {
		return v
	}
	return value.Secret{V: v}
}

// Owned returns the keys of what we set in merged maps and sets, by field.
func (m Mark) Owned() map[string][]string {
	if len(m.Keys) == 0 {
		return nil
	}
	out := map[string][]string{}
	for _, k := range m.Keys {
		if field, key, ok := strings.Cut(k, ":"); ok {
			out[field] = append(out[field], key)
		}
	}
	return out
}
