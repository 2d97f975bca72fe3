package scripttest

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/lang"
)

// FileCoverage is how much of one file was evaluated.
type FileCoverage struct {
	File   string `json:"file"`
	Hit    int    `json:"hit"`    // lines that were evaluated
	Lines  int    `json:"lines"`  // that could be
	Missed []int  `json:"missed"` // the others

	src   []byte
	lines []lang.LineCount
}

// Percent is how much of it was evaluated.
func (f FileCoverage) Percent() float64 { return percent(f.Hit, f.Lines) }

func percent(hit, of int) float64 {
	if of == 0 {
		return 100
	}
	return 100 * float64(hit) / float64(of)
}

// CoverageOf is how much was evaluated of the scripts and modules under test: not
// of the tests themselves, and of the standard library only what its own tests
// load.
func CoverageOf(c *lang.Coverage, tested []*File) []FileCoverage {
	var out []FileCoverage
	for _, f := range c.Files() {
		name := f.Name
		if strings.HasSuffix(name, fileSuffix) {
			continue
		}
		if module, ok := strings.CutPrefix(name, "@stdlib//"); ok {
			own := strings.TrimSuffix(module, ".star") + fileSuffix
			if !slices.ContainsFunc(tested, func(t *File) bool {
				return t.Path == own || strings.HasSuffix(t.Path, "/"+own) && strings.Contains(string(t.src), name)
			}) {
				continue
			}
		} else {
			name = shownIn("", name)
		}
		cov := FileCoverage{File: name, src: f.Src, lines: f.Lines(), Missed: []int{}}
		cov.Lines = len(cov.lines)
		for _, l := range cov.lines {
			if l.Count > 0 {
				cov.Hit++
			} else {
				cov.Missed = append(cov.Missed, l.Line)
			}
		}
		out = append(out, cov)
	}
	return out
}

// total is the share of all files together.
func total(files []FileCoverage) string {
	hit, lines := 0, 0
	for _, f := range files {
		hit, lines = hit+f.Hit, lines+f.Lines
	}
	return fmt.Sprintf("%.1f %% of %d lines", percent(hit, lines), lines)
}

// WriteCoverage writes a line for each file, with the lines that were missed.
func WriteCoverage(w io.Writer, files []FileCoverage) error {
	wide := 0
	for _, f := range files {
		wide = max(wide, len(f.File))
	}
	var b strings.Builder
	for _, f := range files {
		fmt.Fprintf(&b, "%-*s  %5.1f %%  %d of %d lines", wide, f.File, f.Percent(), f.Hit, f.Lines)
		if len(f.Missed) > 0 {
			b.WriteString("; not " + ranges(f.Missed))
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "coverage: %s\n", total(files))
	_, err := io.WriteString(w, b.String())
	return err
}

// ranges writes line numbers in order: 3, 7-9.
func ranges(lines []int) string {
	var out []string
	for i := 0; i < len(lines); {
		j := i
		for j+1 < len(lines) && lines[j+1] == lines[j]+1 {
			j++
		}
		if i == j {
			out = append(out, fmt.Sprint(lines[i]))
		} else {
			out = append(out, fmt.Sprintf("%d-%d", lines[i], lines[j]))
		}
		i = j + 1
	}
	return strings.Join(out, ", ")
}

//go:embed coverage.html
var coveragePage string

// htmlLine is a line of a file as the page shows it.
type htmlLine struct {
	N     int
	Class string // "hit", "miss", "" where there is nothing to evaluate
	Count string
	Text  string
}

// WriteCoverageHTML writes one page with the text of each file, its lines marked.
// It needs nothing from elsewhere.
func WriteCoverageHTML(w io.Writer, files []FileCoverage) error {
	type file struct {
		FileCoverage
		Share string
		Text  []htmlLine
	}
	page := struct {
		Total string
		Files []file
	}{Total: total(files)}
	for _, f := range files {
		counts := map[int]uint64{}
		for _, l := range f.lines {
			counts[l.Line] = l.Count
		}
		shown := file{FileCoverage: f, Share: fmt.Sprintf("%.1f %%", f.Percent())}
		for i, text := range strings.Split(strings.TrimSuffix(string(f.src), "\n"), "\n") {
			l := htmlLine{N: i + 1, Text: strings.TrimSuffix(text, "\r")}
			if n, code := counts[i+1]; code {
				l.Class, l.Count = "miss", "0"
				if n > 0 {
					l.Class, l.Count = "hit", fmt.Sprint(n)
				}
			}
			shown.Text = append(shown.Text, l)
		}
		page.Files = append(page.Files, shown)
	}
	return template.Must(template.New("coverage").Parse(coveragePage)).Execute(w, page)
}
