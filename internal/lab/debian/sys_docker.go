package debian

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path"
	"slices"
	"strings"
)

// dockerd runs as the unit that starts it: what it serves is the lab's engine
// ([Daemon]).

const (
	dockerSocket = "/run/docker.sock"
	daemonConfig = "/etc/docker/daemon.json"
)

// Reloader is a [Daemon] that takes on settings while it runs. One that is none is
// stopped and started.
type Reloader interface {
	Reload(ctx context.Context, config []byte) error
}

var errNoEngine = errors.New("swarmscript lab: not simulated: a Docker engine on this machine")

// dockerVersion is the version of the engine that is installed, as dockerd says it:
// 28.5.2, 20.10.24+dfsg1.
func (s *System) dockerVersion() string {
	for _, name := range []string{"docker-ce", "docker.io"} {
		if version, ok := s.isInstalled(name); ok {
			_, upstream, _ := splitVersion(version)
			if i := strings.IndexByte(upstream, '-'); i >= 0 {
				upstream = upstream[:i]
			}
			return strings.ReplaceAll(upstream, "~", "-")
		}
	}
	return ""
}

// acceptFor is what a socket of systemd's does with who connects, nil where that is not
// known.
func (m *units) acceptFor(service string) func(context.Context) (net.Conn, error) {
	if service != "docker.service" {
		return nil
	}
	return func(ctx context.Context) (net.Conn, error) {
		if err := m.start(ctx, service); err != nil {
			return nil, err
		}
		return m.sys.cfg.Docker.Dial(ctx)
	}
}

func startDocker(ctx context.Context, s *System, unit string, args []string) error {
	if s.cfg.Docker == nil {
		return errNoEngine
	}
	file, flags, err := dockerFlags(args)
	if err != nil {
		return err
	}
	config, given, err := s.dockerConfig(file, flags)
	if err != nil {
		return fmt.Errorf("unable to configure the Docker daemon with file %s: %w", file, err)
	}
	hosts := flags["host"]
	if given["hosts"] != nil {
		if err := json.Unmarshal(given["hosts"], &hosts); err != nil {
			return fmt.Errorf("unable to configure the Docker daemon with file %s: %w", file, err)
		}
	}
	s.units.log.say(unit, "dockerd", "Starting up")
	var ports []engineAt
	for _, h := range hosts {
		if strings.HasPrefix(h, "fd://") || strings.HasPrefix(h, "unix://") {
			continue
		}
		at, err := s.readEngineAt(h, given)
		if err != nil {
			return err
		}
		if s.cfg.ServeDocker == nil {
			return fmt.Errorf("failed to load listeners: swarmscript lab: not simulated: the Engine API at %s", h)
		}
		ports = append(ports, at)
	}
	if err := s.cfg.Docker.Start(ctx, s.dockerVersion(), config); err != nil {
		return err
	}
	if err := s.engineListens(ports); err != nil {
		s.engineCloses()
		return errors.Join(err, s.cfg.Docker.Stop(ctx))
	}
	s.units.log.say(unit, "dockerd", "Daemon has completed initialization")
	s.dockerChains()
	for _, h := range hosts {
		if at, ok := strings.CutPrefix(h, "unix://"); ok {
			if err := s.dockerListens(strings.Replace(at, "/var/run/", "/run/", 1)); err != nil {
				return err
			}
			s.units.log.say(unit, "dockerd", "API listen on "+at)
		}
	}
	for _, at := range ports {
		s.units.log.say(unit, "dockerd", "API listen on "+strings.TrimPrefix(at.host, "tcp://"))
	}
	if slices.Contains(hosts, "fd://") {
		s.units.log.say(unit, "dockerd", "API listen on "+dockerSocket)
	}
	return nil
}

// dockerListens makes a socket of the engine's own.
func (s *System) dockerListens(at string) error {
	var gid uint32
	if g, ok := s.group("docker"); ok {
		gid = g.gid
	}
	return s.Listen(at, gid, 0o660, s.cfg.Docker.Dial)
}

func stopDocker(ctx context.Context, s *System, unit string) error {
	s.units.log.say(unit, "dockerd", "Processing signal 'terminated'")
	s.engineCloses()
	err := s.cfg.Docker.Stop(ctx)
	_, given, _ := s.dockerConfig(daemonConfig, nil)
	var hosts []string
	_ = json.Unmarshal(given["hosts"], &hosts)
	for _, h := range hosts { // those that it has made itself
		if at, ok := strings.CutPrefix(h, "unix://"); ok {
			at = strings.Replace(at, "/var/run/", "/run/", 1)
			s.Unlisten(at)
			_ = s.fs.Root().RemoveAll(at)
		}
	}
	s.units.log.say(unit, "dockerd", "Daemon shutdown complete")
	return err
}

func reloadDocker(ctx context.Context, s *System, unit string) error {
	s.units.log.say(unit, "dockerd", "Got signal to reload configuration, reloading from: "+daemonConfig)
	config, _, err := s.dockerConfig(daemonConfig, nil)
	if err == nil {
		if r, ok := s.cfg.Docker.(Reloader); ok {
			err = r.Reload(ctx, config)
		} else {
			err = errors.Join(s.cfg.Docker.Stop(ctx), s.cfg.Docker.Start(ctx, s.dockerVersion(), config))
		}
	}
	if err != nil {
		s.units.log.say(unit, "dockerd", "Error reconfiguring the daemon: "+err.Error())
		return nil // the signal was sent: nobody hears of what came of it
	}
	s.units.log.say(unit, "dockerd", "Reloaded configuration: "+string(bytes.TrimSpace(config)))
	return nil
}

// dockerFlags reads dockerd's command line.
func dockerFlags(args []string) (file string, flags map[string][]string, err error) {
	file, flags = daemonConfig, map[string][]string{}
	for i := 1; i < len(args); i++ {
		name, value, has := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		if name == "H" {
			name = "host"
		}
		switch {
		case !strings.HasPrefix(args[i], "-"):
			return "", nil, fmt.Errorf("unknown argument %s", args[i])
		case strings.HasPrefix(args[i], "-H") && len(args[i]) > 2 && args[i][2] != '=':
			name, value = "host", args[i][2:]
		case name == "validate" || name == "debug" || name == "D":
			value = "true"
		case !has && i+1 < len(args):
			i++
			value = args[i]
		}
		if !slices.Contains([]string{"host", "containerd", "config-file", "validate", "debug", "D"}, name) {
			return "", nil, fmt.Errorf("swarmscript lab: not simulated: dockerd --%s: put it into %s", name, daemonConfig)
		}
		if name == "config-file" {
			file = value
		}
		flags[name] = append(flags[name], value)
	}
	return file, flags, nil
}

// dockerConfig reads and checks daemon.json. A file that is not there says nothing.
func (s *System) dockerConfig(file string, flags map[string][]string) (text []byte, given map[string]json.RawMessage, err error) {
	text, err = s.fs.Root().ReadFile(file)
	if Is(err, ENOENT) {
		return []byte("{}"), nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return []byte("{}"), nil, nil
	}
	if given, err = checkDaemon(text); err != nil {
		return nil, nil, err
	}
	if hosts := flags["host"]; len(hosts) > 0 && given["hosts"] != nil {
		var in []string
		_ = json.Unmarshal(given["hosts"], &in)
		return nil, nil, fmt.Errorf("the following directives are specified both as a flag and in the configuration file: hosts: (from flag: [%s], from file: [%s])",
			strings.Join(hosts, " "), strings.Join(in, " "))
	}
	return text, given, nil
}

// daemonKeys are the settings of daemon.json, by the kind of value that they have.
var daemonKeys = func() map[string]string {
	all := map[string]string{}
	for kind, names := range map[string]string{
		"bool": "debug icc ip-forward ip-masq iptables ip6tables ipv6 live-restore raw-logs rootless experimental selinux-enabled tls tlsverify userland-proxy no-new-privileges " +
			"no-proxy-x allow-nondistributable-x ip-forward-no-drop bridge-accept-fwmark-x",
		"string": "api-cors-header bip bip6 bridge cgroup-parent containerd containerd-namespace containerd-plugins-namespace cpu-rt-x data-root default-cgroupns-mode default-gateway default-gateway-v6 default-ipc-mode " +
			"default-runtime default-shm-size exec-root fixed-cidr fixed-cidr-v6 group host-gateway-ip init-path ip log-driver log-format log-level pidfile seccomp-profile storage-driver swarm-default-advertise-addr " +
			"tlscacert tlscert tlskey userland-proxy-path userns-remap metrics-addr min-api-version firewall-backend graph",
		"int":     "max-concurrent-downloads max-concurrent-uploads max-download-attempts mtu network-control-plane-mtu network-diagnostic-port oom-score-adjust shutdown-timeout cpu-rt-period cpu-rt-runtime",
		"strings": "authorization-plugins dns dns-opts dns-search exec-opts hosts insecure-registries labels registry-mirrors storage-opts node-generic-resources cdi-spec-dirs host-gateway-ips allow-nondistributable-artifacts",
		"object":  "builder default-network-opts default-ulimits features log-opts proxies runtimes cluster-advertise-opts",
		"list":    "default-address-pools",
		"flag":    "init",
	} {
		for _, name := range strings.Fields(names) {
			all[name] = kind
		}
	}
	return all
}()

// checkDaemon checks the text of daemon.json, in dockerd's words.
func checkDaemon(text []byte) (map[string]json.RawMessage, error) {
	var given map[string]json.RawMessage
	dec := json.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&given); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("unexpected end of JSON input")
		}
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("invalid character after top-level value")
	}
	var unknown []string
	for _, name := range sortedKeys(given) {
		if daemonKeys[name] == "" {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("the following directives don't match any configuration option: %s", strings.Join(unknown, ", "))
	}
	for _, name := range sortedKeys(given) {
		if err := checkSetting(name, given[name]); err != nil {
			return nil, err
		}
	}
	return given, nil
}

func checkSetting(name string, raw json.RawMessage) error {
	var into any
	kind := daemonKeys[name]
	switch kind {
	case "bool", "flag":
		into = new(bool)
	case "string":
		into = new(string)
	case "int":
		into = new(int)
	case "strings":
		into = new([]string)
	case "list":
		into = new([]map[string]any)
	case "object":
		into = new(map[string]any)
	}
	var wrong *json.UnmarshalTypeError
	if err := json.Unmarshal(raw, into); errors.As(err, &wrong) {
		kind := map[string]string{"flag": "bool", "strings": "[]string", "object": "map[string]string"}[kind]
		if kind == "" {
			kind = wrong.Type.String()
		}
		return fmt.Errorf("json: cannot unmarshal %s into Go struct field Config.%s of type %s", wrong.Value, name, kind)
	} else if err != nil {
		return err
	}
	switch v := into.(type) {
	case *int:
		if *v < 0 && strings.HasPrefix(name, "max-") {
			return fmt.Errorf("invalid %s: %d", strings.ReplaceAll(name, "-", " "), *v)
		}
	case *[]string:
		return checkStrings(name, *v)
	case *string:
		if levels := []string{"debug", "info", "warn", "error", "fatal"}; name == "log-level" && !slices.Contains(levels, *v) {
			return fmt.Errorf("invalid logging level: %s", *v)
		}
	}
	return nil
}

func checkStrings(name string, list []string) error {
	for _, v := range list {
		switch {
		case name == "labels" && !strings.Contains(v, "="):
			return fmt.Errorf("bad attribute format: %s", v)
		case name == "dns" && net.ParseIP(v) == nil:
			return fmt.Errorf("IP address is not correctly formatted: %s", v)
		case name == "registry-mirrors" && !strings.HasPrefix(v, "http://") && !strings.HasPrefix(v, "https://"):
			return fmt.Errorf("invalid mirror: no scheme specified for %q: must use either 'https://' or 'http://'", v)
		case name == "hosts" && !strings.Contains(v, "://"):
			return fmt.Errorf("invalid bind address (%s): should have a scheme", v)
		}
	}
	return nil
}

// dockerdCommand is dockerd as somebody runs it by hand.
func dockerdCommand(ctx context.Context, c *call) int {
	version := c.sys.dockerVersion()
	switch first := strings.Join(c.args[1:], " "); first {
	case "--version", "-v":
		c.printf("Docker version %s, build %s\n", version, dockerBuild)
		return 0
	case "--help":
		c.printf("Usage:  dockerd [OPTIONS]\n\nA self-sufficient runtime for containers.\n\nOptions:\n      --config-file string\n  -H, --host list\n")
		if debianOrder(version, "23") >= 0 {
			c.printf("      --validate                              Validate daemon configuration and exit\n")
		}
		return 0
	}
	file, flags, err := dockerFlags(c.args)
	if err != nil {
		return c.dockerdFails(err)
	}
	if flags["validate"] == nil {
		return c.notSimulated("outside of its unit: systemctl start docker")
	}
	if debianOrder(version, "23") < 0 {
		return c.dockerdFails(errors.New("unknown flag: --validate"))
	}
	if _, _, err := c.sys.dockerConfig(file, flags); err != nil {
		return c.dockerdFails(fmt.Errorf("unable to configure the Docker daemon with file %s: %w", file, err))
	}
	c.printf("configuration OK\n")
	return 0
}

// dockerBuild is what docker's programs say that they were built from.
const dockerBuild = "swarmscript-lab"

func (c *call) dockerdFails(err error) int {
	c.flush()
	fmt.Fprintln(c.stderr, err)
	return 1
}

// containerdCommand is containerd, ctr and runc, which only tell their versions.
func containerdCommand(ctx context.Context, c *call) int {
	if len(c.args) != 2 || !slices.Contains([]string{"--version", "-v"}, c.args[1]) {
		return c.notSimulated(strings.Join(c.args[1:], " "))
	}
	for _, name := range []string{"containerd.io", "containerd"} {
		if v, ok := c.sys.isInstalled(name); ok {
			_, upstream, _ := splitVersion(v)
			c.printf("%s github.com/containerd/containerd %s\n", path.Base(c.args[0]), upstream)
			return 0
		}
	}
	return c.fail(1, "it is not installed")
}
