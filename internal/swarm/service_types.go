package swarm

import (
	"encoding/csv"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/cli/opts"
	"github.com/docker/cli/opts/swarmopts"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/go-connections/nat"
	units "github.com/docker/go-units"
	"github.com/google/shlex"

	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/schema"
)

// ImageRef is an image reference in the short form that docker shows, with its
// tag: nginx:latest.
type ImageRef string

// Normal adds the tag and drops what docker leaves out.
func (r ImageRef) Normal() (string, error) {
	if r.isPlain() {
		return string(r), nil
	}
	named, err := reference.ParseNormalizedNamed(string(r))
	if err != nil {
		return "", fmt.Errorf("%q is not an image reference: %w", string(r), err)
	}
	return reference.FamiliarString(reference.TagNameOnly(named)), nil
}

// isPlain reports whether the reference is in its short form for certain: a
// name and a tag in the common characters, with nothing that the long form
// would drop. It spares most references the parser's regular expressions,
// which took a tenth of the time of a plan of 10,000 services.
func (r ImageRef) isPlain() bool {
	i := strings.LastIndexByte(string(r), ':')
	if i < 0 || i > 128 {
		return false
	}
	name, tag := string(r[:i]), string(r[i+1:])
	if !isPlainTag(tag) {
		return false
	}
	host, repo, nested := strings.Cut(name, "/")
	switch {
	case !nested:
		return isPlainPath(name)
	case strings.ContainsAny(host, ".:"):
		// Docker's own host is left out in the short form, its other name too.
		return isPlainHost(host) && !strings.HasSuffix(host, "docker.io") && isPlainPath(repo)
	}
	return host != "library" && host != "localhost" && isPlainPath(name)
}

func isLowerOrDigit(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

func isPlainTag(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !isLowerOrDigit(c) && (c < 'A' || c > 'Z') && c != '_' && (i == 0 || c != '.' && c != '-') {
			return false
		}
	}
	return s != "" && len(s) <= 128
}

// isPlainPath is true of words between slashes, each of letters and digits
// with single signs between them.
func isPlainPath(s string) bool { return isWords(s, "/.-_") }

// isPlainHost is true of such a name with a dot in it, or with a port.
func isPlainHost(s string) bool {
	name, port, ok := strings.Cut(s, ":")
	return isWords(name, ".-") && (!ok || port != "" && strings.Trim(port, "0123456789") == "")
}

func isWords(s, between string) bool {
	word := false // whether the last character was one of a word
	for i := range len(s) {
		if isLowerOrDigit(s[i]) {
			word = true
			continue
		}
		if !word || strings.IndexByte(between, s[i]) < 0 {
			return false
		}
		word = false
	}
	return word
}

// Words is a command line.
type Words []string

// ParseShort splits a string as a shell would.
func (w *Words) ParseShort(s string) error {
	words, err := shlex.Split(s)
	if err != nil {
		return fmt.Errorf("%q: %w", s, err)
	}
	*w = words
	return nil
}

// HealthCmd is the command of a health check, as Docker's API has it.
type HealthCmd []string

// ParseShort takes a command line for the shell.
func (c *HealthCmd) ParseShort(s string) error {
	if s != "" {
		*c = HealthCmd{"CMD-SHELL", s}
	}
	return nil
}

// Capability is a Linux capability, as in CAP_NET_ADMIN.
type Capability string

// Normal puts it in capitals with CAP_ before it.
func (c Capability) Normal() (string, error) { return opts.NormalizeCapability(string(c)), nil }

// HostEntry is a line for /etc/hosts, as in db:10.0.0.3.
type HostEntry string

// Normal checks the address.
func (h HostEntry) Normal() (string, error) {
	host, ip, ok := strings.Cut(string(h), ":")
	if !ok || host == "" || strings.ContainsAny(host, " \t\n") {
		return "", fmt.Errorf("%q: want host:ip", string(h))
	}
	if ip == "host-gateway" { // what the engine takes for the host's address
		return string(h), nil
	}
	addr, err := netip.ParseAddr(strings.Trim(ip, "[]"))
	if err != nil {
		return "", fmt.Errorf("%q: %q is not an IP address", string(h), ip)
	}
	return host + ":" + addr.String(), nil
}

// Constraint says what a node must be.
type Constraint string

var (
	constraintKey   = pattern.Of(`(?i)^[a-z_][a-z0-9\-_.]+$`)
	constraintValue = pattern.Of(`(?i)^[a-z0-9:\-_\s.*()?+\[\]\\^$|/]+$`)
)

// Normal drops the spaces around the operator, and checks as the swarm does.
func (c Constraint) Normal() (string, error) {
	for _, op := range []string{"==", "!="} {
		key, val, ok := strings.Cut(string(c), op)
		if !ok {
			continue
		}
		key, val = strings.TrimSpace(key), strings.TrimSpace(val)
		if !constraintKey().MatchString(key) || !constraintValue().MatchString(val) {
			break
		}
		return key + op + val, nil
	}
	return "", fmt.Errorf("%q: want key==value or key!=value", string(c))
}

// Preference says how tasks are spread over the nodes.
type Preference string

// Normal checks the strategy: there is but one.
func (p Preference) Normal() (string, error) {
	how, what, ok := strings.Cut(string(p), "=")
	if !ok || strings.TrimSpace(how) != "spread" {
		return "", fmt.Errorf("%q: want spread=node.labels.NAME", string(p))
	}
	return "spread=" + strings.TrimSpace(what), nil
}

// MAC is a hardware address.
type MAC string

// Normal implements [schema.Normaler].
func (m MAC) Normal() (string, error) {
	a, err := net.ParseMAC(string(m))
	if err != nil {
		return "", fmt.Errorf("got %q, want an address such as 02:42:ac:11:00:02", string(m))
	}
	return a.String(), nil
}

// ParseShort takes docker's "8080:80/tcp" and "published=8080,target=80", and
// what only containers know, "127.0.0.1:8080:80".
func (p *Port) ParseShort(s string) error {
	if !strings.Contains(s, "=") {
		if got, err := nat.ParsePortSpec(s); err == nil && len(got) == 1 && got[0].Binding.HostIP != "" {
			published, err := strconv.ParseUint(orElse(got[0].Binding.HostPort, "0"), 10, 16)
			if err != nil {
				return fmt.Errorf("%q: want one port of the host", s)
			}
			*p = portFrom(swarm.PortConfig{
				Protocol: swarm.PortConfigProtocol(got[0].Port.Proto()), TargetPort: uint32(got[0].Port.Int()), PublishedPort: uint32(published),
			})
			p.HostIP = IP(got[0].Binding.HostIP)
			return nil
		}
	}
	var o swarmopts.PortOpt
	if err := o.Set(s); err != nil {
		return err
	}
	got := o.Value()
	if len(got) != 1 {
		return fmt.Errorf("%q is a range of ports: give one each", s)
	}
	*p = portFrom(got[0])
	return nil
}

// ParseShort takes docker's "type=volume,source=data,target=/data".
func (m *Mount) ParseShort(s string) error {
	fields, err := csvFields(s)
	if err != nil {
		return err
	}
	for _, f := range fields {
		key, val, _ := strings.Cut(f, "=")
		switch strings.ToLower(key) {
		case "source", "src":
			if strings.HasPrefix(val, ".") {
				return fmt.Errorf("source %q is relative, and to what differs between nodes", val)
			}
		case "consistency":
			return errors.New("consistency: it does nothing any more")
		}
	}
	var o opts.MountOpt
	if err := o.Set(s); err != nil {
		return err
	}
	got := o.Value()[0]
	*m = MountFrom(got)
	// Docker's parser takes any word for a type; nothing in a mount has a unit,
	// so that it may be checked in normal form.
	mounts := schema.Of(Mount{})
	if _, problems := mounts.CheckAll(mounts.Encode(*m)); problems != nil {
		return problems
	}
	return nil
}

// ParseShort takes a network's name, and docker's "name=net,alias=web". Unlike
// docker's own parser it keeps capitals.
func (a *Attachment) ParseShort(s string) error {
	if !strings.Contains(s, "=") {
		a.Network = s
		return nil
	}
	fields, err := csvFields(s)
	if err != nil {
		return err
	}
	for _, f := range fields {
		key, val, ok := strings.Cut(f, "=")
		val = strings.TrimSpace(val)
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "name":
			a.Network = val
		case "alias":
			a.Aliases = append(a.Aliases, val)
		case "ip":
			a.IP = ptr(IP(val))
		case "ip6":
			a.IP6 = ptr(IP(val))
		case "link-local-ip":
			a.LinkLocalIPs = append(a.LinkLocalIPs, IP(val))
		case "mac-address":
			a.MacAddress = ptr(MAC(val))
		case "gw-priority":
			n, err := strconv.ParseInt(val, 10, 32)
			if err != nil {
				return fmt.Errorf("gw-priority %q: want a number", val)
			}
			a.GwPriority = n
		case "driver-opt":
			k, v, isPair := strings.Cut(val, "=")
			if !isPair || k == "" {
				return fmt.Errorf("driver-opt %q: want key=value", val)
			}
			if a.DriverOpts == nil {
				a.DriverOpts = map[string]string{}
			}
			a.DriverOpts[strings.TrimSpace(k)] = strings.TrimSpace(v)
		default:
			if !ok {
				return fmt.Errorf("%q: want key=value", f)
			}
			return fmt.Errorf("unexpected key %q: want name, alias, driver-opt, ip, ip6, link-local-ip, mac-address, gw-priority", key)
		}
	}
	if a.Network == "" {
		return fmt.Errorf("%q: name is missing", s)
	}
	return nil
}

// ParseShort takes a secret's name, and docker's "source=x,target=y,mode=0440".
func (r *SecretRef) ParseShort(s string) error {
	var o swarmopts.SecretOpt
	if err := o.Set(s); err != nil {
		return err
	}
	got := o.Value()[0]
	*r = SecretRef{Secret: got.SecretName, Target: got.File.Name, UID: got.File.UID, GID: got.File.GID, Mode: schema.FileMode(got.File.Mode)}
	return nil
}

// ParseShort takes a config's name, and docker's "source=x,target=y,mode=0440".
func (r *ConfigRef) ParseShort(s string) error {
	var o swarmopts.ConfigOpt
	if err := o.Set(s); err != nil {
		return err
	}
	got := o.Value()[0]
	*r = ConfigRef{Config: got.ConfigName, Target: got.File.Name, UID: got.File.UID, GID: got.File.GID, Mode: schema.FileMode(got.File.Mode)}
	return nil
}

// ParseShort takes docker's "nofile=1024:2048".
func (u *Ulimit) ParseShort(s string) error {
	got, err := units.ParseUlimit(s)
	if err != nil {
		return err
	}
	*u = Ulimit{Name: got.Name, Soft: got.Soft, Hard: &got.Hard}
	return nil
}

// ParseShort takes docker's "config://NAME", "file://NAME", "registry://NAME".
func (c *CredentialSpec) ParseShort(s string) error {
	source, name, ok := strings.Cut(s, "://")
	if !ok || name == "" {
		return fmt.Errorf("%q: want config://, file:// or registry:// before a name", s)
	}
	switch source {
	case "config":
		c.Config = name
	case "file":
		c.File = name
	case "registry":
		c.Registry = name
	default:
		return fmt.Errorf("%q: want config://, file:// or registry:// before a name", s)
	}
	return nil
}

func csvFields(s string) ([]string, error) {
	fields, err := csv.NewReader(strings.NewReader(s)).Read()
	if err != nil {
		return nil, fmt.Errorf("%q: %w", s, err)
	}
	return fields, nil
}
