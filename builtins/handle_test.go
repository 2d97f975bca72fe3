package builtins_test

import (
	"fmt"
	"strings"
	"testing"
)

const everyKind = `project("p")
handles = [
    swarm.init(),
    network("n"),
    network("m", engine = engine()),
    secret("s", value = "x"),
    secret("g", generate = 32),
    config("c", content = "x"),
    service("w", image = "nginx:1"),
]
`

// TestReadArguments reads every argument of a handle of every kind, none of
// which was given.
func TestReadArguments(t *testing.T) {
	const read = everyKind + `
for h in handles:
    for name in dir(h):
        if str(h) == "<swarm.main/secret.g>" and name == "value":
            continue
        v = getattr(h, name)
        if type(v) == "dict":
            if len(v) > 0 or "A" in v or v.get("A") != None:
                fail(name)
        elif type(v) == "list":
            if v != [] or v + ["x"] != ["x"]:
                fail(name)
        elif type(v) not in ["deferred", "int", "float", "string", "bool", "NoneType"]:
            for field in dir(v):
                print(field, getattr(v, field))
        print(h, name, v)
`
	if _, problems := evaluate(t, read, nil); len(problems) > 0 {
		t.Errorf("got %v", problems)
	}
}

func TestReadBack(t *testing.T) {
	const src = everyKind + `
w = service("a", image = "nginx:1", command = ["a", "b"], env = {"A": "1"}, ports = [port(80)], labels = {"l": "1"})
if w.command != ["a", "b"]: fail("command")
if w.env != {"A": "1"} or "A" not in w.env: fail("env")
if w.ports[0].protocol != "tcp" or port(80).protocol != "tcp": fail("ports")
service("b", image = w.image, command = w.command, env = w.env, ports = w.ports, labels = w.labels)
`
	if _, problems := evaluate(t, src, nil); len(problems) > 0 {
		t.Errorf("got %v", problems)
	}
	for _, change := range []string{`w.command.append("c")`, `w.env["B"] = "2"`} {
		_, problems := evaluate(t, strings.TrimSuffix(src, "\n")+"\n"+change+"\n", nil)
		if len(problems) != 1 || !strings.Contains(problems[0].Summary, "frozen") {
			t.Errorf("%s: got %v", change, problems)
		}
	}
}

// A generated secret cannot be read back, and None would unset the variable.
func TestReadGenerated(t *testing.T) {
	_, problems := evaluate(t, `project("p")
swarm.init()
g = secret("g", generate = 32)
service("w", image = "nginx", env = {"X": g.value})
`, nil)
	if len(problems) != 1 || !strings.Contains(problems[0].Error(), "x.star:4:") || !strings.Contains(problems[0].Summary, "secret.g: value cannot be read") {
		t.Errorf("got %v", problems)
	}
}

// What a builtin returns can be compared, looked for and used as a key, or the
// script says that it cannot: nothing of it is a bug of ours.
func TestValuesAreComparedAndHashed(t *testing.T) {
	for _, v := range []struct{ expr, keyProblem string }{
		{"lifecycle(ignore_changes = ['labels'])", "unhashable type: lifecycle"},
		{"engine('unix:///x', name = 'b')", ""},
		{"port(80)", ""},
	} {
		src := "project('p')\na = " + v.expr + "\nb = " + v.expr + "\nx = a == b\ny = a != b\nz = a in [b, a]\nif a != a: fail('it is not itself')\n"
		if _, problems := evaluate(t, src, nil); len(problems) > 0 {
			t.Errorf("%s: %v", v.expr, problems)
		}
		_, problems := evaluate(t, src+"d = {a: 1}\nd[b] = 2\n", nil)
		if v.keyProblem == "" && len(problems) > 0 || v.keyProblem != "" && !strings.Contains(fmt.Sprint(problems), v.keyProblem) {
			t.Errorf("%s as a key: %v, want %q", v.expr, problems, v.keyProblem)
		}
	}
}
