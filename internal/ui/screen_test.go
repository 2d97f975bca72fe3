package ui

import (
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rivo/uniseg"
)

// screen is a small terminal: enough of one to see what the tree leaves on it,
// with a scrollback. It fails the test on what it does not know.
type fakeScreen struct {
	t             *testing.T
	mu            sync.Mutex
	width, height int
	rows          [][]string // cells, the scrollback first
	top           int        // the first row on the screen
	y, x          int        // y counts from the first row of all
	wrap, hidden  bool
	bytes, frames int
}

func newScreen(t *testing.T, width, height int) *fakeScreen {
	return &fakeScreen{t: t, width: width, height: height, wrap: true}
}

func (s *fakeScreen) terminal() Terminal {
	return Terminal{Out: s, Live: true, Size: func() (int, int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.width, s.height
	}}
}

func (s *fakeScreen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frames++
	s.bytes += len(b)
	for text := string(b); text != ""; {
		if strings.HasPrefix(text, "\x1b[") {
			end := 2
			for text[end] < '@' {
				end++
			}
			s.control(text[2:end], text[end])
			text = text[end+1:]
			continue
		}
		cluster, rest, width, _ := uniseg.FirstGraphemeClusterInString(text, -1)
		text = rest
		switch cluster {
		case "\r\n":
			s.x = 0
			s.down()
		case "\r":
			s.x = 0
		case "\n":
			s.down()
		default:
			s.put(cluster, width)
		}
	}
	return len(b), nil
}

func (s *fakeScreen) put(cell string, width int) {
	if s.x+width > s.width {
		if s.wrap {
			s.x = 0
			s.down()
		} else {
			s.x = s.width - width
		}
	}
	for len(s.rows) <= s.y {
		s.rows = append(s.rows, nil)
	}
	row := s.rows[s.y]
	for len(row) < s.x+width {
		row = append(row, " ")
	}
	row[s.x] = cell
	for i := 1; i < width; i++ {
		row[s.x+i] = ""
	}
	s.rows[s.y] = row
	s.x += width
}

func (s *fakeScreen) down() {
	s.y++
	for len(s.rows) <= s.y {
		s.rows = append(s.rows, nil)
	}
	s.top = max(s.top, s.y-s.height+1)
}

func (s *fakeScreen) control(args string, final byte) {
	switch string(final) {
	case "A":
		n, _ := strconv.Atoi(args)
		if s.y-n < s.top {
			s.t.Errorf("the cursor goes up %d rows from row %d of the screen", n, s.y-s.top)
		}
		s.y = max(s.top, s.y-n)
	case "K":
		if s.y < len(s.rows) && s.x < len(s.rows[s.y]) {
			s.rows[s.y] = s.rows[s.y][:s.x]
		}
	case "J":
		if s.y < len(s.rows) {
			s.rows[s.y] = s.rows[s.y][:min(s.x, len(s.rows[s.y]))]
			s.rows = s.rows[:s.y+1]
		}
	case "h", "l":
		switch args {
		case "?7":
			s.wrap = final == 'h'
		case "?25":
			s.hidden = final == 'l'
		case "?2026":
		default:
			s.t.Errorf("unknown mode %s%c", args, final)
		}
	case "m":
	default:
		s.t.Errorf("unknown control %s%c", args, final)
	}
}

// text is all that the terminal shows and has shown.
func (s *fakeScreen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, r := range s.rows {
		lines = append(lines, strings.TrimRight(strings.Join(r, ""), " "))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n") + "\n"
}
