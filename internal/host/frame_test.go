package host

import (
	"bytes"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// What a shell makes of a frame is read back whole, whatever the parts print
// and whatever is printed beside them.
func TestFrame(t *testing.T) {
	parts := []part{
		{"text", `printf 'a b\n\n c'`},
		{"nothing", ":"},
		{"bytes", `printf '\000\377'`},
		{"fails", "echo before; exit 3"},
		{"reads", "cat; echo end"},
		{"errors", "echo oops >&2"},
	}
	script := "echo 'Welcome to TAG x'\n" + frame("TAG", parts) + "echo TAG more\n"
	out, err := exec.Command("sh", "-c", script).Output()
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseFrame("TAG", out)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"text": "a b\n\n c", "nothing": "", "bytes": "\x00\xff", "fails": "before\n", "reads": "end\n", "errors": "",
	} {
		if string(got[name]) != want {
			t.Errorf("part %s is %q, want %q", name, got[name], want)
		}
	}
	if len(got) != len(parts) {
		t.Errorf("got the parts %q", slices.Sorted(maps.Keys(got)))
	}
}

func TestFrameDamaged(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "cut short",
		"TAG a eA==\n":              "cut short",
		"TAG a eA==\nTAG end 2\n":   "has 1 parts",
		"TAG a eA==\nTAG end\n":     "has 1 parts",
		"TAG a eA\nTAG end 1\n":     "damaged part",
		"TAG a eA== b\nTAG end 1\n": "damaged part",
		"TAG a eA==\nTAG a eA==\n":  "damaged part",
	} {
		if _, err := parseFrame("TAG", []byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte("hello\nTAG facts eA==\nTAG marks\nTAG end 2\n"))
	f.Add([]byte("TAG end 0"))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := parseFrame("TAG", in)
		if err == nil && len(got) > bytes.Count(in, []byte("\n"))+1 {
			t.Errorf("%d parts", len(got))
		}
	})
}

// Whatever a machine answers, reading it ends with objects or an error.
func FuzzAnswers(f *testing.F) {
	for _, s := range []string{
		"s 81a4 root 0 root 0 5 1763741234.123456789 /etc/motd\nh abc /etc/motd\nc _eA== /etc/motd\n",
		"tree|amd64|install|installed|2.1.0-1\nfoo||unknown|not-installed|\n",
		"c _eA== app.service\nLoadState=loaded\nActiveState=active\n\nLoadState=masked\n",
		"p ops:x:2001:100:The team:/srv/ops:/bin/bash\ng adm:x:4:ops\ns ops:$6$x\nk ops _eA==\n",
		"/var/lib/swarmscript/project/p/marks/file-1:{\"kind\":\"file\",\"name\":\"/x\"}\n",
		"os=debian\nclock=1763740000.123456789\nssh=10.0.0.1 5 10.0.0.2 22\n",
		"held process 1 (x)\n", "unknown tree 1 2\n-- packages\n", "failed install\nE: no\n",
		"installed\nenabled yes\nINPUT \"DROP\"\n4 allow tcp 22 0.0.0.0/0 any 10.0.0.0/8 in_eth0 comment=61\npublished # rule allow tcp 80 0.0.0.0/0 any 0.0.0.0/0 in comment=\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		parseFiles(in)
		parsePackages(in)
		parseUnits(in, []string{"app.service", "b.timer"})
		parseUsers(in)
		parseFirewall(in)
		parseAnswers(in)
		parseUpgrades(in)
		parseJails(string(in))
		parseMarks(in)
		parseFacts(in, start, start)
		holder(in)
		readApt(in, []*aptJob{{spec: PackageSpec{Name: "tree"}}, {spec: PackageSpec{Name: "foo"}}})
	})
}
