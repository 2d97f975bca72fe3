package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// stage is what a new machine is waited for.
type stage int

const (
	stagePort  stage = iota // something listens
	stageHello              // it is an SSH server
	stageLogin              // it knows the user and the key
	stageInit               // cloud-init is done
	stageDpkg               // nobody installs packages
)

// stages are how long each may take, and what it is called.
var stages = []struct {
	limit time.Duration
	name  string
}{
	stagePort:  {5 * time.Minute, "its SSH port"},
	stageHello: {2 * time.Minute, "its SSH server to say hello"},
	stageLogin: {2 * time.Minute, "the login"},
	stageInit:  {15 * time.Minute, "cloud-init"},
	stageDpkg:  {15 * time.Minute, "dpkg's lock"},
}

// readyPause is the pause between looks.
const readyPause = time.Second

// WaitReady waits until a new machine can be worked on: it answers, lets us
// in, and its first boot is done with cloud-init (where there is one) and with
// packages. Progress is told what is waited for, each time that it changes;
// it may be nil. Each stage has its own limit, port being the first one's where it
// is not 0, and the error names it.
func WaitReady(ctx context.Context, h *Host, port time.Duration, progress func(string)) error {
	w := &wait{h: h, port: port, progress: progress, begun: map[stage]time.Time{}}
	for _, step := range []func(context.Context) error{w.login, w.cloudInit, w.dpkg} {
		err := step(ctx)
		if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return &hostError{msg: fmt.Sprintf("%s is not ready: still %s", h.Name(), w.told), cause: err}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// NotUp reports whether a machine that could not be reached may only be starting:
// nothing listens at its port, or what does is no SSH server yet.
func NotUp(err error) bool {
	var dns *net.DNSError
	var op *net.OpError
	var far *ssh.OpenChannelError // behind a jump host
	switch {
	case errors.As(err, &dns), errors.Is(err, ErrMayHaveRun):
		return false
	case errors.As(err, &op):
		return op.Op == "dial"
	case errors.As(err, &far):
		return far.Reason == ssh.ConnectionFailed
	}
	return errors.Is(err, errSilent) || errors.Is(err, errHello)
}

// wait is one wait for a machine.
type wait struct {
	h        *Host
	port     time.Duration
	progress func(string)
	begun    map[stage]time.Time
	told     string
}

// tell passes on what is waited for.
func (w *wait) tell(s stage, more string) {
	text := "waiting for " + stages[s].name + more
	if w.progress != nil && text != w.told {
		w.progress(text)
	}
	w.told = text
}

// left is how much time a stage still has.
func (w *wait) left(s stage) time.Duration {
	if w.begun[s].IsZero() {
		w.begun[s] = time.Now()
	}
	return w.limit(s) - time.Since(w.begun[s])
}

func (w *wait) limit(s stage) time.Duration {
	if w.h.time.stage != 0 {
		return w.h.time.stage
	}
	if s == stagePort && w.port != 0 {
		return w.port
	}
	return stages[s].limit
}

// over says that a stage took too long.
func (w *wait) over(s stage, why error) error {
	e := &hostError{
		msg:   fmt.Sprintf("%s is not ready: waited %s for %s", w.h.Name(), w.limit(s), stages[s].name),
		cause: why,
		is:    []error{resource.ErrUnreachable},
	}
	if why != nil {
		e.msg += ": " + why.Error()
	}
	return e
}

// pause waits before the next look.
func (w *wait) pause(ctx context.Context) error {
	select {
	case <-time.After(readyPause):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// login waits until we are in.
func (w *wait) login(ctx context.Context) error {
	w.tell(stagePort, "")
	for {
		_, err := w.h.connect(ctx)
		if err == nil {
			return nil
		}
		s, final := stageOf(err)
		if ctx.Err() != nil || final {
			return err
		}
		w.tell(s, "")
		if w.left(s) <= 0 {
			return w.over(s, err)
		}
		if err := w.pause(ctx); err != nil {
			return err
		}
	}
}

// stageOf says how far a dial came. Final: waiting does not help.
func stageOf(err error) (s stage, final bool) {
	var key *hostKeyError
	var login *authError
	switch {
	case errors.As(err, &key):
		// The first boot may put the given keys in place of its own a moment
		// after sshd came up. What the user's own files say does not pass.
		return stageLogin, key.set.of.given == nil
	case errors.As(err, &login): // cloud-init may not have made the user yet
		return stageLogin, false
	case errors.Is(err, errSilent), errors.Is(err, errHello), hungUp(err):
		return stageHello, false
	case errors.Is(err, errClosed), !errors.Is(err, resource.ErrUnreachable):
		return stagePort, true
	}
	return stagePort, false
}

// cloudInit waits for the first boot's own configuration, where there is one.
func (w *wait) cloudInit(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, w.left(stageInit))
	defer cancel()
	for {
		w.tell(stageInit, "")
		res, err := w.h.Run(limited, Command{Script: "command -v cloud-init >/dev/null || exit 0\ncloud-init status --wait --long"})
		var exit *ExitError
		switch {
		case err == nil:
			return nil
		case ctx.Err() == nil && limited.Err() != nil:
			return w.over(stageInit, nil)
		case errors.As(err, &exit) && exit.Code == 2: // done, with warnings
			return nil
		case errors.As(err, &exit):
			return fmt.Errorf("the first boot of %s failed: cloud-init says:\n%s\n(see /var/log/cloud-init-output.log there)", w.h.Name(), lastLines(res.Stdout, 10))
		case errors.Is(err, ErrMayHaveRun): // it may restart the machine; this question does no harm
			if err := w.login(limited); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

// locks prints who holds the locks of dpkg and apt: those are POSIX locks, of
// which /proc/locks names the process and the file's inode.
const locks = `for f in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock; do
  [ -e "$f" ] || continue
  for p in $(awk -v i="$(stat -c %i "$f")" '$2 == "POSIX" { split($6, f, ":"); if (f[3] == i) print $5 }' /proc/locks); do
    if ls -l "/proc/$p/fd" 2>/dev/null | grep -qF " $f"; then echo "process $p ($(tr '\0' ' ' <"/proc/$p/cmdline" | cut -c1-60 | sed 's/ *$//'))"; exit; fi
  done
done`

// dpkg waits until nobody installs packages: unattended upgrades begin with
// the first boot.
func (w *wait) dpkg(ctx context.Context) error {
	for {
		res, err := w.h.Run(ctx, Command{Script: locks, Root: true})
		if err != nil {
			return err
		}
		holder := strings.TrimSpace(string(res.Stdout))
		if holder == "" {
			return nil
		}
		w.tell(stageDpkg, ", held by "+holder)
		if w.left(stageDpkg) <= 0 {
			return w.over(stageDpkg, fmt.Errorf("%s holds it", holder))
		}
		if err := w.pause(ctx); err != nil {
			return err
		}
	}
}
