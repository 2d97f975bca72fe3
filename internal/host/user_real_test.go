package host_test

import (
	"crypto/ed25519"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/swarmscript/swarmscript/internal/host"
	"github.com/swarmscript/swarmscript/internal/resource"
)

func publicKey(t *testing.T, seed byte) string {
	t.Helper()
	key := ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(seed), ed25519.SeedSize)))
	pub, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(pub)))
}

// Every argument of an account, on both releases.
func TestUser(t *testing.T) {
	t.Parallel()
	for _, image := range []string{"debian-12", "debian-13"} {
		t.Run(image, func(t *testing.T) {
			t.Parallel()
			w := start(t, image)
			user := func(name string, a args) *resource.Declaration { return w.declare(host.UserKind, name, a) }
			k1, k2, theirs := publicKey(t, 'a')+" me@here", publicKey(t, 'b'), publicKey(t, 'c')
			hash := "$6$salt$" + strings.Repeat("x", 86)

			full := args{
				"uid": 2001, "group": "users", "groups": []string{"sudo", "adm"}, "shell": "/bin/bash", "home": "/srv/ops", "comment": "The team",
				"password_hash": hash, "ssh_keys": []string{k1, k2},
			}
			w.apply(list("create user.ops"), user("ops", full))
			want(t, "the account", w.sh("getent passwd ops; id -Gn ops; stat -c '%a %U' /srv/ops/.ssh /srv/ops/.ssh/authorized_keys; getent shadow ops | cut -d: -f2"),
				"ops:x:2001:100:The team:/srv/ops:/bin/bash\nusers adm sudo\n700 ops\n600 ops\n"+hash)

			w.sh("echo '" + theirs + "' >>/srv/ops/.ssh/authorized_keys; usermod -a -G mail ops")
			w.apply(nil, user("ops", full)) // others' keys and groups stay
			w.sh("usermod -s /bin/sh -c X -u 2002 -g mail ops; gpasswd -d ops sudo; sed -i /me@here/d /srv/ops/.ssh/authorized_keys; usermod -p '*' ops")
			w.apply(list("update user.ops: comment group groups password_hash shell ssh_keys uid"), user("ops", full))
			w.apply(list("update user.ops: groups ssh_keys"), user("ops", args{"groups": []string{"adm"}, "ssh_keys": []string{k2}}))
			want(t, "its groups", w.sh("id -Gn ops"), "users adm mail")
			want(t, "its keys", w.sh("cat /srv/ops/.ssh/authorized_keys"), theirs+"\n"+k2)

			w.renew(user("ops", args{"groups": []string{"adm"}, "ssh_keys": []string{k2}}))

			// A process of its keeps it from being removed, and that is told.
			w.sh("nohup setsid runuser -u ops -- sleep 777 >/dev/null 2>&1 & sleep 0.3")
			w.fails(nil, "processes of ops still run")
			w.sh("pkill -xf 'sleep 777'; sleep 0.3")
			w.apply(list("delete user.ops"))
			want(t, "the account after us", w.sh("getent passwd ops || true; ls -d /srv/ops"), "/srv/ops")

			w.apply(list("create user.svc"), user("svc", args{"system": true, "create_home": false}))
			if id := w.sh("id -u svc"); len(id) > 3 {
				t.Errorf("a system account has the number %s", id)
			}
			w.sh("[ ! -e /home/svc ]")
			w.apply(list("delete user.svc"))

			// One that was there before us stays, without what was ours.
			w.sh("useradd -m -s /bin/sh -G mail old; install -d -o old -m 700 /home/old/.ssh; echo '" + theirs + "' >/home/old/.ssh/authorized_keys")
			w.apply(list("update user.old: groups shell ssh_keys"), user("old", args{"groups": []string{"adm"}, "shell": "/bin/bash", "ssh_keys": []string{k1}}))
			w.apply(list("delete user.old"))
			want(t, "the old account", w.sh("getent passwd old | cut -d: -f7; id -Gn old; cat /home/old/.ssh/authorized_keys"), "/bin/sh\nold mail\n"+theirs)

			w.fails(decls(user("x", args{"groups": []string{"no-such"}})), "there is no group no-such")
			w.fails(decls(user("x", args{"uid": 1})), "useradd: ", "UID 1 is not unique")
			want(t, "what is left of us", w.sh("find /var/lib/swarmscript/backup -type f"), "")
		})
	}
}
