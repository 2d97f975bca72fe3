package remote_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/testhost"
)

// heard collects what WaitReady tells.
type heard struct {
	mu   sync.Mutex
	list []string
	on   func(string)
}

func (h *heard) tell(text string) {
	h.mu.Lock()
	h.list = append(h.list, text)
	h.mu.Unlock()
	if h.on != nil {
		h.on(text)
	}
}

// A machine that is off, then boots, with a cloud-init and a dpkg that take
// their time.
func TestWaitReady(t *testing.T) {
	host := testhost.Start(t, "debian-12", testhost.User("deploy"))
	m := onHost(t, host)
	var said heard
	ready := func(h *remote.Host) error { return remote.WaitReady(t.Context(), h, 0, said.tell) }
	if err := ready(dial(t, m)); err != nil || !slices.Equal(said.list, []string{"waiting for its SSH port", "waiting for cloud-init"}) {
		t.Errorf("%q, %v", said.list, err)
	}

	host.Stop()
	host.Start()
	// Each of them waits until we have heard of it: sshd, cloud-init, a lock of dpkg's kind.
	host.Sh(`cat > /usr/bin/cloud-init <<'END'
#!/bin/sh
[ "$*" = "status --wait --long" ] || exit 9
read x < /run/cloud-init-fifo
echo "status: done"
exit "$x"
END
chmod +x /usr/bin/cloud-init; mkfifo -m 666 /run/cloud-init-fifo
systemd-run --unit holder perl -MFcntl -e 'open($$f, ">", "/var/lib/dpkg/lock-frontend"); $$lock = pack("ssx4qqi", F_WRLCK, 0, 0, 0, 0); fcntl($$f, F_SETLK, $$lock) or die; sleep 1000'
while ! grep -q ":$(stat -c %i /var/lib/dpkg/lock-frontend) " /proc/locks; do systemctl is-active -q holder || exit 1; sleep 0.1; done`)
	host.Sh("systemctl stop ssh")
	said = heard{on: func(text string) {
		switch {
		case text == "waiting for its SSH port":
			host.Sh("systemctl start ssh")
		case text == "waiting for cloud-init":
			go host.TryRun("sh", "-c", "echo 2 > /run/cloud-init-fifo")
		case strings.HasPrefix(text, "waiting for dpkg's lock"):
			host.Sh("systemctl stop holder")
		}
	}}
	pid := host.Sh("systemctl show -P MainPID holder")
	if err := ready(dial(t, m)); err != nil || len(said.list) != 3 || !slices.Equal(said.list[:2], []string{"waiting for its SSH port", "waiting for cloud-init"}) ||
		!strings.HasPrefix(said.list[2], fmt.Sprintf("waiting for dpkg's lock, held by process %s (/usr/bin/perl -MFcntl", pid)) {
		t.Errorf("%q, %v", said.list, err)
	}

	// A first boot that failed says so.
	said = heard{}
	go host.TryRun("sh", "-c", "echo 1 > /run/cloud-init-fifo")
	if err := ready(dial(t, m)); err == nil || !strings.Contains(err.Error(), "the first boot of deploy@"+host.Address+" failed: cloud-init says:\nstatus: done") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	said = heard{on: func(text string) {
		if text == "waiting for cloud-init" {
			cancel()
		}
	}}
	if err := remote.WaitReady(ctx, dial(t, m), 0, said.tell); err == nil || ctx.Err() == nil {
		t.Errorf("cancelled: %v", err)
	}
}
