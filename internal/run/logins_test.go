package run

import (
	"errors"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/builtins"
)

// The password for sudo is asked for once, whatever the number of machines.
func TestSudoPassword(t *testing.T) {
	asked := 0
	s := newSecrets(Options{Ask: func(prompt string) (string, error) { asked++; return "pw", nil }})
	for range 3 {
		m, err := s.machine(builtins.Host{Address: "192.0.2.1", Sudo: "ask"}, "/root")
		if err != nil || m.SudoPassword != "pw" || m.Sudo != "auto" || m.Keyring == nil {
			t.Fatalf("got %+v, %v", m, err)
		}
	}
	if m, err := s.machine(builtins.Host{Address: "192.0.2.1", Sudo: "auto", Key: "id"}, "/root"); err != nil || m.SudoPassword != "" || m.KeyFile != "/root/id" {
		t.Errorf("got %+v, %v", m, err)
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}

	env := func(name string) (string, bool) { return "from env", name == envSudo }
	if pw, err := newSecrets(Options{Env: env}).sudo(); pw != "from env" || err != nil {
		t.Errorf("got %q, %v", pw, err)
	}
	none := func(string) (string, bool) { return "", false }
	if _, err := newSecrets(Options{Env: none}).sudo(); err == nil || !strings.Contains(err.Error(), envSudo) {
		t.Errorf("got %v", err)
	}
	no := errors.New("no")
	if _, err := newSecrets(Options{Ask: func(string) (string, error) { return "", no }}).sudo(); !errors.Is(err, no) {
		t.Errorf("got %v", err)
	}
}
