package builtins_test

import (
	"strings"
	"testing"
)

// A name on an engine is one image's. Builds that come to the same image share it.
func TestOneBuildEachTag(t *testing.T) {
	for _, tt := range []struct{ script, want string }{ // "" is right
		{`build(".", name = "a", tags = ["x:1"]); build(".", name = "b", tags = ["y", "x:1"])`, ""},
		{`build(".", name = "a", tags = ["x:1"], dockerfile = "./Dockerfile"); build(".", name = "b", tags = ["x:1"], no_cache = True)`, ""},
		{`build(".", name = "a", tags = ["x:1"], args = {"A": "1"}); build(".", name = "b", tags = ["x:2"])`, ""},
		{`build(".", name = "a", tags = ["x:1"], args = {"A": "1"}); build(".", name = "b", tags = ["x:1"], engine = e)`, ""},
		{`build(".", name = "a", args = {"A": "1"}); build(".", name = "b")`, ""},
		{`build(".", name = "a", tags = ["x"], args = {"A": "1"})` + "\n" + `build(".", name = "b", tags = ["y:1", "docker.io/library/x:latest"])`,
			"x.star:3:6: build.a and build.b are both tagged x:latest, and are different images: args is not the same (give each a tag of its own)"},
		{`build(".", name = "a", tags = ["x:1"], args = {"A": "1"}, copy_to = [e]); build(".", name = "b", tags = ["x:1"], target = "t", engine = f, copy_to = [e])`,
			"build.a and build.b are both tagged x:1"},
	} {
		head := `project("p"); e = engine("ssh://e", name = "e"); f = engine("ssh://f", name = "f")` + "\n"
		_, problems := evaluate(t, head+tt.script+"\n", map[string]string{"Dockerfile": "FROM scratch\n"})
		if got := problems.Error(); tt.want == "" && len(problems) > 0 || len(problems) > 1 || !strings.Contains(got, tt.want) {
			t.Errorf("%s\ngives %v, want %q", tt.script, problems, tt.want)
		}
	}
}
