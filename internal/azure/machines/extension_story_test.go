package machines_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/azure/azuretest"
	"github.com/swarmscript/swarmscript/internal/run"
)

// A CustomScript really runs on the machine: it fails as its command does, and what it
// does is there.
func TestCustomScript(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("SSH_AUTH_SOCK", "")
	_, lab := azuretest.Lab(t)
	azuretest.Start(t, lab).Setenv(t)
	s := &azureStory{T: t, file: filepath.Join(t.TempDir(), "cluster.star")}
	write := func(extension string) {
		must(t, os.WriteFile(s.file, []byte(`
project("shop", env = "test")
web = vm("web", provider = azure("westeurope"))
setup = vm_extension(web, "setup", `+extension+`)
`), 0o600))
	}
	write(`settings = {"commandToExecute": "id -u; echo no such disk >&2; exit 7"}`)
	if got := s.fails(); !strings.Contains(got, "exit status=7") || !strings.Contains(got, "no such disk") || !strings.Contains(got, "[stdout]\n0") {
		t.Errorf("it fails with %s", got)
	}
	write(`protected_settings = {"commandToExecute": "echo made >/etc/made"}`)
	s.apply(false)
	// What it made can be worked on.
	file, err := os.ReadFile(s.file)
	must(t, err)
	must(t, os.WriteFile(s.file, append(file, `command(web, "made", run = "grep -q made /etc/made", after = [setup])`...), 0o600))
	s.apply(false)
	s.apply(false)
	if n := len(s.last.Steps); n != 0 {
		t.Errorf("applied again, there are %d steps", n)
	}
	s.apply(true)
}

// fails applies, and returns what went wrong.
func (s *azureStory) fails() string {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 10*time.Minute)
	defer cancel()
	p, err := run.Plan(ctx, run.Options{File: s.file, Timeout: 5 * time.Minute})
	must(s.T, err)
	defer p.Close()
	last, err := p.Apply(ctx, run.ApplyOptions{Why: "a test"})
	must(s.T, err)
	var out []string
	for _, r := range last.Steps {
		if r.Outcome != apply.OK && r.Err != nil {
			out = append(out, r.Err.Error())
		}
	}
	return strings.Join(out, "; ")
}
