package debian

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// journal is what units have said since the machine was switched on: the last lines.
type journal struct {
	mu      sync.Mutex
	entries []journalEntry
	last    int
}

type journalEntry struct {
	n    int // its cursor
	at   time.Time
	unit string
	who  string // the program, with its number
	text string
}

// maxJournal bounds how much is kept.
const maxJournal = 2000

// say adds lines.
func (j *journal) say(unit, who, text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for line := range strings.Lines(text) {
		j.last++
		j.entries = append(j.entries, journalEntry{j.last, time.Now(), unit, who, strings.TrimRight(line, "\n")})
	}
	if n := len(j.entries) - maxJournal; n > 0 {
		j.entries = append([]journalEntry(nil), j.entries[n:]...)
	}
}

// clear is what a reboot does: the journal is not kept on the disk.
func (j *journal) clear() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = nil
}

// of returns what units have said after a place; all of them where none is named.
func (j *journal) of(units map[string]bool, after int) (out []journalEntry, last int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.entries {
		if e.n > after && (len(units) == 0 || units[e.unit]) {
			out = append(out, e)
		}
	}
	return out, j.last
}

// journalCommand is journalctl.
func journalCommand(ctx context.Context, c *call) int {
	opts, operands, bad, ok := c.options("u:n:o:qexrb", "unit=", "lines=", "output=", "no-pager", "quiet", "sync", "flush", "show-cursor", "after-cursor=", "since=", "reverse", "boot=?", "full", "all", "pager-end", "catalog")
	if !ok {
		return bad
	}
	if len(operands) > 0 {
		return c.notSimulated(operands[0])
	}
	units, after, most, format, cursor, reverse, since := map[string]bool{}, 0, -1, "short", false, false, time.Time{}
	for _, o := range opts {
		switch o.name {
		case "u", "unit":
			_, real, _ := c.sys.findUnit(unitName(o.value))
			units[real] = true
		case "n", "lines":
			n, err := strconv.Atoi(o.value)
			if most = n; err != nil && o.value != "all" {
				return c.fail(1, "Failed to parse lines '%s'", o.value)
			} else if err != nil {
				most = -1
			}
		case "o", "output":
			format = o.value
		case "show-cursor":
			cursor = true
		case "after-cursor":
			_, n, _ := strings.Cut(o.value, "i=")
			after, _ = strconv.Atoi(n)
		case "since":
			at, err := parseSince(o.value)
			if err != nil {
				return c.notSimulated("--since " + o.value)
			}
			since = at
		case "sync", "flush":
			return 0
		case "r", "reverse":
			reverse = true
		}
	}
	if format != "cat" && format != "short" && format != "short-iso" {
		return c.notSimulated("-o " + format)
	}
	entries, last := c.sys.units.log.of(units, after)
	for len(entries) > 0 && entries[0].at.Before(since) {
		entries = entries[1:]
	}
	if most >= 0 && len(entries) > most {
		entries = entries[len(entries)-most:]
	}
	if len(entries) == 0 && most != 0 && format != "cat" {
		c.printf("-- No entries --\n")
	}
	for i := range entries {
		e := entries[i]
		if reverse {
			e = entries[len(entries)-1-i]
		}
		c.printf("%s\n", e.line(format, c.sys.hostname()))
	}
	if cursor {
		c.printf("-- cursor: s=%s;i=%d\n", c.sys.bootName(), last)
	}
	return 0
}

func parseSince(text string) (time.Time, error) {
	if d, ok := timeSpan(strings.TrimSuffix(strings.TrimPrefix(text, "-"), " ago")); ok {
		return time.Now().Add(-d), nil
	}
	if text == "today" {
		return time.Now().UTC().Truncate(24 * time.Hour), nil
	}
	return time.Parse("2006-01-02 15:04:05", text)
}

func (e journalEntry) line(format, host string) string {
	switch format {
	case "cat":
		return e.text
	case "short-iso":
		return fmt.Sprintf("%s %s %s: %s", e.at.UTC().Format("2006-01-02T15:04:05-0700"), host, e.who, e.text)
	}
	return fmt.Sprintf("%s %s %s: %s", e.at.UTC().Format("Jan 02 15:04:05"), host, e.who, e.text)
}

// bootName tells this time that the machine is on from others.
func (s *System) bootName() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.ReplaceAll(s.bootID, "-", "")
}
