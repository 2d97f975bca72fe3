package machines

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/azure/emulator"
	"github.com/swarmscript/swarmscript/internal/lab"
	"github.com/swarmscript/swarmscript/internal/lab/serve"
	"github.com/swarmscript/swarmscript/internal/sshkey"
	"github.com/swarmscript/swarmscript/internal/testhost"
)

// The test's binary is a lab's process too.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "lab" && os.Args[2] == "serve" {
		os.Exit(serve.Main(os.Args[3:]))
	}
	os.Exit(m.Run())
}

const id = "/subscriptions/s/resourcegroups/rg/providers/microsoft.compute/virtualmachines/web"

func TestOfLab(t *testing.T) {
	l, err := lab.Open(filepath.Join(t.TempDir(), "lab"))
	if err != nil {
		t.Fatal(err)
	}
	owner, err := l.Own()
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	defer func() {
		if err := l.Reset(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	life(t, OfLab(l))
	if all, err := l.Hosts(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("left: %v, %v", all, err)
	}
}

func TestOfSite(t *testing.T) {
	site := testhost.Site(t)
	life(t, OfSite(site))
	if all, err := site.List(); err != nil || len(all) != 0 {
		t.Errorf("left: %v, %v", all, err)
	}
}

// life boots a machine with a host key and a file that its custom data has, and
// reaches it as whoever asked for it does.
func life(t *testing.T, machines emulator.Machines) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	hostKey, hostPublic, err := sshkey.New("host")
	must(t, err)
	userKey, userPublic, err := sshkey.New("ops")
	must(t, err)
	m := emulator.Machine{
		ID: id, Name: "web", Image: "debian-12", User: "ops", SSHKeys: []string{strings.TrimSpace(string(userPublic))},
		CustomData: []byte("#cloud-config\nssh_deletekeys: true\nssh_keys:\n  ed25519_private: |\n    " + strings.ReplaceAll(strings.TrimSpace(string(hostKey)), "\n", "\n    ") + "\n" +
			"write_files:\n- path: /etc/taken\n  content: \"once\\n\"\n  append: true\nruncmd:\n- [touch, /etc/ran]\n"),
		Size: emulator.Size{CPUs: 1, Memory: 1 << 30},
	}
	at, err := machines.Boot(ctx, m)
	must(t, err)
	again, err := machines.Boot(ctx, m) // as after a crash
	must(t, err)
	if at != again || at.Private == "" {
		t.Fatalf("booted at %v, and then at %v", at, again)
	}
	reach := &machine{access: func() (access, error) {
		return access{address: at.Public + ":22", user: "ops", hostKey: string(hostPublic), key: userKey, dial: to(at.Public + ":22")}, nil
	}}
	const check = "test \"$(cat /etc/taken)\" = once\ntest -f /etc/ran\n"
	must(t, run(ctx, reach, check))
	ran, err := machines.Run(ctx, id, "id -u\necho \"it's\" wrong >&2\nexit 7\n")
	must(t, err)
	if ran != (emulator.Ran{Status: 7, Stdout: "0\n", Stderr: "it's wrong\n"}) {
		t.Errorf("a script ran as %+v", ran)
	}
	must(t, machines.Power(ctx, id, emulator.Stop))
	must(t, machines.Resize(ctx, id, emulator.Size{CPUs: 2, Memory: 2 << 30}))
	must(t, machines.Power(ctx, id, emulator.Start))
	must(t, machines.Power(ctx, id, emulator.Restart))
	must(t, run(ctx, reach, check))
	must(t, machines.Delete(ctx, id))
	must(t, machines.Delete(ctx, id))
	if err := machines.Power(ctx, id, emulator.Start); err == nil {
		t.Error("a machine that is gone was started")
	}
	must(t, machines.Close())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCustomData(t *testing.T) {
	for _, tt := range []struct{ name, in, script, fails string }{
		{name: "none"},
		{name: "script", in: "#!/bin/sh\necho hi", script: "echo hi"},
		{name: "packages", in: "#cloud-config\npackages: [curl]", script: "apt-get install -y 'curl'"},
		{name: "parts", in: "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"b\"\n\n--b\nContent-Type: text/cloud-config\n\n#cloud-config\nruncmd: [one]\n--b\nContent-Type: text/x-shellscript\nContent-Transfer-Encoding: base64\n\nIyEvYmluL3NoCnR3bwo=\n--b--\n", script: "one\ncat > /tmp/swarmscript-part"},
		{name: "what is not known", in: "#cloud-config\nbootcmd: [x]", fails: "bootcmd"},
		{name: "a key of another kind", in: "#cloud-config\nssh_keys: {rsa_private: x}", fails: "rsa_private"},
		{name: "nonsense", in: "hello", fails: "want cloud-config"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseCustomData([]byte(tt.in))
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) {
					t.Errorf("got %v, want %q", err, tt.fails)
				}
				return
			}
			if err != nil || !strings.Contains(got.script, tt.script) {
				t.Errorf("got %q, %v", got.script, err)
			}
		})
	}
}

func FuzzCustomData(f *testing.F) {
	f.Add([]byte("#cloud-config\nwrite_files: [{path: a, content: b}]"))
	f.Add([]byte("Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--b--"))
	f.Fuzz(func(_ *testing.T, in []byte) { _, _ = parseCustomData(in) })
}
