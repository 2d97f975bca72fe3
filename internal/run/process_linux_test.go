package run

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// program builds the program itself, as it is given away.
func program(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "swarmscript")
	if out, err := exec.Command("make", "-C", "../..", "build", "BIN="+path).CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return path
}

// launch runs a program to its end and returns its peak memory in MiB.
func launch(b *testing.B, dir, path string, args ...string) float64 {
	b.Helper()
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1") // Terraform asks for no newer Terraform
	var problems bytes.Buffer
	cmd.Stderr = &problems
	if err := cmd.Run(); err != nil {
		b.Fatalf("%s %s: %v\n%s", path, strings.Join(args, " "), err, problems.Bytes())
	}
	return float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) / 1024
}

// BenchmarkVersion starts the program and docker's CLI, which do nothing. It tells the
// program's size too.
func BenchmarkVersion(b *testing.B) {
	self, docker := program(b), testengine.CLI(b)
	var w stopwatch
	for b.Loop() {
		w.pair(func() { launch(b, "", self, "version") }, func() { launch(b, "", docker, "--version") })
	}
	w.report(b, "swarmscript", "docker")
	file, err := os.Stat(self)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(file.Size())/1e6, "MB")
}

// bareStubs declare nothing, so that the bare interpreter can run the loop.
const bareStubs = `
def project(*args, **kwargs): pass
def service(*args, **kwargs): pass
`

// BenchmarkProcess is a plan of 10,000 creations as a user starts it, against
// the bare interpreter on the same loop and, where it is installed, Terraform
// on as many terraform_data.
func BenchmarkProcess(b *testing.B) {
	const n = 10000
	f := startFake(b)
	f.alone = true
	b.Setenv("DOCKER_HOST", f.host)
	self, dir := program(b), b.TempDir()
	file := write(b, dir, fmt.Sprintf(loop, n))
	bare := filepath.Join(dir, "bare.star")
	text := strings.Replace(bareStubs+loop, "swarm.init()", "", 1)
	if err := os.WriteFile(bare, fmt.Appendf(nil, text, n), 0o644); err != nil {
		b.Fatal(err)
	}
	names := []string{"plan", "bare"}
	var memory [3][]float64
	fns := []func(){
		func() { memory[0] = append(memory[0], launch(b, dir, self, "plan", file)) },
		func() { memory[1] = append(memory[1], launch(b, dir, self, "exec", "--bare", bare)) },
	}
	if tf, err := exec.LookPath("terraform"); err == nil {
		work := b.TempDir()
		config := fmt.Sprintf("resource \"terraform_data\" \"web\" {\n  count = %d\n  input = { name = \"web-${count.index}\", image = \"registry.example/web:${count.index}\" }\n}\n", n)
		if err := os.WriteFile(filepath.Join(work, "main.tf"), []byte(config), 0o644); err != nil {
			b.Fatal(err)
		}
		launch(b, work, tf, "init")
		names = append(names, "terraform")
		fns = append(fns, func() { memory[2] = append(memory[2], launch(b, work, tf, "plan", "-input=false")) })
	}
	var w stopwatch
	for b.Loop() {
		w.pair(fns...)
	}
	w.report(b, names...)
	for k, name := range names {
		b.ReportMetric(median(memory[k]), name+"-MiB")
	}
}
