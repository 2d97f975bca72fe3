package remote

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sshHome makes a home folder with a configuration of ssh.
func sshHome(t testing.TB, config string) (home string) {
	t.Helper()
	home = t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("SSH_AUTH_SOCK", "/agent")
	dir := filepath.Join(home, ".ssh")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return home
}

// Every file here is also given to OpenSSH, which must say the same (ssh -G).
func TestSSHConfigIsReadAsOpenSSHDoes(t *testing.T) {
	for _, tt := range []struct {
		name, config string
		hosts        []string // user@host, or host
	}{
		{"nothing", "", []string{"web", "me@web"}},
		{"the first value counts", "Host web\n  Port 2201\n  User one\nHost *\n  Port 2202\n  User two\n", []string{"web", "db", "me@web"}},
		{"patterns", "Host *.example.com !db.example.com\n Port 1\nHost ?b 10.0.*\n Port 2\nHost web,db\n Port 3\n", []string{"web.example.com", "db.example.com", "db", "bb", "10.0.0.1", "web"}},
		{"before any host", "Port=2201\nUser = \"a user\"\n", []string{"web"}},
		{"comments and quotes", "# one\n\n  Host web # two\n\tPort\t2201 # three\n  IdentityFile \"/a b/key\"\n  IdentityFile /c\\ d\n", []string{"web"}},
		{"any case", "HOST web\n pORT 7\n", []string{"web", "WEB"}},
		{"hostname", "Host web\n HostName %h.example.com\nHost db\n HostName 10.0.0.9\nMatch host *.example.com\n Port 7\nMatch host db\n Port 8\n", []string{"web", "db"}},
		{"originalhost", "Host db\n HostName 10.0.0.9\nMatch originalhost db\n Port 8\nMatch originalhost 10.*\n User wrong\n", []string{"db", "10.0.0.9"}},
		{"match user", "Match user deploy,ops\n Port 5\nMatch host web user deploy\n User never\n IdentityFile /deploy\nMatch !user deploy\n IdentityFile /others\n", []string{"web", "deploy@web", "ops@web", "deploy@db"}},
		{"match localuser", "Match localuser root\n Port 5\nMatch localuser nobody\n Port 6\n", []string{"web"}},
		{"match exec", "Match exec \"test %n = web\"\n Port 5\nMatch host db exec \"test %h = db\"\n Port 6\nMatch !exec \"true\"\n Port 7\n", []string{"web", "db", "x"}},
		{"match all", "Match host web\n Port 5\nMatch all\n Port 6\n", []string{"web", "db"}},
		{"match final", "Host web\n HostName web.example.com\nMatch final host web.example.com\n User final\nMatch final all\n Port 9\n", []string{"web", "db"}},
		{"identities", "Host web\n IdentityFile /one\nHost *\n IdentityFile /two\n IdentityFile /one\n IdentityFile /%h/%p/%r/%n/%%\n IdentitiesOnly yes\n", []string{"web", "me@db"}},
		{"jump", "Host web\n ProxyJump bastion,me@second:2222\nHost *.in !bastion\n ProxyJump %r@gate-%h\nHost none\n ProxyJump none\n", []string{"web", "a.in", "none"}},
		{"known hosts", "Host web\n UserKnownHostsFile /a /b\n StrictHostKeyChecking accept-new\n HostKeyAlias other\nHost *\n UserKnownHostsFile none\n StrictHostKeyChecking no\n ConnectTimeout 7\n", []string{"web", "db"}},
		{"include", "Include INC/*.conf\nHost *\n Port 9\n", []string{"web", "db", "inner"}},
		{"include under a host", "Host web\n Include INC/*.conf\n User after\nHost *\n Port 9\n", []string{"web", "db", "inner"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inc := t.TempDir()
			for name, text := range map[string]string{"a.conf": "User included\nHost inner\n Port 21\n", "b.conf": "Match host web\n Port 22\n"} {
				if err := os.WriteFile(filepath.Join(inc, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			home := sshHome(t, strings.ReplaceAll(tt.config, "INC", inc))
			for _, host := range tt.hosts {
				user, alias, ok := strings.Cut(host, "@")
				if !ok {
					user, alias = "", host
				}
				c, err := lookupConfig(alias, user, 0)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := ours(c), theirs(t, filepath.Join(home, ".ssh", "config"), host); got != want {
					t.Errorf("%s:\n%s\nOpenSSH says:\n%s", host, got, want)
				}
			}
		})
	}
}

// ours is what we read, in a form that both have.
func ours(c *hostConfig) string {
	jump := c.proxyJump
	if jump == "none" {
		jump = ""
	}
	identities := c.identityFiles
	if !c.identitiesSet {
		identities = nil
	}
	return fmt.Sprintf("hostname %s, port %d, user %s, timeout %v, identities %v, only %t, jump %q, alias %q, new %t",
		c.hostName, c.port, c.user, c.connectTimeout, identities, c.identitiesOnly, jump, c.hostKeyAlias, c.acceptNew)
}

// theirs is what OpenSSH reads.
func theirs(t *testing.T, file, host string) string {
	t.Helper()
	out, err := exec.Command("/usr/bin/ssh", "-F", file, "-G", host).Output()
	if err != nil {
		t.Fatalf("ssh -G: %v", err)
	}
	v := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		v[key] = append(v[key], value)
	}
	one := func(key string) string { return strings.Join(v[key], " ") }
	identities := slices.DeleteFunc(v["identityfile"], func(s string) bool { return strings.HasPrefix(s, "~/.ssh/id_") })
	for i := range identities { // OpenSSH expands them when it uses them
		identities[i] = strings.NewReplacer("%%", "%", "%h", one("hostname"), "%p", one("port"), "%r", one("user"), "%n", host[strings.Index(host, "@")+1:]).Replace(identities[i])
	}
	timeout := one("connecttimeout") + "s"
	if timeout == "nones" {
		timeout = "0s"
	}
	jump := strings.NewReplacer("%r", one("user"), "%h", one("hostname")).Replace(one("proxyjump"))
	strict := one("stricthostkeychecking")
	return fmt.Sprintf("hostname %s, port %s, user %s, timeout %s, identities %v, only %t, jump %q, alias %q, new %t",
		one("hostname"), one("port"), one("user"), timeout, identities, one("identitiesonly") == "yes", jump, one("hostkeyalias"), strict == "accept-new" || strict == "false")
}

func TestSSHConfigPaths(t *testing.T) {
	home := sshHome(t, "Host web\n IdentityFile ~/.ssh/%h-${KIND}\n IdentityAgent ~/agent\n UserKnownHostsFile ~/known /etc/other\nHost db\n IdentityAgent none\n IdentityFile none\nHost env\n IdentityAgent $OTHER_AGENT\n")
	t.Setenv("KIND", "prod")
	t.Setenv("OTHER_AGENT", "/other")
	c, err := lookupConfig("web", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(c.identityFiles, c.agent, c.knownHosts[:2]), fmt.Sprint([]string{home + "/.ssh/web-prod"}, home+"/agent", []string{home + "/known", "/etc/other"}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if c, err = lookupConfig("db", "", 0); err != nil || c.agent != "" || len(c.identityFiles) != 0 || !c.identitiesSet {
		t.Errorf("got %+v, %v", c, err)
	}
	if c, err = lookupConfig("env", "", 0); err != nil || c.agent != "/other" {
		t.Errorf("got %+v, %v", c, err)
	}
	if c, err = lookupConfig("plain", "", 2222); err != nil || c.agent != "/agent" || c.port != 2222 || c.knownHosts[0] != home+"/.ssh/known_hosts" {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestSSHConfigMistakes(t *testing.T) {
	for _, tt := range []struct{ config, want string }{
		{"Host web\n Port many\n", `port "many": want a number from 1 to 65535`},
		{"Host web\n Port 70000\n", `port "70000"`},
		{"\nHost\n", "config:2: host has no value"},
		{"Match tagged x\n", "config:1: match tagged is not supported here"},
		{"Match colour red\n", `config:1: unknown criterion "colour" of Match`},
		{"Match all host x\n", "config:1: match all goes with nothing else"},
		{"Match user\n", "config:1: match user has no value"},
		{"IdentityFile \"/a\n", "config:1: a quote is not closed"},
		{"IdentityFile /%Z\n", "%Z is not supported here"},
		{"IdentityFile /x%\n", `"/x%" ends with a %`},
		{"IdentityFile /${NO_SUCH_THING}\n", "${NO_SUCH_THING} is not set"},
		{"IdentitiesOnly perhaps\n", `identitiesonly "perhaps": want yes or no`},
		{"StrictHostKeyChecking sometimes\n", `stricthostkeychecking "sometimes"`},
		{"Include ~/.ssh/config\n", "files include each other"},
		{"Include [\n", "config:1: include [: syntax error in pattern"},
		{"ProxyCommand nc %Z\n", "%Z is not supported here"},
		{"ConnectTimeout soon\n", `connecttimeout "soon"`},
	} {
		sshHome(t, tt.config)
		if _, err := lookupConfig("web", "", 0); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q gives %v, want %q", tt.config, err, tt.want)
		}
	}
	home := sshHome(t, "Port 1\n")
	if err := os.Chmod(filepath.Join(home, ".ssh", "config"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := lookupConfig("web", "", 0); err == nil || !strings.Contains(err.Error(), "chmod go-w") {
		t.Errorf("a file that others may write gives %v", err)
	}
}

func TestJumps(t *testing.T) {
	sshHome(t, "Host inner\n ProxyJump second\nHost second\n ProxyJump ops@first:2201\nHost first\n HostName 10.0.0.1\nHost loop\n ProxyJump loop\n")
	for _, tt := range []struct{ address, jump, want string }{
		{"inner", "", "ops@10.0.0.1:2201 me@second:22"},
		{"inner", "none", ""},
		{"other", "first, [fe80::1]:7", "me@10.0.0.1:22 me@fe80::1:7"},
		{"other", "ssh://ops@x:8/", "ops@x:8"},
		{"loop", "", "error: more than 8 jump hosts"},
		{"other", "-oProxyCommand=x", "error: the jump host"},
		{"other", "a,,b", `error: the jump host ""`},
	} {
		s, err := Machine{Address: tt.address, User: "me", Jump: tt.jump}.resolve()
		got := ""
		if err != nil {
			got = "error: " + err.Error()
		} else {
			var list []string
			for _, h := range s.hops {
				user := h.user
				if user == localUser() {
					user = "me"
				}
				list = append(list, fmt.Sprintf("%s@%s:%d", user, h.address, h.port))
			}
			got = strings.Join(list, " ")
		}
		want, isError := strings.CutPrefix(tt.want, "error: ")
		if !isError && got != want || isError && !strings.Contains(got, want) {
			t.Errorf("%s through %q: got %q, want %q", tt.address, tt.jump, got, tt.want)
		}
	}
}

// Whatever stands in the file, reading it ends, and says no more than an error.
func FuzzSSHConfig(f *testing.F) {
	f.Add("Host web\n Port 1\nMatch user a host \"b c\"\n IdentityFile %d/%%x # y\n")
	f.Add("ProxyJump = a@[::1]:2,b")
	f.Add("Match !final all")
	f.Fuzz(func(t *testing.T, config string) {
		low := strings.ToLower(config)
		if strings.Contains(low, "exec") || strings.Contains(low, "include") {
			t.Skip() // not on the machine that runs this
		}
		sshHome(t, config)
		s, err := Machine{Address: "web"}.resolve()
		if err == nil && (s.port < 1 || s.port > 65535 || s.address == "" && strings.TrimSpace(config) == "") {
			t.Errorf("got %+v", s)
		}
	})
}
