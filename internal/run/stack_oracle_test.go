package run

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// stackFiles are compose files that both `docker stack deploy` and stack() read.
const stackFiles = "../compose/testdata/stack"

// stackCase is one of them, with what its comments say.
type stackCase struct {
	name  string
	files []string
	env   map[string]string
	needs [][2]string // kind and name of what must be there

	profiles []string
}

func stackCases(t *testing.T, dir string) (out []stackCase) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.yml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no compose files in %s: %v", dir, err)
	}
	also := map[string]bool{}
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		c := stackCase{name: strings.TrimSuffix(filepath.Base(p), ".yml"), files: []string{filepath.Base(p)}, env: map[string]string{}}
		for _, line := range strings.Split(string(data), "\n") {
			word, rest, _ := strings.Cut(strings.TrimPrefix(line, "# "), ": ")
			switch {
			case !strings.HasPrefix(line, "# "):
			case word == "also":
				c.files = append(c.files, rest)
				also[rest] = true
			case word == "env":
				key, val, _ := strings.Cut(rest, "=")
				c.env[key] = val
			case word == "needs":
				kind, name, _ := strings.Cut(rest, " ")
				c.needs = append(c.needs, [2]string{kind, name})
			case word == "profile":
				c.profiles = append(c.profiles, rest)
			}
		}
		out = append(out, c)
	}
	return slices.DeleteFunc(out, func(c stackCase) bool { return also[c.files[0]] })
}

// prepare makes what a file calls external, once.
func (c stackCase) prepare(t *testing.T, e *testengine.Engine) {
	t.Helper()
	for _, n := range c.needs {
		var err error
		switch n[0] {
		case "network":
			_, err = e.TryDocker("network", "create", "--driver", "overlay", n[1])
		default:
			e.DockerInput("held by somebody else", n[0], "create", n[1], "-")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// stackName is the stack's name, which no two files share.
func (c stackCase) stackName() string { return strings.ReplaceAll(c.name, "_", "-") }

// script is a script that deploys the files, and waits for nothing.
func (c stackCase) script(more map[string]string) string {
	call := fmt.Sprintf("stack(%q, files = %s, profiles = %s, wait = False", c.stackName(), texts(c.files), texts(c.profiles))
	for _, arg := range slices.Sorted(maps.Keys(more)) {
		call += ", " + arg + " = " + more[arg]
	}
	return fmt.Sprintf("project(%q)\ncluster = swarm.init(engine(), external = True)\ns = %s)\n", "oracle-"+c.stackName(), call)
}

// texts is a list of texts as a script has it.
func texts(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = fmt.Sprintf("%q", s)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// What stack() makes of a file is what `docker stack deploy` makes of it, field by
// field.
func TestStackOracle(t *testing.T) {
	theirs := testengine.Start(t, testengine.Docker28)
	ours := testengine.Start(t, testengine.Docker28)
	for _, e := range []*testengine.Engine{theirs, ours} {
		testengine.Images(e)
		e.Docker("swarm", "init", "--advertise-addr", e.Addr)
	}
	t.Setenv("DOCKER_HOST", ours.Host)
	cases := stackCases(t, stackFiles)
	if len(cases) < 40 {
		t.Errorf("there are %d files, want at least 40", len(cases))
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			theirs, ours := theirs.In(t), ours.In(t)
			dir := copyDir(t, stackFiles)
			c.prepare(t, theirs)
			c.prepare(t, ours)
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			args := []string{"--host", theirs.Host, "stack", "deploy", "--detach", "--resolve-image", "never"}
			for _, f := range c.files {
				args = append(args, "--compose-file", filepath.Join(dir, f))
			}
			cmd := exec.CommandContext(t.Context(), testengine.CLI(t), append(args, c.stackName())...) // which has this environment
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("docker stack deploy: %v\n%s", err, out)
			}
			file := filepath.Join(dir, "cluster.star")
			if err := os.WriteFile(file, []byte(c.script(map[string]string{"build": "False"})), 0o600); err != nil {
				t.Fatal(err)
			}
			opts := Options{File: file, Env: os.LookupEnv}
			if res := applyAll(t, opts); res.ExitCode() != apply.ExitOK {
				t.Fatalf("apply ends with %d", res.ExitCode())
			}
			if p := planOf(t, opts); !p.Plan.Empty() {
				t.Errorf("after the apply the plan is not empty:\n%s", show(p.Plan))
			}
			want, got := stackSpecs(t, theirs, c.stackName()), stackSpecs(t, ours, c.stackName())
			if want != got {
				t.Errorf("docker stack deploy (-) and stack() (+):\n%s", lineDiff(want, got))
			}
		})
	}
}

func copyDir(t *testing.T, from string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// stackSpecs are the specs of all that is a stack's on an engine, as text.
func stackSpecs(t *testing.T, e *testengine.Engine, stack string) string {
	t.Helper()
	api, err := client.NewClientWithOpts(client.WithHost(e.Host), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	ctx := t.Context()
	of := filters.NewArgs(filters.Arg("label", "com.docker.stack.namespace="+stack))
	out := map[string]any{}
	names := map[string]string{} // of networks, by their IDs
	all, err := api.NetworkList(ctx, network.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range all {
		names[n.ID] = n.Name
		if n.Labels["com.docker.stack.namespace"] == stack {
			out["network "+n.Name] = networkOf(n)
		}
	}
	secrets, err := api.SecretList(ctx, swarm.SecretListOptions{Filters: of})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range secrets {
		s.Spec.Labels = unmarked(s.Spec.Labels)
		out["secret "+s.Spec.Name] = s.Spec
	}
	configs, err := api.ConfigList(ctx, swarm.ConfigListOptions{Filters: of})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range configs {
		s.Spec.Labels = unmarked(s.Spec.Labels)
		out["config "+s.Spec.Name] = s.Spec
	}
	services, err := api.ServiceList(ctx, swarm.ServiceListOptions{Filters: of})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range services {
		// With the defaults that the engine fills in: what is not said, and what is
		// said by its default, is the same service.
		s, _, err := api.ServiceInspectWithRaw(ctx, s.ID, swarm.ServiceInspectOptions{InsertDefaults: true})
		if err != nil {
			t.Fatal(err)
		}
		out["service "+s.Spec.Name] = serviceOf(s.Spec, names)
	}
	text, err := json.MarshalIndent(out, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// unmarked are labels without our marks.
func unmarked(labels map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range labels {
		if !strings.HasPrefix(k, "swarmscript.") {
			out[k] = v
		}
	}
	return out
}

// networkOf is a network without what differs from engine to engine: its ID, its
// time, and the addresses and the number that the swarm chose.
func networkOf(n network.Summary) any {
	options := map[string]string{}
	for k, v := range n.Options {
		switch {
		case strings.HasPrefix(k, "com.docker.network.driver.overlay.vxlanid"):
		case k == "encrypted": // is said by being there
			options[k] = ""
		default:
			options[k] = v
		}
	}
	ipam := n.IPAM
	if len(ipam.Config) == 1 && strings.HasPrefix(ipam.Config[0].Subnet, "10.0.") {
		ipam.Config = nil
	}
	return map[string]any{
		"Name": n.Name, "Driver": n.Driver, "Scope": n.Scope, "Internal": n.Internal, "Attachable": n.Attachable, "IPv6": n.EnableIPv6,
		"Labels": unmarked(n.Labels), "Options": options, "IPAM": ipam,
	}
}

// serviceOf is a service's spec without its IDs, and with one way of saying what
// may be said in two. These are all the differences that there are:
func serviceOf(s swarm.ServiceSpec, networks map[string]string) any {
	s.Labels = unmarked(s.Labels)
	task, c := &s.TaskTemplate, s.TaskTemplate.ContainerSpec
	// Sets, which we write in their order and docker in the file's: networks, by
	// their IDs, and a network's aliases, which docker may give twice ...
	for i, n := range task.Networks {
		task.Networks[i].Target = networks[n.Target]
		slices.Sort(n.Aliases)
		task.Networks[i].Aliases = slices.Compact(n.Aliases)
	}
	by(task.Networks, func(n swarm.NetworkAttachmentConfig) string { return n.Target })
	// ... mounts, lines for /etc/hosts, ports that the swarm chooses ...
	by(c.Mounts, func(m mount.Mount) string { return m.Target })
	slices.Sort(c.Hosts)
	by(s.EndpointSpec.Ports, func(p swarm.PortConfig) string { return fmt.Sprint(p.PublishedPort, p.TargetPort, p.Protocol) })
	// ... and constraints, in which spaces mean nothing.
	if p := task.Placement; p != nil {
		for i := range p.Constraints {
			p.Constraints[i] = strings.ReplaceAll(p.Constraints[i], " ", "")
		}
		slices.Sort(p.Constraints)
	}
	// What says nothing: empty privileges, a log driver without a name or an
	// option, a mount's options where there are none.
	if l := task.LogDriver; l != nil && l.Name == "" && len(l.Options) == 0 {
		task.LogDriver = nil
	}
	for i, m := range c.Mounts {
		if o := m.VolumeOptions; o != nil && !o.NoCopy && o.Labels == nil && o.DriverConfig == nil && o.Subpath == "" {
			c.Mounts[i].VolumeOptions = nil
		}
	}
	// IDs are another engine's.
	configs := map[string]string{}
	for i, r := range c.Configs {
		configs[r.ConfigID] = r.ConfigName
		c.Configs[i].ConfigID = ""
	}
	for i := range c.Secrets {
		c.Secrets[i].SecretID = ""
	}
	if p := c.Privileges; p != nil {
		if p.CredentialSpec != nil && p.CredentialSpec.Config != "" {
			p.CredentialSpec.Config = configs[p.CredentialSpec.Config]
		}
		if *p == (swarm.Privileges{}) {
			c.Privileges = nil
		}
	}
	return s
}

// by sorts a set.
func by[T any](set []T, key func(T) string) {
	slices.SortFunc(set, func(a, b T) int { return strings.Compare(key(a), key(b)) })
}

// lineDiff shows the lines in which two texts differ, with the lines before them
// that say where.
func lineDiff(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	lcs := make([][]int, len(a)+1)
	for i := range lcs {
		lcs[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				lcs[i][j] = lcs[i+1][j+1] + 1
			} else {
				lcs[i][j] = max(lcs[i+1][j], lcs[i][j+1])
			}
		}
	}
	var out strings.Builder
	shown := -1
	head := func(i int) {
		for k := max(shown+1, i-4); k < i; k++ {
			out.WriteString("   " + a[k] + "\n")
		}
		shown = max(shown, i)
	}
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			i, j = i+1, j+1
		case j >= len(b) || i < len(a) && lcs[i+1][j] >= lcs[i][j+1]:
			head(i)
			out.WriteString(" - " + a[i] + "\n")
			i++
		default:
			head(i)
			out.WriteString(" + " + b[j] + "\n")
			j++
		}
	}
	return out.String()
}
