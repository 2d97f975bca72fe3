package scripttest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// write makes a folder with files of tests.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// find finds the tests below a folder.
func find(t *testing.T, dir string) []*File {
	t.Helper()
	files, err := Find([]string{dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// What assertions say, by the parts of testdata/assertions.star.
func TestAssertions(t *testing.T) {
	text, err := os.ReadFile("testdata/assertions.star")
	if err != nil {
		t.Fatal(err)
	}
	line := 0 // before the part
	for _, part := range strings.Split(string(text), "\n---\n") {
		at, want := 0, ""
		for i, l := range strings.Split(part, "\n") {
			if _, quoted, ok := strings.Cut(l, "###"); ok && strings.HasPrefix(strings.TrimSpace(quoted), `"`) {
				if want, err = strconv.Unquote(strings.TrimSpace(quoted)); err != nil {
					t.Fatalf("line %d: %v", line+i+1, err)
				}
				at = line + i + 1
			}
		}
		dir := write(t, map[string]string{"part_test.star": strings.Repeat("\n", line) + part})
		line += strings.Count(part, "\n") + 2
		for _, r := range Run(t.Context(), find(t, dir), Options{Timeout: time.Minute}) {
			switch {
			case at == 0 && r.Status != Passed:
				t.Errorf("%s: %s, %v", r.Name, r.Status, r.Problems)
			case at == 0:
			case r.Status != Failed || len(r.Problems) == 0:
				t.Errorf("line %d: %s: %s, want a failure", at, r.Name, r.Status)
			default:
				d := r.Problems[0]
				if said := strings.TrimRight(d.Summary+"\n"+d.Detail, "\n"); !regexp.MustCompile(want).MatchString(said) {
					t.Errorf("line %d: %s says %q, want %q", at, r.Name, said, want)
				}
				if d.Pos.Line != at && want != "" {
					t.Errorf("line %d: %s: the problem is at %s", at, r.Name, d.Pos)
				}
			}
		}
	}
}

// Each test has an evaluation of its own, so that none sees another's values,
// and they run at once, no more than are allowed; results are in source order.
func TestIsolation(t *testing.T) {
	dir := write(t, map[string]string{
		"b_test.star":         "def test_z(t):\n    t.skip('not today')\n\ndef test_a(t):\n    t.log('1')\n    t.log('2\\n3')\n    t.fail('4')\n",
		"a_test.star":         "load('lib.star', 'seen')\n\nprint('loaded')\n\ndef test_1(t):\n    t.fails(lambda: seen.append(1), 'frozen')\n\ndef helper(): pass\n\ndef test_2(t):\n    project('x')\n    secret('s', generate = 8)\n    t.equal(t.plan().add, 1)\n\ndef test_3(t):\n    project('x')\n    secret('s', generate = 8)\n",
		"lib.star":            "seen = []\n",
		".hidden/c_test.star": "def test_c(t):\n    t.fail('hidden')\n", "testdata/d_test.star": "wrong",
	})
	running, most := 0, 0
	var begun []string
	results := Run(t.Context(), find(t, dir), Options{
		Parallelism: 2, Timeout: time.Minute,
		Begun: func(file, name string) {
			begun = append(begun, name)
			if running++; running > most {
				most = running
			}
		},
		Ended: func(*Result) { running-- },
	})
	var got []string
	for _, r := range results {
		got = append(got, fmt.Sprintf("%s %s %s %s", filepath.Base(r.File), r.Name, r.Status, strings.Join(append(r.Output, r.Reason), "|")))
	}
	want := []string{
		"a_test.star test_1 pass loaded|", "a_test.star test_2 pass loaded|", "a_test.star test_3 pass loaded|",
		"b_test.star test_z skip not today", "b_test.star test_a fail 1|2|3|",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || len(begun) != 5 || most > 2 || running != 0 {
		t.Errorf("got %q\nwant %q\n%d at once", got, want, most)
	}
	if s := Sum(results, time.Second); s.String() != "3 passed, 1 failed, 1 skipped" {
		t.Errorf("in all %s", s)
	}
}

// A test that takes too long ends, wherever it is; an interruption ends those that
// run, and begins no others.
func TestEnds(t *testing.T) {
	dir := write(t, map[string]string{"slow_test.star": "def test_waits(t):\n    t.eventually(lambda: False, within = '1h')\n\ndef test_more(t):\n    pass\n"})
	files := find(t, dir)
	results := Run(t.Context(), files, Options{Parallelism: 1, Timeout: 50 * time.Millisecond})
	if r := results[0]; r.Status != Failed || !strings.Contains(r.Problems.Error(), "the test took longer than 50ms") {
		t.Errorf("it ended with %s, %v", r.Status, r.Problems)
	}
	if results[1].Status != Passed {
		t.Errorf("the next ended with %s", results[1].Status)
	}
	ctx, cancel := context.WithCancel(t.Context())
	results = Run(ctx, files, Options{Parallelism: 1, Timeout: time.Minute, Begun: func(string, string) { cancel() }})
	if s := Sum(results, 0); s.NotRun != 2 || results[0].Took == 0 || results[1].Took != 0 {
		t.Errorf("after an interruption: %s", s)
	}
}

// Files that are no tests are told all together.
func TestFindProblems(t *testing.T) {
	dir := write(t, map[string]string{
		"a_test.star":     "def test_a(t, u): pass\n\ndef test_b(t): pass\n\ndef test_b(t): pass\n",
		"b_test.star":     "def helper(): pass\n",
		"c_test.star":     "def f(:\n",
		"empty/some.star": "",
	})
	_, err := Find([]string{dir, filepath.Join(dir, "empty"), filepath.Join(dir, "gone")}, nil)
	if err == nil {
		t.Fatal("there is no error")
	}
	for _, want := range []string{
		"a_test.star:1:5: test_a has 2 parameters: a test has one, t", "a_test.star:5:5: test_b is defined twice",
		"b_test.star: there is no function test_*(t) in it", "c_test.star:1:8: got ':'", "empty has no tests", "gone: no such file",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %q:\n%v", want, err)
		}
	}
	files, err := Find([]string{write(t, map[string]string{"x_test.star": "def test_a(t): pass\ndef test_b(t): pass\n"})}, regexp.MustCompile("x_test.star:test_b$"))
	if err != nil || len(files) != 1 || fmt.Sprint(files[0].Tests) != "[test_b]" {
		t.Errorf("of a pattern there is %v, %v", files, err)
	}
}
