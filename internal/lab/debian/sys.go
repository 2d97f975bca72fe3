package debian

import (
	"context"
	"path"
	"slices"
)

// systemPrograms are those that manage the machine.
func systemPrograms() map[string]program {
	all := map[string]program{}
	for folder, commands := range map[string]map[string]command{
		"/usr/bin": {
			"dpkg": dpkgCommand, "dpkg-query": dpkgQuery, "apt-get": aptGetCommand, "apt": aptGetCommand, "apt-cache": aptCacheCommand,
			"apt-mark": aptMarkCommand, "apt-config": aptConfigCommand,
			"systemctl": systemctlCommand, "systemd-run": systemdRun, "journalctl": journalCommand, "loginctl": loginctl, "timedatectl": timedatectl, "hostnamectl": hostnamectl,
			"ip": ipCommand, "ss": ssCommand, "passwd": passwdCommand, "gpasswd": gpasswd, "chage": chage, "chsh": chsh,
		},
		"/usr/lib/apt": {"apt-helper": aptHelperCommand},
		"/usr/sbin": {
			"useradd": useradd, "usermod": usermod, "userdel": userdel, "groupadd": groupadd, "groupdel": groupdel, "chpasswd": chpasswd, "adduser": adduser,
			"runuser": runuser, "sysctl": sysctlCommand, "sshd": sshdCommand, "reboot": powerCommand, "poweroff": powerCommand, "halt": powerCommand, "shutdown": powerCommand,
			"iptables": iptablesCommand, "ip6tables": iptablesCommand, "iptables-save": iptablesSave, "ip6tables-save": iptablesSave,
			"iptables-restore": iptablesRestore, "ip6tables-restore": iptablesRestore, "modprobe": modprobe,
		},
	} {
		for name, p := range in(folder, commands) {
			all[name] = p
		}
	}
	for name, run := range map[string]command{
		"ufw": ufwCommand, "ufw-init": ufwInit, "fail2ban-client": fail2banClient, "fail2ban-server": onlyUnit, "unattended-upgrade": unattendedUpgrade, "unattended-upgrades": unattendedUpgrade,
		"dockerd": dockerdCommand, "docker": dockerCommand, "containerd": containerdCommand, "ctr": containerdCommand, "runc": containerdCommand,
	} {
		all[name] = program{run: run, extra: true}
	}
	addUnknown(all)
	return all
}

// addUnknown adds the programs of packages that nothing is known of.
func addUnknown(all map[string]program) {
	var files []string
	for _, image := range []string{"debian-12", "debian-13"} {
		for _, list := range catalogues[image]().programs {
			files = append(files, list...)
		}
	}
	for _, b := range broughts {
		files = append(files, b.programs...)
	}
	known := []map[string]program{all, filePrograms(), textPrograms(), processPrograms()}
	for _, file := range files {
		name := path.Base(file)
		if !slices.ContainsFunc(known, func(m map[string]program) bool { _, ok := m[name]; return ok }) {
			all[name] = program{run: notKnown, extra: true}
		}
	}
}

// notKnown is a program that a package brings and that does nothing here.
func notKnown(ctx context.Context, c *call) int {
	c.notSimulated("(a program of a package that a lab only installs)")
	return 127
}

// onlyUnit is a program that its unit alone can start.
func onlyUnit(ctx context.Context, c *call) int { return c.notSimulated("outside of its unit") }

// systemFiles puts into the image what those need.
func (b *builder) systemFiles() {
	b.file(dpkgStatus, 0o644, string(baseStatus("debian-"+b.version)))
	b.file(dpkgFront, 0o640, "")
	b.file(dpkgLock, 0o640, "")
	for _, dir := range []string{dpkgInfo, "/var/lib/apt", "/var/cache/apt/archives", aptListsDir, "/etc/apt/apt.conf.d", sourceParts, "/etc/apt/keyrings", "/etc/apt/trusted.gpg.d",
		"/etc/apt/preferences.d", "/etc/sysctl.d", "/usr/lib/sysctl.d", "/etc/cron.d"} {
		b.folder(dir, 0o755)
	}
	b.file("/etc/apt/sources.list.d/debian.sources", 0o644, "Types: deb\nURIs: http://deb.debian.org/debian\nSuites: "+b.codename+" "+b.codename+"-updates\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n"+
		"Types: deb\nURIs: http://deb.debian.org/debian-security\nSuites: "+b.codename+"-security\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n")
	b.file("/etc/apt/apt.conf.d/01autoremove", 0o644, "APT::NeverAutoRemove {\n  \"^linux-image.*\";\n};\n")
	b.file("/usr/share/keyrings/debian-archive-keyring.gpg", 0o644, "")
	b.file("/etc/sysctl.conf", 0o644, "# Settings of the kernel: see sysctl.conf(5).\n")
	mail := b.folder("/var/mail", 0o2775)
	mail.gid = 8
	b.unitFiles()
}

// baseUnits are the services of an image, with the target that wants each.
var baseUnits = []struct{ name, wantedBy, text string }{
	{"ssh.service", "multi-user.target", "[Unit]\nDescription=OpenBSD Secure Shell server\nAfter=network.target\n\n[Service]\nEnvironmentFile=-/etc/default/ssh\nExecStartPre=/usr/sbin/sshd -t\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS\n" +
		"ExecReload=/usr/sbin/sshd -t\nExecReload=/bin/kill -HUP $MAINPID\nKillMode=process\nRestart=on-failure\nType=notify\n\n[Install]\nWantedBy=multi-user.target\nAlias=sshd.service\n"},
	{"dbus.service", "", "[Unit]\nDescription=D-Bus System Message Bus\n\n[Service]\nType=notify\nExecStart=/usr/bin/dbus-daemon --system --nofork\n"},
	{"systemd-journald.service", "", "[Unit]\nDescription=Journal Service\n\n[Service]\nType=notify\nExecStart=/usr/lib/systemd/systemd-journald\nRestart=always\n"},
	{"systemd-logind.service", "", "[Unit]\nDescription=User Login Management\n\n[Service]\nType=notify\nExecStart=/usr/lib/systemd/systemd-logind\nRestart=always\n"},
	{"systemd-sysctl.service", "", "[Unit]\nDescription=Apply Kernel Variables\n\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/sbin/sysctl -q --system\n"},
	{"apt-daily.timer", "timers.target", "[Unit]\nDescription=Daily apt download activities\n\n[Timer]\nOnCalendar=*-*-* 06:00\n\n[Install]\nWantedBy=timers.target\n"},
	{"apt-daily.service", "", "[Unit]\nDescription=Daily apt download activities\n\n[Service]\nType=oneshot\nExecStart=-/usr/bin/apt-get -qq update\n"},
	{"apt-daily-upgrade.timer", "timers.target", "[Unit]\nDescription=Daily apt upgrade and clean activities\n\n[Timer]\nOnCalendar=*-*-* 06:00\n\n[Install]\nWantedBy=timers.target\n"},
	{"apt-daily-upgrade.service", "", "[Unit]\nDescription=Daily apt upgrade and clean activities\n\n[Service]\nType=oneshot\nExecStart=-/usr/bin/unattended-upgrade\n"},
}

func (b *builder) unitFiles() {
	for _, u := range baseUnits {
		b.file(unitFolder+"/"+u.name, 0o644, u.text)
		if u.wantedBy != "" {
			b.link(unitLinks+"/"+u.wantedBy+".wants/"+u.name, unitFolder+"/"+u.name)
		}
	}
	b.link(unitLinks+"/sshd.service", unitFolder+"/ssh.service")
	for _, name := range []string{"dbus.service", "systemd-journald.service", "systemd-logind.service", "systemd-sysctl.service"} {
		b.link(unitFolder+"/sysinit.target.wants/"+name, "../"+name)
	}
	for _, name := range []string{"sysinit", "basic", "sockets", "timers", "multi-user", "network", "network-online", "network-pre", "local-fs", "remote-fs", "time-sync", "nss-lookup", "graphical", "shutdown"} {
		b.file(unitFolder+"/"+name+".target", 0o644, "[Unit]\nDescription="+name+" target\n")
	}
	b.link(unitFolder+"/default.target", "multi-user.target")
	for _, file := range []string{"/usr/lib/systemd/systemd-journald", "/usr/lib/systemd/systemd-logind", "/usr/bin/dbus-daemon"} {
		b.file(file, 0o755, string(binary(path.Base(file))))
	}
}

// startUnits starts what is enabled, when the machine starts.
func (s *System) startUnits(ctx context.Context) error { return s.units.boot(ctx) }

// stopUnits stops what runs, when the machine is switched off.
func (s *System) stopUnits(ctx context.Context) error { return s.units.halt(ctx) }
