package host_test

import (
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/host"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Every argument of a command.
func TestCommand(t *testing.T) {
	t.Parallel()
	w := start(t, "debian-12")
	command := func(a args) *resource.Declaration { return w.declare(host.CommandKind, "seed", a) }
	ran := func() string { return w.sh("wc -l </tmp/ran 2>/dev/null || echo 0") }

	once := args{"run": "echo \"$(id -un) $(pwd) $A it's\" >>/tmp/ran", "environment": map[string]string{"A": "x y"}}
	w.apply(list("create command.seed"), command(once))
	want(t, "what it did", w.sh("cat /tmp/ran"), "root / x y it's")
	w.apply(nil, command(once))
	w.sh("chmod 666 /tmp/ran")
	once["user"], once["cwd"] = "daemon", "/var"
	w.apply(list("update command.seed: cwd user"), command(once))
	want(t, "what it did", w.sh("tail -n 1 /tmp/ran"), "daemon /var x y it's")
	once["triggers"] = map[string]string{"version": "1"}
	w.apply(list(`update command.seed: triggers["version"]`), command(once))
	once["triggers"] = map[string]string{"version": "2"}
	w.apply(list(`update command.seed: triggers["version"]`), command(once))
	once["run"] = "echo again >>/tmp/ran"
	w.apply(list("update command.seed: run"), command(once))
	want(t, "how often it ran", ran(), "5")
	w.apply(list("delete command.seed"))
	w.apply(list("create command.seed"), command(once)) // what was forgotten is new
	want(t, "how often it ran", ran(), "6")
	w.renew(command(once))
	want(t, "how often it ran", ran(), "7")
	w.apply(list("delete command.seed"))

	guarded := args{"run": "echo >>/tmp/ran; touch /tmp/made", "creates": "/tmp/made"}
	w.apply(list("create command.seed"), command(guarded))
	w.sh("rm /tmp/made")
	w.apply(list("update command.seed: creates"), command(guarded))
	guarded["run"] = "echo never >>/tmp/ran" // it is there: nothing to run
	w.apply(nil, command(guarded))
	want(t, "how often it ran", ran(), "9")
	w.apply(list("delete command.seed"))
	w.apply(nil, command(guarded)) // and when it was there before us
	w.apply(nil)

	asked := args{
		"run": "grep -q open && [ ${#PASSWORD} = 9 ] && touch /tmp/open", "unless": "test -e \"$F\"", "user": "daemon", "cwd": "/tmp",
		"environment": map[string]string{"F": "/tmp/open"},
		"stdin":       value.Secret{V: "open, sesame"}, "secret_environment": args{"PASSWORD": "hunter2 x"},
	}
	w.apply(list("create command.seed"), command(asked))
	want(t, "who made it", w.sh("stat -c %U /tmp/open"), "daemon")
	if found := w.sh("grep -rl 'hunter2\\|sesame' /var/lib/swarmscript || true"); found != "" {
		t.Errorf("the secrets are kept in %s", found)
	}
	w.sh("rm /tmp/open")
	w.apply(list("update command.seed: unless"), command(asked))
}

func TestCommandErrors(t *testing.T) {
	t.Parallel()
	w := start(t, "debian-12")
	command := func(a args) []*resource.Declaration { return decls(w.declare(host.CommandKind, "seed", a)) }
	w.fails(command(args{"run": "echo one\nfalse\necho two"}), "it ended with exit code 1: one")
	w.fails(command(args{"run": "echo the word is $W >&2; exit 3", "secret_environment": args{"W": "hunter2"}}), "exit code 3: the word is (sensitive value)")
	w.fails(command(args{"run": "true", "creates": "/tmp/nothing"}), "it ended well, but what unless and creates look for is still not there")
	w.fails(command(args{"run": "true", "unless": "testt -e /x"}), "every apply would run it again (unless ended with exit code 127: sh: 1: testt: not found)")
	warned := func(a args) string { return strings.Join(w.observe(command(a)).Warnings, "; ") }
	want(t, "the warning of a guard that is not there yet", warned(args{"run": "true", "unless": "testt"}), "")
	want(t, "the warning of a guard that is none", warned(args{"run": "true", "unless": "if then"}),
		`command.seed: unless ended with exit code 2: sh: 1: Syntax error: "then" unexpected; it is taken to say that there is something to run`)
	w.apply(list("create command.seed"), command(args{"run": "touch /run/guarded", "unless": "echo noise; echo noise >&2; [ -e /run/guarded ]"})...)
	want(t, "the warning of one that answers", warned(args{"run": "true", "unless": "echo noise; echo noise >&2; false"}), "")
	want(t, "the warning of a guard that went away", warned(args{"run": "true", "unless": "testt"}),
		"command.seed: unless ended with exit code 127: sh: 1: testt: not found; it is taken to say that there is something to run")
	w.apply(list("delete command.seed"))
	w.fails(command(args{"run": "true", "user": "nobody-here"}), "there is no account nobody-here")
	w.fails(command(args{"run": "true", "cwd": "/nowhere"}), "the folder /nowhere is not there")
	// What failed is not marked: it is still to be run.
	want(t, "the plan", w.plan(command(args{"run": "true"})...)[0], "create command.seed")
}
