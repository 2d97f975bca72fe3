package scripttest

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/swarmscript/swarmscript/internal/ui"
)

// The elements of JUnit's XML that programs read.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		File    string        `xml:"file,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitFailure `xml:"failure,omitempty"`
		Skipped *junitSkipped `xml:"skipped,omitempty"`
		Output  string        `xml:"system-out,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",cdata"`
	}
	junitSkipped struct {
		Message string `xml:"message,attr,omitempty"`
	}
)

// JUnit writes results as JUnit's XML: a suite for each file.
func JUnit(w io.Writer, results []*Result, s Summary) error {
	out := junitSuites{Tests: len(results), Failures: s.Failed, Skipped: s.Skipped + s.NotRun, Time: fmt.Sprintf("%.3f", s.Took.Seconds())}
	var of []*Result
	for i, r := range results {
		if of = append(of, r); i == len(results)-1 || results[i+1].File != r.File {
			out.Suites = append(out.Suites, suiteOf(of))
			of = nil
		}
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(out); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func suiteOf(results []*Result) junitSuite {
	s := Sum(results, 0)
	suite := junitSuite{Name: results[0].File, Tests: len(results), Failures: s.Failed, Skipped: s.Skipped + s.NotRun}
	class := strings.ReplaceAll(strings.TrimSuffix(results[0].File, ".star"), "/", ".")
	for _, r := range results {
		s.Took += r.Took
		c := junitCase{Name: r.Name, Class: class, File: r.File, Time: fmt.Sprintf("%.3f", r.Took.Seconds()), Output: legal(strings.Join(r.Output, "\n"))}
		switch r.Status {
		case Failed:
			var b strings.Builder
			WriteFailure(&b, r, ui.Style{})
			c.Failure = &junitFailure{Text: legal(b.String())}
			if len(r.Problems) > 0 {
				c.Failure.Message = legal(r.Problems[0].Error())
			}
		case Skipped:
			c.Skipped = &junitSkipped{legal(r.Reason)}
		case Ended:
			c.Skipped = &junitSkipped{"interrupted"}
		}
		suite.Cases = append(suite.Cases, c)
	}
	suite.Time = fmt.Sprintf("%.3f", s.Took.Seconds())
	return suite
}

// legal drops what XML cannot hold.
func legal(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r >= ' ' && r != unicode.ReplacementChar && r != 0xfffe && r != 0xffff {
			return r
		}
		return '?'
	}, s)
}
