package host_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/host"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

const sleeper = `[Unit]
Description=A test
[Service]
ExecStart=/bin/sleep %s
[Install]
WantedBy=multi-user.target
`

// Every argument of a unit, of ours and of a package, on both releases.
func TestUnit(t *testing.T) {
	t.Parallel()
	for _, image := range []string{"debian-12", "debian-13"} {
		t.Run(image, func(t *testing.T) {
			t.Parallel()
			w := start(t, image)
			unit := func(name string, a args) *resource.Declaration { return w.declare(host.UnitKind, name, a) }
			state := func(u string) string {
				return w.sh("echo $(systemctl is-enabled " + u + " 2>/dev/null || true; systemctl is-active " + u + " || true)")
			}
			pid := func() string { return w.sh("systemctl show -p MainPID --value app.service") }
			text := func(arg string) string { return strings.Replace(sleeper, "%s", arg, 1) }

			w.apply(list("create systemd_unit.app.service"), unit("app.service", args{"content": text("1001")}))
			want(t, "a unit of which only the file is declared", state("app.service"), "disabled inactive")
			ours := unit("app.service", args{"content": text("1001"), "enabled": true, "running": true})
			w.apply(list("update systemd_unit.app.service: enabled running"), ours)
			want(t, "the unit", state("app.service"), "enabled active")

			w.sh("systemctl disable -q --now app.service; echo '# drift' >>/etc/systemd/system/app.service")
			w.apply(list("update systemd_unit.app.service: content enabled running"), ours)
			before := pid()
			w.apply(list("update systemd_unit.app.service: content"), unit("app.service", args{"content": text("1002"), "enabled": true, "running": true}))
			if now := pid(); now == before || now == "0" {
				t.Errorf("the unit's process was %s and is %s: it was not started anew", before, now)
			}
			want(t, "what runs", w.sh("tr '\\0' ' ' </proc/"+pid()+"/cmdline"), "/bin/sleep 1002 ")

			before = pid()
			again := unit("app.service", args{"content": text("1002"), "enabled": true, "running": true})
			again.Lifecycle.ReplaceOn = value.List{"config 1"}
			w.apply(list("update systemd_unit.app.service"), again) // the mark gets the trigger
			again.Lifecycle.ReplaceOn = value.List{"config 2"}
			if s := w.steps(decls(again))[0]; s.change.Action != plan.Update || !s.change.Restart || !strings.HasPrefix(s.change.Effect, resource.Interrupted) {
				t.Errorf("a changed trigger plans %s, restart %t, effect %q", s.title(), s.change.Restart, s.change.Effect)
			}
			w.apply(list("update systemd_unit.app.service"), again)
			if now := pid(); now == before || now == "0" {
				t.Errorf("the unit's process was %s and is %s: it was not started anew", before, now)
			}

			w.apply(list("update systemd_unit.app.service: enabled running"), unit("app.service", args{"content": text("1002"), "enabled": false, "running": false}))
			want(t, "the unit", state("app.service"), "disabled inactive")
			w.apply(list("update systemd_unit.app.service: enabled running"), ours2(w, text("1002")))
			w.renew(ours2(w, text("1002")))
			want(t, "the unit made anew", state("app.service"), "enabled active")
			w.apply(list("delete systemd_unit.app.service"))
			want(t, "the unit's file", w.sh("find /etc/systemd/system -name 'app.service'"), "")
			want(t, "its process", w.sh("pgrep -xfa '/bin/sleep 1002' || true"), "")

			// One that was there before us is put back.
			want(t, "a timer of Debian's", state("apt-daily.timer"), "enabled active")
			w.apply(list("update systemd_unit.apt-daily.timer: enabled running"), unit("apt-daily.timer", args{"enabled": false, "running": false}))
			w.apply(list("update systemd_unit.apt-daily.timer: masked"), unit("apt-daily.timer", args{"masked": true}))
			want(t, "the timer", state("apt-daily.timer"), "masked inactive")
			w.apply(list("update systemd_unit.apt-daily.timer: masked"), unit("apt-daily.timer", args{"masked": false}))
			w.apply(list("delete systemd_unit.apt-daily.timer"))
			want(t, "the timer after us", state("apt-daily.timer"), "enabled active")
			want(t, "what is left of us", w.sh("find /var/lib/swarmscript -type f"), "")
		})
	}
}

// A unit takes on what changes, once, also where the step was cut off before it
// did.
func TestUnitTakesOn(t *testing.T) {
	t.Parallel()
	w := start(t, "debian-12")
	const text = `[Service]
ExecStart=/bin/sh -c 'echo start >>/run/app.log; exec sleep 1003'
ExecReload=/bin/sh -c 'echo reload >>/run/app.log'
`
	unit := func(a args) *resource.Declaration {
		return w.declare(host.UnitKind, "app.service", args{"content": text, "running": true}.With(a))
	}
	did := func(words string) { // since it was asked last
		t.Helper()
		want(t, "what it did", w.sh("echo $(cat /run/app.log); : >/run/app.log"), words)
	}
	effect := func(d *resource.Declaration, want string) {
		t.Helper()
		if got := w.steps(decls(d))[0].change.Effect; got != want {
			t.Errorf("the effect is %q, want %q", got, want)
		}
	}
	w.apply(list("create systemd_unit.app.service"), unit(args{"restart_on": []string{"a1"}, "reload_on": []string{"b1"}}))
	did("start")
	effect(unit(args{"restart_on": []string{"a1"}, "reload_on": []string{"b2"}}), "reloaded")
	w.apply(list("update systemd_unit.app.service: reload_on"), unit(args{"restart_on": []string{"a1"}, "reload_on": []string{"b2"}}))
	did("reload")
	effect(unit(args{"restart_on": []string{"a2"}, "reload_on": []string{"b3"}}), "INTERRUPTED for a moment: started anew")
	w.apply(list("update systemd_unit.app.service: reload_on restart_on"), unit(args{"restart_on": []string{"a2"}, "reload_on": []string{"b3"}}))
	did("start")
	w.apply(nil, unit(nil)) // left out, they are left as they are
	did("")
	if kept := w.sh("grep -rl 'a2\"' /var/lib/swarmscript || true"); kept != "" {
		t.Errorf("a value is kept in %s", kept)
	}

	// Cut off before it is started anew, or reloads.
	w.sh(`mv /usr/bin/systemctl /usr/bin/systemctl.real
printf '#!/bin/sh\ncase $1 in *restart*) exit 1 ;; esac; exec systemctl.real "$@"\n' >/usr/bin/systemctl; chmod 755 /usr/bin/systemctl`)
	again := func(what string, a args, did2 string) {
		t.Helper()
		w.sh("ln -sf /usr/bin/systemctl.real /usr/local/sbin/systemctl")
		w.apply(list("update systemd_unit.app.service"+what), unit(a))
		did(did2)
		w.sh("rm /usr/local/sbin/systemctl")
	}
	for _, tt := range []struct {
		change args
		what   string
		did    string
	}{
		{args{"restart_on": []string{"a3"}}, ": restart_on", "start"},
		{args{"reload_on": []string{"b4"}}, ": reload_on", "reload"},
		{args{"content": text + "# new\n"}, "", "start"},
	} {
		w.fails(decls(unit(tt.change)), "app.service does not re")
		again(tt.what, tt.change, tt.did)
	}
	w.sh("mv /usr/bin/systemctl.real /usr/bin/systemctl")
	w.apply(list("update systemd_unit.app.service: content restart_on"), unit(args{"restart_on": []string{"a9"}}))
	did("start")
	w.apply(list("delete systemd_unit.app.service"))
}

func ours2(w *world, content string) *resource.Declaration {
	return w.declare(host.UnitKind, "app.service", args{"content": content, "enabled": true, "running": true})
}

// A unit that does not run says why, with its state and its log.
func TestUnitErrors(t *testing.T) {
	t.Parallel()
	w := start(t, "debian-12")
	unit := func(a args) []*resource.Declaration { return decls(w.declare(host.UnitKind, "bad.service", a)) }
	w.fails(unit(args{"running": true}), "there is no unit bad.service: install the package that brings it")
	w.fails(unit(args{"content": "[Service]\nExecStart=/nonexistent\n", "running": true}),
		"bad.service", "/nonexistent", "last lines of its log", "Failed")
	w.fails(unit(args{"content": "[Service]\nNonsense", "running": true}), "systemd does not take the unit file", "bad.service")
	w.fails(unit(args{"content": "[Service]\nExecStart=/bin/sleep 9\n", "enabled": true}), "cannot be enabled", "[Install]")

	dies := unit(args{"content": "[Service]\nExecStart=/bin/sh -c 'sleep 0.5; echo the disk is on fire >&2; exit 7'\n", "running": true})
	err := w.try(dies...)
	var not *resource.NotConverged
	if !errors.As(err, &not) || !strings.Contains(err.Error(), "the disk is on fire") || !strings.Contains(not.Summary, "bad.service ended after it was started") {
		t.Errorf("a unit that dies: %v", err)
	}
	err = w.try(unit(args{"content": "[Service]\nRestart=always\nRestartSec=30\nExecStart=/bin/sh -c 'sleep 0.5; echo again and again >&2; exit 7'\n", "running": true})...)
	if !errors.As(err, &not) || !strings.Contains(err.Error(), "again and again") {
		t.Errorf("a unit that dies: %v", err)
	}
	err = w.try(unit(args{"content": "[Service]\nType=oneshot\nExecStart=/bin/true\n", "running": true})...)
	if !errors.As(err, &not) || !strings.Contains(err.Error(), "RemainAfterExit=yes") {
		t.Errorf("a unit that runs once: %v", err)
	}
	w.apply(list("update systemd_unit.bad.service: content running"), unit(args{"content": "[Service]\nExecStart=/bin/sleep 999\n", "running": true})...)
	w.apply(list("delete systemd_unit.bad.service"))
}
