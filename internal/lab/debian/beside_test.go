package debian_test

import (
	"strings"
	"sync"
	"testing"
)

// The files of units are read again while others start and stop: every install of a
// package and every systemctl enable does it.
func TestReloadBesideStarts(t *testing.T) {
	s := machine(t, "debian-12")
	if _, said, code := sh(t, s, "root", `cd /etc/systemd/system
for u in a b; do printf '[Unit]\nDescription=it\n[Service]\nExecStartPre=/bin/true\nExecStart=/bin/sleep 1000\nExecReload=/bin/true\nRestart=always\n' >$u.service; done
printf '[Timer]\nOnActiveSec=1h\n' >a.timer
printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nUser=nobody\nExecStart=/bin/true\n' >once.service`, ""); code != 0 {
		t.Fatal(said)
	}
	var all sync.WaitGroup
	for _, line := range []string{
		"systemctl daemon-reload",
		"systemctl restart a && systemctl is-active -q a && systemctl reload a",
		"systemctl kill b; systemctl status b >/dev/null; systemctl restart b",
		"systemctl start a.timer && systemctl stop a.timer",
		"systemctl restart once && systemctl is-active -q once",
		"systemctl restart ssh && systemctl is-active -q ssh",
	} {
		all.Go(func() {
			if _, said, code := sh(t, s, "root", "i=0; while [ $i -lt 30 ]; do i=$((i+1)); "+line+" || exit 1; done", ""); code != 0 {
				t.Errorf("%s: %s", line, said)
			}
		})
	}
	all.Wait()
}

// Processes come and go, and signal each other, while others look at them.
func TestLookBesideProcesses(t *testing.T) {
	s := machine(t, "debian-12")
	var all sync.WaitGroup
	for _, line := range []string{
		"sleep 60 & kill $!; wait $! || true; echo a & wait",
		"ps -ef >/dev/null; pgrep -l sh >/dev/null; for p in /proc/[0-9]*; do cat $p/cmdline $p/comm $p/status $p/environ; ls -l $p/fd $p/ns; done >/dev/null 2>&1; true",
		"exec 5</etc/passwd; exec 5<&-; sh -c 'trap \"echo t\" TERM; kill -TERM $$' >/dev/null; (exec sh -c :); nohup env A=1 true >/dev/null 2>&1",
		"cat /etc/hosts | sort | head -n 1 >/dev/null; cat /proc/locks /proc/loadavg >/dev/null; flock /run/l true; sudo -n -u nobody id >/dev/null",
		"echo x >/tmp/x; mv /tmp/x /tmp/y; rm -f /tmp/y; find /etc /tmp >/dev/null; ln -sf a /tmp/l; ls -lR /etc /tmp >/dev/null",
		"useradd u1; usermod -a -G adm u1; id u1 >/dev/null; userdel u1; sysctl -q -w net.ipv4.ip_forward=1; sysctl -a >/dev/null 2>&1",
	} {
		all.Go(func() {
			if _, said, code := sh(t, s, "root", "sh -c 'i=0; while [ $i -lt 30 ]; do i=$((i+1)); "+strings.ReplaceAll(line, "'", `'\''`)+" || exit 1; done'", ""); code != 0 {
				t.Errorf("%s: %d %s", line, code, said)
			}
		})
	}
	all.Wait()
}
