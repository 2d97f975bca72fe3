package debian

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// procFS is /proc: the processes, and what scripts read of the kernel. Further
// files, such as those of /proc/sys, are added with [System.Provide].
type procFS struct{ s *System }

// Provide puts a file that is made up into /proc, by its path there.
func (s *System) Provide(rel string, m *Made) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.provided == nil {
		s.provided = map[string]*Made{}
	}
	s.provided[rel] = m
}

func (s *System) mountProc() error {
	texts := map[string]func() string{
		"version": func() string { return "Linux version " + s.kernel() + " (swarmscript lab) #1 SMP\n" },
		"uptime":  func() string { up := time.Since(s.bootTime()).Seconds(); return fmt.Sprintf("%.2f %.2f\n", up, up) },
		"loadavg": func() string { return "0.00 0.00 0.00 1/80 " + strconv.Itoa(s.lastProcess()) + "\n" },
		"locks":   func() string { return string(s.fs.procLocks()) },
		"meminfo": s.meminfo,
		"cpuinfo": s.cpuinfo,
		"mounts": func() string {
			return "/dev/vda1 / ext4 rw,relatime,discard,errors=remount-ro 0 0\nproc /proc proc rw,nosuid,nodev,noexec,relatime 0 0\ntmpfs /run tmpfs rw,nosuid,nodev,noexec,relatime 0 0\n"
		},
		"net/unix":                  s.procUnix,
		"sys/kernel/random/boot_id": func() string { s.mu.Lock(); defer s.mu.Unlock(); return s.bootID + "\n" },
		"sys/kernel/random/uuid":    func() string { return newUUID() + "\n" },
		"sys/kernel/hostname":       func() string { return s.hostname() + "\n" },
		"sys/kernel/osrelease":      func() string { return s.kernel() + "\n" },
		"sys/kernel/ostype":         func() string { return "Linux\n" },
		"filesystems":               func() string { return "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\toverlay\n\text4\n" },
		"cmdline":                   func() string { return "BOOT_IMAGE=/boot/vmlinuz-" + s.kernel() + " root=PARTUUID=c2a7f3a4-01 ro\n" },
	}
	for rel, text := range texts {
		s.Provide(rel, &Made{Kind: File, Mode: 0o444, Read: func() []byte { return []byte(text()) }})
	}
	return s.fs.Mount("/proc", procFS{s})
}

func (s *System) kernel() string { return releases[s.cfg.Image].kernel }

func (s *System) bootTime() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.booted
}

func (s *System) lastProcess() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastPID
}

// hostname is what /etc/hostname says.
func (s *System) hostname() string {
	if lines := s.lines("/etc/hostname"); len(lines) > 0 && lines[0] != "" {
		return lines[0]
	}
	return "localhost"
}

func (s *System) meminfo() string {
	kb := max(s.cfg.Memory, 1<<20) / 1024
	return fmt.Sprintf("MemTotal:       %8d kB\nMemFree:        %8d kB\nMemAvailable:   %8d kB\nBuffers:               0 kB\nCached:                0 kB\nSwapTotal:             0 kB\nSwapFree:              0 kB\n", kb, kb*9/10, kb*9/10)
}

// cpus is how many processors the machine has.
func (s *System) cpus() int { return int(max(1, s.cfg.NanoCPUs/1_000_000_000)) }

func (s *System) cpuinfo() string {
	var b strings.Builder
	for i := range s.cpus() {
		fmt.Fprintf(&b, "processor\t: %d\nvendor_id\t: SwarmScript\nmodel name\t: simulated by swarmscript lab\ncpu cores\t: %d\n\n", i, s.cpus())
	}
	return b.String()
}

func (s *System) procUnix() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	b.WriteString("Num       RefCount Protocol Flags    Type St Inode Path\n")
	for i, p := range slices.Sorted(maps.Keys(s.ports)) {
		fmt.Fprintf(&b, "0000000000000000: 00000002 00000000 00010000 0001 01 %5d %s\n", 20000+i, p)
	}
	return b.String()
}

func madeText(s string) *Made {
	return &Made{Kind: File, Mode: 0o444, Read: func() []byte { return []byte(s) }}
}

// Find returns what is at a path of /proc.
func (f procFS) Find(rel string, pid int) *Made {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if rel == "" {
		return &Made{Kind: Folder, Mode: 0o555}
	}
	first, rest, _ := strings.Cut(rel, "/")
	if first == "self" && rest == "" {
		if f.s.procs[pid] == nil {
			return nil
		}
		return &Made{Kind: Link, Mode: 0o777, Target: strconv.Itoa(pid)}
	}
	if n, err := strconv.Atoi(first); err == nil {
		p := f.s.procs[n]
		if p == nil {
			return nil
		}
		return p.find(rest)
	}
	if m := f.s.provided[rel]; m != nil {
		return m
	}
	for known := range f.s.provided {
		if strings.HasPrefix(known, rel+"/") {
			return &Made{Kind: Folder, Mode: 0o555, ModTime: f.s.booted}
		}
	}
	return nil
}

// List returns what is in a folder of /proc.
func (f procFS) List(rel string) []string {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	first, rest, _ := strings.Cut(rel, "/")
	if n, err := strconv.Atoi(first); err == nil {
		if p := f.s.procs[n]; p != nil {
			return p.list(rest)
		}
		return nil
	}
	found := map[string]bool{}
	if rel == "" {
		found["self"] = true
		for pid := range f.s.procs {
			found[strconv.Itoa(pid)] = true
		}
	}
	prefix := rel + "/"
	if rel == "" {
		prefix = ""
	}
	for known := range f.s.provided {
		if more, ok := strings.CutPrefix(known, prefix); ok {
			name, _, _ := strings.Cut(more, "/")
			found[name] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// find is what /proc has of one process.
func (p *proc) find(rest string) *Made {
	m := p.entry(rest)
	if m != nil {
		m.UID, m.GID, m.ModTime = p.who.UID, p.who.GID, p.start
	}
	return m
}

func (p *proc) entry(rest string) *Made {
	private := func(text string) *Made {
		m := madeText(text)
		m.Mode = 0o400
		return m
	}
	nul := func(list []string) string {
		if len(list) == 0 {
			return ""
		}
		return strings.Join(list, "\x00") + "\x00"
	}
	switch rest {
	case "":
		return &Made{Kind: Folder, Mode: 0o555}
	case "fd", "ns":
		return &Made{Kind: Folder, Mode: 0o500}
	case "stat":
		return madeText(fmt.Sprintf("%d (%s) S %d %d %d 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 0 0 0\n", p.pid, p.comm, p.ppid, p.pid, p.pid))
	case "comm":
		return madeText(p.comm + "\n")
	case "cmdline":
		return madeText(nul(p.args))
	case "environ":
		return private(nul(p.env))
	case "status":
		return madeText(fmt.Sprintf("Name:\t%s\nState:\tS (sleeping)\nPid:\t%d\nPPid:\t%d\nUid:\t%[4]d\t%[4]d\t%[4]d\t%[4]d\nGid:\t%[5]d\t%[5]d\t%[5]d\t%[5]d\n", p.comm, p.pid, p.ppid, p.who.UID, p.who.GID))
	}
	dir, name, _ := strings.Cut(rest, "/")
	switch dir {
	case "fd":
		n, err := strconv.Atoi(name)
		if err != nil {
			return nil
		}
		s := p.fds.at(n)
		if s == nil {
			return nil
		}
		return &Made{Kind: Link, Mode: 0o700, Target: s.target(n)}
	case "ns":
		if slices.Contains(namespaces, name) {
			return &Made{Kind: Link, Mode: 0o777, Target: name + ":[4026531836]"}
		}
	}
	return nil
}

var namespaces = []string{"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"}

func (p *proc) list(rest string) []string {
	switch rest {
	case "":
		return []string{"cmdline", "comm", "environ", "fd", "ns", "stat", "status"}
	case "ns":
		return namespaces
	case "fd":
		var list []string
		for _, n := range p.fds.numbers() {
			list = append(list, strconv.Itoa(n))
		}
		return list
	}
	return nil
}

// target is where /proc says that a descriptor leads.
func (s *stream) target(n int) string {
	if s.h != nil {
		return s.h.Path()
	}
	return "pipe:[" + strconv.Itoa(30000+n) + "]"
}
