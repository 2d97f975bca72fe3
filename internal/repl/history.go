package repl

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/lockedfile"

	"github.com/swarmscript/swarmscript/internal/pattern"
)

const (
	historyLines = 5000    // that are kept
	historyBytes = 1 << 20 // from which on the file is cut down
)

// History is the lines that were typed, in this session and before. It is a file
// of lines that sessions append to, each under a lock, so that none loses
// another's.
//
// A line that begins with a blank, and an input that speaks of what is secret,
// are remembered for this session only.
type History struct {
	path  string // "" for none
	lines []string
	err   error // the first that writing met; then the file is left alone
}

// HistoryFile is where the history is, by the XDG base directories.
func HistoryFile(getenv func(string) string) string {
	state := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) { // as the specification has it
		home := getenv("HOME")
		if home == "" {
			home = getenv("USERPROFILE")
		}
		if home == "" {
			return ""
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "swarmscript", "history")
}

// OpenHistory reads the history of earlier sessions. Without a path, or where
// the file cannot be read, there is none; the error says why.
func OpenHistory(path string) (*History, error) {
	h := &History{path: path}
	if path == "" {
		return h, nil
	}
	if h.err = os.MkdirAll(filepath.Dir(path), 0o700); h.err != nil {
		return h, h.err
	}
	f, err := lockedfile.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		h.err = err
		return h, err
	}
	defer f.Close()
	if h.err = os.Chmod(path, 0o600); h.err != nil {
		return h, h.err
	}
	text, err := io.ReadAll(io.LimitReader(f, 4*historyBytes))
	if err != nil {
		h.err = err
		return h, err
	}
	h.lines = lastLines(text)
	return h, nil
}

// lastLines splits a history into its last lines.
func lastLines(text []byte) []string {
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	if len(lines) == 1 && lines[0] == "" {
		return nil
	}
	return lines[max(0, len(lines)-historyLines):]
}

var sensitive = pattern.Of(`(?i)secret|sensitive|passw|passphrase|token|credential|private_key|api_key`)

// Input remembers the lines of an input. The error is told once.
func (h *History) Input(lines []string) error {
	keep := h.path != "" && h.err == nil && !sensitive().MatchString(strings.Join(lines, "\n"))
	var out bytes.Buffer
	for i, l := range lines {
		if strings.TrimSpace(l) == "" || len(h.lines) > 0 && h.lines[len(h.lines)-1] == l {
			continue
		}
		h.lines = append(h.lines, l)
		if i == 0 && strings.TrimLeft(l, " \t") != l {
			keep = false
		}
		out.WriteString(strings.ReplaceAll(l, "\r", "") + "\n")
	}
	h.lines = h.lines[max(0, len(h.lines)-historyLines):]
	if !keep || out.Len() == 0 {
		return nil
	}
	h.err = appendTo(h.path, out.Bytes())
	return h.err
}

// appendTo adds lines to a history, and cuts it down where it has become long.
func appendTo(path string, lines []byte) (err error) {
	f, err := lockedfile.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if size < historyBytes {
		_, err = f.Write(lines)
		return err
	}
	if _, err = f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	old, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	kept := lastLines(append(old, lines...))
	for size := 0; ; { // half as long, so that it is not cut each time
		size = 0
		for _, l := range kept {
			size += len(l) + 1
		}
		if size <= historyBytes/2 || len(kept) == 1 {
			break
		}
		kept = kept[(len(kept)+1)/2:]
	}
	text := strings.Join(kept, "\n") + "\n"
	if err = f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(text), 0)
	return err
}

// Len and At are [term.History].
func (h *History) Len() int { return len(h.lines) }

// At returns a line, the newest at 0.
func (h *History) At(i int) string { return h.lines[len(h.lines)-1-i] }

// Add does nothing: lines are remembered when the input that they are part of
// has ended.
func (h *History) Add(string) {}
