package host

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

func TestChooseVersion(t *testing.T) {
	there := []string{"5:28.10.0-1~debian.12~bookworm", "5:28.5.2-1~debian.12~bookworm", "5:28.5.0~rc.1-1~debian.12~bookworm", "20.10.24+dfsg1-1+deb12u1+b6"}
	for _, c := range []struct{ wanted, want string }{
		{"", there[0]},
		{"28", there[0]},
		{"28.10", there[0]},
		{"28.5", there[1]},
		{"28.5.2", there[1]},
		{"28.5.0", there[2]},
		{"28.1", ""}, // not 28.10
		{"5:28.5.2-1~debian.12~bookworm", there[1]},
		{"20.10", there[3]},
		{"20.10.24", there[3]},
		{"20.10.24+dfsg1-1+deb12u1+b6", there[3]},
		{"29", ""},
	} {
		got, err := chooseVersion("docker-ce", c.wanted, there)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("of %q, %q was chosen (%v), want %q", c.wanted, got, err, c.want)
		}
	}
	_, err := chooseVersion("docker-ce", "29", there)
	if want := "there is no docker-ce 29; there is 28.10.0, 28.5.2, 28.5.0~rc.1, 20.10.24"; err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
	if _, err := chooseVersion("docker-ce", "29", nil); err == nil || err.Error() != "no source of the machine has the package docker-ce" {
		t.Errorf("the error is %v", err)
	}
}

func TestMergeDaemon(t *testing.T) {
	ours := func(pairs ...value.Entry) *value.Map { return value.NewMap(pairs) }
	debug, mtu := value.Entry{Key: "debug", Value: true}, value.Entry{Key: "mtu", Value: int64(1400)}
	for name, c := range map[string]struct {
		text    string
		ours    *value.Map
		drop    []string
		version string
		want    string
		does    effect
	}{
		"nothing to say":                  {"", nil, nil, "28.5.2", "", nothing},
		"a first file":                    {"", ours(debug), nil, "28.5.2", "{\n  \"debug\": true\n}\n", reloads},
		"what is there already":           {`{"debug":true}`, ours(debug), nil, "28.5.2", `{"debug":true}`, nothing},
		"what others put there stays":     {`{"ipv6":true,"bip":"10.0.0.1/8"}`, ours(mtu), nil, "28.5.2", "{\n  \"bip\": \"10.0.0.1/8\",\n  \"ipv6\": true,\n  \"mtu\": 1400\n}\n", restarts},
		"ours that is declared no more":   {`{"debug":true,"mtu":1400}`, ours(mtu), []string{"debug", "mtu"}, "28.5.2", "{\n  \"mtu\": 1400\n}\n", restarts},
		"ours that somebody took away":    {`{"mtu":1400}`, ours(mtu), []string{"debug"}, "28.5.2", `{"mtu":1400}`, nothing},
		"an engine that cannot check":     {"", ours(debug), nil, "20.10.24", "{\n  \"debug\": true\n}\n", restarts},
		"an engine of an unknown version": {"", ours(debug), nil, "dev", "{\n  \"debug\": true\n}\n", restarts},
		"no escapes":                      {"", ours(value.Entry{Key: "labels", Value: value.List{"a=<&>"}}), nil, "28.5.2", "{\n  \"labels\": [\n    \"a=<&>\"\n  ]\n}\n", reloads},
	} {
		got, does, err := mergeDaemon([]byte(c.text), c.ours, c.drop, c.version)
		if err != nil || string(got) != c.want || does != c.does {
			t.Errorf("%s: %q, %v (%v), want %q, %v", name, got, does, err, c.want, c.does)
		}
	}
	for text, want := range map[string]string{
		"{\n\"debug\": tru\n}": "/etc/docker/daemon.json is damaged: line 2: ",
		"[]":                   "/etc/docker/daemon.json is damaged: ",
		"{} {}":                "/etc/docker/daemon.json is damaged: something follows its last brace",
		`{"debug"`:             "/etc/docker/daemon.json is damaged: it ends before its last brace",
	} {
		if _, _, err := mergeDaemon([]byte(text), ours(debug), nil, "28"); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestFaultyKeys(t *testing.T) {
	keys := []string{"bip", "data-root", "hosts", "mtu"}
	for said, want := range map[string][]string{
		"unable to configure the Docker daemon: directives don't match any configuration option: bip": {"bip"},
		"flag --data-root: permission denied":                  {"data-root"},
		"(from flag: [fd://], from file: ...) hosts: conflict": {"hosts"},
		"bipartite graphs of ghosts":                           nil,
	} {
		if got := faultyKeys(said, keys); !slices.Equal(got, want) {
			t.Errorf("%q speaks of %q, want %q", said, got, want)
		}
	}
}

func TestDropIn(t *testing.T) {
	hosts := &DockerSpec{Daemon: map[string]any{"hosts": nil}}
	for exec, want := range map[string]string{
		"/usr/bin/dockerd -H fd:// --containerd=/run/c.sock": "/usr/bin/dockerd --containerd=/run/c.sock",
		"/usr/sbin/dockerd --host=fd:// $DOCKER_OPTS":        "/usr/sbin/dockerd $DOCKER_OPTS",
		"/usr/sbin/dockerd --host fd:// -D":                  "/usr/sbin/dockerd -D",
		"/usr/sbin/dockerd -D":                               "",
		"":                                                   "",
	} {
		st := &dockerState{exec: exec}
		got := string(st.dropIn(hosts))
		if want != "" {
			want = "# Written by swarmscript: daemon.json has hosts.\n[Service]\nExecStart=\nExecStart=" + want + "\n"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", exec, got, want)
		}
		if other := st.dropIn(&DockerSpec{}); other != nil {
			t.Errorf("without hosts: %q", other)
		}
	}
}

// A certificate is renewed when less than a third of its life is left, when it is
// for other names, and with its authority.
func TestCertificates(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	names := []string{"10.0.0.1", "localhost", "m1"}
	spec := &TLSSpec{Lifetime: 90 * 24 * time.Hour}
	files, err := issue("m1", spec, certs{}, nil, names, now)
	if err != nil {
		t.Fatal(err)
	}
	made := func(files []putFile) (c certs, key []byte) {
		return certs{ca: files[0].content, server: files[2].content, client: files[4].content, ownCA: !files[1].gone}, files[1].content
	}
	first, key := made(files)
	for _, f := range files {
		if strings.Contains(f.path, "key") != (f.mode == 0o600) {
			t.Errorf("%s has the mode %o", f.path, f.mode)
		}
	}
	day := 24 * time.Hour
	for _, c := range []struct {
		why   string
		given string
		names []string
		now   time.Time
	}{
		{"", "", names, now},
		{"", "", names[:1], now},
		{"", "", names, now.Add(59 * day)},
		{"the server's certificate expires on 2026-04-01", "", names, now.Add(61 * day)},
		{"the server's certificate expired on 2026-04-01", "", names, now.Add(100 * day)},
		{"the server's certificate is not good before 2025-12-31", "", names, now.Add(-2 * day)},
		{"the server's certificate is not for 10.0.0.2, m2", "", []string{"10.0.0.2", "m1", "m2"}, now},
		{"the authority's certificate expires on 2035-12-30", "", names, now.Add(9 * 365 * day)},
	} {
		if why := first.stale(c.given, c.names, c.now); why != c.why {
			t.Errorf("at %s for %q: %q, want %q", c.now.Format("2006-01-02"), c.names, why, c.why)
		}
	}
	if why := (certs{ca: first.ca, server: first.server}).stale("", names, now); why != "certificates are missing" {
		t.Errorf("without the client's: %q", why)
	}

	files, err = issue("m1", spec, first, key, names, now.Add(61*day))
	if err != nil {
		t.Fatal(err)
	}
	second, _ := made(files)
	if !bytes.Equal(first.ca, second.ca) || bytes.Equal(first.server, second.server) {
		t.Error("a renewal makes a new certificate of the same authority")
	}
	files, err = issue("m1", spec, second, key, names, now.Add(9*365*day))
	if err != nil {
		t.Fatal(err)
	}
	third, _ := made(files)
	if bytes.Equal(first.ca, third.ca) {
		t.Error("an authority that ends soon is made anew")
	}
	mixed := certs{ca: third.ca, server: first.server, client: third.client, ownCA: true}
	if why := mixed.stale("", names, now.Add(9*365*day)); why != "the server's certificate is not signed by the authority" {
		t.Errorf("of another authority: %q", why)
	}

	ca, caKey := string(first.ca), string(key)
	files, err = issue("m1", &TLSSpec{Lifetime: 24 * time.Hour, CA: &ca, CAKey: &caKey}, certs{}, nil, names, now)
	if err != nil || !files[1].gone || files[1].content != nil {
		t.Errorf("a key that was given is not written to the machine: %v", err)
	}
	leaf := readCert(files[2].content)
	pool := x509.NewCertPool()
	pool.AddCert(readCert(first.ca))
	for _, name := range names {
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: pool, CurrentTime: now.Add(time.Hour)}); err != nil {
			t.Error(err)
		}
	}
}

func TestCheckDocker(t *testing.T) {
	m := func(pairs ...value.Entry) *value.Map { return value.NewMap(pairs) }
	for _, c := range []struct {
		arg  string
		v    value.Value
		want string
	}{
		{"version", "latest", `version: got "latest", want a version such as 28.5 or 28.5.2`},
		{"version", "28.5", ""},
		{"repository", "mirror.example.com", `repository: got "mirror.example.com", want a URL such as https://mirror.example.com/docker/linux/debian`},
		{"key", "AAAA", "key: is not an OpenPGP key in ASCII armour (-----BEGIN PGP PUBLIC KEY BLOCK-----)"},
		{"users", value.List{"ann", "no spaces"}, `users[1]: got "no spaces", want the name of an account`},
		{"registry_mirrors", value.List{"mirror.example"}, `registry_mirrors[0]: got "mirror.example", want a URL such as https://mirror.example.com`},
		{"daemon", m(value.Entry{Key: "hosts", Value: value.List{"tcp://0.0.0.0:2375"}}), "daemon: hosts has no socket, through which SwarmScript reaches the engine"},
		{"daemon", m(value.Entry{Key: "hosts", Value: "fd://"}), "daemon: hosts: want a list of strings"},
		{"daemon", m(value.Entry{Key: "hosts", Value: value.List{"fd://"}}), ""},
		{"tls", m(value.Entry{Key: "names", Value: value.List{"a b"}}), `tls.names[0]: got "a b", want an address or a name`},
		{"tls", m(value.Entry{Key: "address", Value: "eth0"}), `tls.address: got "eth0", want an IP address`},
		{"tls", m(value.Entry{Key: "ca", Value: "-"}), "tls: ca and ca_key go together"},
	} {
		_, ps := declared(t, map[string]value.Value{c.arg: c.v})
		got := ""
		if len(ps) > 0 {
			got = ps[0].Path + ": " + ps[0].Msg
		}
		if got != c.want || len(ps) > 1 {
			t.Errorf("%s: %q (%d), want %q", c.arg, got, len(ps), c.want)
		}
	}
	for want, a := range map[string]map[string]value.Value{
		"daemon: registry-mirrors is given as registry_mirrors too": {"registry_mirrors": value.List{"https://a.example"}, "daemon": m(value.Entry{Key: "registry-mirrors", Value: value.List{"https://b.example"}})},
		"daemon: hosts is set by tls":                               {"tls": m(), "daemon": m(value.Entry{Key: "hosts", Value: value.List{"fd://"}})},
		"repository: says nothing of the distribution's packages":   {"source": "distribution", "repository": "https://a.example"},
		"channel: says nothing of the distribution's packages":      {"source": "distribution", "channel": "test"},
	} {
		_, ps := declared(t, a)
		if len(ps) != 1 || ps[0].Path+": "+ps[0].Msg != want {
			t.Errorf("%v, want %q", ps, want)
		}
	}
	// What an argument has put into daemon is no clash when it is looked at again.
	args, ps := declared(t, map[string]value.Value{"tls": m(), "insecure_registries": value.List{"a:5000"}})
	if ps != nil {
		t.Fatal(ps)
	}
	completeDocker(args)
	if ps := checkDocker(args); ps != nil {
		t.Error(ps)
	}
}

func declared(t *testing.T, a map[string]value.Value) (value.Struct, schema.Problems) {
	t.Helper()
	in := make(value.Struct, len(dockerSchema.Fields()))
	for name, v := range a {
		set(dockerSchema, in, name, v)
	}
	out, ps := dockerSchema.CheckAll(in)
	if ps != nil {
		return nil, ps
	}
	return out, checkDocker(out)
}

func TestDockerEffect(t *testing.T) {
	live := func(version, daemon, unsettled string) *resource.Object {
		st := &dockerState{files: map[string][]byte{daemonFile: []byte(daemon)}, byHand: version}
		return &resource.Object{Args: st.args(make(value.Struct, len(dockerSchema.Fields())), dockerNote{}), Out: st.out(), Unsettled: unsettled}
	}
	change := func(field, path string, after value.Value) schema.Change {
		f, _ := dockerSchema.Field(field)
		return schema.Change{Field: f, Path: path, After: after}
	}
	interrupted := resource.Interrupted + ": the engine restarts, and its containers stop meanwhile"
	for _, c := range []struct {
		what    string
		live    *resource.Object
		changes []schema.Change
		restart bool
		want    string
	}{
		{"another version", live("28.5.1", "", ""), []schema.Change{change("version", "version", "28.5.2")}, false, interrupted},
		{"members of the group", live("28.5.1", "", ""), []schema.Change{change("users", "users", nil)}, false, ""},
		{"a setting that is reloaded", live("28.5.1", "", ""), []schema.Change{change("daemon", `daemon["labels"]`, value.List{})}, false, ""},
		{"one that goes", live("28.5.1", "", ""), []schema.Change{change("daemon", `daemon["labels"]`, nil)}, false, interrupted},
		{"one of an old engine", live("20.10.24", "", ""), []schema.Change{change("daemon", `daemon["labels"]`, value.List{})}, false, interrupted},
		{"one that needs a start", live("28.5.1", "", ""), []schema.Change{change("daemon", `daemon["mtu"]`, int64(1400))}, false, interrupted},
		{"all of them, not known yet", live("28.5.1", "", ""), []schema.Change{change("daemon", "daemon", value.Ref{})}, false, interrupted},
		{"with live-restore", live("28.5.1", `{"live-restore": true}`, ""), []schema.Change{change("tls", "tls.names", nil)}, false, "the engine restarts; live-restore keeps its containers running"},
		{"a certificate that is due", live("28.5.1", "", "the server's certificate expires on 2026-04-01"), nil, true, interrupted},
		{"an engine that is down", live("28.5.1", "", notRunning), nil, true, "the engine starts"},
	} {
		if got := dockerEffect(c.live, nil, c.changes, c.restart); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

func TestSocket(t *testing.T) {
	for daemon, want := range map[string]string{
		"":  "/var/run/docker.sock",
		"{": "/var/run/docker.sock",
		`{"hosts": ["tcp://0.0.0.0:2376", "fd://"]}`:                   "/var/run/docker.sock",
		`{"hosts": ["unix:///srv/d.sock"]}`:                            "/srv/d.sock",
		`{"hosts": ["unix:///srv/d.sock", "unix:///run/docker.sock"]}`: "/var/run/docker.sock",
	} {
		st := &dockerState{files: map[string][]byte{daemonFile: []byte(daemon)}}
		if got := st.socket(); got != want {
			t.Errorf("%s: %q, want %q", daemon, got, want)
		}
	}
}

func TestReadKey(t *testing.T) {
	key := newTestKey(t)
	text, err := readKey(armoured(t, key), "")
	if err != nil {
		t.Fatal(err)
	}
	again, err := readKey(string(text), "")
	if err != nil || !bytes.Equal(text, again) {
		t.Errorf("what is written is read as another key: %v", err)
	}
	for want, text := range map[string]string{
		"has the fingerprint ":       armoured(t, key),
		"holds 2 keys, want one":     armoured(t, key, newTestKey(t)),
		"is not an OpenPGP key in A": "-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
	} {
		if _, err := readKey(text, dockerFingerprint); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func newTestKey(t testing.TB) *openpgp.Entity {
	t.Helper()
	e, err := openpgp.NewEntity("test", "", "test@example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func armoured(t testing.TB, keys ...*openpgp.Entity) string {
	t.Helper()
	var b bytes.Buffer
	w, err := armor.Encode(&b, openpgp.PublicKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if err := k.Serialize(w); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func FuzzReadKey(f *testing.F) {
	f.Add(armoured(f, newTestKey(f)))
	f.Add("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDM=\n-----END PGP PUBLIC KEY BLOCK-----\n")
	f.Fuzz(func(t *testing.T, text string) {
		written, err := readKey(text, "")
		if err != nil {
			return
		}
		if _, err := readKey(string(written), ""); err != nil {
			t.Errorf("what is written of %q cannot be read: %v", text, err)
		}
	})
}

// What a machine says is never more than an error.
func FuzzParseDocker(f *testing.F) {
	daemon := base64.StdEncoding.EncodeToString([]byte(`{"hosts": ["fd://"]}`))
	f.Add("package docker-ce hold installed 5:28.5.2-1~debian.12~bookworm\ndockerd /usr/bin/dockerd\nunit ActiveState=active\nfile /etc/docker/daemon.json " + daemon)
	f.Add("group docker:x:101:ann,bob\nsystem debian bookworm\nname m1\naddress 10.0.0.1\nsocket\nmember\nca-key\npending\nexec /usr/bin/dockerd -H")
	f.Add("version Docker version 28.5.2, build x\npackage containerd unknown not-installed\nfile x")
	f.Fuzz(func(t *testing.T, out string) {
		st, err := parseDocker([]byte(out))
		if err != nil {
			return
		}
		args := make(value.Struct, len(dockerSchema.Fields()))
		if got := st.args(args, dockerNote{}); len(got) != len(args) {
			t.Errorf("%d arguments", len(got))
		}
		st.out()
		st.unsettled(&DockerSpec{TLS: &TLSSpec{}, Daemon: map[string]any{"hosts": nil}}, time.Unix(0, 0))
	})
}

func FuzzMergeDaemon(f *testing.F) {
	f.Add(`{"debug": true, "mtu": 1400, "dns": ["a", 1, 1e99, null, {"b": 0.5}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		ours := value.NewMap([]value.Entry{{Key: "labels", Value: value.List{"a=b"}}})
		merged, _, err := mergeDaemon([]byte(text), ours, []string{"debug"}, "28.5.2")
		if err != nil {
			return
		}
		again, does, err := mergeDaemon(merged, ours, []string{"debug"}, "28.5.2")
		if err != nil || does != nothing || !bytes.Equal(again, merged) {
			t.Errorf("%q becomes %q, and that %q (%v)", text, merged, again, err)
		}
	})
}
