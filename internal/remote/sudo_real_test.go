package remote_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/testhost"
)

// onHost is a real machine as a script would name it.
func onHost(t testing.TB, h *testhost.Host) remote.Machine {
	t.Helper()
	t.Setenv("HOME", t.TempDir())
	t.Setenv("SSH_AUTH_SOCK", "")
	return remote.Machine{Address: h.Address, User: h.User, Key: h.Key, HostKeys: []string{h.HostKey}}
}

// sudo on a real host: the command becomes root, or the message says exactly
// why not.
func TestSudo(t *testing.T) {
	host := testhost.Start(t, "debian-12", testhost.User("deploy"))
	m := onHost(t, host)
	const show = `id -un; cat; echo "args: $*"; echo oops >&2`
	ask := func(change func(*remote.Machine)) (remote.Result, error) {
		t.Helper()
		with := m
		change(&with)
		return dial(t, with).Run(t.Context(), remote.Command{Root: true, Script: show, Args: []string{"a b", "$HOME"}, Stdin: []byte("input\n")})
	}
	works := func(what, user string, change func(*remote.Machine)) {
		t.Helper()
		res, err := ask(change)
		if want := user + "\ninput\nargs: a b $HOME\n"; err != nil || string(res.Stdout) != want || string(res.Stderr) != "oops\n" {
			t.Errorf("%s: %q, %q, %v", what, res.Stdout, res.Stderr, err)
		}
	}
	fails := func(what, want string, change func(*remote.Machine)) {
		t.Helper()
		_, err := ask(change)
		if !errors.Is(err, resource.ErrUnreachable) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the password is in the error: %v", what, err)
		}
	}
	none := func(*remote.Machine) {}
	password := func(m *remote.Machine) { m.SudoPassword = "hunter2" }

	works("without a password", "root", none)
	works("a password that is not asked for", "root", password)
	works("never", "deploy", func(m *remote.Machine) { m.Sudo = "never" })

	// From here on, sudo wants the password, and shows a lecture first.
	host.Sh(`echo 'deploy:hunter2' | chpasswd; printf 'Defaults lecture=always\ndeploy ALL=(ALL) ALL\n' > /etc/sudoers.d/90-swarmscript`)
	works("with a password", "root", password)
	fails("no password", fmt.Sprintf("cannot become root on deploy@%s: sudo wants the password of deploy (have it asked for by sudo = \"ask\"", host.Address), none)
	fails("a wrong password", "sudo did not take the password of deploy (check the password)", func(m *remote.Machine) { m.SudoPassword = "hunter3" })
	exits := m
	password(&exits)
	var exit *remote.ExitError
	if _, err := dial(t, exits).Run(t.Context(), remote.Command{Root: true, Script: "echo no >&2; exit 3"}); !errors.As(err, &exit) || exit.Code != 3 || exit.Stderr != "no" {
		t.Errorf("a root command that fails gives %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := dial(t, exits).Run(ctx, remote.Command{Root: true, Script: "touch /run/began; sleep 1001"})
		done <- err
	}()
	host.Sh("while [ ! -e /run/began ]; do sleep 0.1; done")
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	host.Sh("for n in $(seq 100); do pgrep -f '^sleep 1001$' || exit 0; sleep 0.1; done; exit 1")

	host.Sh(`echo 'Defaults requiretty' >> /etc/sudoers.d/90-swarmscript`)
	fails("requiretty", "sudo wants a terminal (remove requiretty", password)

	host.Sh("rm /etc/sudoers.d/90-swarmscript")
	fails("not in sudoers", "deploy may not use sudo (add the user to the group sudo", password)
	fails("not in sudoers, no password", "sudo wants the password of deploy", none)
}

func TestNoSudoThere(t *testing.T) {
	host := testhost.Start(t, "debian-13", testhost.User("deploy"))
	m := onHost(t, host)
	host.Sh("mv /usr/bin/sudo /usr/bin/was-sudo")
	h := dial(t, m)
	_, err := h.Run(t.Context(), remote.Command{Root: true, Script: "true"})
	if want := "deploy is not root, and there is no sudo there (log in as root, or install sudo)"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}
