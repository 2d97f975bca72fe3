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
