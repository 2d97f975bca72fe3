package debian

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// zone returns the time zone of the machine.
func (c *call) zone() *time.Location {
	name := c.getenv("TZ")
	if name == "" {
		if lines := c.sys.lines("/etc/timezone"); len(lines) > 0 {
			name = lines[0]
		}
	}
	if zone, err := time.LoadLocation(name); err == nil && name != "Local" {
		return zone
	}
	return time.UTC
}

func dateProgram(_ context.Context, c *call) int {
	opts, rest, bad, ok := c.options("ud:r:RI:s:", "utc", "date=", "reference=", "rfc-email", "iso-8601=?", "rfc-3339=", "set=")
	if !ok {
		return bad
	}
	at, zone, format := time.Now(), c.zone(), "%a %b %e %H:%M:%S %Z %Y"
	for _, o := range opts {
		switch o.name {
		case "u", "utc":
			zone = time.UTC
		case "d", "date":
			if at, ok = parseDate(o.value, zone, at); !ok {
				return c.fail(1, "invalid date '%s'", o.value)
			}
		case "r", "reference":
			st, err := c.fs.Stat(o.value)
			if err != nil {
				return c.failErr(1, err)
			}
			at = st.MTime
		case "R", "rfc-email":
			format = "%a, %d %b %Y %H:%M:%S %z"
		case "I", "iso-8601":
			format = "%Y-%m-%d"
			if strings.HasPrefix(o.value, "s") {
				format = "%Y-%m-%dT%H:%M:%S%:z"
			}
		case "rfc-3339":
			format = "%Y-%m-%d %H:%M:%S%:z"
		case "s", "set":
			return c.notSimulated("setting the clock")
		}
	}
	if len(rest) > 0 {
		if !strings.HasPrefix(rest[0], "+") {
			return c.notSimulated("setting the clock")
		}
		format = rest[0][1:]
	}
	out, ok := strftime(format, at.In(zone))
	if !ok {
		return c.notSimulated("the format " + format)
	}
	c.printf("%s\n", out)
	return 0
}

// parseDate reads what -d takes: a number of seconds after @, a date, or "now".
func parseDate(s string, zone *time.Location, now time.Time) (time.Time, bool) {
	if n, ok := strings.CutPrefix(s, "@"); ok {
		f, err := strconv.ParseFloat(n, 64)
		return time.Unix(int64(f), int64((f-float64(int64(f)))*1e9)), err == nil
	}
	if s == "" || s == "now" || s == "today" {
		return now, true
	}
	for _, layout := range []string{time.RFC3339Nano, time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02", time.RFC1123Z, time.RFC1123, time.UnixDate, time.ANSIC, "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 MST"} {
		if at, err := time.ParseInLocation(layout, s, zone); err == nil {
			return at, true
		}
	}
	words := strings.Fields(strings.TrimPrefix(s, "now "))
	ago := len(words) == 3 && words[2] == "ago"
	if len(words) == 2 || ago {
		n, err := strconv.Atoi(strings.TrimPrefix(words[0], "+"))
		if ago {
			n = -n
		}
		unit := map[string]time.Duration{"second": time.Second, "sec": time.Second, "minute": time.Minute, "min": time.Minute, "hour": time.Hour, "day": 24 * time.Hour, "week": 7 * 24 * time.Hour}[strings.TrimSuffix(words[1], "s")]
		return now.Add(time.Duration(n) * unit), err == nil && unit > 0
	}
	return now, false
}

// strftime formats a time.
func strftime(format string, t time.Time) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		width, pad := 0, byte(0)
		if strings.IndexByte("-_0:", format[i]) >= 0 && i+1 < len(format) {
			pad = format[i]
			i++
		}
		for i+1 < len(format) && format[i] >= '1' && format[i] <= '9' {
			width = width*10 + int(format[i]-'0')
			i++
		}
		s, ok := timeField(format[i], pad, width, t)
		if !ok {
			return "", false
		}
		b.WriteString(s)
	}
	return b.String(), true
}

func timeField(verb, pad byte, width int, t time.Time) (string, bool) {
	switch verb {
	case '%':
		return "%", true
	case 'n':
		return "\n", true
	case 't':
		return "\t", true
	case 's':
		return strconv.FormatInt(t.Unix(), 10), true
	case 'N':
		s := fmt.Sprintf("%09d", t.Nanosecond())
		if width > 0 && width < 9 {
			s = s[:width]
		}
		return s, true
	case 'j':
		return fmt.Sprintf("%03d", t.YearDay()), true
	case 'u':
		return strconv.Itoa((int(t.Weekday())+6)%7 + 1), true
	case 'w':
		return strconv.Itoa(int(t.Weekday())), true
	case 'z':
		if pad == ':' {
			return t.Format("-07:00"), true
		}
		return t.Format("-0700"), true
	case 'e':
		return fmt.Sprintf("%2d", t.Day()), true
	case 'k':
		return fmt.Sprintf("%2d", t.Hour()), true
	}
	layout, ok := map[byte]string{'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'Z': "MST",
		'a': "Mon", 'A': "Monday", 'b': "Jan", 'h': "Jan", 'B': "January", 'F': "2006-01-02", 'T': "15:04:05", 'R': "15:04", 'D': "01/02/06",
		'c': "Mon Jan _2 15:04:05 2006", 'x': "01/02/06", 'X': "15:04:05"}[verb]
	if !ok {
		return "", false
	}
	s := t.Format(layout)
	if pad == '-' {
		if s = strings.TrimLeft(s, "0"); s == "" {
			s = "0"
		}
	}
	return s, true
}
