package debian

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

func hostnameProgram(_ context.Context, c *call) int {
	opts, rest, bad, ok := c.options("fsIid", "fqdn", "short", "all-ip-addresses", "ip-address")
	if !ok {
		return bad
	}
	if len(rest) > 0 {
		return c.notSimulated("setting the name: use hostnamectl")
	}
	name := c.sys.hostname()
	for _, o := range opts {
		switch o.name {
		case "s", "short":
			name, _, _ = strings.Cut(name, ".")
		case "I", "all-ip-addresses", "i", "ip-address":
			name = c.sys.cfg.Address
			if o.name == "I" {
				name += " "
			}
		case "d":
			_, name, _ = strings.Cut(name, ".")
		}
	}
	c.printf("%s\n", name)
	return 0
}

func unameProgram(_ context.Context, c *call) int {
	opts, _, bad, ok := c.options("asnrvmpio", "all", "kernel-name", "nodename", "kernel-release", "kernel-version", "machine", "operating-system")
	if !ok {
		return bad
	}
	if c.name() == "arch" {
		c.printf("x86_64\n")
		return 0
	}
	want := ""
	for _, o := range opts {
		want += map[string]string{"all": "a", "kernel-name": "s", "nodename": "n", "kernel-release": "r", "kernel-version": "v", "machine": "m", "operating-system": "o"}[o.name]
		if len(o.name) == 1 {
			want += o.name
		}
	}
	if want == "" {
		want = "s"
	}
	var out []string
	for _, f := range []struct{ letters, value string }{
		{"sa", "Linux"}, {"na", c.sys.hostname()}, {"ra", c.sys.kernel()}, {"va", "#1 SMP PREEMPT_DYNAMIC Debian (swarmscript lab)"},
		{"ma", "x86_64"}, {"p", "unknown"}, {"i", "unknown"}, {"oa", "GNU/Linux"},
	} {
		if strings.ContainsAny(want, f.letters) {
			out = append(out, f.value)
		}
	}
	c.printf("%s\n", strings.Join(out, " "))
	return 0
}

func nprocProgram(_ context.Context, c *call) int {
	if _, _, bad, ok := c.options("", "all"); !ok {
		return bad
	}
	c.printf("%d\n", c.sys.cpus())
	return 0
}

func uptimeProgram(_ context.Context, c *call) int {
	up := time.Since(c.sys.bootTime()).Round(time.Minute)
	c.printf(" %s up %d:%02d,  1 user,  load average: 0.00, 0.00, 0.00\n", time.Now().UTC().Format("15:04:05"), int(up.Hours()), int(up.Minutes())%60)
	return 0
}

func freeProgram(_ context.Context, c *call) int {
	opts, _, bad, ok := c.options("bkmgh")
	if !ok {
		return bad
	}
	unit := int64(1024)
	for _, o := range opts {
		unit = map[string]int64{"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "h": 1 << 20}[o.name]
	}
	all := c.sys.cfg.Memory
	c.printf("               total        used        free      shared  buff/cache   available\nMem:    %12d%12d%12d%12d%12d%12d\nSwap:   %12d%12d%12d\n",
		all/unit, all/10/unit, all*9/10/unit, 0, 0, all*9/10/unit, 0, 0, 0)
	return 0
}

func dfProgram(_ context.Context, c *call) int {
	opts, _, bad, ok := c.options("hkmPTBi:", "output=", "block-size=")
	if !ok {
		return bad
	}
	unit, human, kinds := int64(1024), false, false
	for _, o := range opts {
		switch o.name {
		case "h":
			human = true
		case "m":
			unit = 1 << 20
		case "T":
			kinds = true
		case "output", "block-size", "B", "i":
			return c.notSimulated("option " + o.name)
		}
	}
	size, used := c.sys.fs.Usage()
	show := func(n int64) string {
		if human {
			return humanSize(n)
		}
		return strconv.FormatInt((n+unit-1)/unit, 10)
	}
	kind, kindHead := "", ""
	if kinds {
		kind, kindHead = "ext4     ", "Type     "
	}
	c.printf("Filesystem     %s%10s %10s %10s %4s Mounted on\n", kindHead, map[bool]string{true: "Size", false: "1K-blocks"}[human], "Used", "Available", "Use%")
	c.printf("/dev/vda1      %s%10s %10s %10s %3d%% /\n", kind, show(size), show(used), show(size-used), used*100/size)
	return 0
}

// humanSize is 1.5K, 23M and the like, as ls -h has them.
func humanSize(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10)
	}
	f := float64(n)
	for _, unit := range "KMGT" {
		f /= 1024
		if f < 9.95 {
			return fmt.Sprintf("%.1f%c", f+0.049999, unit)
		}
		if f < 1023.5 {
			return fmt.Sprintf("%.0f%c", f+0.499999, unit)
		}
	}
	return fmt.Sprintf("%.0fT", f)
}
