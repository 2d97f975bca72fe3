package swarm

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	units "github.com/docker/go-units"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// serviceChecks find what the docker CLI and the swarm would refuse. Each is
// made where one of its arguments is given: of 80 arguments a service has ten,
// and looking for the others by their names was a tenth of a plan's time.
var serviceChecks = sync.OnceValue(func() []indexedCheck {
	return checksOf(
		check{checkServiceName, []string{"name"}},
		check{checkEnv, []string{"env"}},
		check{checkServiceLabels, []string{"labels", "container_labels"}},
		check{checkSignal, []string{"stop_signal"}},
		check{checkDNS, []string{"dns"}},
		check{checkMode, []string{"mode", "max_concurrent"}},
		check{checkCounts, []string{"replicas", "max_concurrent", "replicas_max_per_node"}},
		check{checkCPU, []string{"limit_cpu"}},
		check{checkMemory, []string{"limit_memory", "reserve_memory"}},
		check{checkPolicies, []string{"update", "rollback", "restart"}},
		check{checkHealth, []string{"healthcheck"}},
		check{checkPorts, []string{"ports"}},
		check{checkServiceMounts, []string{"mounts"}},
		check{checkTargets, []string{"secrets", "configs", "networks"}},
		check{checkCaps, []string{"cap_add"}},
		check{checkUlimits, []string{"ulimits"}},
		check{checkCredentialSpec, []string{"credential_spec"}},
		check{checkResolve, []string{"no_resolve_image"}},
		check{checkHostname, []string{"hostname"}},
	)
})

type check struct {
	find   func(r reader, p *problems)
	fields []string
}

type indexedCheck struct {
	find   func(r reader, p *problems)
	fields []int
}

func checksOf(list ...check) []indexedCheck {
	out := make([]indexedCheck, len(list))
	for i, c := range list {
		out[i].find = c.find
		for _, name := range c.fields {
			f, ok := ServiceSchema.Field(name)
			if !ok {
				panic("swarm: no field " + name)
			}
			out[i].fields = append(out[i].fields, f.Index)
		}
	}
	return out
}

func checkService(args value.Struct) schema.Problems {
	r, p := reader{ServiceSchema, args}, &problems{}
	for _, c := range serviceChecks() {
		if slices.ContainsFunc(c.fields, func(i int) bool { return args[i] != nil }) {
			c.find(r, p)
		}
	}
	return ServiceSchema.HideSecrets(args, p.list)
}

func checkServiceName(r reader, p *problems) {
	switch name, given := r.raw("name").(string); {
	case !given:
	case !isDNSName(name):
		p.add("name", "got %q, want letters, digits, '_' and '-', beginning and ending with a letter or digit", name)
	case len(name) > maxDNSName:
		p.add("name", "has %d characters, and a swarm allows %d", len(name), maxDNSName)
	}
}

// checkEnv refuses names that would be other variables once they stand before
// an equals sign.
func checkEnv(r reader, p *problems) {
	env, _ := r.raw("env").(*value.Map)
	if env == nil {
		return
	}
	for _, e := range env.Entries {
		if strings.Contains(e.Key, "=") {
			p.add("env", "%q is not the name of a variable: it contains =", e.Key)
		}
	}
}

func checkServiceLabels(r reader, p *problems) {
	for _, f := range []string{"labels", "container_labels"} {
		p.list = append(p.list, checkLabels(f, r.raw(f))...)
	}
}

// checkLabels refuses labels that would be taken for a mark of ours.
func checkLabels(path string, v value.Value) (ps schema.Problems) {
	labels, _ := value.Reveal(v).(*value.Map)
	if labels == nil {
		return nil
	}
	for _, e := range labels.Entries {
		if resource.IsMark(e.Key) {
			ps = append(ps, &schema.Problem{Path: path, Msg: fmt.Sprintf("%q is reserved: labels that begin with swarmscript. say whose an object is", e.Key)})
		}
	}
	return ps
}

// signals are those of Linux, and the two that Windows has.
var signals = strings.Fields("ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS " +
	"TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ")

// checkSignal takes what the engine takes: a number, or a name with or without
// SIG. It would say so only when it stops a container.
func checkSignal(r reader, p *problems) {
	s := r.str("stop_signal")
	if s == "" {
		return
	}
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if slices.Contains(signals, name) || realtimeSignal().MatchString(name) {
		return
	}
	if n, err := strconv.Atoi(s); err == nil && n > 0 && n <= 64 {
		return
	}
	p.list = append(p.list, &schema.Problem{Path: "stop_signal", Msg: fmt.Sprintf("got %q, want a signal such as SIGTERM", s), Hint: diag.DidYouMean(name, signals)})
}

var realtimeSignal = pattern.Of(`^RT(MIN(\+([1-9]|1[0-5]))?|MAX(-([1-9]|1[0-4]))?)$`)

// checkDNS checks as the docker CLI does.
func checkDNS(r reader, p *problems) {
	for i, s := range names(r, "dns") {
		if net.ParseIP(s) == nil {
			p.add(fmt.Sprintf("dns[%d]", i), "got %q, want an IP address", s)
		}
	}
}

func checkCaps(r reader, p *problems) {
	for _, c := range names(r, "cap_add") {
		if slices.Contains(names(r, "cap_drop"), c) {
			p.add("cap_drop", "%s is in cap_add too", c)
		}
	}
}

// ulimitNames are for suggestions; what is right, docker's parser knows.
var ulimitNames = strings.Fields("core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack")

func checkUlimits(r reader, p *problems) {
	for _, u := range r.each("ulimits") {
		if name, ok := u.raw("name").(string); ok {
			if _, err := (&units.Ulimit{Name: name}).GetRlimit(); err != nil {
				p.list = append(p.list, &schema.Problem{Path: "ulimits", Msg: fmt.Sprintf("there is no limit %q", name), Hint: diag.DidYouMean(name, ulimitNames)})
			}
		}
		if hard := u.int("hard"); u.raw("hard") != nil && hard != -1 && (u.int("soft") > hard || u.int("soft") == -1) {
			p.add("ulimits", "%s: the soft limit %d is above the hard limit %d", u.str("name"), u.int("soft"), hard)
		}
	}
}

func checkCredentialSpec(r reader, p *problems) {
	c, ok := r.in("credential_spec")
	if !ok {
		return
	}
	n := 0
	for _, v := range c.args {
		if v != nil && v != "" {
			n++
		}
	}
	if n > 1 {
		p.add("credential_spec", "give one of config, file, registry")
	}
}

func checkResolve(r reader, p *problems) {
	if how := r.str("resolve_image"); r.bool("no_resolve_image") && how != "" && how != "never" {
		p.add("no_resolve_image", "conflicts with resolve_image = %q", how)
	}
}

func checkHostname(r reader, p *problems) {
	if s := r.str("hostname"); len(s) > 63 && !strings.Contains(s, "{{") {
		p.add("hostname", "%q is longer than 63 characters", s)
	}
}

func names(r reader, field string) []string {
	l, _ := r.raw(field).(value.List)
	var out []string
	for _, e := range l {
		if s, ok := value.Reveal(e).(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func checkMode(r reader, p *problems) {
	mode := r.str("mode")
	if mode == "" {
		mode = "replicated"
	}
	if strings.HasPrefix(mode, "global") {
		if r.given("replicas") {
			p.add("replicas", "a %s service has one task on each node", mode)
		}
		if r.int("replicas_max_per_node") > 0 {
			p.add("replicas_max_per_node", "a %s service has one task on each node", mode)
		}
	}
	if r.given("max_concurrent") && mode != "replicated-job" {
		p.add("max_concurrent", "is for mode replicated-job, this is %s", mode)
	}
	if strings.HasSuffix(mode, "-job") {
		for _, f := range []string{"update", "rollback"} {
			if r.given(f) {
				p.add(f, "a job is not rolled")
			}
		}
		if c, ok := r.in("restart"); ok && c.str("condition") == "any" {
			p.add("restart.condition", "a job ends: want none or on-failure")
		}
	}
}

// maxTasks is far above any swarm. The engine would take a larger number and
// make tasks until its manager runs out of memory.
const maxTasks = 1_000_000

func checkCounts(r reader, p *problems) {
	for _, f := range []string{"replicas", "max_concurrent", "replicas_max_per_node"} {
		if r.int(f) < 0 {
			p.add(f, "got %d, want at least 0", r.int(f))
		} else if r.int(f) > maxTasks {
			p.add(f, "got %d, want at most %d", r.int(f), maxTasks)
		}
	}
}

func checkCPU(r reader, p *problems) {
	limit := r.int("limit_cpu")
	if limit > 0 && r.int("reserve_cpu") > limit {
		p.add("reserve_cpu", "is above limit_cpu")
	}
	if limit != 0 && limit < 1_000_000 {
		p.add("limit_cpu", "want at least 0.001")
	}
}

func checkMemory(r reader, p *problems) {
	limit := r.int("limit_memory")
	if limit > 0 && r.int("reserve_memory") > limit {
		p.add("reserve_memory", "is above limit_memory")
	}
	for _, name := range []string{"limit_memory", "reserve_memory"} {
		if n := r.int(name); n != 0 && n < 4<<20 {
			p.add(name, "want at least 4m")
		}
	}
}

func checkPolicies(r reader, p *problems) {
	for _, f := range []string{"update", "rollback"} {
		u, ok := r.in(f)
		if !ok {
			continue
		}
		if n := u.int("parallelism"); n < 0 {
			p.add(f+".parallelism", "got %d, want at least 0", n)
		}
		if x, ok := u.raw("max_failure_ratio").(float64); ok && !(x >= 0 && x <= 1) {
			p.add(f+".max_failure_ratio", "got %v, want 0 to 1", x)
		}
	}
	if u, ok := r.in("rollback"); ok && u.str("on_failure") == "rollback" {
		p.add("rollback.on_failure", "a rollback cannot be rolled back: want pause or continue")
	}
	if c, ok := r.in("restart"); ok && c.int("max_attempts") < 0 {
		p.add("restart.max_attempts", "got %d, want at least 0", c.int("max_attempts"))
	}
}

func checkHealth(r reader, p *problems) {
	h, ok := r.in("healthcheck")
	if !ok {
		return
	}
	if h.bool("disable") {
		for i, f := range h.schema.Fields() {
			if f.Name != "disable" && !f.Type.Same(h.args[i], f.Default) {
				p.add("healthcheck."+f.Name, "conflicts with disable")
			}
		}
	}
	if cmd := names(h, "cmd"); len(cmd) > 0 && cmd[0] != "CMD" && cmd[0] != "CMD-SHELL" {
		p.add("healthcheck.cmd", "a list begins with CMD or CMD-SHELL, this one with %q", cmd[0])
	} else if len(cmd) == 1 {
		p.add("healthcheck.cmd", "there is no command after %s", cmd[0])
	}
	for _, f := range []string{"interval", "timeout", "start_period", "start_interval"} {
		if n := h.int(f); n != 0 && time.Duration(n) < time.Millisecond {
			p.add("healthcheck."+f, "want at least 1ms")
		}
	}
}

func checkPorts(r reader, p *problems) {
	seen := map[string]bool{}
	for _, port := range r.each("ports") {
		if port.str("host_ip") != "" {
			p.add("ports", "port %d: host_ip is for containers: a service's port is published on every address of a node", port.int("target"))
		}
		if r.str("endpoint_mode") == "dnsrr" && port.str("mode") == "ingress" {
			p.add("ports", "port %d: the routing mesh needs endpoint_mode vip; publish it with mode = \"host\"", port.int("target"))
		}
		if n := port.int("published"); n != 0 {
			k := fmt.Sprintf("%d/%s", n, port.str("protocol"))
			if seen[k] {
				p.add("ports", "%s is published twice", k)
			}
			seen[k] = true
		}
	}
}
