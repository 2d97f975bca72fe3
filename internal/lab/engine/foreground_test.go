package engine

import (
	"io"
	"strings"
	"testing"

	containertypes "github.com/docker/docker/api/types/container"
)

// A container in the foreground: its output is what its log gets, and its exit code
// is the CLI's.
func TestForeground(t *testing.T) {
	s := serve(t, config("m1"))
	s.docker("pull", "alpine")
	for _, c := range []struct {
		want string
		args []string
	}{
		{"hello", []string{"run", "--rm", "alpine", "echo", "hello"}},
		{"(exit status 3)", []string{"run", "--name", "three", "alpine", "sh", "-c", "exit 3"}},
		{"(exit status 3)", []string{"start", "--attach", "three"}},
		{"one\ntwo", []string{"run", "--rm", "alpine", "sh", "-c", "echo one; echo two"}},
	} {
		if got := s.docker(c.args...); got != c.want {
			t.Errorf("docker %s: got %q, want %q", strings.Join(c.args, " "), got, c.want)
		}
	}
	s.says("three", "ps -a --format {{.Names}}")
	// One that ends by a signal, as that of Ctrl-C.
	s.docker("run", "-d", "--name", "web", "alpine", "sleep", "1000")
	attached := make(chan string, 1)
	go func() { attached <- s.docker("attach", "web") }()
	s.docker("kill", "web")
	if got := <-attached; got != "(exit status 137)" && !strings.Contains(got, "cannot attach to a stopped container") { // as it came
		t.Errorf("attached to what is killed: %s", got)
	}
	s.docker("run", "-d", "--name", "held", "alpine", "sleep", "1000")
	s.docker("pause", "held")
	s.says("cannot attach to a paused container", "attach held")
}

// Who is attached can leave, though nobody reads what is typed.
func TestDetach(t *testing.T) {
	s := serve(t, config("m1"))
	s.docker("pull", "alpine")
	s.docker("run", "-dit", "--name", "sh", "alpine", "sh")
	c, err := s.client().ContainerAttach(t.Context(), "sh", containertypes.AttachOptions{Stream: true, Stdin: true, Stdout: true, Stderr: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	said := make([]byte, len("swarmscript lab: not simulated: what is typed"))
	if _, err := io.ReadFull(c.Reader, said); err != nil || string(said) != "swarmscript lab: not simulated: what is typed" {
		t.Errorf("it says %q: %v", said, err)
	}
	for _, key := range []byte{'l', 's', '\r', 16, 17} {
		if _, err := c.Conn.Write([]byte{key}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.Copy(io.Discard, c.Reader); err != nil { // ends
		t.Error(err)
	}
	s.says("sh", "ps --format {{.Names}}")
	if _, err := s.client().ContainerAttach(t.Context(), "sh", containertypes.AttachOptions{Stream: true, DetachKeys: "ctrl-nothing"}); err == nil {
		t.Error("keys that there are not are taken")
	}
}
