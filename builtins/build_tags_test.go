package builtins_test

import (
	"strings"
	"testing"
)

// A name on an engine is one image's. Builds that come to the same image share it.
func TestOneBuildEachTag(t *testing.T) {
	for _, tt := range []struct {
		script, want string // "" is right
		waits        bool   // b for a
	}{
		{`build(".", name = "a", tags = ["x:1"]); build(".", name = "b", tags = ["y", "x:1"])`, "", true},
		{`build(".", name = "a", tags = ["x:1"], dockerfile = "./Dockerfile"); build(".", name = "b", tags = ["x:1"], no_cache = True)`, "", true},
		{`build(".", name = "a", tags = ["x:1"], args = {"A": "1"}); build(".", name = "b", tags = ["x:2"])`, "", false},
		{`build(".", name = "a", tags = ["x:1"], args = {"A": "1"}); build(".", name = "b", tags = ["x:1"], engine = e)`, "", false},
		{`build(".", name = "a", args = {"A": "1"}); build(".", name = "b")`, "", false},
		{`build(".", name = "a", tags = ["x"], args = {"A": "1"})` + "\n" + `build(".", name = "b", tags = ["y:1", "docker.io/library/x:latest"])`,
			"x.star:3:6: build.a and build.b are both tagged x:latest, and are different images: args is not the same (give each a tag of its own)", false},
		{`build(".", name = "a", tags = ["x:1"], args = {"A": "1"}, copy_to = [e]); build(".", name = "b", tags = ["x:1"], target = "t", engine = f, copy_to = [e])`,
			"build.a and build.b are both tagged x:1", false},
	} {
		head := `project("p"); e = engine("ssh://e", name = "e"); f = engine("ssh://f", name = "f")` + "\n"
		p, problems := evaluate(t, head+tt.script+"\n", map[string]string{"Dockerfile": "FROM scratch\n"})
		if got := problems.Error(); tt.want == "" && len(problems) > 0 || len(problems) > 1 || !strings.Contains(got, tt.want) {
			t.Errorf("%s\ngives %v, want %q", tt.script, problems, tt.want)
		}
		for _, d := range p.Declarations {
			if waits := strings.HasSuffix(string(d.Address), "build.b") && tt.waits; waits != (len(d.After) > 0) {
				t.Errorf("%s\n%s waits for %v", tt.script, d.Address, d.After)
			}
		}
	}
}
