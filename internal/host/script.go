package host

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/swarmscript/swarmscript/internal/remote"
)

// boot is all that a machine's list of processes shows of a command of ours: it
// reads the script's length, the script, and leaves the rest of standard input
// to it. Both read and head take no byte more than they are asked for.
const boot = `read -r n && eval "$(head -c "$n")"`

// prelude begins each script. fail ends it with a message of ours.
const prelude = `LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
umask 022
fail() { printf '%s\n' "$*" >&2; exit 90; }
`

// codeFail is the exit code of fail.
const codeFail = 90

// quoteAll makes texts words of a shell.
func quoteAll(list []string) string {
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = remote.Quote(s)
	}
	return strings.Join(words, " ")
}

// run runs a script as root and returns what it printed.
func (c *Conn) run(ctx context.Context, script string, data []byte) ([]byte, error) {
	return c.runAs(ctx, remote.Command{Root: true}, script, data)
}

// runAs is run by a command that says how.
func (c *Conn) runAs(ctx context.Context, as remote.Command, script string, data []byte) ([]byte, error) {
	script = prelude + script
	in := make([]byte, 0, len(script)+len(data)+10)
	in = fmt.Appendf(in, "%d\n%s", len(script), script)
	as.Script, as.Stdin = boot, append(in, data...)
	res, err := c.host.Run(ctx, as)
	err = scriptErr(err, string(res.Stderr))
	if err != nil && c.machine.Sudo == "never" && strings.Contains(string(res.Stderr), "Permission denied") {
		err = fmt.Errorf("%w (%s is not root, and sudo is %q: log in as root, or leave sudo out)", err, c.host.Name(), c.machine.Sudo)
	}
	return res.Stdout, err
}

// scriptErr says what a script's end means; said is what it wrote to standard
// error.
func scriptErr(err error, said string) error {
	var exit *remote.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	said = strings.TrimSpace(said)
	if exit.Code == codeFail && said != "" {
		return &failure{said}
	}
	for text, hint := range map[string]string{
		"No space left on device": "the disk is full: make room there, and run it again",
		"Disk quota exceeded":     "the disk quota is used up: make room there, and run it again",
		"Read-only file system":   "a file system can only be read: mount it for writing, or look for the fault that made it so (dmesg)",
	} {
		if strings.Contains(said, text) {
			return &failure{exit.Host + ": " + hint + "\n" + lastLines(said, 3)}
		}
	}
	if said != "" {
		return &failure{fmt.Sprintf("%s: a command ended with %d: %s", exit.Host, exit.Code, lastLines(said, 10))}
	}
	return &failure{fmt.Sprintf("%s: a command ended with %d, and said nothing", exit.Host, exit.Code)}
}

// failure is an error in a machine's words, or ours.
type failure struct{ msg string }

func (f *failure) Error() string { return f.msg }

// lastLines returns the last lines of a text that are not blank.
func lastLines(s string, n int) string {
	var lines []string
	for _, l := range strings.Split(s, "\n") {
		if l = strings.TrimRight(l, " \t\r"); l != "" {
			lines = append(lines, l)
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
