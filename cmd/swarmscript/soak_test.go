package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

const soakScript = `
project("soak")
n = var("n", 1)
text = var("text", "a")
swarm.init(advertise_addr = var("address"))
nets = [network("net%d" % i) for i in range(n)]
password = secret("password", value = text)
key = secret("key", generate = 16, rotate = text)
conf = config("conf", content = text)
for i in range(3):
    service(
        "s%d" % i,
        image = "swarmtest/sleep:1",
        replicas = n,
        networks = nets,
        secrets = [password, key],
        configs = [conf],
        endpoint_mode = "dnsrr",
        stop_grace_period = "1s",
        update = update_policy(monitor = "500ms", parallelism = 0),
    )
`

// TestSoak kills an apply at a random moment, over and over, each time on its
// way to another state. What follows goes on from there: it converges, nothing
// is lost, nothing is there twice. SWARMSCRIPT_SOAK_ROUNDS says how often,
// SWARMSCRIPT_SOAK_SEED from which seed.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("a round waits for the lease of who was killed")
	}
	rounds, seed := setting(t, "SWARMSCRIPT_SOAK_ROUNDS", 3), setting(t, "SWARMSCRIPT_SOAK_SEED", 1)
	t.Logf("rounds %d, seed %d", rounds, seed)
	e := testengine.Start(t, testengine.Docker28)
	testengine.Images(e)
	dir := t.TempDir()
	program, script := filepath.Join(dir, "swarmscript"), filepath.Join(dir, "cluster.star")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.WriteFile(script, []byte(soakScript), 0o644); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	for round := range rounds {
		n, text := 1+random.IntN(3), fmt.Sprintf("round-%d", round)
		command := func(args ...string) (*exec.Cmd, *bytes.Buffer) {
			cmd := exec.Command(program, append(args, script, "--var", "address="+e.Addr, "--var", "n="+strconv.Itoa(n), "--var", "text="+text)...)
			cmd.Env = append(os.Environ(), "DOCKER_HOST="+e.Host, "DOCKER_CONFIG="+dir)
			out := &bytes.Buffer{}
			cmd.Stdout, cmd.Stderr = out, out
			return cmd, out
		}
		killed, _ := command("apply", "--auto-approve", "--lock-timeout", "90s")
		if err := killed.Start(); err != nil {
			t.Fatal(err)
		}
		moment := time.Duration(random.Int64N(int64(4 * time.Second)))
		time.Sleep(moment)
		killed.Process.Kill()
		killed.Wait() // its error is the kill

		again, out := command("apply", "--auto-approve", "--lock-timeout", "90s")
		if err := again.Run(); err != nil {
			t.Fatalf("round %d, killed after %v: %v\n%s", round, moment, err, out)
		}
		plan, out := command("plan", "--detailed-exitcode")
		if err := plan.Run(); err != nil {
			t.Fatalf("round %d, killed after %v: something is left to do: %v\n%s", round, moment, err, out)
		}
		sameLines(t, e.Docker("service", "ls", "--format", "{{.Name}} {{.Replicas}}"),
			fmt.Sprintf("s0 %d/%d", n, n), fmt.Sprintf("s1 %d/%d", n, n), fmt.Sprintf("s2 %d/%d", n, n))
		nets := []string{"ingress"}
		for i := range n {
			nets = append(nets, fmt.Sprintf("net%d", i))
		}
		sameLines(t, e.Docker("network", "ls", "--filter", "scope=swarm", "--format", "{{.Name}}"), nets...)
	}
}

func setting(t *testing.T, name string, otherwise int) int {
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// sameLines compares lines of which the order means nothing.
func sameLines(t *testing.T, got string, want ...string) {
	t.Helper()
	lines := map[string]int{}
	for _, l := range strings.Split(got, "\n") {
		lines[l]++
	}
	for _, w := range want {
		lines[w]--
	}
	for l, n := range lines {
		if n != 0 {
			t.Errorf("%q is there %+d times as often as it should; all are\n%s", l, n, got)
		}
	}
}
