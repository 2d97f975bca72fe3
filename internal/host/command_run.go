package host

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// commandHandler runs commands.
type commandHandler struct{}

// Create implements [resource.Handler]. The mark is kept when the command has
// ended well: one that was cut short is run again.
func (commandHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, err := connOf(rc)
	if err != nil {
		return nil, err
	}
	var spec CommandSpec
	if err := commandSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	script := fmt.Sprintf(`u=%s
getent passwd "$u" >/dev/null || fail "there is no account $u: declare it with user()"
[ -d %s ] || fail "the folder "%s" is not there"
T=$(mktemp); trap 'rm -f "$T"' EXIT HUP INT TERM
set +e
(%s) >"$T" 2>&1
code=$?
set -e
[ "$code" = 0 ] || fail "it ended with exit code $code: $(tail -n 20 "$T" | tail -c 4000)"
`, remote.Quote(spec.User), remote.Quote(spec.Cwd), remote.Quote(spec.Cwd), spec.shell(spec.SecretEnvironment, "", spec.Run))
	if g := spec.guard(); g != "" {
		script += ask(g) + `if [ "$code" != 0 ]; then
  if [ -n "$said" ] || [ "$code" -gt 1 ]; then said=" (unless ended with exit code $code: $said)"; fi
  fail "it ended well, but what unless and creates look for is still not there, so every apply would run it again$said"
fi
`
	}
	var stdin []byte
	if spec.Stdin != nil {
		stdin = []byte(*spec.Stdin)
	}
	r.Progress(resource.Progress{Text: "runs"})
	if _, err := c.write(ctx, r, spec.change(script, stdin)); err != nil {
		if errors.Is(err, remote.ErrMayHaveRun) { // which would be tried again
			return nil, &failure{err.Error() + "; look whether it did, and run it again"}
		}
		return nil, spec.hide(err)
	}
	return c.made(r, spec.Name, nil), nil
}

func (s *CommandSpec) change(script string, stdin []byte) change {
	note := commandNote{Run: s.Run, User: s.User, Cwd: s.Cwd, Environment: s.Environment, Triggers: s.Triggers}
	return change{name: s.Name, note: note, late: true, script: script, data: stdin}
}

// hide takes what is sensitive out of what a command printed.
func (s *CommandSpec) hide(err error) error {
	var failed *failure
	if !errors.As(err, &failed) {
		return err
	}
	secrets := make([]string, 0, len(s.SecretEnvironment)+1)
	for _, v := range s.SecretEnvironment {
		secrets = append(secrets, v)
	}
	if s.Stdin != nil {
		secrets = append(secrets, strings.TrimSpace(*s.Stdin))
	}
	msg := failed.msg
	for _, v := range secrets {
		if v != "" {
			msg = strings.ReplaceAll(msg, v, value.Hidden)
		}
	}
	return &failure{msg}
}

// Update implements [resource.Handler]. Where only the mark is new, nothing is
// run.
func (h commandHandler) Update(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	if len(commandSchema.Diff(r.Args, r.Live.Args, nil)) > 0 {
		return h.Create(ctx, rc, r)
	}
	c, err := connOf(rc)
	if err != nil {
		return nil, err
	}
	var spec CommandSpec
	if err := commandSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	if _, err := c.write(ctx, r, spec.change("", nil)); err != nil {
		return nil, err
	}
	return c.made(r, spec.Name, nil), nil
}

// Delete implements [resource.Handler]: the command is forgotten.
func (commandHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	c, err := connOf(rc)
	if err != nil {
		return err
	}
	return c.drop(ctx, r, "")
}
