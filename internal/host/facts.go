package host

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Facts are what is known of a machine after it was looked at.
type Facts struct {
	OS        string // its ID in os-release: "debian"
	Version   string // "12"
	Pretty    string // "Debian GNU/Linux 12 (bookworm)"
	Arch      string // "amd64", as Docker and Debian name it
	Hostname  string
	Kernel    string
	MachineID string
	// Running tells the running system from all others, clones of it too: its ID,
	// the boot of its kernel, and its processes on that. Empty where they are hidden.
	Running string
	Skew    time.Duration // how much its clock is ahead of ours
	Docker  Docker
	SSH     Login
}

// Docker is what a machine has of Docker.
type Docker struct {
	Installed bool // there is a dockerd
	Running   bool // its socket is there, and systemd has it running where it knows it
	Socket    string
}

// Login is the connection that we use, as the machine sees it.
type Login struct {
	Client string // the address that we come from
	Port   int    // the port that we came to
}

// maxSkew is the difference of two clocks from which on certificates and joins
// to a swarm may fail.
const maxSkew = 5 * time.Second

const factsScript = `. /etc/os-release 2>/dev/null
printf 'os=%s\nversion=%s\npretty=%s\n' "$ID" "$VERSION_ID" "$PRETTY_NAME"
uname -m -r -n | { read -r name kernel arch; printf 'hostname=%s\nkernel=%s\narch=%s\n' "$name" "$kernel" "$arch"; }
printf 'machine-id=%s\n' "$(cat /etc/machine-id)"
printf 'running=%s %s\n' "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)" "$(readlink /proc/$$/ns/pid 2>/dev/null)"
p=$$ ssh=$SSH_CONNECTION # which sudo takes away, but not from those above it
while [ -z "$ssh" ] && [ "${p:-0}" -gt 1 ]; do
  p=$(sed 's/.*) . \([0-9]*\) .*/\1/' "/proc/$p/stat")
  ssh=$(tr '\0' '\n' <"/proc/$p/environ" | sed -n 's/^SSH_CONNECTION=//p')
done
printf 'ssh=%s\n' "$ssh"
command -v dockerd >/dev/null && echo docker=installed
for s in /run/docker.sock /var/run/docker.sock; do if [ -S "$s" ]; then printf 'socket=%s\n' "$s"; break; fi; done
printf 'docker-state=%s\n' "$(systemctl is-active docker.service)"
printf 'clock=%s\n' "$(date +%s.%N)"`

var arches = map[string]string{"x86_64": "amd64", "aarch64": "arm64", "armv7l": "armhf", "i686": "i386"}

// parseFacts reads what factsScript printed. Asked and answered are when, by
// our clock.
func parseFacts(out []byte, asked, answered time.Time) (*Facts, error) {
	get := map[string]string{}
	for line := range strings.Lines(string(out)) {
		k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		get[k] = v
	}
	f := &Facts{
		OS: get["os"], Version: get["version"], Pretty: get["pretty"],
		Arch: get["arch"], Hostname: get["hostname"], Kernel: get["kernel"], MachineID: get["machine-id"],
	}
	if s := strings.Fields(get["running"]); len(s) == 2 && f.MachineID != "" {
		f.Running = f.MachineID + " " + get["running"]
	}
	if a, ok := arches[f.Arch]; ok {
		f.Arch = a
	}
	f.Docker.Socket = get["socket"]
	f.Docker.Installed = get["docker"] != "" || f.Docker.Socket != ""
	f.Docker.Running = f.Docker.Socket != "" && get["docker-state"] != "inactive" && get["docker-state"] != "failed"
	if s := strings.Fields(get["ssh"]); len(s) == 4 {
		f.SSH.Client = s[0]
		f.SSH.Port, _ = strconv.Atoi(s[3])
	}
	clock, err := parseClock(get["clock"])
	if err != nil {
		return nil, err
	}
	f.Skew = skew(clock, asked, answered)
	return f, nil
}

// skew is how much a clock is ahead that was read at some time between asked
// and answered: as little as that allows.
func skew(clock, asked, answered time.Time) time.Duration {
	switch {
	case clock.Before(asked):
		return clock.Sub(asked)
	case clock.After(answered):
		return clock.Sub(answered)
	}
	return 0
}

// warnings are what the plan should tell of a machine.
func (f *Facts) warnings() []string {
	if f.Skew.Abs() < maxSkew {
		return nil
	}
	how := "ahead of"
	if f.Skew < 0 {
		how = "behind"
	}
	return []string{fmt.Sprintf("the clock of %s is %s %s this computer's: certificates may not be valid there, and it may not get into a swarm; set it, or run a time service (systemd-timesyncd, chrony)",
		f.Hostname, f.Skew.Abs().Round(time.Second), how)}
}

// summary is the machine in a few words.
func (f *Facts) summary() string {
	os := f.OS + " " + f.Version
	if f.OS == "" {
		os = "unknown system"
	}
	return strings.TrimSpace(os) + ", " + f.Arch
}
