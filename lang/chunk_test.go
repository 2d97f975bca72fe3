package lang

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// chunk is a part of a chunked file: a script, and the errors it must give, by
// line. A line `### "regexp"` expects an error there.
type chunk struct {
	src  string // padded, so that its lines are numbered as in the file
	line int
	want map[int]*regexp.Regexp
}

func readChunks(t *testing.T, file string) []*chunk {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []*chunk
	line := 1
	for _, text := range strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n---\n") {
		c := &chunk{src: strings.Repeat("\n", line-1) + text, line: line, want: map[int]*regexp.Regexp{}}
		for i, l := range strings.Split(text, "\n") {
			_, pattern, ok := strings.Cut(l, "###")
			if !ok {
				continue
			}
			unquoted, err := strconv.Unquote(strings.TrimSpace(pattern))
			if err != nil {
				t.Fatalf("%s:%d: not a quoted regexp: %s", file, line+i, pattern)
			}
			c.want[line+i] = regexp.MustCompile(unquoted)
		}
		line += strings.Count(text, "\n") + 2
		out = append(out, c)
	}
	return out
}

// got tells the chunk of an error that occurred.
func (c *chunk) got(t *testing.T, line int, msg string) {
	t.Helper()
	rx := c.want[line]
	delete(c.want, line)
	switch {
	case rx == nil:
		t.Errorf("line %d: unexpected error: %s", line, msg)
	case !rx.MatchString(msg):
		t.Errorf("line %d: error %q does not match %q", line, msg, rx)
	}
}

func (c *chunk) done(t *testing.T) {
	t.Helper()
	for line, rx := range c.want {
		t.Errorf("line %d: expected an error matching %q", line, rx)
	}
}
