package remote

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// root is how a command becomes root. What it prints before the command itself
// runs is not the command's: a line with a random mark on standard error says
// where that begins. So the password goes to sudo only where it asks for one,
// never into the command's own input, and a refusal by sudo is not mistaken
// for a failure of the command.
type root struct {
	user     string
	mark     string
	password string
	started  chan struct{} // closed when the command itself runs
	asked    chan struct{} // a token for each time that sudo asks

	mu       sync.Mutex
	preamble bytes.Buffer // what came before the command
	scanned  int          // how much of it was looked at for questions
	running  bool
	wrong    bool // sudo asked again
}

// needsRoot returns how a command becomes root; nil where it is already, or is
// not to be.
func (m Machine) needsRoot(c Command, user string) *root {
	if !c.Root || user == "root" || m.Sudo == "never" {
		return nil
	}
	return &root{user: user, mark: "swarmscript-" + rand.Text(), password: m.SudoPassword,
		started: make(chan struct{}), asked: make(chan struct{}, 16)}
}

const (
	becomeRoot = `if [ "$(id -u)" = 0 ]; then echo "$0 started" >&2; exec "$@"; fi
if ! command -v sudo >/dev/null 2>&1; then echo "$0 missing" >&2; exit 127; fi
`
	asRoot = `echo "$0 started" >&2; exec "$@"`
)

// wrap puts what becomes root before a command.
func (r *root) wrap(args []string) []string {
	sudo := "sudo -n"
	if r.password != "" {
		sudo = "sudo -S -p '" + r.mark + " password'"
	}
	script := becomeRoot + "exec " + sudo + ` -- sh -c '` + asRoot + `' "$0" "$@"`
	return append([]string{"sh", "-c", script, r.mark}, args...)
}

// maxPreamble is more than any lecture of sudo's.
const maxPreamble = 1 << 20

// see takes a part of standard error, and returns what of it is the command's.
func (r *root) see(b []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running {
		return b
	}
	if r.preamble.Len() < maxPreamble {
		r.preamble.Write(b)
	}
	if before, after, ok := bytes.Cut(r.preamble.Bytes(), []byte(r.mark+" started\n")); ok {
		rest := bytes.Clone(after)
		r.preamble.Truncate(len(before))
		r.running = true
		close(r.started)
		return rest
	}
	question := []byte(r.mark + " password")
	for {
		i := bytes.Index(r.preamble.Bytes()[r.scanned:], question)
		if i < 0 {
			return nil
		}
		r.scanned += i + len(question)
		select {
		case r.asked <- struct{}{}:
		default: // nobody answers that often
		}
	}
}

// answer gives sudo the password where it asks, and returns when the command
// itself runs: true, or will not: false.
func (r *root) answer(write func([]byte) error, over <-chan struct{}) bool {
	for n := 0; ; n++ {
		select {
		case <-r.started:
			return true
		case <-over:
			return false
		case <-r.asked:
		}
		if n > 0 {
			r.mu.Lock()
			r.wrong = true
			r.mu.Unlock()
			return false
		}
		if write([]byte(r.password+"\n")) != nil {
			return false
		}
	}
}

// failure says why the command did not become root; nil where it ran.
func (r *root) failure(h *Host) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running {
		return nil
	}
	said := strings.ReplaceAll(r.preamble.String(), r.mark+" password", "")
	why, hint := r.reason(said)
	return &hostError{
		msg:   fmt.Sprintf("cannot become root on %s: %s (%s)", h.Name(), why, hint),
		cause: fmt.Errorf("sudo: %s", lastLines([]byte(said), 3)),
		is:    []error{resource.ErrUnreachable},
	}
}

// reason puts what sudo said in a person's words.
func (r *root) reason(said string) (why, hint string) {
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(said, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has(r.mark + " missing"):
		return fmt.Sprintf("%s is not root, and there is no sudo there", r.user), "log in as root, or install sudo"
	case r.wrong:
		return fmt.Sprintf("sudo did not take the password of %s", r.user), "check the password"
	case has("password is required", "interactive authentication is required"):
		return fmt.Sprintf("sudo wants the password of %s", r.user), "have it asked for by sudo = \"ask\", or allow it without one: NOPASSWD in sudoers"
	case has("is not in the sudoers file", "is not allowed to", "may not run sudo", "I'm sorry"):
		return fmt.Sprintf("%s may not use sudo", r.user), "add the user to the group sudo or wheel there, or log in as root"
	case has("must have a tty", "a terminal is required"):
		return "sudo wants a terminal", "remove requiretty from sudoers there"
	}
	return "sudo failed: " + lastLines([]byte(said), 1), "try: sudo true, as " + r.user + " there"
}
