package compose

import (
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/template"
	"go.yaml.in/yaml/v3"

	"github.com/swarmscript/swarmscript/internal/schema"
)

// Whatever a text holds, a compose file says it, and interpolation leaves it as it
// is.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "plain", "$HOME", "${A:-b} $$", "yes", "null", "~", "1:30", "0x10", "a: b # c", "- x", "two\nlines\n", " \t", "\x01", "\xff", "'\"", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, want string) {
		if variableIn().MatchString(want) {
			t.Skip("it names a variable")
		}
		m := newMapping()
		m.put("key", want)
		m.put(want, "value")
		text, err := yaml.Marshal(&m.node)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]string
		if err := yaml.Unmarshal(text, &got); err != nil {
			if want == "key" {
				t.Skip("the key is there twice")
			}
			t.Fatalf("%v\n%s", err, text)
		}
		if got[want] != "value" && want != "key" {
			t.Errorf("as a key, %q is read as %q", want, got)
		}
		plain, err := template.SubstituteWithOptions(got["key"], func(string) (string, bool) { return "", false }, template.WithoutLogging)
		if err != nil || plain != want && want != "key" {
			t.Errorf("%q is read as %q: %v", want, plain, err)
		}
	})
}

func TestScalars(t *testing.T) {
	for _, c := range []struct {
		v    any
		want string
	}{
		{90 * time.Second, "1m30s"}, {time.Hour, "1h"}, {time.Minute, "1m"}, {10 * time.Minute, "10m"}, {time.Hour + time.Second, "1h0m1s"},
		{100 * time.Millisecond, "100ms"}, {time.Duration(0), "0s"},
		{schema.Size(512 << 20), "512M"}, {schema.Size(3 << 30), "3G"}, {schema.Size(1<<20 + 1), `"1048577"`},
		{schema.NanoCPUs(500_000_000), `"0.5"`}, {schema.NanoCPUs(2_000_000_000), `"2"`}, {schema.NanoCPUs(1_000_000_001), `"1.000000001"`},
		{schema.FileMode(0o440), "0440"}, {"yes", `"yes"`}, {"$x", "$$x"}, {variableMark + "X" + variableMark, "${X:?set it}"}, {nil, ""}, {uint16(80), "80"}, {int64(-1), "-1"},
	} {
		text, err := yaml.Marshal(nodeOf(c.v))
		if err != nil || string(text) != c.want+"\n" {
			t.Errorf("%T %v is %q, want %q: %v", c.v, c.v, text, c.want, err)
		}
	}
}
