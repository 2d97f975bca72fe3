package resource

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

func ExampleMark_Labels() {
	m := Mark{Project: "shop/staging", Address: "swarm.main/service.web", Keys: []string{"labels:tier"}}
	labels := m.Labels(map[string]string{"tier": "web"})
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		fmt.Println(k, "=", labels[k])
	}
	// Output:
	// swarmscript.address = swarm.main/service.web
	// swarmscript.keys = labels:tier
	// swarmscript.project = shop/staging
	// tier = web
}

// A mark that was written to labels is read back from them, with the labels
// that are not its own, whatever its keys hold.
func FuzzMark(f *testing.F) {
	f.Add("shop", "service.web", "hash", "labels:a,b", "labels:50%", "tier")
	f.Add("shop", "service.web", "", "%2C", ",", "swarmscript.x")
	f.Fuzz(func(t *testing.T, project, address, hash, key1, key2, label string) {
		m := Mark{Project: project, Address: value.Address(address), Hash: hash, Keys: []string{key1, "field:" + key2}, Sensitive: []string{key2, key1}, Triggers: hash, Name: key2}
		plain := map[string]string{label: "x"}
		got, rest := ReadMark(m.Labels(plain))
		if !got.Equal(m) {
			t.Errorf("got %+v, want %+v", got, m)
		}
		if IsMark(label) {
			plain = map[string]string{}
		}
		if !maps.Equal(rest, plain) {
			t.Errorf("the rest is %v, want %v", rest, plain)
		}
	})
}

// Whatever somebody wrote into the labels is read as some mark, and what is not
// part of a mark is kept.
func FuzzReadMark(f *testing.F) {
	f.Add("shop", "service.web", "labels:a%2Cb,env:%25,%", "swarmscript.other", "x")
	f.Add("", "[[\"", ",,:", "", "")
	f.Fuzz(func(t *testing.T, project, address, keys, label, text string) {
		m, rest := ReadMark(map[string]string{LabelProject: project, LabelAddress: address, LabelKeys: keys, label: text})
		if got, kept := rest[label]; kept == IsMark(label) || kept && got != text {
			t.Errorf("label %q is %q, %v", label, got, kept)
		}
		_, _, _ = m.Address.Kind(), m.Address.Name(), m.Address.Scope()
		for field, keys := range m.Owned() {
			if len(keys) == 0 {
				t.Errorf("%s owns nothing", field)
			}
		}
		// Written again it is the same, whatever it was.
		if again, _ := ReadMark(m.Labels(rest)); !again.Equal(m) {
			t.Errorf("got %+v, want %+v", again, m)
		}
	})
}

// A new mark takes the place of an old one, and does not change what it is
// given.
func TestLabelsReplaceAMark(t *testing.T) {
	old := Mark{Project: "shop", Address: "service.a", Hash: "h", Keys: []string{"k"}, Triggers: "t"}.Labels(map[string]string{"tier": "web"})
	before := maps.Clone(old)
	next := Mark{Project: "shop", Address: "service.b"}
	want := map[string]string{"tier": "web", LabelProject: "shop", LabelAddress: "service.b"}
	if got := next.Labels(old); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if !maps.Equal(old, before) {
		t.Error("the argument was changed")
	}
}

func TestReadMarkOfNobody(t *testing.T) {
	m, rest := ReadMark(map[string]string{"tier": "web"})
	if !m.Equal(Mark{}) || !maps.Equal(rest, map[string]string{"tier": "web"}) {
		t.Errorf("got %+v, %v", m, rest)
	}
	if m, rest = ReadMark(nil); !m.Equal(Mark{}) || len(rest) > 0 {
		t.Errorf("got %+v, %v", m, rest)
	}
}

func TestMarkEqual(t *testing.T) {
	m := Mark{Project: "p", Address: "a", Hash: "h", Keys: []string{"k"}, Sensitive: []string{"env:PW"}, Triggers: "t", Name: "n", On: "o"}
	for i := range reflect.TypeFor[Mark]().NumField() {
		other := m
		f := reflect.ValueOf(&other).Elem().Field(i)
		f.SetZero()
		if m.Equal(other) {
			t.Errorf("equal without its %s", reflect.TypeFor[Mark]().Field(i).Name)
		}
	}
	if !m.Equal(m) {
		t.Error("not equal to itself")
	}
}

func TestConceal(t *testing.T) {
	s := schema.Of(struct {
		Image string            `star:"image"`
		Check []string          `star:"check"`
		Env   map[string]string `star:"env"`
	}{})
	env := value.NewMap([]value.Entry{{Key: "A", Value: "a"}, {Key: "PW", Value: "pw"}})
	args := value.Struct{"web", value.List{"x"}, env}
	m := Mark{Sensitive: []string{"check", "env:PW", "env:GONE", "unknown:X", "unknown"}}
	for range 2 { // hidden twice is hidden once
		args = m.Conceal(s, args)
		want := value.Struct{"web", value.Secret{V: value.List{"x"}},
			value.NewMap([]value.Entry{{Key: "A", Value: "a"}, {Key: "PW", Value: value.Secret{V: "pw"}}})}
		if !reflect.DeepEqual(args, want) {
			t.Errorf("got %v", args)
		}
	}
	if pw, _ := env.Get("PW"); pw != "pw" {
		t.Error("the argument was changed")
	}
}

func TestOwned(t *testing.T) {
	m := Mark{Keys: []string{"labels:a", "labels:b:c", "container_labels:a", "malformed"}}
	want := map[string][]string{"labels": {"a", "b:c"}, "container_labels": {"a"}}
	if got := m.Owned(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if (Mark{}).Owned() != nil {
		t.Error("nothing is owned by nobody")
	}
}

func TestDeclarationRefs(t *testing.T) {
	a, b := value.Ref{Address: "vm.a", Output: "ip"}, value.Ref{Address: "vm.b", Output: "ip"}
	env := value.NewMap([]value.Entry{{Key: "A", Value: value.Secret{V: "x"}}, {Key: "B", Value: "y"}})
	d := &Declaration{
		Kind: &Kind{Schema: schema.Of(struct {
			None string            `star:"none"`
			One  string            `star:"one"`
			List []string          `star:"list"`
			Env  map[string]string `star:"env"`
			Own  string            `star:"own,secret"`
		}{})},
		Args: value.Struct{nil, a, value.List{value.Join([]value.Value{"x", b}), value.Secret{V: a}}, env, value.Secret{V: "x"}},
	}
	for range 2 { // the first call collects them, the second remembers
		if got := d.Refs(); !slices.Equal(got, []value.Ref{a, b, a}) {
			t.Errorf("got %v", got)
		}
		if got := d.Sensitive(); !slices.Equal(got, []string{"list", "env:A"}) {
			t.Errorf("sensitive are %v", got)
		}
	}
}

func TestNotConverged(t *testing.T) {
	err := &NotConverged{Address: "service.web", Summary: "did not converge in 60s", Detail: "web.1: exit 1", RolledBack: "version 118"}
	want := "did not converge in 60s\n\nweb.1: exit 1\n\nrolled back to version 118"
	if err.Error() != want {
		t.Errorf("got %q", err)
	}
	if got := (&NotConverged{Summary: "paused"}).Error(); strings.Contains(got, "\n") {
		t.Errorf("got %q", got)
	}
}

func TestKindOutput(t *testing.T) {
	k := &Kind{Out: []Output{{Name: "id", Stable: true}, {Name: "ip"}}}
	if o, ok := k.Output("id"); !ok || !o.Stable {
		t.Errorf("got %+v, %t", o, ok)
	}
	if _, ok := k.Output("mac"); ok {
		t.Error("an output that is not there was found")
	}
}
