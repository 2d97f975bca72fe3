package host

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

var start = time.Unix(1763740000, 0).UTC()

func TestFacts(t *testing.T) {
	f, err := parseFacts([]byte(`os=debian
version=12
pretty=Debian GNU/Linux 12 (bookworm)
hostname=m1
kernel=6.1.0
arch=x86_64
machine-id=0123
running=4567-89 pid:[4026531836]
ssh=10.0.0.1 50000 10.0.0.2 2222
docker=installed
socket=/run/docker.sock
docker-state=active
clock=1763740000.500000000
`), start, start.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	want := Facts{
		OS: "debian", Version: "12", Pretty: "Debian GNU/Linux 12 (bookworm)", Arch: "amd64", Hostname: "m1", Kernel: "6.1.0", MachineID: "0123", Running: "0123 4567-89 pid:[4026531836]",
		Docker: Docker{Installed: true, Running: true, Socket: "/run/docker.sock"}, SSH: Login{"10.0.0.1", 2222},
	}
	if *f != want {
		t.Errorf("got %+v, want %+v", *f, want)
	}
	if s := f.summary(); s != "debian 12, amd64" {
		t.Errorf("the summary is %q", s)
	}
	if _, err := parseFacts([]byte("os=x\nclock=\n"), start, start); err == nil {
		t.Error("a machine without a clock is no error")
	}
}

// A clock that may be right is right: it was read at some time of the request.
func TestSkew(t *testing.T) {
	answered := start.Add(4 * time.Second)
	for _, c := range []struct {
		clock time.Duration
		skew  time.Duration
		warns string
	}{
		{0, 0, ""}, {4 * time.Second, 0, ""}, {-time.Second, -time.Second, ""}, {8 * time.Second, 4 * time.Second, ""},
		{64 * time.Second, time.Minute, "is 1m0s ahead of this computer's"},
		{-2 * time.Hour, -2 * time.Hour, "is 2h0m0s behind this computer's"},
	} {
		f := &Facts{Hostname: "m1", Skew: skew(start.Add(c.clock), start, answered)}
		if f.Skew != c.skew {
			t.Errorf("a clock at %s is %s off, want %s", c.clock, f.Skew, c.skew)
		}
		if got := strings.Join(f.warnings(), "\n"); !strings.Contains(got, c.warns) || (got == "") != (c.warns == "") {
			t.Errorf("a clock at %s warns %q, want %q", c.clock, got, c.warns)
		}
	}
}

// Two projects, and two objects, never share a file.
func TestStoreNames(t *testing.T) {
	for project, want := range map[string]string{
		"shop":      root + "/project/pshop",
		"shop/prod": root + "/project/pshop%2Fprod",
		"":          root + "/project/p",
		"..":        root + "/project/p%2E%2E",
		"a b.c":     root + "/project/pa%20b%2Ec",
	} {
		if got := projectDir(project); got != want {
			t.Errorf("%q is kept in %q, want %q", project, got, want)
		}
	}
	if a, b := fileOf("file", "/a"), fileOf("directory", "/a"); a == b || !strings.HasPrefix(a, "file-") {
		t.Errorf("a file and a folder are kept in %q and %q", a, b)
	}
}

func options(pairs ...value.Value) *value.Map {
	var m []value.Entry
	for i := 0; i < len(pairs); i += 2 {
		m = append(m, value.Entry{Key: pairs[i].(string), Value: pairs[i+1]})
	}
	return value.NewMap(m)
}

// What is wrong with arguments is told while the script runs.
func TestChecks(t *testing.T) {
	ref := value.Ref{Address: "vm.m1", Output: "private_ip", Type: "string"}
	secret := value.Secret{V: "hunter2"}
	type args map[string]value.Value
	for _, c := range []struct {
		kind *resource.Kind
		args args
		want string // "" for nothing wrong
	}{
		{FileKind, args{"name": "/etc/motd", "content": ref}, ""},
		{FileKind, args{"name": "etc/motd"}, "want an absolute path"},
		{FileKind, args{"name": "/etc/../motd"}, `("/motd")`},
		{FileKind, args{"name": "/etc/"}, "shortest form"},
		{FileKind, args{"name": root + "/x"}, "where the marks of projects are kept"},
		{FileKind, args{"name": "/x", "content": "a", "content_base64": "YQ=="}, "cannot be given beside content"},
		{FileKind, args{"name": "/x", "content_base64": "?"}, "is not base64"},
		{FileKind, args{"name": "/x", "owner": "a b"}, "owner: got"},
		{FileKind, args{"name": "/x", "group": "Üser"}, "group: got"},
		{FileKind, args{"name": "/x", "mode": "0999"}, "mode: got"},
		{DirectoryKind, args{"name": "x"}, "want an absolute path"},
		{PackageKind, args{"name": "nginx", "version": "1.22*", "hold": true}, ""},
		{PackageKind, args{"name": "Nginx"}, "want the name of a package"},
		{PackageKind, args{"name": "-y"}, "want the name of a package"},
		{PackageKind, args{"name": "nginx", "version": "1 2"}, "want a version or a pattern"},
		{PackageKind, args{"name": "nginx", "version": "1[2"}, "want a version or a pattern"},
		{PackageKind, args{"name": "nginx", "installed": false, "version": "1"}, "says nothing of a package that is not to be installed"},
		{CommandKind, args{"name": "x", "run": "true", "environment": value.MapOf(map[string]string{"A": "1"})}, ""},
		{CommandKind, args{"name": "x", "run": secret}, "must not hold a sensitive value"},
		{CommandKind, args{"name": "x", "run": "true", "unless": ref}, "asked before any step is run"},
		{CommandKind, args{"name": "x", "run": "true", "creates": "y"}, "want an absolute path"},
		{CommandKind, args{"name": "x", "run": "true", "cwd": "y"}, "want an absolute path"},
		{CommandKind, args{"name": "x", "run": "true", "environment": value.MapOf(map[string]string{"A-B": "1"})}, "no name of an environment variable"},
		{CommandKind, args{"name": "x", "run": strings.Repeat("x", maxScript+1)}, "is the most"},
		{UnitKind, args{"name": "app.service", "masked": false, "running": true}, ""},
		{UnitKind, args{"name": "app"}, `("app.service")`},
		{UnitKind, args{"name": "../x.service"}, "want the name of a unit"},
		{UnitKind, args{"name": "app.service", "masked": true, "running": true}, "nothing can start a unit that is masked"},
		{UnitKind, args{"name": "app.service", "masked": true, "content": "x"}, "has no file"},
		{SysctlKind, args{"name": "vm.swappiness", "value": int64(10)}, ""},
		{SysctlKind, args{"name": "vm.swappiness", "value": ref}, ""},
		{SysctlKind, args{"name": "swappiness", "value": "1"}, "want the name of a setting"},
		{SysctlKind, args{"name": "vm/../../etc/passwd", "value": "1"}, "want the name of a setting"},
		{SysctlKind, args{"name": "vm.swappiness", "value": "1\n2"}, "want one line"},
		{SysctlKind, args{"name": "vm.swappiness", "value": true}, "want text or a number"},
		{UserKind, args{"name": "ops", "password_hash": secret}, "a sensitive value is not valid here"},
		{UserKind, args{"name": "Ops"}, "want the name of an account"},
		{UserKind, args{"name": "ops", "shell": "bash"}, "want an absolute path"},
		{UserKind, args{"name": "ops", "comment": "a:b"}, "without a colon"},
		{UserKind, args{"name": "ops", "groups": value.List{"a b"}}, "groups[0]: got"},
		{UserKind, args{"name": "ops", "ssh_keys": value.List{"ssh-rsa nonsense"}}, "ssh_keys[0]: is not a public key"},
		{FirewallKind, args{"rules": value.List{options("port", int64(22), "proto", "tcp")}}, ""},
		{FirewallKind, args{"rules": value.List{options("ports", "22,x")}}, "rules[0].ports: got"},
		{FirewallKind, args{"rules": value.List{options("ports", "22,23")}}, "rules[0].proto: want"},
		{FirewallKind, args{"rules": value.List{options("port", int64(1), "ports", "2")}}, "cannot be given beside port"},
		{FirewallKind, args{"rules": value.List{options("from_", "10.0.0.0/33")}}, "want an IP address"},
		{FirewallKind, args{"rules": value.List{options("port", int64(1), "proto", "esp")}}, "esp has no ports"},
		{FirewallKind, args{"rules": value.List{options("interface", "a b")}}, "rules[0].interface"},
		{FirewallKind, args{"published": value.List{options("action", "deny")}}, "a published port can be allowed"},
		{Fail2banKind, args{"jails": options("sshd", options("maxretry", int64(3)))}, ""},
		{Fail2banKind, args{"jails": options("DEFAULT", options())}, "is no name of a jail"},
		{Fail2banKind, args{"jails": options("sshd", options("a b", "1"))}, "is no name of an option"},
		{Fail2banKind, args{"defaults": options("bantime", "1\n2")}, "want one line of text"},
		{UpgradesKind, args{"blacklist": value.List{"docker"}, "reboot_time": "02:30"}, ""},
		{UpgradesKind, args{"reboot_time": "26:00"}, "want a time as 02:30"},
		{UpgradesKind, args{"blacklist": value.List{"("}}, "blacklist[0]: "},
		{UpgradesKind, args{"origins": value.List{`a"b`}}, "origins[0]: "},
	} {
		in := make(value.Struct, len(c.kind.Schema.Fields()))
		for name, v := range c.args {
			set(c.kind.Schema, in, name, v)
		}
		out, problems := c.kind.Schema.CheckAll(in)
		if problems == nil {
			problems = c.kind.Check(out)
		}
		if got := problems.Error(); !strings.Contains(got, c.want) || (len(problems) > 0) != (c.want != "") {
			t.Errorf("%s %v: %q, want %q", c.kind.Name, c.args, got, c.want)
		}
		if strings.Contains(problems.Error(), "hunter2") {
			t.Errorf("%s: the secret is shown: %v", c.kind.Name, problems)
		}
	}
}

// A rule is read back from ufw's files as it was given.
func TestFirewallRules(t *testing.T) {
	ssh, web := 22, 80
	for _, r := range []FirewallRule{
		{Action: "allow", Port: &ssh, Proto: "tcp", From: "any", To: "any", Direction: "in"},
		{Action: "limit", Ports: "80,443", Proto: "tcp", From: "10.0.0.0/8", To: "any", Direction: "in", Interface: "eth0"},
		{Action: "deny", Ports: "7000:7100", Proto: "udp", From: "any", To: "10.1.2.3", Direction: "out"},
		{Action: "allow", Proto: "esp", From: "2001:db8::1", To: "any", Direction: "in"},
		{Action: "reject", Port: &web, Proto: "any", From: "any", To: "any", Direction: "in"},
	} {
		got, err := parseTuple(r.tuple())
		if err != nil || got.line() != r.line() || fmt.Sprint(got.ports()) != r.ports() {
			t.Errorf("%q is read as %+v, %v, want %+v", r.tuple(), got, err, r)
		}
	}
	for _, line := range []string{"", "allow", "allow tcp 22 x any y in", "allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in comment=z"} {
		if _, err := parseTuple(line); err == nil {
			t.Errorf("%q is a rule", line)
		}
	}
	if r, err := parseTuple("allow_log tcp 22 0.0.0.0/0 any 0.0.0.0/0 in"); err != nil || r.Comment == "" {
		t.Errorf("a rule that a script cannot say is %+v, %v: it must differ from all that it can", r, err)
	}
}

// Rules that would cut us off are known before they are made.
func TestFirewallAdmits(t *testing.T) {
	port := func(n int) *int { return &n }
	client := netip.MustParseAddr("10.0.0.5")
	for _, c := range []struct {
		about string
		spec  FirewallSpec
		ok    bool
	}{
		{"nothing is allowed", FirewallSpec{Enabled: true, Incoming: "deny"}, false},
		{"everything is", FirewallSpec{Enabled: true, Incoming: "allow"}, true},
		{"it is off", FirewallSpec{Incoming: "deny"}, true},
		{"the port is allowed", FirewallSpec{Enabled: true, Incoming: "deny", Rules: []FirewallRule{{Action: "allow", Port: port(22), Proto: "tcp", From: "any", To: "any", Direction: "in"}}}, true},
		{"limited", FirewallSpec{Enabled: true, Incoming: "deny", Rules: []FirewallRule{{Action: "limit", Ports: "20:25", Proto: "tcp", From: "10.0.0.0/24", To: "any", Direction: "in"}}}, true},
		{"another port", FirewallSpec{Enabled: true, Incoming: "deny", Rules: []FirewallRule{{Action: "allow", Port: port(2222), Proto: "tcp", From: "any", To: "any", Direction: "in"}}}, false},
		{"another protocol", FirewallSpec{Enabled: true, Incoming: "deny", Rules: []FirewallRule{{Action: "allow", Port: port(22), Proto: "udp", From: "any", To: "any", Direction: "in"}}}, false},
		{"another network", FirewallSpec{Enabled: true, Incoming: "deny", Rules: []FirewallRule{{Action: "allow", Port: port(22), Proto: "tcp", From: "10.0.1.0/24", To: "any", Direction: "in"}}}, false},
		{"the way out", FirewallSpec{Enabled: true, Incoming: "reject", Rules: []FirewallRule{{Action: "allow", Port: port(22), Proto: "tcp", From: "any", To: "any", Direction: "out"}}}, false},
		{"denied before", FirewallSpec{Enabled: true, Incoming: "allow", Rules: []FirewallRule{
			{Action: "deny", Proto: "any", From: "10.0.0.0/8", To: "any", Direction: "in"},
			{Action: "allow", Port: port(22), Proto: "tcp", From: "any", To: "any", Direction: "in"}}}, false},
		{"denied on an interface that may not be ours", FirewallSpec{Enabled: true, Incoming: "allow", Rules: []FirewallRule{{Action: "deny", Proto: "any", From: "any", To: "any", Direction: "in", Interface: "eth1"}}}, true},
	} {
		ok, why := c.spec.admits(client, 22)
		if ok != c.ok || ok == (why != "") && c.spec.Incoming != "allow" {
			t.Errorf("%s: %t (%s), want %t", c.about, ok, why, c.ok)
		}
	}
	f := &Facts{SSH: Login{"10.0.0.5", 22}}
	args := firewallSchema.Encode(&FirewallSpec{Enabled: true, Incoming: "deny", Outgoing: "allow", Routed: "deny", Logging: "low"})
	found := f.Forecast([]resource.Prospect{{Address: "vm.m1/firewall.ufw", Kind: "firewall", Changes: true, Args: args, Schema: firewallSchema}}, nil)
	if len(found) != 1 || found[0].Severity != diag.Error || !strings.Contains(found[0].Summary, "cut off the SSH connection that we use, from 10.0.0.5 to port 22") {
		t.Errorf("the plan says %+v", found)
	}
}

func TestAptFailures(t *testing.T) {
	for log, want := range map[string]string{
		"Err:1 http://x bookworm\n  Could not connect\nE: Failed to fetch http://x  Could not connect\n":                                                 "packages cannot be fetched",
		"The following packages will be REMOVED:\n  a b\n  c\nThe following NEW\nE: Packages need to be removed but remove is disabled.\n":               "it would remove packages, which nobody asked for: a, b, c;",
		"dpkg: error processing archive x (--unpack):\n cannot copy: No space left on device\nE: Sub-process /usr/bin/dpkg returned an error code (1)\n": "the disk is full",
		"E: Unmet dependencies\n": "apt-get failed\nE: Unmet dependencies",
		"something else\n":        "apt-get failed\nsomething else",
	} {
		if got := aptFailure("install", log).Error(); !strings.Contains(got, want) {
			t.Errorf("%q\nis told as %q, want %q", log, got, want)
		}
	}
}
