package scripttest

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/operate"
	"github.com/swarmscript/swarmscript/internal/ui"
	"github.com/swarmscript/swarmscript/lang"
)

var update = flag.Bool("update", false, "write golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs:\n%s", file, got)
	}
}

// reported are results of all kinds: of files that are there, with times and tasks
// that are always the same.
func reported(t *testing.T, covered *lang.Coverage) ([]*File, []*Result) {
	t.Helper()
	t.Chdir("testdata/report")
	files := find(t, ".")
	results := Run(t.Context(), files, Options{Parallelism: 2, Timeout: time.Minute, Coverage: covered})
	for i, r := range results {
		r.Took = time.Duration(i+1) * 100 * time.Millisecond
		if r.Name == "test_replicas" {
			r.Tasks = []operate.Task{
				{Service: "web", Name: "web.1", Image: "nginx:1.27", Node: "w0", Desired: "running", State: "running"},
				{Service: "web", Name: "web.2", Image: "nginx:1.27", Desired: "running", State: "pending", Error: "no suitable node (1 node not available for new tasks)", Bad: true},
			}
			r.Nodes = []operate.NodeStatus{{Name: "w1", Role: "worker", Text: "down: heartbeat failure", Down: true}}
			r.Log = []string{"2026-11-21T10:04:07Z w1 error: \x1b[31mthe power is gone"}
		}
	}
	last := results[len(results)-1]
	last.Status, last.Took = Ended, 0 // as if it had been interrupted
	t.Chdir("../..")
	return files, results
}

func TestTextReport(t *testing.T) {
	files, results := reported(t, nil)
	for _, c := range []struct {
		name    string
		verbose bool
	}{{"report.txt", false}, {"report-verbose.txt", true}} {
		var b bytes.Buffer
		text := NewText(&b, ui.Style{}, c.verbose, files)
		for i := len(results) - 2; i >= 0; i-- { // as they come, which is not their order
			text.Ended(results[i])
		}
		text.Rest(results)
		text.End(Sum(results, 2*time.Second))
		golden(t, c.name, b.Bytes())
	}
}

var stamp = regexp.MustCompile(`"@timestamp":"[^"]*"`)

func TestJSONReport(t *testing.T) {
	var covered lang.Coverage
	files, results := reported(t, &covered)
	var b bytes.Buffer
	j := JSON{&b}
	if err := j.Begun(results[0].File, results[0].Name); err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if err := j.Ended(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.End(Sum(results, 2*time.Second)); err != nil {
		t.Fatal(err)
	}
	t.Chdir("testdata/report")
	cov := CoverageOf(&covered, files)
	t.Chdir("../..")
	if err := j.Coverage(cov); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.ndjson", stamp.ReplaceAll(b.Bytes(), []byte(`"@timestamp":"T"`)))
}

func TestJUnitReport(t *testing.T) {
	_, results := reported(t, nil)
	var b bytes.Buffer
	if err := JUnit(&b, results, Sum(results, 2*time.Second)); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.xml", b.Bytes())
}

func TestCoverageReports(t *testing.T) {
	var covered lang.Coverage
	files, _ := reported(t, &covered)
	t.Chdir("testdata/report")
	cov := CoverageOf(&covered, files)
	t.Chdir("../..")
	var text, page bytes.Buffer
	if err := WriteCoverage(&text, cov); err != nil {
		t.Fatal(err)
	}
	golden(t, "coverage.txt", text.Bytes())
	if err := WriteCoverageHTML(&page, cov); err != nil {
		t.Fatal(err)
	}
	golden(t, "coverage-page.html", page.Bytes())
}
