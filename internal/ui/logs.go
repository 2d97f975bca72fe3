package ui

import (
	"encoding/json"
	"io"
	"strings"

	"github.com/swarmscript/swarmscript/internal/operate"
	"github.com/swarmscript/swarmscript/internal/pattern"
)

// LogOptions say how lines of logs are shown.
type LogOptions struct {
	Style
	Timestamps bool
	NoPrefix   bool
	JSON       bool // one object a line
	// Terminal is set where a person reads: then a line may colour itself, and
	// nothing else.
	Terminal bool
	// Tasks are the names that will come, so that the prefixes are equally wide
	// from the first line on.
	Tasks []string
}

// Logs writes lines of logs, each with its task in front of it.
type Logs struct {
	out
	o      LogOptions
	width  int
	colors map[string]string
}

// taskColors are taken by the tasks in turn: those that are used for nothing
// else.
var taskColors = []string{cyan, green, yellow, "\x1b[35m", "\x1b[34m", "\x1b[96m", "\x1b[92m", "\x1b[93m", "\x1b[95m", "\x1b[94m"}

// NewLogs returns what writes lines to w.
func NewLogs(w io.Writer, o LogOptions) *Logs {
	l := &Logs{out: out{w: w, Style: o.Style}, o: o, colors: map[string]string{}}
	for _, t := range o.Tasks {
		l.width = max(l.width, textWidth(clean(t)))
	}
	return l
}

// Line writes a line. It returns the error of the writer, for who reads no
// more: a pipe to head.
func (l *Logs) Line(line operate.Line) error {
	if l.o.JSON {
		b, err := json.Marshal(line)
		if err == nil {
			_, err = l.w.Write(append(b, '\n'))
		}
		return err
	}
	if !l.o.NoPrefix {
		name := clean(line.Task)
		l.width = max(l.width, textWidth(name))
		color, ok := l.colors[name]
		if !ok {
			color = taskColors[len(l.colors)%len(taskColors)]
			l.colors[name] = color
		}
		l.in(color, string(appendPadded(nil, name, l.width))+" |")
		l.str(" ")
	}
	if l.o.Timestamps {
		l.in(dim, line.Time.UTC().Format("2006-01-02T15:04:05.000000Z"))
		l.str(" ")
	}
	text := line.Text
	if l.o.Terminal {
		text = logText(text, l.Color)
	}
	l.str(text)
	l.endLine()
	l.flush()
	return l.err
}

// colorCode is an escape sequence that does nothing but colour.
var colorCode = pattern.Of(`^\x1b\[[0-9;]*m$`)

// logText is a line as a terminal may get it: its colours, if there is to be
// colour, and no other control characters but tabs.
func logText(s string, color bool) string {
	var b strings.Builder
	colored := false
	for {
		i := strings.Index(s, "\x1b[")
		if i < 0 {
			break
		}
		b.WriteString(plainText(s[:i]))
		n := i + 2
		for n < len(s) && (s[n] < '@' || s[n] > '~') && s[n] >= ' ' {
			n++
		}
		n = min(n+1, len(s))
		if code := s[i:n]; color && colorCode().MatchString(code) {
			b.WriteString(code)
			colored = true
		}
		s = s[n:]
	}
	b.WriteString(plainText(s))
	if colored {
		b.WriteString(reset)
	}
	return b.String()
}

func plainText(s string) string {
	parts := strings.Split(s, "\t")
	for i, p := range parts {
		parts[i] = clean(p)
	}
	return strings.Join(parts, "\t")
}
