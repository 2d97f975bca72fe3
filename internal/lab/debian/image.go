package debian

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"sync"
	"time"
)

// imageTime is when everything in the images was made.
var imageTime = time.Date(2025, time.November, 10, 6, 0, 0, 0, time.UTC)

// imageSize is what an image takes of a disk, as df shows it.
const imageSize = 1_200 << 20

// image is what all machines of one kind begin with, and share.
type image struct {
	base     *baseNode
	programs map[string]program
}

// baseNode is an entry of an image. It never changes once the image is made.
type baseNode struct {
	path   string
	ino    uint64
	kind   Kind
	mode   uint32
	uid    uint32
	gid    uint32
	data   []byte
	target string
	kids   map[string]*baseNode
}

// at returns the entry of a path, nil where there is none.
func (b *baseNode) at(p string) *baseNode {
	for _, name := range splitPath(p) {
		if b = b.kids[name]; b == nil {
			return nil
		}
	}
	return b
}

// release is what differs between the images.
type release struct {
	version, full, codename, kernel string
}

var releases = map[string]release{
	"debian-12": {"12", "12.12", "bookworm", "6.1.0-40-amd64"},
	"debian-13": {"13", "13.2", "trixie", "6.12.57+deb13-amd64"},
}

// loadImage makes an image once for all machines that have it.
func loadImage(name string) (*image, error) {
	switch name {
	case "debian-12":
		return bookworm(), nil
	case "debian-13":
		return trixie(), nil
	}
	return nil, fmt.Errorf("there is no image %q: want debian-12 or debian-13", name)
}

var (
	bookworm = sync.OnceValue(func() *image { return makeImage(releases["debian-12"]) })
	trixie   = sync.OnceValue(func() *image { return makeImage(releases["debian-13"]) })
)

// builder makes an image.
type builder struct {
	root *baseNode
	release
}

func makeImage(r release) *image {
	b := &builder{root: &baseNode{path: "/", kind: Folder, mode: 0o755, kids: map[string]*baseNode{}}, release: r}
	b.folders()
	b.etc()
	all := programs()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if p := all[name]; !p.extra {
			b.file(p.at, 0o755, string(binary(name)))
		}
	}
	b.root.at("/usr/bin/sudo").mode = 0o4755
	b.systemFiles()
	ino := uint64(2)
	b.number(b.root, &ino)
	return &image{b.root, all}
}

// number gives the entries their numbers, in the order of their names.
func (b *builder) number(n *baseNode, next *uint64) {
	n.ino = *next
	*next++
	for _, name := range slices.Sorted(maps.Keys(n.kids)) {
		b.number(n.kids[name], next)
	}
}

// add puts an entry into the image, with the folders above it.
func (b *builder) add(p string, n *baseNode) *baseNode {
	dir := b.root
	parts := splitPath(p)
	for i, name := range parts[:len(parts)-1] {
		kid := dir.kids[name]
		if kid == nil {
			kid = &baseNode{path: "/" + path.Join(parts[:i+1]...), kind: Folder, mode: 0o755, kids: map[string]*baseNode{}}
			dir.kids[name] = kid
		}
		if kid.kind != Folder {
			panic("an image has a file where a folder is wanted: " + kid.path)
		}
		dir = kid
	}
	n.path = path.Clean(p)
	dir.kids[parts[len(parts)-1]] = n
	return n
}

func (b *builder) folder(p string, mode uint32) *baseNode {
	if n := b.root.at(p); n != nil {
		n.mode = mode
		return n
	}
	return b.add(p, &baseNode{kind: Folder, mode: mode, kids: map[string]*baseNode{}})
}

func (b *builder) file(p string, mode uint32, text string) *baseNode {
	return b.add(p, &baseNode{kind: File, mode: mode, data: []byte(text)})
}

func (b *builder) link(p, target string) {
	b.add(p, &baseNode{kind: Link, mode: 0o777, target: target})
}

func (b *builder) folders() {
	for _, p := range []string{"/boot", "/dev", "/etc", "/home", "/media", "/mnt", "/opt", "/proc", "/run", "/srv", "/sys", "/usr/bin", "/usr/sbin",
		"/usr/lib", "/usr/local/bin", "/usr/local/sbin", "/usr/local/lib", "/usr/share", "/var/cache", "/var/lib", "/var/log", "/var/backups", "/var/spool", "/run/lock"} {
		b.folder(p, 0o755)
	}
	b.folder("/root", 0o700)
	b.folder("/tmp", 0o1777)
	b.folder("/var/tmp", 0o1777)
	b.folder("/dev/shm", 0o1777)
	for _, p := range []string{"bin", "sbin", "lib"} {
		b.link("/"+p, "usr/"+p)
	}
	b.link("/lib64", "usr/lib64")
	b.folder("/usr/lib64", 0o755)
	b.link("/var/run", "/run")
	b.link("/var/lock", "/run/lock")
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		b.add("/dev/"+name, &baseNode{kind: Device, mode: 0o666})
	}
	b.link("/dev/fd", "/proc/self/fd")
	b.link("/dev/stdin", "/proc/self/fd/0")
	b.link("/dev/stdout", "/proc/self/fd/1")
	b.link("/dev/stderr", "/proc/self/fd/2")
}

func (b *builder) etc() {
	b.link("/etc/os-release", "../usr/lib/os-release")
	b.file("/usr/lib/os-release", 0o644, `PRETTY_NAME="Debian GNU/Linux `+b.version+` (`+b.codename+`)"
NAME="Debian GNU/Linux"
VERSION_ID="`+b.version+`"
VERSION="`+b.version+` (`+b.codename+`)"
VERSION_CODENAME=`+b.codename+`
ID=debian
HOME_URL="https://www.debian.org/"
SUPPORT_URL="https://www.debian.org/support"
BUG_REPORT_URL="https://bugs.debian.org/"
`)
	b.file("/etc/debian_version", 0o644, b.full+"\n")
	b.file("/etc/issue", 0o644, "Debian GNU/Linux "+b.version+" \\n \\l\n\n")
	b.file("/etc/passwd", 0o644, passwdFile)
	b.file("/etc/group", 0o644, groupFile)
	b.file("/etc/shadow", 0o640, shadowFile).gid = 42
	b.file("/etc/gshadow", 0o640, "").gid = 42
	b.file("/etc/shells", 0o644, "# /etc/shells: valid login shells\n/bin/sh\n/usr/bin/sh\n/bin/bash\n/usr/bin/bash\n/bin/rbash\n/usr/bin/rbash\n/bin/dash\n/usr/bin/dash\n")
	b.file("/etc/fstab", 0o644, "# /etc/fstab: static file system information.\nPARTUUID=c2a7f3a4-01 / ext4 rw,discard,errors=remount-ro 0 1\n")
	b.file("/etc/resolv.conf", 0o644, "nameserver 127.0.0.53\n")
	b.file("/etc/timezone", 0o644, "Etc/UTC\n")
	b.file("/etc/profile", 0o644, "# /etc/profile: system-wide .profile file for the Bourne shell\n")
	b.file("/etc/bash.bashrc", 0o644, "# System-wide .bashrc file for interactive bash(1) shells.\n")
	b.file("/etc/motd", 0o644, "\nThis machine is simulated: a host of a lab of SwarmScript.\n")
	b.file("/etc/sudoers", 0o440, "Defaults\tenv_reset\nDefaults\tmail_badpass\nDefaults\tsecure_path=\""+rootPath+"\"\nDefaults\tuse_pty\nroot\tALL=(ALL:ALL) ALL\n%sudo\tALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n")
	b.folder("/etc/sudoers.d", 0o750)
	b.file("/etc/login.defs", 0o644, "UID_MIN 1000\nUID_MAX 60000\nSYS_UID_MIN 100\nSYS_UID_MAX 999\nGID_MIN 1000\nGID_MAX 60000\nHOME_MODE 0700\nENCRYPT_METHOD YESCRYPT\n")
	b.folder("/etc/skel", 0o755)
	b.file("/etc/skel/.profile", 0o644, "# ~/.profile: executed by the command interpreter for login shells.\n")
	b.file("/etc/skel/.bashrc", 0o644, "# ~/.bashrc: executed by bash(1) for non-login shells.\n")
	b.file("/etc/skel/.bash_logout", 0o644, "# ~/.bash_logout: executed by bash(1) when login shell exits.\n")
	b.file("/etc/ssh/sshd_config", 0o644, "Include /etc/ssh/sshd_config.d/*.conf\nKbdInteractiveAuthentication no\nUsePAM yes\nX11Forwarding yes\nPrintMotd no\nAcceptEnv LANG LC_*\nSubsystem\tsftp\t/usr/lib/openssh/sftp-server\n")
	b.folder("/etc/ssh/sshd_config.d", 0o755)
	b.file("/etc/ssh/ssh_config", 0o644, "Include /etc/ssh/ssh_config.d/*.conf\nHost *\n    SendEnv LANG LC_*\n    HashKnownHosts yes\n")
	b.file("/boot/vmlinuz-"+b.kernel, 0o644, "")
	for _, dir := range []string{"bash", "dash"} {
		b.folder("/usr/share/doc/"+dir, 0o755)
	}
}

const passwdFile = `root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
sys:x:3:3:sys:/dev:/usr/sbin/nologin
sync:x:4:65534:sync:/bin:/bin/sync
games:x:5:60:games:/usr/games:/usr/sbin/nologin
man:x:6:12:man:/var/cache/man:/usr/sbin/nologin
lp:x:7:7:lp:/var/spool/lpd:/usr/sbin/nologin
mail:x:8:8:mail:/var/mail:/usr/sbin/nologin
news:x:9:9:news:/var/spool/news:/usr/sbin/nologin
uucp:x:10:10:uucp:/var/spool/uucp:/usr/sbin/nologin
proxy:x:13:13:proxy:/bin:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
backup:x:34:34:backup:/var/backups:/usr/sbin/nologin
list:x:38:38:Mailing List Manager:/var/list:/usr/sbin/nologin
irc:x:39:39:ircd:/run/ircd:/usr/sbin/nologin
_apt:x:42:65534::/nonexistent:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
systemd-network:x:998:998:systemd Network Management:/:/usr/sbin/nologin
messagebus:x:100:107::/nonexistent:/usr/sbin/nologin
sshd:x:101:65534::/run/sshd:/usr/sbin/nologin
`

const groupFile = `root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
disk:x:6:
lp:x:7:
mail:x:8:
news:x:9:
uucp:x:10:
man:x:12:
proxy:x:13:
kmem:x:15:
dialout:x:20:
fax:x:21:
voice:x:22:
cdrom:x:24:
floppy:x:25:
tape:x:26:
sudo:x:27:
audio:x:29:
dip:x:30:
www-data:x:33:
backup:x:34:
operator:x:37:
list:x:38:
irc:x:39:
src:x:40:
shadow:x:42:
utmp:x:43:
video:x:44:
sasl:x:45:
plugdev:x:46:
staff:x:50:
games:x:60:
users:x:100:
nogroup:x:65534:
systemd-journal:x:999:
systemd-network:x:998:
crontab:x:101:
input:x:102:
sgx:x:103:
kvm:x:104:
render:x:105:
netdev:x:106:
messagebus:x:107:
_ssh:x:108:
`

const shadowFile = `root:*:20400:0:99999:7:::
daemon:*:20400:0:99999:7:::
bin:*:20400:0:99999:7:::
sys:*:20400:0:99999:7:::
sync:*:20400:0:99999:7:::
games:*:20400:0:99999:7:::
man:*:20400:0:99999:7:::
lp:*:20400:0:99999:7:::
mail:*:20400:0:99999:7:::
news:*:20400:0:99999:7:::
uucp:*:20400:0:99999:7:::
proxy:*:20400:0:99999:7:::
www-data:*:20400:0:99999:7:::
backup:*:20400:0:99999:7:::
list:*:20400:0:99999:7:::
irc:*:20400:0:99999:7:::
_apt:*:20400:0:99999:7:::
nobody:*:20400:0:99999:7:::
systemd-network:!*:20400::::::
messagebus:!:20400::::::
sshd:!:20400::::::
`
