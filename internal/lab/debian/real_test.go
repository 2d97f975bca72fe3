package debian_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/lab/debian"
	"github.com/swarmscript/swarmscript/internal/testhost"
)

var record = flag.Bool("record", false, "record anew what real machines answer")

// realCommands are what a real machine and a simulated one are asked, one after another:
// what they answer must be the same, with what differs between any two machines masked.
// A line that begins with "#" prepares, and its output is not compared.
var realCommands = strings.Split(strings.TrimSpace(`
# apt-get -q update
# apt-get -q -y --no-install-recommends install ufw tree
dpkg-query -W -f '${Package}|${Architecture}|${db:Status-Want}|${db:Status-Status}\n' -- curl tree no-such ufw
dpkg-query -W -f '${Status}\n' no-such
dpkg -s no-such 2>&1
dpkg --compare-versions 1.0~rc1 lt 1.0; echo $?; dpkg --compare-versions 1:0.9 gt 1.0; echo $?; dpkg --compare-versions 2.0 foo 1; echo $?
dpkg --print-architecture
dpkg --audit
apt-mark hold tree; apt-mark hold tree; apt-mark showhold; apt-mark unhold tree; apt-mark unhold tree; apt-mark showhold
apt-mark hold no-such-package 2>&1
apt-get -q -y install tree 2>&1 | grep -v '^Reading\|^Building\|^0 upgraded'
apt-get -q -y install no-such-package 2>&1 | grep -v '^N: swarmscript'
apt-get -q -s remove tree | grep -v '^Reading\|^Building\|^The following packages were\|^  \|^Use'
apt-get -q -s --purge remove tree | grep '^Purg'
apt-get -q -s remove openssh-client | grep '^Remv'
apt-get -q -y remove no-such-package 2>&1
apt-get -q -y --no-remove remove tree 2>&1 | tail -n 1
apt-cache madison no-such-package 2>&1
apt-cache show no-such-package 2>&1
apt-config dump Nothing::Here
dpkg -r tree >/dev/null; dpkg-query -W -f '${db:Status-Status}\n' tree 2>&1
systemctl is-enabled ssh.service sshd.service; systemctl is-active ssh.service no-such.service
systemctl is-enabled no-such.service 2>/dev/null; echo "$?" | sed 's/[14]/not/'
systemctl show -p LoadState -p ActiveState -p SubState -p UnitFileState -- no-such.service ssh.service
systemctl show -p ActiveState -p SubState --value -- ssh.service
systemctl start no-such.service 2>&1
systemctl stop no-such.service 2>&1
systemctl enable no-such.service 2>&1 | sed 's/Failed to enable unit: Unit file no-such.service does not exist.\|Failed to enable unit: Unit no-such.service does not exist/none/'
printf '[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n' >/etc/systemd/system/a.service; systemctl daemon-reload; systemctl is-enabled a; systemctl is-active a
systemctl enable -q a; readlink /etc/systemd/system/multi-user.target.wants/a.service; systemctl is-enabled a; systemctl start a; systemctl is-active a; systemctl show -p Type -p RemainAfterExit --value a
systemctl mask -q a 2>&1 | sed 's/.*exists.*/exists/'
systemctl disable -q --now a; systemctl is-active a; ls /etc/systemd/system/multi-user.target.wants/a.service 2>&1
systemctl mask -q apt-daily.timer; systemctl is-enabled apt-daily.timer; systemctl start apt-daily.timer 2>&1; systemctl show -p LoadState apt-daily.timer; systemctl unmask -q apt-daily.timer; systemctl is-enabled apt-daily.timer
printf '[Service]\nType=oneshot\nExecStart=/bin/false\n' >/etc/systemd/system/b.service; systemctl daemon-reload; systemctl start b 2>&1 | head -n 1; systemctl is-active b; systemctl is-failed b; systemctl show -p Result -p ExecMainStatus b; systemctl reset-failed b; systemctl is-active b
printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n' >/etc/systemd/system/b.service; systemctl daemon-reload; systemctl start b; systemctl show -p ActiveState -p SubState b; systemctl is-enabled b
printf '[Unit]\nDescription=none\n' >/etc/systemd/system/c.service; systemctl daemon-reload; systemctl show -p LoadState c; systemctl start c 2>&1 | head -n 1
systemctl reload a 2>&1; systemctl try-restart a; systemctl is-active a
journalctl --no-pager -q -o cat -n 3 -u no-such.service
ufw status; ufw show added
ufw allow 22/tcp; ufw allow 22/tcp; ufw limit proto tcp from 10.0.0.0/8 to any port 80,443 comment 'the web'; ufw deny out to 192.0.2.1 port 25 proto tcp; ufw allow in on eth0 from 2001:db8::/32 to any port 99 proto tcp; ufw reject 7000:7100/udp
ufw allow 70000 2>&1; ufw allow 80,443 2>&1; ufw allow from 1.2.3.4.5 2>&1; ufw delete allow 4242
ufw show added
ufw default reject incoming; ufw default allow routed; ufw logging medium
# sed -i 's/^ENABLED=.*/ENABLED=no/' /etc/ufw/ufw.conf
sed -n 's/^### tuple ### //p' /etc/ufw/user.rules /etc/ufw/user6.rules
ufw --force enable; ufw status verbose; ufw status numbered; ufw status
ufw deny 22/tcp; ufw --force delete 1; ufw delete deny 22/tcp; ufw reload; ufw status
iptables -S ufw-user-input
iptables -N X; iptables -A X -s 10.1.2.3 -p tcp --dport 80 -j ACCEPT; iptables -I X -j RETURN; iptables -A X -p udp -m multiport --dports 1,2 -m comment --comment 'a b' -j DROP; iptables -S X; iptables -C X -j RETURN; echo $?; iptables -D X 1; iptables -S X; iptables -F X; iptables -X X; iptables -S X 2>&1 | sed 's/.*No chain.*/none/'
ufw --force disable; ufw status; iptables -S | grep -c ufw-user
useradd -m -s /bin/bash -c 'A B' -G adm ann; id ann; getent passwd ann; getent shadow ann | cut -d: -f2; stat -c '%a %U %G' /home/ann; ls -A /home/ann
useradd ann 2>&1; useradd -g no-such bob 2>&1; useradd -u 1000 -o bob 2>/dev/null; useradd -u 0 bob 2>&1
useradd -r -M svc; id svc | sed 's/[0-9]\+/N/g'; usermod -a -G adm,mail svc; id -Gn svc; usermod -G adm svc; id -Gn svc; gpasswd -d svc adm; gpasswd -d svc adm 2>&1; id -Gn svc
echo 'svc:$6$x$y' | chpasswd -e; getent shadow svc | cut -d: -f2; usermod -L svc; getent shadow svc | cut -d: -f2; userdel svc; getent passwd svc; getent group svc; userdel svc 2>&1
groupadd -g 4321 crew; getent group crew; groupadd crew 2>&1; groupdel crew; groupdel crew 2>&1
userdel -r ann 2>/dev/null; ls -d /home/ann 2>&1
sysctl net.ipv4.conf.all.send_redirects; sysctl -n net.ipv4.ip_local_port_range; sysctl net.no.such 2>&1; sysctl -w net.ipv4.tcp_syncookies=1; sysctl -w net.ipv4.ip_forward=x 2>&1 | head -n 1
/usr/sbin/sshd -t; echo 'Nonsense yes' >/etc/ssh/sshd_config.d/x.conf; /usr/sbin/sshd -t 2>&1; echo 'PermitRootLogin maybe' >/etc/ssh/sshd_config.d/x.conf; /usr/sbin/sshd -t 2>&1; rm /etc/ssh/sshd_config.d/x.conf
`), "\n")

var masked = regexp.MustCompile(`\b[0-9]+\.[0-9][0-9A-Za-z.+~:-]*-[0-9][0-9A-Za-z.+~]*|\(nf_tables\)`)

func answers(run func(line string) string) string {
	var b strings.Builder
	for _, line := range realCommands {
		bare, prepares := strings.CutPrefix(line, "# ")
		out := run(bare)
		if !prepares {
			fmt.Fprintf(&b, "$ %s\n%s", line, masked.ReplaceAllString(out, "VERSION"))
		}
	}
	return b.String()
}

// A simulated machine answers as a real one does.
func TestLikeRealMachine(t *testing.T) {
	for _, image := range []string{"debian-12", "debian-13"} {
		t.Run(image, func(t *testing.T) {
			file := "testdata/real-" + image + ".txt"
			if *record {
				h := testhost.Start(t, image)
				text := answers(func(line string) string { return h.Sh("("+line+"\n) 2>/dev/null; echo \"[$?]\"") + "\n" })
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s, err := debian.New(debian.Config{Hostname: "m1", Image: image, Address: "127.1.2.3"})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Boot(t.Context()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.PowerOff)
			got := answers(func(line string) string {
				out, _, _ := sh(t, s, "root", "sh -c '"+strings.ReplaceAll("("+line+"\n) 2>/dev/null; echo \"[$?]\"", "'", `'\''`)+"'", "")
				return out
			})
			compareAnswers(t, got, string(want))
		})
	}
}

func compareAnswers(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Split(strings.TrimSpace(got), "\n$ "), strings.Split(strings.TrimSpace(want), "\n$ ")
	for i := range w {
		if i >= len(g) || g[i] != w[i] {
			simulated := "nothing"
			if i < len(g) {
				_, simulated, _ = strings.Cut(g[i], "\n")
			}
			command, real, _ := strings.Cut(w[i], "\n")
			t.Errorf("%s\n--- simulated\n%s\n--- real\n%s", command, simulated, real)
		}
	}
}
