package host

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// dockerJob is one step of an engine.
type dockerJob struct {
	c      *Conn
	r      *resource.Request
	spec   *DockerSpec
	name   string // the object's
	system string
	note   dockerNote
}

func (j *dockerJob) progress(text string) { j.r.Progress(resource.Progress{Text: text}) }

// lookDocker looks at the machine's engine alone.
func (c *Conn) lookDocker(ctx context.Context) (*dockerState, error) {
	out, err := c.run(ctx, "{\n"+dockerQuery+"\n} 2>/dev/null </dev/null\ntrue\n", nil)
	if err != nil {
		return nil, err
	}
	return parseDocker(out)
}

// Create implements [resource.Handler].
func (h dockerHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, err := connOf(rc)
	if err != nil {
		return nil, err
	}
	var spec DockerSpec
	if err := dockerSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	st, err := c.lookDocker(ctx)
	if err != nil {
		return nil, err
	}
	j := &dockerJob{c: c, r: r, spec: &spec, name: DockerKind.Name, system: st.system, note: noteOfDocker(r.Live)}
	if err := j.refuse(st); err != nil {
		return nil, err
	}
	if st.misses(&spec) || st.lacksSource(&spec) {
		for _, p := range flavours[spec.Source].all() {
			if st.misses(&spec) && !st.packages[p].installed && !slices.Contains(j.note.Packages, p) {
				j.note.Packages = append(j.note.Packages, p)
			}
		}
		if err := c.apt.alone(ctx, r, func() error { return j.install(ctx, st) }); err != nil {
			return nil, err
		}
		if st, err = c.lookDocker(ctx); err != nil {
			return nil, err
		}
	}
	members := len(st.members)
	if err := j.configure(ctx, st); err != nil {
		return nil, err
	}
	if st, err = c.lookDocker(ctx); err != nil {
		return nil, err
	}
	if len(st.members) > members {
		c.host.Reconnect() // a login has the groups that there were when it began
	}
	o := c.made(r, j.name, st.out())
	o.Args = st.args(r.Args, j.note)
	return o, nil
}

// Settle implements [resource.Settler]: an engine that is on its way up is
// waited for.
func (dockerHandler) Settle(ctx context.Context, rc resource.Conn, r *resource.Request, o *resource.Object) error {
	c, err := connOf(rc)
	if err != nil || o.Unsettled != isStarting {
		return err
	}
	for pause := 250 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		st, err := c.lookDocker(ctx)
		switch {
		case err != nil:
			return err
		case st.starting():
			r.Progress(resource.Progress{Text: isStarting})
		case st.unit["ActiveState"] == "active":
			return nil
		default:
			return &resource.NotConverged{Address: r.Address, Summary: "did not start", Detail: "its unit is " + st.unit["ActiveState"] + ": systemctl status docker says more, and an apply starts it again"}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Update implements [resource.Handler].
func (h dockerHandler) Update(ctx context.Context, c resource.Conn, r *resource.Request) (*resource.Object, error) {
	return h.Create(ctx, c, r)
}

// refuse says why a step must not begin.
func (j *dockerJob) refuse(st *dockerState) error {
	switch {
	case st.system == "" || st.codename == "":
		return &failure{"the machine does not say which release of Debian or Ubuntu it is (/etc/os-release), which docker_install needs"}
	case st.source() == "" && st.path != "":
		return &failure{fmt.Sprintf("there is a %s that no package brought: docker_install would put a second engine beside it; remove it, or leave docker_install out and use it as it is", st.path)}
	case st.member && j.spec.Daemon[keyRestore] == true:
		return &failure{"the engine is in a swarm, and dockerd does not start there with live-restore: leave it out"}
	}
	return nil
}

// configure writes settings, certificates, the group's members and what apt
// holds, and makes the engine take them on.
func (j *dockerJob) configure(ctx context.Context, st *dockerState) error {
	ours, _ := value.Reveal(get(dockerSchema, j.r.Args, "daemon")).(*value.Map)
	text, does, err := mergeDaemon(st.files[daemonFile], ours, ownedKeys(j.r.Live, ours), st.version())
	if err != nil {
		return &failure{err.Error() + "; mend it by hand"}
	}
	var files []putFile
	if does != nothing {
		files = append(files, putDaemon(text))
	}
	more, err := j.tlsFiles(ctx, st)
	if err != nil {
		return err
	}
	files = append(files, more...)
	if drop := st.dropIn(j.spec); !bytes.Equal(drop, st.files[dockerDropIn]) {
		files = append(files, putFile{path: dockerDropIn, mode: 0o644, content: drop, gone: drop == nil})
	}
	if len(files) > 0 && (does != reloads || len(files) > 1) || st.pending {
		does = restarts
	}
	switch st.unsettled(j.spec, time.Now()) {
	case notRunning, notReached:
		does = restarts
	case "":
		if j.r.Restart { // lifecycle(replace_on=)
			does = restarts
		}
	}
	switch does {
	case restarts:
		j.progress("restarting the engine")
	case reloads:
		j.progress("reloading the engine's settings")
	}
	out, err := j.c.run(ctx, j.configScript(st, files, does), contents(files))
	if err != nil {
		return err
	}
	return configErr(string(out), ours)
}

// tlsFiles makes certificates where those on the machine are missing or due, and
// removes ours where tls is not declared any more.
func (j *dockerJob) tlsFiles(ctx context.Context, st *dockerState) ([]putFile, error) {
	if j.spec.TLS == nil {
		if !slices.Contains(ownedKeys(j.r.Live, nil), "tlscacert") {
			return nil, nil
		}
		var gone []putFile
		for _, name := range []string{"ca", "ca-key", "server-cert", "server-key", "client-cert", "client-key"} {
			gone = append(gone, putFile{path: tlsDir + "/" + name + ".pem", gone: true})
		}
		return gone, nil
	}
	given := ""
	if j.spec.TLS.CA != nil {
		given = *j.spec.TLS.CA
	}
	names, now := st.names(j.spec.TLS.Names), time.Now()
	why := st.certs().stale(given, names, now)
	if given != "" && strings.TrimSpace(given) != strings.TrimSpace(string(st.files[tlsDir+"/ca.pem"])) {
		why = "another authority"
	}
	if why == "" {
		return nil, nil
	}
	var key []byte
	if given == "" && st.caKey {
		var err error
		if key, err = j.c.run(ctx, "cat "+tlsDir+"/ca-key.pem\n", nil); err != nil {
			return nil, err
		}
	}
	return issue(st.name, j.spec.TLS, st.certs(), key, names, now)
}

// configScript writes files, and puts the old ones back when the engine does not
// come up with them. It prints one of
//
//	conflict                 daemon.json is not the one that was looked at
//	invalid                  dockerd does not take it, with what it said after it
//	back, down               it did not come up, and does with the old files, or
//	                         not even with them; with its last words
//
// and nothing where all is well.
func (j *dockerJob) configScript(st *dockerState, files []putFile, does effect) string {
	var b strings.Builder
	b.WriteString(configBegin)
	if len(files) > 0 {
		b.WriteString(j.sameScript(st, files))
		b.WriteString(readFilesTo("$T/new", files))
		undo := "back; rm -f " + dockerPending
		fmt.Fprintf(&b, "mkdir -p %s && touch %s || exit 1\n", root, dockerPending)
		// dockerd reads the certificates when it checks its settings.
		b.WriteString(moveFiles("$T/new", files, undo, notDaemon))
		b.WriteString(checkScript(files, undo))
		b.WriteString(moveFiles("$T/new", files, undo, isDaemon))
		fmt.Fprintf(&b, "rmdir %s %s 2>/dev/null || :\n", tlsDir, path.Dir(dockerDropIn))
		b.WriteString("systemctl daemon-reload\n")
		if slices.ContainsFunc(files, func(f putFile) bool { return f.path == dockerDropIn }) {
			b.WriteString("socket=changes\n")
		}
	}
	switch does {
	case restarts:
		b.WriteString("systemctl unmask -q docker.service docker.socket || :\nsystemctl enable -q docker.service || :\n")
		b.WriteString("start || undo start\n")
	case reloads:
		b.WriteString("reload || undo reload\n")
	default:
		if st.unit["UnitFileState"] != "enabled" { // which systemd is slow to say again
			b.WriteString("systemctl enable -q docker.service 2>/dev/null || :\n")
		}
	}
	fmt.Fprintf(&b, "rm -f %s\n", dockerPending)
	b.WriteString(j.usersScript(st))
	b.WriteString(j.holdScript(st))
	b.WriteString(j.keepScript(j.r.Mark))
	return b.String()
}

// sameScript ends where daemon.json is not the one that was looked at.
func (j *dockerJob) sameScript(st *dockerState, files []putFile) string {
	if !slices.ContainsFunc(files, isDaemon) {
		return ""
	}
	was := ""
	if text, there := st.files[daemonFile]; there {
		sum := sha256.Sum256(text)
		was = hex.EncodeToString(sum[:])
	}
	return fmt.Sprintf(`is=$(sha256sum 2>/dev/null <%s | cut -c1-64)
if [ "$is" != '%s' ]; then echo conflict; exit 0; fi
`, daemonFile, was)
}

// checkScript asks dockerd whether it takes the new settings, before they are in
// place.
func checkScript(files []putFile, undo string) string {
	i := slices.IndexFunc(files, isDaemon)
	if i < 0 || files[i].gone {
		return ""
	}
	return fmt.Sprintf(`if dockerd --help 2>&1 | grep -q -e --validate; then
  said=$(dockerd --validate --config-file "$T/new/%d" 2>&1) || { %s; printf 'invalid\n%%s\n' "$said"; exit 0; }
fi
`, i, undo)
}

// configBegin has the functions of configScript. What an engine says is read from
// the journal after the place where that ended before.
const configBegin = `mkdir -p /etc/docker
T=$(mktemp -d /etc/docker/.swarmscript.XXXXXXXX) || exit 1
trap 'rm -rf "$T"' EXIT HUP INT TERM
cursor=$(journalctl -u docker.service -n 0 --show-cursor 2>/dev/null | sed -n 's/^-- cursor: //p')
socket=
said() { journalctl --sync 2>/dev/null; journalctl -u docker.service --after-cursor="$cursor" -o cat --no-pager 2>/dev/null | tail -n 30; }
back() { :; }
start() {
  systemctl reset-failed docker.service 2>/dev/null
  # An engine that has made the socket itself takes it away, and what systemd listens on is behind no path then.
  if [ -n "$socket" ] || ! [ -S /run/docker.sock ]; then systemctl stop docker.service docker.socket >/dev/null 2>&1; fi
  timeout 180 systemctl restart docker.service >/dev/null 2>&1
}
reload() {
  systemctl reload docker.service || return 1
  n=0
  while [ $n -lt 30 ]; do
    case $(said) in
      *'Error reconfiguring'* | *'Error reloading'*) return 1 ;;
      *'Reloaded configuration'*) return 0 ;;
    esac
    sleep 0.1; n=$((n+1))
  done
}
undo() {
  words=$(said)
  back
  systemctl daemon-reload
  if start; then echo back; rm -f ` + dockerPending + `; else echo down; fi
  printf '%s\n' "$words"
  exit 0
}
`

// usersScript puts accounts into the group docker, and takes those out that we
// had put there and are not declared any more.
func (j *dockerJob) usersScript(st *dockerState) string {
	var b strings.Builder
	was := j.note.Users
	j.note.Users = nil
	for _, u := range j.spec.Users {
		if !slices.Contains(st.members, u) {
			fmt.Fprintf(&b, "getent passwd %s >/dev/null || fail %s\nusermod -a -G docker %s || exit 1\n", remote.Quote(u),
				remote.Quote("there is no account "+u+": declare it with user()"), remote.Quote(u))
		} else if !slices.Contains(was, u) {
			continue // somebody else's doing
		}
		j.note.Users = append(j.note.Users, u)
	}
	for _, u := range was {
		if !slices.Contains(j.spec.Users, u) && slices.Contains(st.members, u) {
			fmt.Fprintf(&b, "gpasswd -d %s docker >/dev/null || exit 1\n", remote.Quote(u))
		}
	}
	return b.String()
}

// holdScript holds the packages, or lets go of them. dpkg does not wait for its
// lock here, which another step may have, or a program of the machine's own.
func (j *dockerJob) holdScript(st *dockerState) string {
	var change []string
	for _, name := range flavours[j.spec.Source].all() {
		if p := st.packages[name]; p.installed && p.held != j.spec.Hold {
			change = append(change, name)
		}
	}
	if len(change) == 0 {
		return ""
	}
	verb := "unhold"
	if j.spec.Hold {
		verb = "hold"
	}
	seconds := -1 // without end
	if j.r.Timeout > 0 {
		seconds = max(1, int(j.r.Timeout/time.Second))
	}
	return fmt.Sprintf(`tries=%d
until said=$(apt-mark %s %s 2>&1); do
  tries=$((tries - 1))
  case "$said" in *lock*) [ $tries -ne 0 ] && sleep 1 ;; *) false ;; esac || { echo "$said" >&2; exit 1; }
done
`, seconds, verb, quoteAll(change))
}

// configErr puts into words what configScript printed.
func configErr(out string, ours *value.Map) error {
	what, said, _ := strings.Cut(out, "\n")
	said = strings.TrimSpace(said)
	var keys []string
	for i := range ours.Len() {
		keys = append(keys, ours.Entries[i].Key)
	}
	fault := ""
	if f := faultyKeys(said, keys); len(f) > 0 {
		fault = "; it speaks of " + strings.Join(f, ", ")
	}
	switch what {
	case "":
		return nil
	case "conflict":
		return fmt.Errorf("%s: %w", daemonFile, resource.ErrConflict)
	case "invalid":
		return &failure{"dockerd does not take these settings, so nothing was changed" + fault + "\n" + lastLines(said, 5)}
	case "back":
		return &failure{"the engine did not come up with these settings; it runs with the old ones again" + fault + "\n" + lastLines(said, 10)}
	case "down":
		return &failure{"the engine did not come up, neither with these settings nor with the old ones, which are back" + fault + "\n" + lastLines(said, 10)}
	}
	return &failure{"configuring the engine ended with " + lastLines(out, 5)}
}
