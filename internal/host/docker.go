package host

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/certificate"
	"github.com/swarmscript/swarmscript/internal/engine"
	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// DockerSpec is a Docker Engine that is installed by apt.
type DockerSpec struct {
	Version            *string        `star:"version" doc:"The engine's version: 28.5 takes the newest 28.5.x when it is installed and is content with any, 28.5.2 is that one. Left out: the newest when it is installed, and then whatever is there."`
	Source             string         `star:"source" default:"docker" enum:"docker,distribution" doc:"docker: Docker's own packages (docker-ce); distribution: those of Debian or Ubuntu (docker.io)."`
	Channel            string         `star:"channel" default:"stable" enum:"stable,test" doc:"The channel of Docker's packages."`
	Repository         string         `star:"repository" default:"" doc:"A mirror of Docker's apt repository; https://download.docker.com/linux/debian, or ubuntu, if left out."`
	Key                string         `star:"key" default:"" doc:"The key that the repository is signed with, in ASCII armour. Left out: Docker's own, which is fetched and must have the fingerprint that SwarmScript knows."`
	Daemon             map[string]any `star:"daemon,merge" doc:"Settings for /etc/docker/daemon.json. Those that others put there stay; ours are removed when they are no longer declared."`
	InsecureRegistries []string       `star:"insecure_registries,set,local" flag:"--insecure-registry" doc:"Registries without a certificate that is known: daemon's insecure-registries."`
	RegistryMirrors    []string       `star:"registry_mirrors,local" flag:"--registry-mirror" doc:"Mirrors of Docker Hub: daemon's registry-mirrors."`
	TLS                *TLSSpec       `star:"tls" doc:"The Engine API on a TCP port too, for clients that have a certificate."`
	Users              []string       `star:"users,set" doc:"Accounts that may use docker: members of the group docker, which makes them as good as root. Other members stay."`
	Hold               bool           `star:"hold" default:"true" doc:"Whether upgrades leave the packages alone, unattended ones too (apt-mark hold)."`
}

// SchemaName implements [schema.Named].
func (*DockerSpec) SchemaName() (string, string) {
	return "docker", "The Docker Engine of a machine with Debian or Ubuntu. One that was installed before is taken over. When it is no longer declared, its packages are removed if we installed them; /var/lib/docker stays."
}

// TLSSpec is the Engine API on a TCP port, as dockerd --tlsverify serves it.
type TLSSpec struct {
	Names    []string      `star:"names,set" doc:"Further addresses and names for the server's certificate, beside the machine's own."`
	Port     int64         `star:"port,local" default:"2376" min:"1" max:"65535" doc:"The port."`
	Address  string        `star:"address,local" default:"0.0.0.0" doc:"The address that it listens on."`
	CA       *string       `star:"ca" flag:"--tlscacert" doc:"The certificate of the authority that signs servers and clients, in PEM format. Left out: one that is made on the machine, and whose key stays there."`
	CAKey    *string       `star:"ca_key,secret,local" doc:"The authority's key, in PEM format. It is not kept on the machine."`
	Lifetime time.Duration `star:"lifetime,local" default:"8760h" min:"3600000000000" doc:"How long certificates are good. They are renewed when less than a third of that is left."`
}

// SchemaName implements [schema.Named].
func (*TLSSpec) SchemaName() (string, string) {
	return "tls", "The Engine API over TLS, for clients with a certificate."
}

var (
	dockerSchema = schema.Of(DockerSpec{})
	tlsSchema    = schema.Of(TLSSpec{})
)

// DockerKind is the Docker Engine of a machine.
var DockerKind = &resource.Kind{
	Name:      "docker",
	Schema:    dockerSchema,
	Scope:     "host",
	Opens:     "engine",
	Rank:      20,
	Single:    true,
	Keeps:     true,
	Keyless:   true,
	TakesOver: true,
	Restarts:  true,
	Out: []resource.Output{
		{Name: "version", Type: "string", Doc: "The engine's version."},
		{Name: "socket", Type: "string", Stable: true, Doc: "The path of its socket on the machine."},
		{Name: "ca_cert", Type: "string", Doc: "With tls: the authority's certificate, for clients (ca.pem); otherwise empty."},
		{Name: "client_cert", Type: "string", Doc: "With tls: a client's certificate (cert.pem)."},
		{Name: "client_key", Type: "string", Sensitive: true, Doc: "With tls: its key (key.pem)."},
	},
	Missing: func(scope string) (string, string) {
		name := value.Address(scope).Name()
		return "there is no Docker Engine on " + scope, fmt.Sprintf("docker_install(%s, ...) installs one, %s being what the script calls the machine", name, name)
	},
	Check:    hiding(dockerSchema, checkDocker),
	Complete: completeDocker,
	Needs: func(args value.Struct) (out []resource.Need) {
		for _, u := range listOf(dockerSchema, args, "users") {
			out = append(out, resource.Need{Kind: "user", Name: u})
		}
		return out
	},
	Effect: dockerEffect,
	Ending: func(_ *resource.Object, _ bool) string {
		return resource.Interrupted + " if we installed it: its packages are removed, /var/lib/docker stays"
	},
	Handler: dockerHandler{},
}

// Docker's words for what has an argument of its own.
const (
	keyHosts    = "hosts"
	keyInsecure = "insecure-registries"
	keyMirrors  = "registry-mirrors"
	keyRestore  = "live-restore"
)

var (
	versionWanted = pattern.Of(`^([0-9]+:)?[0-9][A-Za-z0-9.+~-]*$`)
	hostName      = pattern.Of(`^(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$`)
)

func checkDocker(args value.Struct) (ps schema.Problems) {
	bad := func(path, hint, format string, a ...any) {
		ps = append(ps, &schema.Problem{Path: path, Msg: fmt.Sprintf(format, a...), Hint: hint})
	}
	if v, ok := text(dockerSchema, args, "version"); ok && !versionWanted().MatchString(v) {
		bad("version", "", "got %q, want a version such as 28.5 or 28.5.2", v)
	}
	if source, _ := text(dockerSchema, args, "source"); source == "distribution" {
		channel, _ := text(dockerSchema, args, "channel")
		repository, _ := text(dockerSchema, args, "repository")
		key, _ := text(dockerSchema, args, "key")
		for i, given := range []bool{channel == "test", repository != "", key != ""} {
			if given {
				bad([]string{"channel", "repository", "key"}[i], "", "says nothing of the distribution's packages")
			}
		}
	}
	if s, ok := text(dockerSchema, args, "repository"); ok && s != "" {
		if u, err := url.Parse(s); err != nil || u.Host == "" || !slices.Contains([]string{"http", "https"}, u.Scheme) || strings.ContainsAny(s, " \t\n") {
			bad("repository", "", "got %q, want a URL such as https://mirror.example.com/docker/linux/debian", s)
		}
	}
	if s, ok := text(dockerSchema, args, "key"); ok && s != "" {
		if _, err := readKey(s, ""); err != nil {
			bad("key", "", "%v", err)
		}
	}
	for i, u := range dockerList(args, "users") {
		if s, ok := u.(string); ok && !accountName().MatchString(s) {
			bad(fmt.Sprintf("users[%d]", i), "", "got %q, want the name of an account", s)
		}
	}
	for i, m := range dockerList(args, "registry_mirrors") {
		if s, ok := m.(string); ok && !strings.HasPrefix(s, "http://") && !strings.HasPrefix(s, "https://") {
			bad(fmt.Sprintf("registry_mirrors[%d]", i), "", "got %q, want a URL such as https://mirror.example.com", s)
		}
	}
	return append(append(ps, checkDaemon(args)...), checkTLS(args)...)
}

// checkDaemon finds what is wrong with daemon, or is said there and in an
// argument of its own. What an argument has put there itself is no clash.
func checkDaemon(args value.Struct) (ps schema.Problems) {
	daemon, _ := value.Reveal(get(dockerSchema, args, "daemon")).(*value.Map)
	for key, arg := range map[string]string{keyInsecure: "insecure_registries", keyMirrors: "registry_mirrors"} {
		own := dockerList(args, arg)
		if v, both := daemon.Get(key); both && len(own) > 0 && !value.Equal(v, own) {
			ps = append(ps, &schema.Problem{Path: "daemon", Msg: fmt.Sprintf("%s is given as %s too", key, arg)})
		}
	}
	if tls, ok := value.Reveal(get(dockerSchema, args, "tls")).(value.Struct); ok {
		for _, e := range tlsSettings(tls) {
			if v, both := daemon.Get(e.Key); both && !value.Equal(v, e.Value) {
				ps = append(ps, &schema.Problem{Path: "daemon", Msg: e.Key + " is set by tls"})
			}
		}
	}
	v, given := daemon.Get(keyHosts)
	if !given || !value.Known(v) {
		return ps
	}
	hosts, isList := value.Reveal(v).(value.List)
	local := slices.ContainsFunc(hosts, func(h value.Value) bool {
		s, _ := h.(string)
		return strings.HasPrefix(s, "unix://") || strings.HasPrefix(s, "fd://")
	})
	switch {
	case !isList:
		ps = append(ps, &schema.Problem{Path: "daemon", Msg: "hosts: want a list of strings"})
	case !local:
		ps = append(ps, &schema.Problem{Path: "daemon", Msg: "hosts has no socket, through which SwarmScript reaches the engine", Hint: `add "fd://"`})
	}
	return ps
}

func checkTLS(args value.Struct) (ps schema.Problems) {
	tls, ok := value.Reveal(get(dockerSchema, args, "tls")).(value.Struct)
	if !ok {
		return nil
	}
	field := func(name string) value.Value { return value.Reveal(get(tlsSchema, tls, name)) }
	names, _ := field("names").(value.List)
	for i, n := range names {
		if s, ok := n.(string); ok && net.ParseIP(s) == nil && !hostName().MatchString(s) {
			ps = append(ps, &schema.Problem{Path: fmt.Sprintf("tls.names[%d]", i), Msg: fmt.Sprintf("got %q, want an address or a name", s)})
		}
	}
	if s, ok := field("address").(string); ok && net.ParseIP(s) == nil {
		ps = append(ps, &schema.Problem{Path: "tls.address", Msg: fmt.Sprintf("got %q, want an IP address", s)})
	}
	ca, key := field("ca"), field("ca_key")
	if (ca == nil) != (key == nil) {
		ps = append(ps, &schema.Problem{Path: "tls", Msg: "ca and ca_key go together"})
	}
	c, ok1 := ca.(string)
	k, ok2 := key.(string)
	if ok1 && ok2 {
		if _, err := certificate.Read([]byte(c), []byte(k)); err != nil {
			ps = append(ps, &schema.Problem{Path: "tls.ca", Msg: err.Error()})
		}
	}
	return ps
}

// dockerList is a list argument, nil where it is not given or not known.
func dockerList(args value.Struct, name string) value.List {
	l, _ := value.Reveal(get(dockerSchema, args, name)).(value.List)
	return l
}

// completeDocker puts what has an argument of its own into daemon, so that one
// comparison finds all that differs in daemon.json.
func completeDocker(args value.Struct) {
	daemon, isMap := value.Reveal(get(dockerSchema, args, "daemon")).(*value.Map)
	if !isMap && get(dockerSchema, args, "daemon") != nil {
		return // not known yet
	}
	var entries []value.Entry
	for key, arg := range map[string]string{keyInsecure: "insecure_registries", keyMirrors: "registry_mirrors"} {
		if l := dockerList(args, arg); len(l) > 0 {
			entries = append(entries, value.Entry{Key: key, Value: l})
		}
	}
	if tls, ok := value.Reveal(get(dockerSchema, args, "tls")).(value.Struct); ok {
		entries = append(entries, tlsSettings(tls)...)
	}
	if len(entries) == 0 {
		return
	}
	if daemon != nil {
		entries = append(slices.Clone(daemon.Entries), entries...)
	}
	set(dockerSchema, args, "daemon", value.NewMap(entries))
}

// tlsSettings are what daemon.json says for tls.
func tlsSettings(tls value.Struct) []value.Entry {
	out := []value.Entry{
		{Key: "tlsverify", Value: true},
		{Key: "tlscacert", Value: tlsDir + "/ca.pem"},
		{Key: "tlscert", Value: tlsDir + "/server-cert.pem"},
		{Key: "tlskey", Value: tlsDir + "/server-key.pem"},
	}
	port, ok1 := value.Reveal(get(tlsSchema, tls, "port")).(int64)
	address, ok2 := value.Reveal(get(tlsSchema, tls, "address")).(string)
	if ok1 && ok2 {
		out = append(out, value.Entry{Key: keyHosts, Value: value.List{"fd://", "tcp://" + net.JoinHostPort(address, strconv.FormatInt(port, 10))}})
	}
	return out
}

// dockerEffect says what an update does to what runs on the engine.
func dockerEffect(live *resource.Object, args value.Struct, changes []schema.Change, restart bool) string {
	daemon, _ := value.Reveal(get(dockerSchema, live.Args, "daemon")).(*value.Map)
	version, _ := live.Out["version"].(string)
	does := reloads
	if restart && live.Unsettled != notEnabled {
		does = restarts
	}
	for _, ch := range changes {
		switch ch.Field.Name {
		case "version", "source", "tls":
			does = restarts
		case "daemon":
			does = max(does, daemonChange(version, ch))
		}
	}
	if does != restarts {
		return ""
	}
	if on, _ := daemon.Get(keyRestore); on == true {
		return "the engine restarts; live-restore keeps its containers running"
	}
	if live.Unsettled == notRunning {
		return "the engine starts"
	}
	return resource.Interrupted + ": the engine restarts, and its containers stop meanwhile"
}

// daemonChange is what a difference in daemon.json asks of an engine.
func daemonChange(version string, ch schema.Change) effect {
	key, _ := strings.CutPrefix(ch.Path, "daemon[")
	key, err := strconv.Unquote(strings.TrimSuffix(key, "]"))
	if err != nil {
		return restarts // all of it, which is not known yet
	}
	return keyEffect(version, key, ch.After != nil)
}

// dockerHandler installs engines.
type dockerHandler struct{}

// Open implements [resource.Opener]: the engine is reached over the machine's
// connection. One that is stopped is not asked: systemd's socket would start it.
func (dockerHandler) Open(_ context.Context, parent resource.Conn, o *resource.Object) (resource.Conn, error) {
	c, err := connOf(parent)
	if err != nil {
		return nil, err
	}
	if o.Unsettled == notRunning || o.Unsettled == notReached {
		return nil, fmt.Errorf("the engine %w", resource.ErrOff)
	}
	socket, _ := o.Out["socket"].(string)
	d, err := c.host.Docker(socket)
	if err != nil {
		return nil, err
	}
	return engine.Over(d), nil
}
