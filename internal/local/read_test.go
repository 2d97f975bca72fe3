package local

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/sshkey"
)

// What is read from the kernel's tables and from other programs.

const routeTable = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
tun0	0000D50A	00000000	0001	0	0	0	0000FFFF	0	0	0
`

func TestReadRoutes(t *testing.T) {
	got, err := readRoutes(routeTable)
	want := []route{
		{netip.MustParsePrefix("0.0.0.0/0"), "eth0"},
		{netip.MustParsePrefix("192.0.2.0/24"), "eth0"},
		{netip.MustParsePrefix("10.213.0.0/16"), "tun0"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := readRoutes("eth0 xyz 0 0 0 0 0 0"); err == nil {
		t.Error("nonsense is a route")
	}
}

func FuzzReadRoutes(f *testing.F) {
	f.Add(routeTable)
	f.Fuzz(func(t *testing.T, text string) {
		routes, err := readRoutes(text)
		if err != nil {
			return
		}
		if p, err := chooseSubnet(netip.Prefix{}, routes); err == nil && clash(p, routes, "") != nil {
			t.Errorf("%s was chosen, with routes %v", p, routes)
		}
	})
}

func TestChooseSubnet(t *testing.T) {
	routes, err := readRoutes(routeTable)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := chooseSubnet(netip.Prefix{}, routes); err != nil || got.String() != "10.214.0.0/16" {
		t.Errorf("beside a tunnel: %s, %v", got, err)
	}
	_, err = chooseSubnet(netip.MustParsePrefix("10.213.7.0/24"), routes)
	if err == nil || !strings.Contains(err.Error(), "the computer reaches 10.213.0.0/16 through tun0") {
		t.Errorf("inside a tunnel: %v", err)
	}
	if got, err := chooseSubnet(netip.MustParsePrefix("172.30.0.0/20"), routes); err != nil || got.String() != "172.30.0.0/20" {
		t.Errorf("a free one: %s, %v", got, err)
	}
	_, err = chooseSubnet(netip.Prefix{}, []route{{netip.MustParsePrefix("10.0.0.0/8"), "vpn"}})
	if err == nil || !strings.Contains(err.Error(), "choose one with local(subnet = ...)") {
		t.Errorf("nothing is free: %v", err)
	}
	if err := clash(netip.MustParsePrefix("10.213.0.0/16"), routes, "tun0"); err != nil {
		t.Errorf("its own route: %v", err)
	}
}

func TestSubnets(t *testing.T) {
	for text, ok := range map[string]bool{
		"10.213.0.0/16": true, "192.168.4.0/28": true, "10.213.0.1/16": false, "10.0.0.0/7": false, "192.168.4.0/29": false,
		"fd00::/64": false, "10.213.0.0": false, "": false,
	} {
		if _, err := parseSubnet(text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
	small := netip.MustParsePrefix("192.168.4.0/28")
	for number, want := range map[int]string{1: "192.168.4.2", 13: "192.168.4.14", 14: "", 0: ""} {
		got, err := machineAddress(small, number)
		if (err == nil) != (want != "") || err == nil && got.String() != want {
			t.Errorf("machine %d: %s, %v", number, got, err)
		}
	}
	if got, err := machineAddress(netip.MustParsePrefix("10.213.0.0/16"), 300); err != nil || got.String() != "10.213.1.45" {
		t.Errorf("machine 300: %s, %v", got, err)
	}
}

func TestReadHierarchies(t *testing.T) {
	const v1 = `20 1 0:19 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
21 20 0:20 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
22 20 0:21 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/lib/systemd/agent,name=systemd
23 20 0:22 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
24 1 0:23 / /mnt/cgroup/memory rw - cgroup cgroup rw,memory
`
	want := []hierarchy{
		{path: "/sys/fs/cgroup/cpu,cpuacct", controllers: []string{"cpu", "cpuacct"}},
		{path: "/sys/fs/cgroup/systemd", controllers: []string{"name=systemd"}},
		{path: "/sys/fs/cgroup/unified", unified: true},
	}
	if got := readHierarchies(v1); !reflect.DeepEqual(got, want) {
		t.Errorf("version 1, beside version 2: %+v", got)
	}
	const v2 = "30 1 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
	if got := readHierarchies(v2); !reflect.DeepEqual(got, []hierarchy{{path: "/sys/fs/cgroup", unified: true}}) {
		t.Errorf("version 2: %+v", got)
	}
	if got := readHierarchies("nonsense\n - cgroup\n"); got != nil {
		t.Errorf("nonsense: %+v", got)
	}
}

// A limit is written as each version of cgroups wants it.
func TestLimitsAsText(t *testing.T) {
	for _, tt := range []struct {
		l      Limits
		v1, v2 string
	}{
		{Limits{}, "-1 -1", "max 100000 max"},
		{Limits{NanoCPUs: 350_000_000, Memory: 1 << 30}, "35000 1073741824", "35000 100000 1073741824"},
		{Limits{NanoCPUs: 2_000_000_000}, "200000 -1", "200000 100000 max"},
		{Limits{NanoCPUs: 333_333_333}, "33333 -1", "33333 100000 max"},
	} {
		var v1, v2 []string
		for _, s := range tt.l.settings() {
			v1, v2 = append(v1, s.text1), append(v2, s.text2)
		}
		if got := strings.Join(v1, " "); got != tt.v1 {
			t.Errorf("%+v in version 1: %s", tt.l, got)
		}
		if got := strings.Join(v2, " "); got != tt.v2 {
			t.Errorf("%+v in version 2: %s", tt.l, got)
		}
	}
}

func TestReadMirrors(t *testing.T) {
	const settings = `Acquire "";
Acquire::Check-Valid-Until "false";
Acquire::http::Proxy "http://proxy.example:3128";
Acquire::https::Proxy "http://user:word@proxy.example:3128";
Acquire::Languages "none";
`
	for _, tt := range []struct {
		name, targets, settings string
		want                    mirrors
	}{
		{"no apt", "", "", publicMirrors},
		{"Debian", "http://mirror.example/debian/ bookworm\nhttp://mirror.example/debian/ bookworm-updates\nhttp://mirror.example/security/ bookworm-security\n", settings,
			mirrors{"http://mirror.example/debian", "http://mirror.example/security", []string{`Acquire::Check-Valid-Until "false";`, `Acquire::http::Proxy "http://proxy.example:3128";`}}},
		{"another system", "http://archive.example/ubuntu/ noble\n", "", publicMirrors},
		{"a password, a file", "https://user:word@mirror.example/debian bookworm\nfile:/srv/debian bookworm\n", "", publicMirrors},
	} {
		if got := readMirrors(tt.targets, tt.settings); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

func FuzzReadMirrors(f *testing.F) {
	f.Add("http://mirror.example/debian bookworm\n", "Acquire::Check-Date \"false\";\n")
	f.Fuzz(func(t *testing.T, targets, settings string) {
		m := readMirrors(targets, settings)
		if m.Main == "" || m.Security == "" {
			t.Error("no mirror")
		}
		if strings.Contains(m.Main+m.Security+strings.Join(m.Settings, ""), "@") {
			t.Error("a password is kept")
		}
	})
}

func TestResolver(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files []string
		want  string
	}{
		{"as it is", []string{"# comment\nsearch example.com\nnameserver 192.0.2.53\noptions ndots:1\n"}, "search example.com\nnameserver 192.0.2.53\noptions ndots:1\n"},
		{"systemd's", []string{"nameserver 127.0.0.53\n", "nameserver 192.0.2.1\n"}, "nameserver 192.0.2.1\n"},
		{"one of the computer's own", []string{"nameserver 127.0.0.1\nnameserver 192.0.2.1\nnameserver ::1\n"}, "nameserver 192.0.2.1\n"},
		{"none", []string{"nameserver 127.0.0.1\n", ""}, publicServers},
		{"nonsense", []string{"nameserver\nnameserver here\n"}, publicServers},
	} {
		if got := resolver(tt.files...); got != tt.want {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}

// All that is wrong with a machine is said at once.
func TestCheck(t *testing.T) {
	_, key, err := sshkey.New("me")
	if err != nil {
		t.Fatal(err)
	}
	good := Spec{Name: "web-1", User: "root", SSHKeys: []string{string(key)}}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	bad := Spec{Name: "Web_1", User: "a b", SSHKeys: []string{"ssh-ed25519 AAAA", string(key) + string(key)}, Limits: Limits{NanoCPUs: 1, Memory: 1}}
	want := []string{
		`name: got "Web_1", want small letters, digits and hyphens, 63 at most, as a host name has`,
		`user: got "a b", want small letters, digits, hyphens and underscores, 32 at most, and a letter first`,
		"ssh key 1: want the one line of a public key, such as the text of ~/.ssh/id_ed25519.pub",
		"ssh key 2: want the one line of a public key, such as the text of ~/.ssh/id_ed25519.pub",
		"cpus: a machine needs 0.01 at least",
		"memory: a machine needs 64m at least",
	}
	if err := bad.Check(); err == nil || !slices.Equal(strings.Split(err.Error(), "\n"), want) {
		t.Errorf("got %v", err)
	}
}

// A file over the base's has what stands there and the line, for the same owner.
func TestLayer(t *testing.T) {
	base, upper := t.TempDir(), t.TempDir()
	l := layer{base: base, upper: upper}
	for path, text := range map[string]string{"etc/passwd": "root:x:0:0::/root:/bin/bash\nnews:x:9:9::/:/bin/sh\n", "etc/group": "root:x:0:\n"} {
		if err := os.MkdirAll(filepath.Join(base, filepath.Dir(path)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(base, path), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	l.add("etc/group", "admin:x:1000:")
	if len(l.errs) == 0 || slices.ContainsFunc(l.errs, func(err error) bool { return err != nil }) {
		t.Errorf("errors: %v", l.errs)
	}
	if got := readWord(filepath.Join(upper, "etc/group")); got != "root:x:0:\nadmin:x:1000:" {
		t.Errorf("got %q", got)
	}
	for path, want := range map[string]os.FileMode{"etc": 0o750, "etc/group": 0o640} {
		if info, err := os.Stat(filepath.Join(upper, path)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	l.errs = nil
	l.user("news", nil)
	if len(l.errs) != 1 || l.errs[0].Error() != "user news is one of the system's" {
		t.Errorf("a user of the system: %v", l.errs)
	}
}
