package debian_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/lab/debian"
)

// machine is one without a store.
func machine(t testing.TB, image string) *debian.System {
	t.Helper()
	s, err := debian.New(debian.Config{Hostname: "m1", Image: image, Address: "127.1.2.3", User: "deploy", NanoCPUs: 2e9, Memory: 2 << 30})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.PowerOff)
	return s
}

// sh runs a line for an account.
func sh(t testing.TB, s *debian.System, user, line, stdin string) (stdout, stderr string, code int) {
	t.Helper()
	var out, err bytes.Buffer
	code = s.Exec(context.Background(), debian.Process{User: user, Line: line, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &err})
	return out.String(), err.String(), code
}

func TestExec(t *testing.T) {
	s := machine(t, "debian-12")
	for _, c := range []struct{ line, stdin, stdout, stderr string }{
		{"echo hello", "", "hello\n", ""},
		{"read -r n && eval \"$(head -c \"$n\")\"; cat", "9\necho ab; rest", "ab\nrest", ""},
		{"sh -c 'echo $0 $1 $#; pwd' name a b", "", "name a 2\n/home/deploy\n", ""},
		{"seq 100000 | head -n 2", "", "1\n2\n", ""},
		{"exec 9>/tmp/lock; flock 9; echo got >&9; cat /tmp/lock", "", "got\n", ""},
		{"(umask 077; echo x >/tmp/a); umask; nosuch 2>&1", "", "0022\nbash: line 1: nosuch: command not found\n", ""},
		{"trap 'echo bye' EXIT HUP INT TERM; echo one | { while read -r l; do echo \"<$l>\"; done; }", "", "<one>\nbye\n", ""},
		{"cat /etc/hostname; id; . /etc/os-release; echo $VERSION_CODENAME", "", "m1\nuid=1000(deploy) gid=1000(deploy) groups=1000(deploy),27(sudo)\nbookworm\n", ""},
		{"readlink() { :; }; cat <<EOF\na $(echo b) $((1+2))\nEOF", "", "a b 3\n", ""},
		{"for f in /proc/1/comm /proc/$$/comm; do cat $f; done", "", "systemd\nbash\n", ""},
	} {
		stdout, stderr, _ := sh(t, s, "deploy", c.line, c.stdin)
		if stdout != c.stdout || stderr != c.stderr {
			t.Errorf("%s:\n%q, %q\nwant %q, %q", c.line, stdout, stderr, c.stdout, c.stderr)
		}
	}
}
