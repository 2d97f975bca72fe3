package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/cli/opts"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"

	"github.com/swarmscript/swarmscript/internal/pattern"
)

// RestartPolicy says when Docker starts a container again.
type RestartPolicy string

// Normal drops a number of tries that says nothing.
func (p RestartPolicy) Normal() (string, error) {
	got, err := opts.ParseRestartPolicy(string(p))
	if err != nil {
		return "", fmt.Errorf("got %q, want no, on-failure, on-failure:N, always or unless-stopped", string(p))
	}
	if err := container.ValidateRestartPolicy(got); err != nil {
		return "", err
	}
	return string(restartFrom(got)), nil
}

func restartFrom(p container.RestartPolicy) RestartPolicy {
	switch {
	case p.Name == "":
		return "no"
	case p.MaximumRetryCount > 0:
		return RestartPolicy(fmt.Sprintf("%s:%d", p.Name, p.MaximumRetryCount))
	}
	return RestartPolicy(p.Name)
}

// policy is the API's form of what Normal has checked.
func (p RestartPolicy) policy() container.RestartPolicy {
	name, n, _ := strings.Cut(string(p), ":")
	count, _ := strconv.Atoi(n)
	return container.RestartPolicy{Name: container.RestartPolicyMode(name), MaximumRetryCount: count}
}

// Namespace is whose network, processes or shared memory a container has: a
// word of Docker's, or container:NAME.
type Namespace string

const ofContainer = "container:"

// Normal checks that a name follows container:. Which words may stand there
// depends on the argument.
func (n Namespace) Normal() (string, error) {
	if name, ok := strings.CutPrefix(string(n), ofContainer); ok && name == "" {
		return "", fmt.Errorf("%q: want a container's name after the colon", string(n))
	}
	return string(n), nil
}

// RefersTo implements [schema.Referrer].
func (n Namespace) RefersTo() string { return strings.TrimPrefix(string(n), ofContainer) }

// RefersTo implements [schema.Referrer].
func (l Link) RefersTo() string { return beforeColon(string(l)) }

// RefersTo implements [schema.Referrer].
func (v VolumesFrom) RefersTo() string { return beforeColon(string(v)) }

// RefersTo implements [schema.Referrer].
func (b Bind) RefersTo() string { return beforeColon(string(b)) }

func beforeColon(s string) string { name, _, _ := strings.Cut(s, ":"); return name }

var linkName = pattern.Of(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// Link is another container under another name: name:alias.
type Link string

// Normal adds the alias.
func (l Link) Normal() (string, error) {
	name, alias, err := opts.ParseLink(string(l))
	name = strings.TrimPrefix(name, "/")
	if alias = strings.TrimPrefix(alias, "/"); err != nil || !linkName().MatchString(name) || !linkName().MatchString(alias) {
		return "", fmt.Errorf("%q: want name:alias", string(l))
	}
	return name + ":" + alias, nil
}

// VolumesFrom is a container whose volumes another one mounts: name or name:ro.
type VolumesFrom string

// Normal drops :rw, which says nothing.
func (v VolumesFrom) Normal() (string, error) {
	name, mode, _ := strings.Cut(string(v), ":")
	if name == "" || !slices.Contains([]string{"", "ro", "rw", "z", "Z", "ro,z", "ro,Z"}, mode) {
		return "", fmt.Errorf("%q: want name, name:ro or name:rw", string(v))
	}
	if mode == "" || mode == "rw" {
		return name, nil
	}
	return name + ":" + mode, nil
}

// ExposedPort is a port of the container: 80/tcp.
type ExposedPort string

// Normal adds the protocol.
func (p ExposedPort) Normal() (string, error) {
	proto, port := nat.SplitProtoPort(string(p))
	start, end, err := nat.ParsePortRange(port)
	if err != nil || !slices.Contains([]string{"tcp", "udp", "sctp"}, proto) || start == 0 || end > 65535 {
		return "", fmt.Errorf("got %q, want a port such as 80, 53/udp or 8000-8010", string(p))
	}
	if start != end {
		return fmt.Sprintf("%d-%d/%s", start, end, proto), nil
	}
	return fmt.Sprintf("%d/%s", start, proto), nil
}

// ports are the single ports of a range.
func (p ExposedPort) ports() []nat.Port {
	proto, port := nat.SplitProtoPort(string(p))
	start, end, _ := nat.ParsePortRange(port)
	var out []nat.Port
	for n := start; n <= end && n > 0; n++ {
		out = append(out, nat.Port(fmt.Sprintf("%d/%s", n, proto)))
	}
	return out
}

// Bind is a volume or a folder of the host, in docker's short form.
type Bind string

// Normal drops rw, which says nothing, and refuses paths that are relative: to
// what, only the docker CLI could say.
func (b Bind) Normal() (string, error) {
	parts := strings.Split(string(b), ":")
	if len(parts) > 1 && len(parts[0]) == 1 && strings.HasPrefix(parts[1], `\`) { // C:\data
		parts = append([]string{parts[0] + ":" + parts[1]}, parts[2:]...)
	}
	windows := strings.Contains(string(b), `\`)
	target := parts[min(1, len(parts)-1)]
	switch {
	case len(parts) > 3 && !windows:
		return "", fmt.Errorf("%q: want source:target or source:target:options", string(b))
	case len(parts) == 1 && !path.IsAbs(target) && !windows:
		return "", fmt.Errorf("%q: want where it is mounted too, as in %s:/data", string(b), string(b))
	case !path.IsAbs(target) && !windows:
		return "", fmt.Errorf("%q: %q is not an absolute path in the container", string(b), target)
	case len(parts) > 1 && (parts[0] == "" || strings.HasPrefix(parts[0], ".") || strings.HasPrefix(parts[0], "~")):
		return "", fmt.Errorf("%q: want a volume's name or an absolute path of the engine's host before the colon", string(b))
	}
	if len(parts) != 3 || windows {
		return string(b), nil
	}
	options := slices.DeleteFunc(strings.Split(parts[2], ","), func(s string) bool { return s == "rw" || s == "" })
	slices.Sort(options)
	if len(options) == 0 {
		return parts[0] + ":" + parts[1], nil
	}
	return parts[0] + ":" + parts[1] + ":" + strings.Join(options, ","), nil
}

// anonymous reports whether it is a volume without a name.
func (b Bind) anonymous() bool { return !strings.Contains(string(b), ":") }

// SecurityOpt is a security option: key=value, or a word.
type SecurityOpt string

const unconfinedPaths = "systempaths=unconfined"

// Normal uses = as Docker does since 1.11, and writes a seccomp profile in its
// shortest form.
func (o SecurityOpt) Normal() (string, error) {
	s := string(o)
	if s == "no-new-privileges" || s == "no-new-privileges=true" || s == "no-new-privileges:true" {
		return "no-new-privileges", nil
	}
	key, val, ok := strings.Cut(s, "=")
	if !ok {
		key, val, ok = strings.Cut(s, ":")
	}
	if !ok || key == "" {
		return "", fmt.Errorf("got %q, want key=value such as apparmor=unconfined, or no-new-privileges", s)
	}
	if key == "seccomp" && val != "unconfined" && val != "builtin" {
		var short bytes.Buffer
		if err := json.Compact(&short, []byte(val)); err != nil {
			return "", fmt.Errorf("seccomp: want unconfined, builtin, or the profile itself: \"seccomp=\" + read_file(...)")
		}
		val = short.String()
	}
	return key + "=" + val, nil
}

// Device is a device of the host: /dev/x:/dev/y:rwm, or a CDI name.
type Device string

// Normal fills in the path in the container and the permissions.
func (d Device) Normal() (string, error) {
	s := string(d)
	if d.isCDI() {
		return s, nil
	}
	parts := strings.Split(s, ":")
	host, inside, perms := parts[0], parts[0], "rwm"
	switch {
	case len(parts) == 2 && isPermissions(parts[1]):
		perms = parts[1]
	case len(parts) == 2:
		inside = parts[1]
	case len(parts) == 3:
		inside, perms = parts[1], parts[2]
	}
	if len(parts) > 3 || !path.IsAbs(host) || !path.IsAbs(inside) || !isPermissions(perms) {
		return "", fmt.Errorf("got %q, want /dev/x, /dev/x:/dev/y or /dev/x:/dev/y:rwm", s)
	}
	return host + ":" + inside + ":" + perms, nil
}

// isCDI reports whether it is the name of a device that a CDI specification on
// the host defines: vendor.com/class=name.
func (d Device) isCDI() bool {
	kind, name, ok := strings.Cut(string(d), "=")
	return ok && name != "" && !strings.HasPrefix(kind, "/") && strings.Contains(kind, "/")
}

func isPermissions(s string) bool { return s != "" && len(s) <= 3 && strings.Trim(s, "rwm") == "" }

// GPUs is a request for GPUs in docker's form.
type GPUs string

// Normal puts the parts in order.
func (g GPUs) Normal() (string, error) {
	req, err := g.request()
	if err != nil {
		return "", fmt.Errorf("%q: %w", string(g), err)
	}
	out := gpusFrom(req)
	// Docker's parser takes empty names, and would not read back what it took.
	if again, err := out.request(); err != nil || gpusFrom(again) != out {
		return "", fmt.Errorf("%q: want all, a number, or device=ID", string(g))
	}
	return string(out), nil
}

func (g GPUs) request() (container.DeviceRequest, error) {
	var o opts.GpuOpts
	if err := o.Set(string(g)); err != nil {
		return container.DeviceRequest{}, err
	}
	req := o.Value()[0]
	if req.Count < -1 || req.Count == 0 && len(req.DeviceIDs) == 0 {
		return req, errors.New("want all, a number, or device=ID")
	}
	return req, nil
}

func gpusFrom(r container.DeviceRequest) GPUs {
	var parts []string
	if r.Count != 0 {
		count := "all"
		if r.Count > 0 {
			count = strconv.Itoa(r.Count)
		}
		parts = append(parts, "count="+count)
	}
	quoted := func(key, list string) {
		if strings.ContainsAny(list, ",\"") {
			parts = append(parts, `"`+key+"="+strings.ReplaceAll(list, `"`, `""`)+`"`)
		} else if list != "" {
			parts = append(parts, key+"="+list)
		}
	}
	quoted("device", strings.Join(r.DeviceIDs, ","))
	quoted("driver", r.Driver)
	if len(r.Capabilities) > 0 {
		quoted("capabilities", strings.Join(slices.DeleteFunc(slices.Clone(r.Capabilities[0]), func(c string) bool { return c == "gpu" }), ","))
	}
	var options []string
	for _, k := range slices.Sorted(maps.Keys(r.Options)) {
		options = append(options, k+"="+r.Options[k])
	}
	quoted("options", strings.Join(options, ","))
	return GPUs(strings.Join(parts, ","))
}
