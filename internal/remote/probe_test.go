package remote_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// A machine tells whether it gets through to an address; one that cannot be asked
// tells nothing.
func TestProbe(t *testing.T) {
	s := testengine.StartBareSSHD(t)
	deaf := testengine.StartBareSSHD(t, "AllowTcpForwarding no")
	probe := func(s *testengine.SSHD, addr string) error {
		d, err := dial(t, machine(t, s)).Docker("")
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		return d.Probe(t.Context(), "tcp", addr)
	}
	if err := probe(s, "127.0.0.1:"+s.Port); err != nil {
		t.Errorf("an open port: %v", err)
	}
	if err := probe(s, "127.0.0.1:1"); err == nil || errors.Is(err, resource.ErrUnreachable) || !strings.EqualFold(err.Error(), "connection refused") {
		t.Errorf("a closed port: %v", err)
	}
	if err := probe(deaf, "127.0.0.1:"+s.Port); !errors.Is(err, resource.ErrUnreachable) {
		t.Errorf("a machine that forwards nothing: %v", err)
	}
	d, err := remote.Dial(remote.Endpoint{Host: "tcp://127.0.0.1:1", ConfigDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Probe(t.Context(), "tcp", "127.0.0.1:"+s.Port); !errors.Is(err, resource.ErrUnreachable) {
		t.Errorf("an engine without a machine: %v", err)
	}
}
