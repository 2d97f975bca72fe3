package debian_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/lab/debian"
)

// env is the environment that both shells run in.
var env = []string{"LC_ALL=C", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TZ=UTC"}

// look is what is compared of the files that a snippet leaves.
const look = `
code=$?
cd "$W"; find . -mindepth 1 -printf '%P %y %m %l\n' | sort >&2
find . -type f | sort | while read -r f; do echo "$f:"; cat "$f"; echo; done >&2
exit $code`

// TestLikeDebian runs snippets in the simulated shell and in the computer's own, a
// Debian: what they print, their exit codes and the files they leave are the same.
func TestLikeDebian(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a process for each snippet")
	}
	s := machine(t, "debian-12")
	for _, group := range snippets {
		for _, line := range group.lines {
			t.Run(group.name, func(t *testing.T) {
				t.Parallel()
				compare(t, s, line)
			})
		}
	}
}

func compare(t *testing.T, s *debian.System, line string) {
	// Nothing is the computer's own that differs from one to another: its umask, its
	// folder for temporary files and who that belongs to.
	real, err := filepath.EvalSymlinks(t.TempDir())
	if err == nil {
		err = errors.Join(os.Chown(real, 0, 0), os.Chmod(real, 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
	script := "umask 022; cd \"$W\" || exit 9\nsh -c \"$S\" sh 2>\"$W.err\" </dev/null; c=$?\nsed 's/^sh: [0-9]*: //' \"$W.err\" >&2; (exit $c)" + look
	cmd := exec.Command("/bin/sh", "-c", script, "sh")
	var wantOut, wantErr bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = append(env, "W="+real, "S="+line), &wantOut, &wantErr
	err = cmd.Run()
	want := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		want = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	folder := "/srv/" + strings.ReplaceAll(t.Name(), "/", "_")
	root := s.FS().Root()
	if err := root.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	words := []string{"env", "-i"}
	for _, kv := range append(env, "W="+folder, "S="+line) {
		words = append(words, quote(kv))
	}
	full := strings.Join(append(words, "sh", "-c", quote(script), "sh"), " ")
	code := s.Exec(context.Background(), debian.Process{User: "root", Line: full, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs})
	clean := func(s, dir string) string { return strings.ReplaceAll(s, dir, "DIR") }
	gotOut, gotErr := clean(out.String(), folder), clean(errs.String(), folder)
	expOut, expErr := clean(wantOut.String(), real), clean(wantErr.String(), real)
	if code != want || gotOut != expOut || gotErr != expErr {
		t.Errorf("%s\n--- simulated: %d\n%s%s--- Debian: %d\n%s%s", line, code, gotOut, gotErr, want, expOut, expErr)
	}
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'" }
