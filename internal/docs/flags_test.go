package docs

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

var flagInHelp = regexp.MustCompile(`(?m)^ +(?:-\w, )?(--[a-z0-9-]+)`)

// Every flag of docker's CLI is an argument, or is said not to be.
func TestEveryFlag(t *testing.T) {
	docker, err := testengine.Tool("docker")
	if err != nil {
		t.Skip(err)
	}
	if exec.Command(docker, "--version").Run() != nil {
		t.Skip("there is no docker CLI: run go run ./internal/testengine/prepare")
	}
	for _, command := range []string{"service create", "run", "network create", "volume create", "pull", "plugin create", "plugin install", "secret create", "config create", "swarm init", "swarm update", "swarm join",
		"service update", "node update"} {
		known := argumentsOf("docker " + command)
		help, err := exec.Command(docker, append(strings.Fields(command), "--help")...).Output()
		if err != nil {
			t.Fatal(err)
		}
		flags := flagInHelp.FindAllSubmatch(help, -1)
		if len(flags) == 0 {
			t.Errorf("docker %s: no flags in\n%s", command, help)
		}
		var all []string
		for _, f := range flags {
			flag := string(f[1])
			all = append(all, flag)
			told := slices.ContainsFunc(Flagless, func(f Flag) bool {
				return f.Command == "docker "+command && slices.Contains(strings.Split(f.Flag, ", "), flag)
			})
			if told && known[flag] {
				t.Errorf("docker %s %s: both an argument and said to be none", command, flag)
			}
			if !told && !known[flag] {
				t.Errorf("docker %s %s: neither an argument nor said to be none", command, flag)
			}
		}
		for _, f := range Flagless {
			for _, flag := range strings.Split(f.Flag, ", ") {
				if f.Command == "docker "+command && !slices.Contains(all, flag) {
					t.Errorf("%s has no %s", f.Command, flag)
				}
			}
		}
	}
}

// argumentsOf are the flags of a command that are arguments of its kind, or of
// the structs that its arguments are made of.
func argumentsOf(command string) map[string]bool {
	known := map[string]bool{}
	for _, e := range All() {
		if !e.Struct && !slices.Contains(strings.Split(e.Command, ", "), command) {
			continue
		}
		for _, r := range e.Rows {
			for _, f := range strings.Split(r.Flag, ", ") {
				f, _, _ = strings.Cut(f, " ") // --opt encrypted
				known[f] = true
			}
		}
	}
	return known
}
