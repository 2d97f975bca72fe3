package scripttest

import "strings"

// tail keeps the last lines that are written.
type tail struct {
	lines []string
	rest  string
}

const tailLines = 15

func (t *tail) Write(b []byte) (int, error) {
	t.rest += string(b)
	for {
		line, rest, ok := strings.Cut(t.rest, "\n")
		if !ok {
			return len(b), nil
		}
		t.rest, t.lines = rest, append(t.lines, line)
		if len(t.lines) > tailLines {
			t.lines = t.lines[1:]
		}
	}
}

func (t *tail) String() string { return strings.Join(t.lines, "\n") }
