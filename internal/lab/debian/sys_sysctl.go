package debian

import (
	"context"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// settings are those of the kernel: files of /proc/sys that can be written. They are as
// the image has them each time that the machine is switched on.
type settings struct {
	mu    sync.Mutex
	is    map[string]string // by path below /proc/sys; what is as the kernel has it is not there
	known map[string]setting
}

// setting is one: what the kernel has, and what it takes: "bool", "int", "uint",
// "ints" or "text".
type setting struct{ value, kind string }

// kernelSettings are the settings that people change on servers of containers.
var kernelSettings = sync.OnceValue(func() map[string]setting {
	all := map[string]setting{}
	for _, line := range strings.Split(strings.TrimSpace(`
bool 0 net/ipv4/ip_forward net/ipv4/conf/all/forwarding net/ipv4/conf/default/forwarding net/ipv4/conf/eth0/forwarding net/ipv4/conf/lo/forwarding net/ipv6/conf/all/forwarding net/ipv6/conf/default/forwarding net/ipv4/conf/all/accept_source_route net/ipv6/conf/all/accept_source_route net/ipv6/conf/default/accept_source_route net/ipv4/conf/all/log_martians net/ipv4/conf/default/log_martians net/ipv4/ip_nonlocal_bind net/ipv4/conf/all/arp_ignore net/ipv4/conf/all/arp_announce net/ipv6/conf/all/disable_ipv6 net/ipv6/conf/default/disable_ipv6 net/ipv6/conf/lo/disable_ipv6 vm/overcommit_memory kernel/sysrq kernel/panic_on_oops net/ipv4/vs/conntrack net/ipv4/vs/expire_nodest_conn vm/panic_on_oom
bool 1 net/ipv4/conf/all/accept_redirects net/ipv4/conf/default/accept_redirects net/ipv4/conf/eth0/accept_redirects net/ipv4/conf/all/send_redirects net/ipv4/conf/default/send_redirects net/ipv4/conf/eth0/send_redirects net/ipv4/conf/all/secure_redirects net/ipv4/conf/default/secure_redirects net/ipv4/conf/default/accept_source_route net/ipv6/conf/all/accept_redirects net/ipv6/conf/default/accept_redirects net/ipv6/conf/all/accept_ra net/ipv6/conf/default/accept_ra net/ipv4/tcp_syncookies net/ipv4/icmp_echo_ignore_broadcasts net/ipv4/icmp_ignore_bogus_error_responses net/ipv4/tcp_timestamps net/ipv4/tcp_sack net/ipv4/tcp_window_scaling net/bridge/bridge-nf-call-iptables net/bridge/bridge-nf-call-ip6tables fs/protected_hardlinks fs/protected_symlinks kernel/unprivileged_userns_clone
uint 0 net/ipv4/conf/all/rp_filter kernel/panic kernel/kptr_restrict net/ipv4/icmp_echo_ignore_all vm/zone_reclaim_mode fs/suid_dumpable kernel/core_uses_pid
uint 2 net/ipv4/conf/default/rp_filter kernel/randomize_va_space net/ipv4/tcp_tw_reuse kernel/unprivileged_bpf_disabled
uint 1 kernel/dmesg_restrict kernel/yama/ptrace_scope net/ipv4/tcp_mtu_probing
uint 60 vm/swappiness net/ipv4/tcp_fin_timeout
uint 4096 net/core/somaxconn
uint 1000 net/core/netdev_max_backlog
uint 212992 net/core/rmem_max net/core/wmem_max net/core/rmem_default net/core/wmem_default
uint 512 net/ipv4/tcp_max_syn_backlog
uint 7200 net/ipv4/tcp_keepalive_time
uint 75 net/ipv4/tcp_keepalive_intvl
uint 9 net/ipv4/tcp_keepalive_probes
uint 262144 net/netfilter/nf_conntrack_max net/nf_conntrack_max
uint 432000 net/netfilter/nf_conntrack_tcp_timeout_established
uint 128 net/ipv4/neigh/default/gc_thresh1 fs/inotify/max_user_instances
uint 512 net/ipv4/neigh/default/gc_thresh2
uint 1024 net/ipv4/neigh/default/gc_thresh3 net/ipv4/ip_unprivileged_port_start
uint 65530 vm/max_map_count
uint 20 vm/dirty_ratio
uint 10 vm/dirty_background_ratio
uint 100 vm/vfs_cache_pressure
uint 9223372036854775807 fs/file-max
uint 1048576 fs/nr_open fs/pipe-max-size
uint 65536 fs/inotify/max_user_watches fs/aio-max-nr
uint 16384 fs/inotify/max_queued_events
uint 4194304 kernel/pid_max
uint 63382 kernel/threads-max
uint 18446744073692774399 kernel/shmmax kernel/shmall
uint 4096 kernel/shmmni
ints 32768-60999 net/ipv4/ip_local_port_range
ints 4096-131072-6291456 net/ipv4/tcp_rmem
ints 4096-16384-4194304 net/ipv4/tcp_wmem
ints 4-4-1-7 kernel/printk
ints 32000-1024000000-500-32000 kernel/sem
text cubic net/ipv4/tcp_congestion_control
text fq_codel net/core/default_qdisc
text core kernel/core_pattern
`), "\n") {
		w := strings.Fields(line)
		for _, p := range w[2:] {
			value := w[1]
			if w[0] == "ints" {
				value = strings.ReplaceAll(value, "-", "\t")
			}
			all[p] = setting{value, w[0]}
		}
	}
	return all
})

func (s *System) provideSettings() {
	s.settings = &settings{is: map[string]string{}, known: kernelSettings()}
	for p := range s.settings.known {
		s.Provide("sys/"+p, &Made{Kind: File, Mode: 0o644,
			Read:  func() []byte { return []byte(s.settings.get(p) + "\n") },
			Write: func(b []byte) error { return s.settings.set(p, string(b)) },
		})
	}
}

func (s *settings) get(p string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.is[p]; ok {
		return v
	}
	return s.known[p].value
}

// set changes a setting, where the kernel would take that.
func (s *settings) set(p, text string) error {
	text = strings.TrimSpace(text)
	was := s.known[p]
	words := strings.Fields(text)
	number := func(w string) bool {
		_, err := strconv.ParseUint(w, 0, 64)
		_, err2 := strconv.ParseInt(w, 0, 64)
		return err == nil || err2 == nil && was.kind == "int"
	}
	switch was.kind {
	case "bool", "uint", "int":
		if len(words) != 1 || !number(words[0]) {
			return EINVAL
		}
	case "ints":
		if len(words) != len(strings.Fields(was.value)) || slices.ContainsFunc(words, func(w string) bool { return !number(w) }) {
			return EINVAL
		}
		text = strings.Join(words, "\t")
	case "text":
		if allowed := map[string][]string{"net/ipv4/tcp_congestion_control": {"reno", "cubic", "bbr"}, "net/core/default_qdisc": {"fq", "fq_codel", "pfifo_fast", "cake"}}[p]; allowed != nil && !slices.Contains(allowed, text) {
			return ENOENT
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.is[p] = text
	return nil
}

// bootSettings sets all as the kernel has it; the unit that applies the files of
// sysctl.d comes after it.
func (s *System) bootSettings() {
	s.settings.mu.Lock()
	s.settings.is = map[string]string{}
	s.settings.mu.Unlock()
	s.filters4.clear()
	s.filters6.clear()
}

// settingPath is where a setting is, and settingName how sysctl names it.
func settingPath(name string) string {
	if !strings.Contains(name, "/") {
		name = strings.ReplaceAll(name, ".", "/")
	}
	return name
}

func settingName(p string) string { return strings.ReplaceAll(p, "/", ".") }

// sysctlRun is one run of sysctl.
type sysctlRun struct {
	*call
	values, names, quiet, ignore bool
}

func sysctlCommand(ctx context.Context, c *call) int {
	opts, operands, bad, ok := c.options("nNqewap:", "values", "names", "quiet", "ignore", "write", "all", "load=?", "system")
	if !ok {
		return bad
	}
	r := &sysctlRun{call: c}
	files, system, all := []string(nil), false, false
	for _, o := range opts {
		switch o.name {
		case "n", "values":
			r.values = true
		case "N", "names":
			r.names = true
		case "q", "quiet":
			r.quiet = true
		case "e", "ignore":
			r.ignore = true
		case "p":
			files = append(files, o.value)
		case "load":
			files = append(files, o.value)
			if o.value == "" {
				files[len(files)-1] = "/etc/sysctl.conf"
			}
		case "system":
			system = true
		case "a", "all":
			all = true
		}
	}
	switch {
	case system:
		return r.system()
	case all:
		for _, p := range sortedKeys(c.sys.settings.known) {
			r.show(p)
		}
		return 0
	}
	code := 0
	for _, f := range files {
		code = max(code, r.load(f))
	}
	for _, arg := range operands {
		name, value, sets := strings.Cut(arg, "=")
		if sets {
			code = max(code, r.set(strings.TrimSpace(name), strings.TrimSpace(value)))
			continue
		}
		if p := settingPath(name); c.fs.Exists("/proc/sys/" + p) {
			r.show(p)
		} else if !r.ignore {
			code = c.fail(1, "cannot stat /proc/sys/%s: No such file or directory", p)
		}
	}
	return code
}

func (r *sysctlRun) show(p string) {
	text, err := r.fs.ReadFile("/proc/sys/" + p)
	value := strings.TrimSpace(string(text))
	switch {
	case err != nil:
		r.warnf("permission denied on key '%s'", settingName(p))
	case r.values:
		r.printf("%s\n", value)
	case r.names:
		r.printf("%s\n", settingName(p))
	default:
		r.printf("%s = %s\n", settingName(p), value)
	}
}

func (r *sysctlRun) set(name, value string) int {
	p := settingPath(name)
	file := "/proc/sys/" + p
	switch {
	case !r.fs.Exists(file):
		if r.ignore {
			return 0
		}
		return r.fail(1, "cannot stat %s: No such file or directory", file)
	case r.fs.Access(file, 2) != nil:
		return r.fail(1, "permission denied on key \"%s\"", settingName(p))
	}
	err := r.fs.WriteFile(file, []byte(value+"\n"), 0o644)
	if err != nil {
		return r.fail(1, "setting key \"%s\": %s", settingName(p), reason(err))
	}
	if !r.quiet {
		r.show(p)
	}
	return 0
}

// load applies a file of settings.
func (r *sysctlRun) load(file string) int {
	text, err := r.fs.ReadFile(file)
	if err != nil {
		return r.fail(1, "cannot open \"%s\": %s", file, reason(err))
	}
	code := 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			code = r.fail(1, "%s: invalid syntax, continuing...", file)
			continue
		}
		name, mayFail := strings.CutPrefix(strings.TrimSpace(name), "-")
		if n := r.set(name, strings.TrimSpace(value)); !mayFail {
			code = max(code, n)
		}
	}
	return code
}

// system applies all files, each name from the first folder that has it.
func (r *sysctlRun) system() int {
	found := map[string]string{}
	for _, folder := range []string{"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d"} {
		entries, _ := r.fs.ReadDir(folder)
		for _, e := range entries {
			if _, has := found[e.Name]; !has && strings.HasSuffix(e.Name, ".conf") {
				found[e.Name] = path.Join(folder, e.Name)
			}
		}
	}
	code := 0
	for _, name := range sortedKeys(found) {
		if !r.quiet {
			r.printf("* Applying %s ...\n", found[name])
		}
		code = max(code, r.load(found[name]))
	}
	if r.fs.Exists("/etc/sysctl.conf") {
		if !r.quiet {
			r.printf("* Applying /etc/sysctl.conf ...\n")
		}
		code = max(code, r.load("/etc/sysctl.conf"))
	}
	return code
}

// unattendedUpgrade upgrades nothing: it only says what it would look at.
func unattendedUpgrade(ctx context.Context, c *call) int {
	return c.notSimulated(strings.Join(c.args[1:], " "))
}
