package testhost_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/testhost"
)

// A test sees a host as a person would: by ssh, with the keys that it knows.
func TestHost(t *testing.T) {
	h := testhost.Start(t, "debian-12", testhost.Name("alpha"), testhost.User("admin"))
	known := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(known, []byte(h.Address+" "+h.HostKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("/usr/bin/ssh", "-F", "none", "-i", h.KeyFile, "-o", "UserKnownHostsFile="+known, "-o", "StrictHostKeyChecking=yes",
		"-o", "BatchMode=yes", h.User+"@"+h.Address, "hostname; sudo id -u").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "alpha\n0" {
		t.Errorf("got %q, %v", out, err)
	}
	if got := h.Run("hostname"); got != "alpha" {
		t.Errorf("got %q", got)
	}
	if _, err := h.TryRun("false"); err == nil {
		t.Error("a program that fails is no error")
	}
}

// What a host keeps is on its disk, whatever way it goes down.
func TestPower(t *testing.T) {
	h := testhost.Start(t, "debian-13")
	h.Sh("echo kept >/root/file; echo lost >/run/file")
	for _, down := range []func(){h.Kill, h.Stop} {
		down()
		if _, err := h.TryRun("true"); err == nil {
			t.Error("it runs")
		}
		h.Start()
		if got := h.Sh("cat /root/file; ls /run/file 2>&1 || true"); got != "kept\nls: cannot access '/run/file': No such file or directory" {
			t.Errorf("got %q", got)
		}
	}
}
