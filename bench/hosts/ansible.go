package hosts

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// withPython is what Ansible's modules need on a machine, and images of clouds
// have. The lists of packages are as they were before, and the folder that Ansible
// takes their age from is an old one.
const withPython = `export DEBIAN_FRONTEND=noninteractive
apt-get -q update >&2
apt-get -q -y --no-install-recommends install python3 python3-apt </dev/null >&2
rm -rf /var/lib/apt/lists/* /var/lib/apt/periodic/* /var/cache/apt/*.bin
touch -d yesterday /var/lib/apt/lists
`

// withDockerSDK is what the playbook installs beside what all contenders do.
const withDockerSDK = "apt-get -q update >&2\napt-get -q -y --no-install-recommends install python3-docker </dev/null >&2\n"

// installAnsible installs Debian's.
func (b *bench) installAnsible(ctx context.Context) error {
	return testengine.Install(ctx, b.log, map[string]string{
		"/usr/bin/ansible-playbook": "ansible-core",
		"/usr/lib/python3/dist-packages/ansible_collections/community/docker/MANIFEST.json": "ansible",
	})
}

// inventory is the machines as Ansible knows them.
func (b *bench) inventory(f *fleet) error {
	var s strings.Builder
	for i, m := range f.machines {
		switch i {
		case 0:
			s.WriteString("[managers]\n")
		case managers:
			s.WriteString("[workers]\n")
		}
		fmt.Fprintf(&s, "%s ansible_host=%s\n", m.Name, m.Address)
	}
	fmt.Fprintf(&s, "[all:vars]\nansible_user=root\nansible_ssh_private_key_file=%s\nansible_ssh_common_args=-o UserKnownHostsFile=%s\n",
		b.key.file, filepath.Join(b.dir, ".ssh", "known_hosts"))
	return os.WriteFile(filepath.Join(b.jobDir(), "hosts"), []byte(s.String()), 0o644)
}

// play runs the playbook and returns what it said. The CPU time is that of
// Ansible, its forks, and what the masters of its connections used meanwhile.
func (b *bench) play(ctx context.Context, f *fleet) (took, string, error) {
	if err := b.inventory(f); err != nil {
		return took{}, "", err
	}
	cmd := exec.CommandContext(ctx, "ansible-playbook", "playbook.yml")
	cmd.Dir, cmd.Env = b.jobDir(), b.home()
	before := b.masters()
	t, out, err := timed(cmd)
	t.cpu += b.masters() - before
	return t, out, err
}

// playbook does the job.
func (b *bench) playbook(ctx context.Context, f *fleet) (took, error) {
	t, _, err := b.play(ctx, f)
	b.endMasters()
	return t, err
}

// recap is a host's line at the end of what a playbook says.
var recap = regexp.MustCompile(`(?m)^m[0-9]+ +: ok=[0-9]+ +changed=0 +unreachable=0 +failed=0 `)

// playbookUnchanged is a run that finds nothing to do.
func (b *bench) playbookUnchanged(ctx context.Context, f *fleet) (took, error) {
	t, out, err := b.play(ctx, f)
	if n := len(recap.FindAllString(out, -1)); err == nil && n != machines {
		err = fmt.Errorf("ansible finds %d machines of %d unchanged:\n%s", n, machines, out)
	}
	return t, err
}

// sockets are those of the masters of Ansible's connections.
func (b *bench) sockets() []string {
	list, _ := filepath.Glob(filepath.Join(b.jobDir(), "cp", "*"))
	return list
}

// masters is the CPU time that the masters have used.
func (b *bench) masters() (sum time.Duration) {
	for _, socket := range b.sockets() {
		out, err := exec.Command("ssh", "-o", "ControlPath="+socket, "-O", "check", "any").CombinedOutput()
		if err != nil {
			continue // it has ended
		}
		if m := masterPID.FindSubmatch(out); m != nil {
			sum += cpuOf(string(m[1]))
		}
	}
	return sum
}

// masterPID is in the answer of a master.
var masterPID = regexp.MustCompile(`pid=([0-9]+)`)

// cpuOf is the CPU time of a process, in the first figure of its schedstat, in
// nanoseconds.
func cpuOf(pid string) time.Duration {
	text, err := os.ReadFile(filepath.Join("/proc", pid, "schedstat"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	n, _ := strconv.ParseInt(first, 10, 64)
	return time.Duration(n)
}

// endMasters ends the connections that Ansible leaves.
func (b *bench) endMasters() {
	for _, socket := range b.sockets() {
		_ = exec.Command("ssh", "-o", "ControlPath="+socket, "-O", "exit", "any").Run() // one that has ended is well
	}
}
