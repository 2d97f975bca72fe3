package host_test

import (
	"testing"

	"github.com/swarmscript/swarmscript/internal/host"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// Every argument of fail2ban, drift, refusals, removal.
func TestFail2ban(t *testing.T) {
	t.Parallel()
	w := start(t, "debian-12")
	f2b := func(a args) *resource.Declaration { return w.declare(host.Fail2banKind, "fail2ban", a) }
	w.fails(decls(f2b(nil)), `fail2ban is not installed: declare package("fail2ban") and package("python3-systemd")`)
	w.apply(list("create package.fail2ban", "create package.python3-systemd"),
		w.declare(host.PackageKind, "fail2ban", args{"recommends": false}), w.declare(host.PackageKind, "python3-systemd", nil))

	full := args{"defaults": args{"bantime": "2h", "ignoreip": []string{"127.0.0.1/8", "10.0.0.0/8"}}, "jails": args{"sshd": args{"maxretry": 3}}}
	w.apply(list("create fail2ban.fail2ban"), f2b(full))
	want(t, "its jails", w.sh("fail2ban-client status | grep -o 'sshd'; fail2ban-client get sshd maxretry; fail2ban-client get sshd bantime"), "sshd\n3\n7200")
	w.sh("sed -i s/maxretry.*/maxretry=9/ /etc/fail2ban/jail.d/90-swarmscript.local; systemctl disable -q --now fail2ban")
	w.apply(list(`update fail2ban.fail2ban: enabled jails["sshd"]`), f2b(full))
	want(t, "its jail", w.sh("fail2ban-client get sshd maxretry; systemctl is-enabled fail2ban"), "3\nenabled")

	w.fails(decls(f2b(args{"jails": args{"nonsense": args{"filter": "no-such-filter"}}})), "fail2ban refuses this, so it has what it had before", "no-such-filter")
	w.apply(nil, f2b(full))
	w.renew(f2b(full))
	w.apply(list("update fail2ban.fail2ban: defaults[\"bantime\"] defaults[\"ignoreip\"] enabled jails[\"sshd\"]"), f2b(args{"enabled": false}))
	want(t, "the service", w.sh("systemctl is-active fail2ban || true"), "inactive")
	w.apply(list("delete fail2ban.fail2ban"))
	w.sh("[ ! -e /etc/fail2ban/jail.d/90-swarmscript.local ]")
}

// Every argument of unattended upgrades, and what other files of apt's say.
func TestUnattendedUpgrades(t *testing.T) {
	for _, image := range []string{"debian-12", "debian-13"} {
		t.Run(image, func(t *testing.T) {
			t.Parallel()
			testUpgrades(t, start(t, image))
		})
	}
}

func testUpgrades(t *testing.T, w *world) {
	upgrades := func(a args) *resource.Declaration {
		return w.declare(host.UpgradesKind, "unattended-upgrades", a)
	}
	w.fails(decls(upgrades(nil)), `unattended-upgrades is not installed: declare package("unattended-upgrades")`)
	w.apply(list("create package.unattended-upgrades"), w.declare(host.PackageKind, "unattended-upgrades", args{"recommends": false}))
	before := w.sh("apt-config dump Unattended-Upgrade APT::Periodic")

	if err := w.try(upgrades(nil)); err != nil {
		t.Fatal(err)
	}
	w.apply(nil, upgrades(nil))
	want(t, "what is left alone", w.sh("apt-config dump --format '%f %v%n' Unattended-Upgrade::Package-Blacklist | grep ':: ' | sort"),
		"Unattended-Upgrade::Package-Blacklist:: containerd\nUnattended-Upgrade::Package-Blacklist:: docker\nUnattended-Upgrade::Package-Blacklist:: runc")
	full := args{
		"blacklist": []string{"^linux-", "docker"}, "origins": []string{"origin=Debian,codename=${distro_codename}-security"},
		"automatic_reboot": true, "reboot_time": "02:30", "remove_unused": true,
	}
	w.apply(list("update unattended_upgrades.unattended-upgrades: automatic_reboot blacklist origins reboot_time remove_unused"), upgrades(full))
	w.sh(`echo 'Unattended-Upgrade::Package-Blacklist { "more"; }; APT::Periodic::Unattended-Upgrade "0";' >/etc/apt/apt.conf.d/99zz-drift`)
	if got := w.plan(upgrades(full)); len(got) != 1 || got[0] != "update unattended_upgrades.unattended-upgrades: blacklist enabled" {
		t.Errorf("with another file of apt's the plan is %q", got)
	}
	w.sh("rm /etc/apt/apt.conf.d/99zz-drift /etc/apt/apt.conf.d/99swarmscript-unattended-upgrades")
	w.apply(list("update unattended_upgrades.unattended-upgrades: automatic_reboot blacklist origins reboot_time remove_unused"), upgrades(full))
	w.renew(upgrades(full))
	w.apply(list("delete unattended_upgrades.unattended_upgrades"))
	want(t, "what apt makes of its files after us", w.sh("apt-config dump Unattended-Upgrade APT::Periodic"), before)
}
