package builtins_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The files testdata/*.star are scripts in chunks, parted by "---". A line
// `### "regexp"` must give that error, its hint in parentheses; without any the
// chunk must be right. Each begins with a project and a swarm, c.
func TestChunks(t *testing.T) {
	files, err := filepath.Glob("testdata/*.star")
	if err != nil || len(files) == 0 {
		t.Fatal("no chunks", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		line := 1
		for _, text := range strings.Split(string(data), "\n---\n") {
			t.Run(filepath.Base(file)+":"+strconv.Itoa(line), func(t *testing.T) { testChunk(t, text, line) })
			line += strings.Count(text, "\n") + 2
		}
	}
}

func testChunk(t *testing.T, text string, line int) {
	want := map[int]*regexp.Regexp{}
	for i, l := range strings.Split(text, "\n") {
		if _, pattern, ok := strings.Cut(l, "###"); ok {
			unquoted, err := strconv.Unquote(strings.TrimSpace(pattern))
			if err != nil {
				t.Fatalf("line %d: not a quoted regexp: %s", line+i, pattern)
			}
			want[line+i] = regexp.MustCompile(unquoted)
		}
	}
	_, problems := evaluate(t, "project('p'); c = swarm.init(); "+strings.TrimPrefix(text, "\n"), nil)
	for _, d := range problems {
		at, msg := line+d.Pos.Line-1, d.Summary+" ("+d.Hint+")"
		if rx := want[at]; rx == nil || !rx.MatchString(msg) {
			t.Errorf("line %d: got %q, want %v", at, msg, rx)
		}
		delete(want, at)
	}
	for at, rx := range want {
		t.Errorf("line %d: expected an error matching %q", at, rx)
	}
}
