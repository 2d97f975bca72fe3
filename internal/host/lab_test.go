package host_test

import (
	"flag"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/lab/labtest"
	"github.com/swarmscript/swarmscript/internal/testhost"
)

// onLab makes the tests of this package use machines of a lab in place of real ones.
var onLab = flag.Bool("lab", false, "use simulated machines")

// simulated are the tests that a machine of a lab passes as a real one does.
var simulated = []string{
	"TestFile", "TestFileBefore", "TestFileSensitive", "TestDirectory", "TestPackage", "TestPackagesTogether", "TestCommand", "TestUnit", "TestUnitTakesOn", "TestUnitErrors", "TestSysctl",
	"TestUser", "TestFirewall", "TestFail2ban", "TestUnattendedUpgrades", "TestProjects", "TestLease", "TestSaveMarks", "TestSudo", "TestNoSudo", "TestCutShort",
}

// The kinds of a machine cannot tell a lab's machines from real ones: the tests that
// real machines pass are run with simulated ones.
func TestSimulated(t *testing.T) {
	if *onLab {
		t.Skip("this is it")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-lab", "-test.run=^("+strings.Join(simulated, "|")+")$", "-test.v=true", "-test.parallel=4")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range simulated {
		if !strings.Contains(string(out), "--- PASS: "+name+" ") {
			t.Errorf("%s was not run on a machine of a lab", name)
		}
	}
}

// machine is what a test does with a machine beside our own connection.
type machine interface {
	Run(program string, args ...string) string
	Stop()
	Start()
	Kill()
}

// startLab makes a machine of a lab.
func startLab(t *testing.T, image string, opts ...testhost.Option) *world {
	t.Helper()
	spec := specOf(opts)
	m := labtest.Start(t, image, spec.Name, spec.User)
	h := &testhost.Host{Name: m.Name, Address: labtest.Address, User: m.User, Key: m.Key, HostKey: m.HostKey, Image: image}
	w := &world{t: t, h: h, m: m, project: "shop/test", port: m.Port}
	w.c = w.connect()
	return w
}
