package debian

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"
)

// loginctl lists who is logged in: nobody stays so here.
func loginctl(ctx context.Context, c *call) int {
	if len(c.args) > 1 && (c.args[1] == "list-sessions" || c.args[1] == "list-users") {
		c.printf("No sessions.\n")
		return 0
	}
	return c.notSimulated(strings.Join(c.args[1:], " "))
}

func timedatectl(ctx context.Context, c *call) int {
	switch strings.Join(c.args[1:], " ") {
	case "", "status":
		now := time.Now().UTC()
		c.printf("               Local time: %s\n           Universal time: %s\n                Time zone: Etc/UTC (UTC, +0000)\nSystem clock synchronized: yes\n              NTP service: n/a\n          RTC in local TZ: no\n",
			now.Format("Mon 2006-01-02 15:04:05 UTC"), now.Format("Mon 2006-01-02 15:04:05 UTC"))
		return 0
	}
	return c.notSimulated(strings.Join(c.args[1:], " "))
}

func hostnamectl(ctx context.Context, c *call) int {
	switch {
	case len(c.args) == 1 || c.args[1] == "status":
		c.printf(" Static hostname: %s\n  Virtualization: swarmscript lab\nOperating System: Debian GNU/Linux %s (%s)\n          Kernel: Linux %s\n    Architecture: x86-64\n",
			c.sys.hostname(), releases[c.sys.cfg.Image].version, releases[c.sys.cfg.Image].codename, c.sys.kernel())
		return 0
	case len(c.args) == 3 && (c.args[1] == "set-hostname" || c.args[1] == "hostname"):
		if c.proc.who.UID != 0 {
			return c.fail(1, "Could not set static hostname: Interactive authentication required.")
		}
		if err := c.sys.fs.Root().WriteFile("/etc/hostname", []byte(c.args[2]+"\n"), 0o644); err != nil {
			return c.failErr(1, err)
		}
		return 0
	}
	return c.notSimulated(strings.Join(c.args[1:], " "))
}

// powerCommand is reboot, poweroff, halt and shutdown.
func powerCommand(ctx context.Context, c *call) int {
	reboot := c.name() == "reboot"
	if c.name() == "shutdown" {
		words := strings.Join(c.args[1:], " ")
		reboot = strings.HasPrefix(words, "-r")
		if !strings.HasSuffix(words, "now") && !strings.HasSuffix(words, "+0") {
			return c.notSimulated(words + " (only now)")
		}
	}
	if c.proc.who.UID != 0 {
		return c.fail(1, "Interactive authentication required.")
	}
	return c.sys.leaveNow(reboot)
}

// leaveNow switches the machine off, and on again for a reboot. It is done behind the
// command's back, which ends with the machine.
func (s *System) leaveNow(reboot bool) int {
	halted := s.cfg.Halted
	go func() {
		if halted != nil {
			halted(reboot)
			return
		}
		ctx := context.Background() // it outlives all that runs on the machine
		_ = s.Shutdown(ctx)
		if reboot {
			_ = s.Boot(ctx)
		}
	}()
	return 0
}

// sshdCommand is sshd, which checks its files: its unit runs it.
func sshdCommand(ctx context.Context, c *call) int {
	switch words := strings.Join(c.args[1:], " "); words {
	case "-t", "-T":
	default:
		return c.notSimulated(words)
	}
	if c.proc.who.UID != 0 {
		return c.fail(255, "no hostkeys available -- exiting.")
	}
	options, problem := c.sys.sshdOptions("/etc/ssh/sshd_config", 0)
	if problem != "" {
		c.flush()
		fmt.Fprintln(c.stderr, problem)
		return 255
	}
	if c.args[1] == "-T" {
		for _, name := range sortedKeys(options) {
			c.printf("%s %s\n", name, options[name])
		}
	}
	return 0
}

// sshdKeywords are the options that sshd knows.
var sshdKeywords = func() map[string]bool {
	all := map[string]bool{}
	for _, name := range strings.Fields(`AcceptEnv AddressFamily AllowAgentForwarding AllowGroups AllowStreamLocalForwarding AllowTcpForwarding AllowUsers AuthenticationMethods AuthorizedKeysCommand
		AuthorizedKeysCommandUser AuthorizedKeysFile AuthorizedPrincipalsFile Banner CASignatureAlgorithms ChannelTimeout ChrootDirectory Ciphers ClientAliveCountMax ClientAliveInterval Compression DebianBanner DenyGroups
		DenyUsers DisableForwarding ExposeAuthInfo FingerprintHash ForceCommand GatewayPorts GSSAPIAuthentication GSSAPICleanupCredentials HostbasedAuthentication HostCertificate HostKey HostKeyAgent HostKeyAlgorithms
		IgnoreRhosts IgnoreUserKnownHosts Include IPQoS KbdInteractiveAuthentication ChallengeResponseAuthentication KerberosAuthentication KexAlgorithms ListenAddress LoginGraceTime LogLevel LogVerbose MACs Match MaxAuthTries
		MaxSessions MaxStartups ModuliFile PasswordAuthentication PermitEmptyPasswords PermitListen PermitOpen PermitRootLogin PermitTTY PermitTunnel PermitUserEnvironment PermitUserRC PerSourceMaxStartups PerSourceNetBlockSize
		PerSourcePenalties PidFile Port PrintLastLog PrintMotd PubkeyAcceptedAlgorithms PubkeyAuthOptions PubkeyAuthentication RekeyLimit RequiredRSASize RevokedKeys SetEnv StreamLocalBindMask StreamLocalBindUnlink StrictModes
		Subsystem SyslogFacility TCPKeepAlive TrustedUserCAKeys UnusedConnectionTimeout UseDNS UsePAM VersionAddendum X11DisplayOffset X11Forwarding X11UseLocalhost XAuthLocation`) {
		all[strings.ToLower(name)] = true
	}
	return all
}()

var yesOrNo = map[string]bool{"passwordauthentication": true, "pubkeyauthentication": true, "kbdinteractiveauthentication": true, "x11forwarding": true, "permitemptypasswords": true, "usepam": true, "usedns": true, "printmotd": true, "strictmodes": true}

// sshdOptions reads sshd's files; the first value of an option counts.
func (s *System) sshdOptions(file string, depth int) (options map[string]string, problem string) {
	options = map[string]string{}
	text, err := s.fs.Root().ReadFile(file)
	if err != nil {
		return nil, file + ": " + reason(err)
	}
	n, match := 0, false
	for line := range strings.Lines(string(text)) {
		n++
		w := strings.Fields(strings.ReplaceAll(line, "=", " "))
		if len(w) == 0 || w[0][0] == '#' {
			continue
		}
		name := strings.ToLower(w[0])
		switch {
		case !sshdKeywords[name]:
			return nil, fmt.Sprintf("%s: line %d: Bad configuration option: %s\n%s: terminating, 1 bad configuration options", file, n, w[0], file)
		case len(w) < 2:
			return nil, fmt.Sprintf("%s line %d: %s: missing argument.", file, n, w[0])
		case yesOrNo[name] && w[1] != "yes" && w[1] != "no":
			return nil, fmt.Sprintf("%s line %d: unsupported option \"%s\".", file, n, w[1])
		case name == "permitrootlogin" && !strings.Contains(" yes no prohibit-password without-password forced-commands-only ", " "+w[1]+" "):
			return nil, fmt.Sprintf("%s line %d: unsupported option \"%s\".", file, n, w[1])
		case name == "match":
			match = true
		case name == "include" && depth < 16:
			if problem := s.includeOptions(options, w[1], depth); problem != "" {
				return nil, problem
			}
			continue
		}
		if _, has := options[name]; !has && !match {
			options[name] = strings.Join(w[1:], " ")
		}
	}
	return options, ""
}

func (s *System) includeOptions(options map[string]string, pattern string, depth int) string {
	if !strings.HasPrefix(pattern, "/") {
		pattern = "/etc/ssh/" + pattern
	}
	entries, _ := s.fs.Root().ReadDir(path.Dir(pattern))
	for _, e := range entries {
		if ok, _ := path.Match(path.Base(pattern), e.Name); !ok {
			continue
		}
		more, problem := s.sshdOptions(path.Dir(pattern)+"/"+e.Name, depth+1)
		if problem != "" {
			return problem
		}
		for k, v := range more {
			if _, has := options[k]; !has {
				options[k] = v
			}
		}
	}
	return ""
}

func modprobe(ctx context.Context, c *call) int { return c.notSimulated(strings.Join(c.args[1:], " ")) }

// ipCommand is ip, which shows the machine's one address.
func ipCommand(ctx context.Context, c *call) int {
	var words []string
	oneLine, brief := false, false
	for _, w := range c.args[1:] {
		switch w {
		case "-o", "-oneline":
			oneLine = true
		case "-br", "-brief":
			brief = true
		case "-4", "-family", "inet":
		default:
			words = append(words, w)
		}
	}
	if len(words) == 0 {
		return c.fail(255, "want an object: ip address, ip link, ip route")
	}
	mine := c.sys.cfg.Address
	switch rest := strings.Join(words, " "); {
	case strings.HasPrefix("address", words[0]) && len(words) <= 4:
		global := strings.Contains(rest, "scope global") || strings.Contains(rest, "eth0")
		switch {
		case brief:
			c.printf("lo               UNKNOWN        127.0.0.1/8 \neth0             UP             %s/8 \n", mine)
		case oneLine && global:
			c.printf("2: eth0    inet %s/8 brd 127.255.255.255 scope global eth0\\       valid_lft forever preferred_lft forever\n", mine)
		case oneLine:
			c.printf("1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever\n2: eth0    inet %s/8 brd 127.255.255.255 scope global eth0\\       valid_lft forever preferred_lft forever\n", mine)
		default:
			if !global {
				c.printf("1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000\n    inet 127.0.0.1/8 scope host lo\n       valid_lft forever preferred_lft forever\n")
			}
			c.printf("2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq_codel state UP group default qlen 1000\n    inet %s/8 brd 127.255.255.255 scope global eth0\n       valid_lft forever preferred_lft forever\n", mine)
		}
		return 0
	case strings.HasPrefix(rest, "route get"):
		c.printf("%s dev eth0 src %s uid %d \n    cache \n", words[len(words)-1], mine, c.proc.who.UID)
		return 0
	case rest == "route" || rest == "route show" || rest == "r":
		c.printf("127.0.0.0/8 dev eth0 proto kernel scope link src %s\n", mine)
		return 0
	}
	return c.notSimulated(strings.Join(c.args[1:], " "))
}

// ssCommand is ss: what the machine's own programs listen on.
func ssCommand(ctx context.Context, c *call) int {
	opts, operands, bad, ok := c.options("tulnpax46H", "tcp", "udp", "listening", "numeric", "processes", "unix", "no-header")
	if !ok {
		return bad
	}
	if len(operands) > 0 {
		return c.notSimulated("a filter")
	}
	unix := false
	for _, o := range opts {
		unix = unix || o.name == "x" || o.name == "unix"
	}
	c.printf("State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n")
	if unix {
		for _, line := range strings.Split(strings.TrimSpace(c.sys.procUnix()), "\n")[1:] {
			w := strings.Fields(line)
			c.printf("LISTEN 0      4096   %s %s * 0\n", w[len(w)-1], w[6])
		}
		return 0
	}
	if c.sys.units.state("ssh.service").running() {
		c.printf("LISTEN 0      128          0.0.0.0:22        0.0.0.0:*\n")
	}
	return 0
}
