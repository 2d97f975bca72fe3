package host_test

import (
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/host"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Every argument of a file: made, changed, drifted by hand, repaired, removed.
func TestFile(t *testing.T) {
	t.Parallel()
	w := start(t, "debian-12")
	file := func(name string, a args) *resource.Declaration { return w.declare(host.FileKind, name, a) }
	stat := func(p string) string { return w.sh("stat -c '%a %U %G' " + p) }

	made := file("/etc/new file's", args{"content": "one\ntwo", "mode": "0640", "owner": "daemon", "group": "mail"})
	w.apply(list("create file./etc/new file's"), made)
	want(t, "the content", w.sh(`cat "/etc/new file's"; echo .`), "one\ntwo.")
	want(t, "its owner", stat(`"/etc/new file's"`), "640 daemon mail")

	w.sh(`echo three >>"/etc/new file's"; chmod 4755 "/etc/new file's"; chown mail:daemon "/etc/new file's"`)
	w.apply(list("update file./etc/new file's: content group mode owner"), made)
	want(t, "its owner after the repair", stat(`"/etc/new file's"`), "640 daemon mail")
	w.sh(`rm "/etc/new file's"`)
	w.apply(list("create file./etc/new file's"), made)

	w.renew(made)
	plainer := file("/etc/new file's", args{"content": ""})
	w.apply(list("update file./etc/new file's: content group mode owner"), plainer)
	want(t, "its owner by default", stat(`"/etc/new file's"`), "644 root root")
	w.apply(list("delete file./etc/new file's"))
	w.sh(`[ ! -e "/etc/new file's" ]`)

	byNumber := file("/etc/numbers", args{"content_base64": "AAH/", "owner": "1", "group": "8"})
	w.apply(list("create file./etc/numbers"), byNumber)
	want(t, "bytes that are no text", w.sh("od -An -tx1 /etc/numbers"), " 00 01 ff")
	w.sh("printf x >/etc/numbers")
	w.apply(list("update file./etc/numbers: content_base64"), byNumber)

	big := strings.Repeat("0123456789abcde\n", 1<<18) // 4 MiB
	w.apply(list("create file./etc/big", "delete file./etc/numbers"), file("/etc/big", args{"content": big}))
	want(t, "its size", w.sh("stat -c %s /etc/big"), "4194304")
	w.apply(list("delete file./etc/big"))
	want(t, "what is left of us", w.sh("find /var/lib/swarmscript -type f"), "")
}

// What was there before us is kept, and comes back.
func TestFileBefore(t *testing.T) {
	t.Parallel()
	w := start(t, "debian-12")
	file := func(name string, a args) *resource.Declaration { return w.declare(host.FileKind, name, a) }

	w.sh("echo theirs >/etc/motd; chmod 664 /etc/motd; chown daemon:mail /etc/motd")
	asIs := file("/etc/motd", args{"content": "theirs\n", "mode": "0664", "owner": "daemon", "group": "mail"})
	w.apply(nil, asIs)
	if o := w.observe(decls(asIs)).Objects[0]; host.FileKind.Ending(o, false) != "it was so before us, and stays" {
		t.Errorf("destroying it is told as %q", host.FileKind.Ending(o, false))
	}
	w.apply(nil)
	want(t, "a file that is as declared", w.sh("cat /etc/motd"), "theirs")

	w.apply(list("update file./etc/motd: content"), file("/etc/motd", args{"content": "ours\n", "mode": "0664", "owner": "daemon", "group": "mail"}))
	w.apply(list("update file./etc/motd: content"), file("/etc/motd", args{"content": "ours again\n", "mode": "0664", "owner": "daemon", "group": "mail"}))
	w.sh("echo somebody else >/etc/motd")
	w.apply(list("delete file./etc/motd"))
	want(t, "the file after us", w.sh("cat /etc/motd; stat -c '%a %U %G' /etc/motd"), "theirs\n664 daemon mail")

	w.sh("ln -s /etc/hostname /etc/link")
	w.apply(list("update file./etc/link: content mode"), file("/etc/link", args{"content": "ours\n"}))
	w.sh("[ ! -L /etc/link ]; [ \"$(cat /etc/hostname)\" != ours ]")
	w.apply(list("delete file./etc/link"))
	want(t, "the symbolic link", w.sh("readlink /etc/link"), "/etc/hostname")

	w.apply(list("update file./etc/issue: mode"), file("/etc/issue", args{"mode": "0600"}))
	w.apply(list("delete file./etc/issue"))
	want(t, "a file of which only the mode was ours", w.sh("stat -c %a /etc/issue"), "644")
	w.fails(decls(file("/etc/nothing", args{"mode": "0600"})), "/etc/nothing is not there, and its content is not declared")
	w.fails(decls(file("/etc/apt", args{"content": "x"})), "/etc/apt is a folder, not a file")
	w.fails(decls(file("/etc/none/x", args{"content": "x"})), "the folder /etc/none is not there: declare it with directory()")
	w.fails(decls(file("/etc/x", args{"content": "x", "owner": "nobody-here"})), "there is no account nobody-here")
	w.fails(decls(file("/etc/x", args{"content": "x", "group": "nobody-here"})), "there is no group nobody-here")
	w.apply(nil)
}

// What is sensitive is compared and written, and neither shown nor seen.
func TestFileSensitive(t *testing.T) {
	t.Parallel()
	w := start(t, "debian-12")
	secret := func(s string) *resource.Declaration {
		return w.declare(host.FileKind, "/etc/secret", args{"content": value.Secret{V: s}})
	}
	w.apply(list("create file./etc/secret"), secret("hunter2"))
	want(t, "its mode", w.sh("stat -c %a /etc/secret"), "600")
	w.sh("printf 'other words' >/etc/secret")
	for _, s := range w.steps(decls(secret("hunter2"))) {
		for _, f := range s.change.Fields {
			if !f.Secret || strings.Contains(value.Text(f.Before), "other") {
				t.Errorf("%s is shown as %v", f.Path, f.Before)
			}
		}
	}
	w.apply(list("update file./etc/secret: content"), secret("hunter2"))
	want(t, "the content", w.sh("cat /etc/secret"), "hunter2")
	if sum := w.observe(decls(secret("hunter2"))).Objects[0].Out["sha256"]; !value.Sensitive(sum) {
		t.Errorf("the hash of a secret is shown: %v", sum)
	}
	if found := w.sh("grep -rl hunter2 /var/lib/swarmscript || true"); found != "" {
		t.Errorf("the secret is kept in %s", found)
	}

	// What only its owner may read is no secret of ours, but is not shown either.
	w.sh("printf 'private words' >/etc/private; chmod 600 /etc/private")
	for _, s := range w.steps(decls(w.declare(host.FileKind, "/etc/private", args{"content": "x"}))) {
		if s.change == nil {
			continue // the other one goes
		}
		for _, f := range s.change.Fields {
			if f.Field.Name == "content" && !f.Secret {
				t.Errorf("%s is shown as %v", f.Path, f.Before)
			}
		}
	}
}

// Folders: every argument, the order of what is in them, and what is not ours.
func TestDirectory(t *testing.T) {
	t.Parallel()
	w := start(t, "debian-13")
	dir := func(name string, a args) *resource.Declaration { return w.declare(host.DirectoryKind, name, a) }

	app := dir("/opt/app", args{"mode": "0750", "owner": "daemon", "group": "mail"})
	w.apply(list("create directory./opt/app"), app)
	want(t, "its owner", w.sh("stat -c '%a %U %G' /opt/app"), "750 daemon mail")
	w.sh("chmod 700 /opt/app; chown root:root /opt/app")
	w.apply(list("update directory./opt/app: group mode owner"), app)
	w.renew(app)
	w.apply(list("update directory./opt/app: group mode owner"), dir("/opt/app", nil))
	want(t, "its owner by default", w.sh("stat -c '%a %U %G' /opt/app"), "755 root root")

	w.sh("echo x >/opt/app/theirs")
	w.fails(nil, "/opt/app is not empty: theirs is in it")
	w.sh("rm /opt/app/theirs")
	w.apply(list("delete directory./opt/app"))
	w.sh("[ ! -e /opt/app ]")

	w.apply(list("update directory./var/mail: group mode"), dir("/var/mail", nil))
	w.apply(list("delete directory./var/mail"))
	want(t, "a folder of others", w.sh("stat -L -c '%a %U %G' /var/mail"), "2775 root mail")

	w.fails(decls(dir("/opt/a/b", nil)), "the folder /opt/a is not there")

	// What is in a folder of ours needs it first, and goes before it.
	nested := decls(w.declare(host.FileKind, "/opt/a/b/x", args{"content": "x"}), dir("/opt/a/b", nil), dir("/opt/a", nil))
	steps := w.steps(nested)
	for i := range 2 {
		if err := w.carryOut(steps[i]); err == nil || !strings.Contains(err.Error(), "is not there: declare it with directory()") {
			t.Errorf("%s, before its folder is there: %v", steps[i].title(), err)
		}
	}
	for _, s := range []step{steps[2], steps[1], steps[0]} {
		if err := w.carryOut(s); err != nil {
			t.Fatal(err)
		}
	}
	w.apply(nil, nested...)
	w.apply(list("delete file./opt/a/b/x", "delete directory./opt/a/b", "delete directory./opt/a"))
	w.sh("[ ! -e /opt/a ]")
	w.fails(decls(dir("/etc/hostname", nil)), "/etc/hostname is there, and not a folder")
}

// What is another project's is not taken over in silence, and what a project
// lets another one have is its own no more.
func TestProjects(t *testing.T) {
	t.Parallel()
	w := start(t, "debian-12")
	ours := w.declare(host.FileKind, "/etc/shared", args{"content": "ours\n"})
	w.apply(list("create file./etc/shared"), ours)
	other := w.as("other/test")
	for _, o := range other.observe(decls(ours)).Objects {
		if o.Mark.Project != "shop/test" {
			t.Errorf("%s is marked by %q, want shop/test", o.ID, o.Mark.Project)
		}
	}
	want(t, "another project's plan without it", strings.Join(other.plan(), ","), "")
	w.moved = [][2]value.Address{{"host.m/file[\"/etc/shared\"]", "host.n/file[\"/etc/shared\"]"}}
	moved := *ours
	moved.Address = "host.n/file[\"/etc/shared\"]"
	w.apply(list("update file./etc/shared"), &moved)
}
