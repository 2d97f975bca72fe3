package host

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// The files of an installation of ours.
const (
	dockerKeyring = "/etc/apt/keyrings/docker.asc"
	dockerSources = "/etc/apt/sources.list.d/docker.sources"
	// dockerPending is there while an engine must restart that has not.
	dockerPending = root + "/docker-pending"
	dockerDropIn  = "/etc/systemd/system/docker.service.d/swarmscript.conf"
)

// dockerSection looks at the machine's engine.
var dockerSection = section{
	name: "docker", kinds: []string{"docker"},
	script: func([]*resource.Declaration) string { return dockerQuery },
	read:   readDocker,
}

// dockerQuery prints lines of a word and what it says. The contents of files are
// in base64.
var dockerQuery = `p=$(dpkg-query -W -f 'package ${Package} ${db:Status-Want} ${db:Status-Status} ${Version}\n' -- ` + strings.Join(dockerPackages, " ") + `)
[ -n "$p" ] && printf '%s\n' "$p"
if d=$(command -v dockerd); then
  printf 'dockerd %s\n' "$d"
  printf '%s\n' "$p" | grep -q '^package docker\(-ce\|\.io\) [a-z]* installed ' || printf 'version %s\n' "$("$d" --version)"
fi
[ -e ` + dockerPending + ` ] && echo pending
u=$(systemctl show docker.service -p LoadState -p ActiveState -p UnitFileState -p FragmentPath)
printf '%s\n' "$u" | sed -n 's/^[A-Z]/unit &/p'
f=$(printf '%s\n' "$u" | sed -n 's/^FragmentPath=//p')
[ -n "$f" ] && sed -n 's/^ExecStart=/exec /p' "$f"
for f in ` + strings.Join(dockerFiles, " ") + `; do [ -f "$f" ] && printf 'file %s %s\n' "$f" "$(base64 -w0 "$f")"; done
[ -f ` + tlsDir + `/ca-key.pem ] && echo ca-key
getent group docker | sed 's/^/group /'
. /etc/os-release
printf 'system %s %s\n' "$ID" "$VERSION_CODENAME"
printf 'name %s\n' "$(hostname)"
for a in $(ip -o address show scope global 2>/dev/null | grep -Ev '^[0-9]+: (docker|br-|veth|virbr|cni|podman)| (temporary|deprecated)( |$)' | sed -n 's/.* inet6\{0,1\} \([^/ ]*\).*/\1/p'); do printf 'address %s\n' "$a"; done
set -- $SSH_CONNECTION; [ $# = 4 ] && printf 'address %s\n' "$3"
[ -S /run/docker.sock ] && grep -q '/run/docker\.sock$' /proc/net/unix && echo socket
root=$(sed -n 's/^.*"data-root" *: *"\([^"]*\)".*/\1/p' ` + daemonFile + `); [ -s "${root:-/var/lib/docker}/swarm/docker-state.json" ] && echo member`

// dockerFiles are those whose content is looked at. The client's key is one of
// them only because it is an output: it is as secret as the connection.
var dockerFiles = []string{
	daemonFile, dockerSources, dockerKeyring, dockerDropIn,
	tlsDir + "/ca.pem", tlsDir + "/server-cert.pem", tlsDir + "/client-cert.pem", tlsDir + "/client-key.pem",
}

// dockerState is what a machine has of Docker.
type dockerState struct {
	packages  map[string]pkg
	path      string // of dockerd, "" where there is none
	byHand    string // its version, where no package brought it
	unit      map[string]string
	files     map[string][]byte
	caKey     bool
	members   []string // of the group docker
	system    string   // the distribution: "debian"
	codename  string
	name      string
	addresses []string
	listens   bool   // systemd's socket is there
	member    bool   // of a swarm
	exec      string // how the unit starts dockerd
	pending   bool   // it was to restart, and did not
}

func parseDocker(out []byte) (*dockerState, error) {
	st := &dockerState{packages: map[string]pkg{}, unit: map[string]string{}, files: map[string][]byte{}}
	for _, line := range lines(out) {
		word, rest, _ := strings.Cut(line, " ")
		damaged := fmt.Errorf("the machine's answer about docker is damaged: %.80q", line)
		switch word {
		case "package":
			w := strings.Fields(rest)
			if len(w) == 4 && (w[2] == "installed" || strings.HasPrefix(w[2], "triggers-")) {
				st.packages[w[0]] = pkg{version: w[3], installed: true, held: w[1] == "hold"}
			} else if len(w) < 3 {
				return nil, damaged
			}
		case "dockerd":
			st.path = rest
		case "version": // Docker version 28.5.2, build ecc6942
			_, after, _ := strings.Cut(rest, "version ")
			st.byHand, _, _ = strings.Cut(after, ",")
		case "unit":
			k, v, _ := strings.Cut(rest, "=")
			st.unit[k] = v
		case "file":
			name, text, ok := strings.Cut(rest, " ")
			content, err := base64.StdEncoding.DecodeString(text)
			if !ok || err != nil {
				return nil, damaged
			}
			st.files[name] = content
		case "ca-key":
			st.caKey = true
		case "group":
			if w := strings.Split(rest, ":"); len(w) == 4 && w[3] != "" {
				st.members = strings.Split(w[3], ",")
			}
		case "system":
			st.system, st.codename, _ = strings.Cut(rest, " ")
		case "name":
			st.name = rest
		case "address":
			if !slices.Contains(st.addresses, rest) {
				st.addresses = append(st.addresses, rest)
			}
		case "socket":
			st.listens = true
		case "member":
			st.member = true
		case "exec":
			st.exec = rest
		case "pending":
			st.pending = true
		default:
			return nil, damaged
		}
	}
	return st, nil
}

// source is which flavour is installed, "" where no package brought the engine.
func (st *dockerState) source() string {
	for _, name := range []string{"docker", "distribution"} {
		if st.packages[flavours[name].engine].installed {
			return name
		}
	}
	return ""
}

// there reports whether there is an engine.
func (st *dockerState) there() bool { return st.path != "" || st.source() != "" || st.listens }

// version is the engine's, as its makers count.
func (st *dockerState) version() string {
	if s := st.source(); s != "" {
		return upstream(st.packages[flavours[s].engine].version)
	}
	return st.byHand
}

// names are those that the engine's certificate is for, sorted.
func (st *dockerState) names(more []string) []string {
	out := slices.Concat([]string{"localhost", "127.0.0.1", st.name}, st.addresses, more)
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(s string) bool { return s == "" })
}

func (st *dockerState) certs() certs {
	return certs{
		ca: st.files[tlsDir+"/ca.pem"], server: st.files[tlsDir+"/server-cert.pem"],
		client: st.files[tlsDir+"/client-cert.pem"], ownCA: st.caKey,
	}
}

// socket is the path of the engine's own.
func (st *dockerState) socket() string {
	daemon, err := parseDaemon(st.files[daemonFile])
	if err != nil {
		return remote.DockerSocket
	}
	hosts, _ := daemon.Get(keyHosts)
	list, _ := hosts.(value.List)
	var sockets []string
	for _, h := range list {
		s, _ := h.(string)
		if strings.HasPrefix(s, "fd://") {
			return remote.DockerSocket
		}
		if p, ok := strings.CutPrefix(s, "unix://"); ok && p != "" {
			sockets = append(sockets, p)
		}
	}
	if len(sockets) == 0 || slices.Contains(sockets, remote.DockerSocket) || slices.Contains(sockets, "/run/docker.sock") {
		return remote.DockerSocket
	}
	return sockets[0]
}

// dropIn is what makes room for hosts in daemon.json: dockerd does not take them
// in the file and, as the unit gives them, on its command line. It is nil where
// none is needed.
func (st *dockerState) dropIn(spec *DockerSpec) []byte {
	_, hosts := spec.Daemon[keyHosts]
	var words []string
	all := strings.Fields(st.exec)
	for i := 0; i < len(all); i++ {
		switch w := all[i]; {
		case w == "-H" || w == "--host":
			i++
		case strings.HasPrefix(w, "-H") || strings.HasPrefix(w, "--host="):
		default:
			words = append(words, w)
		}
	}
	if !hosts || len(words) == len(all) {
		return nil
	}
	return []byte("# Written by swarmscript: daemon.json has hosts.\n[Service]\nExecStart=\nExecStart=" + strings.Join(words, " ") + "\n")
}

// What an engine is to be that is not.
const (
	isStarting = "the engine is starting"
	notRunning = "the engine is not running"
	notReached = "the engine's socket is gone"
	notEnabled = "the engine does not start when the machine does"
)

// starting reports whether the engine is on its way up: starting it again would
// only take longer.
func (st *dockerState) starting() bool {
	return st.unit["LoadState"] == "loaded" && slices.Contains([]string{"activating", "reloading"}, st.unit["ActiveState"])
}

// unsettled says what is wrong with an engine although it is as declared, ""
// for nothing.
func (st *dockerState) unsettled(spec *DockerSpec, now time.Time) string {
	switch {
	case st.starting():
		return isStarting
	case st.unit["LoadState"] == "loaded" && st.unit["ActiveState"] != "active":
		return notRunning
	case st.unit["LoadState"] == "masked":
		return notRunning
	case st.socket() == remote.DockerSocket && !st.listens:
		return notReached
	case st.unit["LoadState"] == "loaded" && st.unit["UnitFileState"] == "disabled":
		return notEnabled
	case st.pending:
		return "the engine has not restarted since its settings were changed"
	case string(st.dropIn(spec)) != string(st.files[dockerDropIn]):
		return "the unit's drop-in " + dockerDropIn + " is not as it must be"
	case spec.TLS != nil:
		given := ""
		if spec.TLS.CA != nil {
			given = *spec.TLS.CA
		}
		return st.certs().stale(given, st.names(spec.TLS.Names), now)
	}
	return ""
}

// dockerNote is what a machine remembers of what we did to it.
type dockerNote struct {
	Packages []string `json:"packages,omitempty"` // installed by us
	Users    []string `json:"users,omitempty"`    // put into the group by us
}

func readDocker(l *look, out []byte, decls []*resource.Declaration) error {
	st, err := parseDocker(out)
	if err != nil {
		return err
	}
	if !st.there() {
		return nil
	}
	if _, err := parseDaemon(st.files[daemonFile]); err != nil {
		l.warnings = append(l.warnings, err.Error())
	}
	for _, d := range decls {
		var note dockerNote
		if err := l.note(idOf(d.Kind.Name, nameOf(d)), &note); err != nil {
			return err
		}
		o := l.add(d, st.args(d.Args, note), st.out())
		if d.External {
			continue
		}
		if o.Unsettled = st.unsettled(knownSpec(d.Args), time.Now()); o.Unsettled != "" {
			o.Stuck = o.Unsettled != isStarting
		}
	}
	return nil
}

// knownSpec is what is declared, as far as it is known.
func knownSpec(args value.Struct) *DockerSpec {
	known := slices.Clone(args)
	for i, v := range known {
		if !value.Known(v) {
			known[i] = nil
		}
	}
	var spec DockerSpec
	if dockerSchema.Decode(known, &spec) != nil {
		return &DockerSpec{}
	}
	return &spec
}

func (st *dockerState) out() map[string]value.Value {
	text := func(name string) string { return string(st.files[path.Join(tlsDir, name)]) }
	return map[string]value.Value{
		"version": st.version(), "socket": st.socket(),
		"ca_cert": text("ca.pem"), "client_cert": text("client-cert.pem"), "client_key": value.Secret{V: text("client-key.pem")},
	}
}

// args is the engine in normal form, beside what is declared of it.
func (st *dockerState) args(declared value.Struct, note dockerNote) value.Struct {
	spec := knownSpec(declared)
	source := st.source()
	is := DockerSpec{Source: source, Hold: st.held(), Channel: "stable"}
	version := st.version()
	if spec.Version != nil && (satisfies(*spec.Version, version) || satisfies(*spec.Version, st.packages[flavours[source].engine].version)) {
		version = *spec.Version
	}
	is.Version = &version
	for _, u := range st.members {
		if slices.Contains(spec.Users, u) || slices.Contains(note.Users, u) {
			is.Users = append(is.Users, u)
		}
	}
	slices.Sort(is.Users)
	if source == "docker" {
		st.repository(&is, spec)
	}
	args := dockerSchema.Encode(&is)
	daemon, err := parseDaemon(st.files[daemonFile])
	if err != nil {
		daemon = value.NewMap(nil)
	}
	set(dockerSchema, args, "daemon", daemon)
	set(dockerSchema, args, "tls", st.tlsArgs(spec.TLS))
	return args
}

// held reports whether all that is installed is.
func (st *dockerState) held() bool {
	f, ok := flavours[st.source()]
	if !ok {
		return false
	}
	for _, name := range f.all() {
		if p := st.packages[name]; p.installed && !p.held {
			return false
		}
	}
	return true
}

func (st *dockerState) tlsArgs(declared *TLSSpec) value.Value {
	server := readCert(st.files[tlsDir+"/server-cert.pem"])
	if server == nil {
		return nil
	}
	ca := string(st.files[tlsDir+"/ca.pem"])
	is := &TLSSpec{Names: namesIn(server), CA: &ca}
	if declared != nil && len(lacks(server, declared.Names)) == 0 {
		is.Names = declared.Names // beside those that are added to them
	}
	return tlsSchema.Encode(is)
}

// noteOfDocker is what the mark of an engine remembers.
func noteOfDocker(o *resource.Object) (n dockerNote) {
	if o == nil {
		return n
	}
	if rec, ok := o.Native.(record); ok && len(rec.Note) > 0 {
		_ = json.Unmarshal(rec.Note, &n) // the look has read it already
	}
	return n
}

// ownedKeys are the settings that a mark says are ours, and those declared now.
func ownedKeys(live *resource.Object, declared *value.Map) []string {
	keys := map[string]bool{}
	if live != nil {
		for _, k := range live.Mark.Owned()["daemon"] {
			keys[k] = true
		}
	}
	for i := range declared.Len() {
		keys[declared.Entries[i].Key] = true
	}
	return slices.Sorted(maps.Keys(keys))
}
