package debian

import (
	"reflect"
	"strings"
	tester "testing"
	"time"
)

// Versions are ordered as Debian's policy has it.
func TestDebianOrder(t *tester.T) {
	inOrder := strings.Fields("1.0~~ 1.0~rc1 1.0 1.0-1 1.0-1+deb12u1 1.0-1+deb12u10 1.0+dfsg 1.0.1 1.2 1.10 1.10a 2:0.1 10:0")
	for i, a := range inOrder {
		for j, b := range inOrder {
			if got := debianOrder(a, b); got != sign(i-j) {
				t.Errorf("%s and %s are in the order %d, want %d", a, b, got, sign(i-j))
			}
		}
	}
	if debianOrder("1.0", "1.00") != 0 {
		t.Error("leading zeros count")
	}
}

// The catalogue is whole: what the image has is installed with all that it needs.
func TestCatalogue(t *tester.T) {
	for image, read := range catalogues {
		cat := read()
		d := &dpkg{cat: cat, all: map[string]*installed{}}
		for _, p := range cat.base {
			d.all[p.name] = &installed{p.name, p.version, p.arch, "install", "installed"}
		}
		p := newAptPlan(d)
		for name, q := range p.there() {
			for _, group := range q.depends {
				satisfied := false
				for _, r := range group {
					satisfied = satisfied || p.satisfied(r)
				}
				if !satisfied {
					t.Errorf("%s: %s needs %s", image, name, joinRelations([][]relation{group}))
				}
			}
		}
		for name := range broughts {
			if cat.packages[name] == nil && catalogues["debian-12"]().packages[name] == nil {
				t.Errorf("%s: there is no package %s", image, name)
			}
		}
	}
}

// Words of a unit's command lines.
func TestUnitWords(t *tester.T) {
	env := []string{"A=one two", "B="}
	for line, want := range map[string][]string{
		`/bin/a $A ${A} "x y" 'z"' $B ${B} $$`: {"/bin/a", "one", "two", "one two", "x y", `z"`, "", "$"},
		`a "b\"c" d\se`:                        {"a", `b"c`, "d e"},
		`a b=${A}c`:                            {"a", "b=one twoc"},
		"":                                     nil,
	} {
		if got := unitWords(line, env); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %q, want %q", line, got, want)
		}
	}
}

func TestNextCalendar(t *tester.T) {
	now := time.Date(2026, 11, 21, 20, 30, 10, 0, time.UTC) // a Saturday
	for text, want := range map[string]string{
		"minutely": "2026-11-21 20:31:00", "hourly": "2026-11-21 21:00:00", "daily": "2026-11-22 00:00:00", "weekly": "2026-11-23 00:00:00", "monthly": "2026-12-01 00:00:00",
		"*-*-* 06:00": "2026-11-22 06:00:00", "22:15:30": "2026-11-21 22:15:30", "Mon *-*-* 06:00": "", "": "",
	} {
		at, ok := nextCalendar(text, now)
		if got := at.Format(time.DateTime); ok != (want != "") || ok && got != want {
			t.Errorf("%q is next at %s (%t), want %s", text, got, ok, want)
		}
	}
}

func TestTimeSpan(t *tester.T) {
	for text, want := range map[string]time.Duration{"5": 5 * time.Second, "100ms": 100 * time.Millisecond, "1min 30s": 90 * time.Second, "2h": 2 * time.Hour, "1d": 24 * time.Hour, "0.5": time.Second / 2} {
		if got, ok := timeSpan(text); !ok || got != want {
			t.Errorf("%s is %s (%t), want %s", text, got, ok, want)
		}
	}
	if _, ok := timeSpan("soon"); ok {
		t.Error("soon is a time")
	}
}

// What dockerd refuses, in its words.
func TestCheckDaemon(t *tester.T) {
	for text, want := range map[string]string{
		`{}`: "", `{"debug": true, "log-opts": {"a": "b"}, "default-address-pools": [{"base": "10.0.0.0/8", "size": 24}]}`: "",
		`{"nope": 1, "also": 2}`:              "the following directives don't match any configuration option: also, nope",
		`{"debug": "yes"}`:                    "json: cannot unmarshal string into Go struct field Config.debug of type bool",
		`{"labels": ["x"]}`:                   "bad attribute format: x",
		`{"dns": ["x"]}`:                      "IP address is not correctly formatted: x",
		`{"max-concurrent-downloads": -1}`:    "invalid max concurrent downloads: -1",
		`{"debug": true`:                      "unexpected end of JSON input",
		`{"debug": true} x`:                   "invalid character after top-level value",
		`{"insecure-registries": "reg:5000"}`: "json: cannot unmarshal string into Go struct field Config.insecure-registries of type []string",
	} {
		got := ""
		if _, err := checkDaemon([]byte(text)); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// A machine has what it was made to have when the store is opened again, and what is
// enabled runs again.
func TestUnitsAfterBoot(t *tester.T) {
	s, err := New(Config{Hostname: "m1", Image: "debian-12", Address: "127.1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for range 2 {
		if err := s.Boot(ctx); err != nil {
			t.Fatal(err)
		}
		if u := s.units.state("ssh.service"); !u.running() || u.pid == 0 {
			t.Errorf("sshd is %s", u.active)
		}
		if u := s.units.state("a.service"); u.load == "loaded" && !u.running() {
			t.Errorf("a unit that is enabled is %s after the machine was started again", u.active)
		}
		root := s.fs.Root()
		if err := root.WriteFile("/etc/systemd/system/a.service", []byte("[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := s.units.enable("a.service"); err != nil {
			t.Fatal(err)
		}
		if err := s.Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// What reads files that people write never panics.
func FuzzSystemFiles(f *tester.F) {
	for _, s := range []string{"[Service]\nExecStart=/bin/x \\\n y\n", "deb [a=b] http://x y z", "Types: deb\nURIs: a\nSuites: b\n c", "A::B { \"x\"; C \"y\"; };\n#clear A;", "allow in on eth0 proto tcp from 10.0.0.0/8 to any port 80,443 comment x",
		"allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in comment=6162", `{"a":1}`, "*filter\n:X - [0:0]\n-A X -p tcp --dport 22 -j ACCEPT\nCOMMIT", "Package: a\nStatus: install ok installed\n", "1:1.0~rc1-2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *tester.T, text string) {
		u := unitFile{values: map[string][]string{}}
		u.parse(text)
		u.commands("Service.ExecStart", "a@b.service", []string{"A=b"})
		_, _ = oneLineSources(text, "x")
		_, _ = deb822Sources(text, "x")
		_ = (&aptConf{}).parse(text)
		_, _ = readTuple(text)
		if w := strings.Fields(text); len(w) > 0 {
			if r, err := parseUFWRule(w); err == nil {
				r.lines("ufw")
				r.row(true, true)
				r.words()
			}
		}
		_, _ = checkDaemon([]byte(text))
		_ = newFilters(false).restore(strings.NewReader(text), true)
		stanzas(text)
		relations(text)
		if a := debianOrder(text, "1.0-1"); a != -debianOrder("1.0-1", text) {
			t.Errorf("%q is in no order", text)
		}
	})
}
