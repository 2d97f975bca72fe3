package debian

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// unitFile is what the files of a unit say: each key with its values, by section.
type unitFile struct {
	path    string // of the unit's own, "" where there is none
	dropIns []string
	values  map[string][]string // by "Section.Key"
}

// get returns the last value of a key.
func (f unitFile) get(key string) string {
	if all := f.values[key]; len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

// list are the words of all values of a key.
func (f unitFile) list(key string) []string {
	return strings.Fields(strings.Join(f.values[key], " "))
}

func (f unitFile) yes(key string) bool {
	return slices.Contains([]string{"yes", "true", "on", "1"}, strings.ToLower(f.get(key)))
}

// duration reads a time span of systemd's: 5, 100ms, 1min 30s.
func (f unitFile) duration(key string, otherwise time.Duration) time.Duration {
	if d, ok := timeSpan(f.get(key)); ok {
		return d
	}
	return otherwise
}

func timeSpan(text string) (time.Duration, bool) {
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		return time.Duration(n * float64(time.Second)), true
	}
	names := strings.NewReplacer("min", "m", "minutes", "m", "seconds", "s", "sec", "s", "hours", "h", "hour", "h", "hr", "h", "days", "d", "day", "d")
	var sum time.Duration
	for _, w := range strings.Fields(names.Replace(text)) {
		if days, ok := strings.CutSuffix(w, "d"); ok {
			n, err := strconv.Atoi(days)
			if err != nil {
				return 0, false
			}
			sum += time.Duration(n) * 24 * time.Hour
			continue
		}
		d, err := time.ParseDuration(w)
		if err != nil {
			return 0, false
		}
		sum += d
	}
	return sum, text != ""
}

// unitFolders are where units are looked for.
var unitFolders = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", unitFolder}

// unitName completes a name as systemctl takes it.
func unitName(name string) string {
	for _, kind := range []string{".service", ".socket", ".timer", ".target", ".mount", ".automount", ".swap", ".path", ".slice", ".scope", ".device"} {
		if strings.HasSuffix(name, kind) {
			return name
		}
	}
	return name + ".service"
}

// findUnit finds a unit's file. Real is the name of the unit where the one that was
// asked for is an alias; masked, whether nothing can start it.
func (s *System) findUnit(name string) (file, real string, masked bool) {
	root := s.fs.Root()
	template := name
	if before, after, ok := strings.Cut(name, "@"); ok {
		template = before + "@" + path.Ext(after)
	}
	for _, try := range slices.Compact([]string{name, template}) {
		for _, folder := range unitFolders {
			file := folder + "/" + try
			st, err := root.Lstat(file)
			if err != nil {
				continue
			}
			if st.Kind != Link {
				return file, name, false
			}
			to, err := root.RealPath(file)
			switch {
			case err != nil:
				return "", name, false
			case to == "/dev/null":
				return file, name, true
			case path.Base(to) != try && path.Base(to) != template:
				return to, path.Base(to), false
			}
			return to, name, false
		}
	}
	return "", name, false
}

// readUnit reads a unit's file with what was put beside it.
func (s *System) readUnit(name, file string) unitFile {
	f := unitFile{path: file, values: map[string][]string{}}
	root := s.fs.Root()
	if text, err := root.ReadFile(file); err == nil {
		f.parse(string(text))
	}
	seen := map[string]bool{}
	for _, folder := range unitFolders {
		entries, _ := root.ReadDir(folder + "/" + name + ".d")
		for _, e := range entries {
			if strings.HasSuffix(e.Name, ".conf") && !seen[e.Name] {
				seen[e.Name] = true
				f.dropIns = append(f.dropIns, folder+"/"+name+".d/"+e.Name)
			}
		}
	}
	slices.SortFunc(f.dropIns, func(a, b string) int { return strings.Compare(path.Base(a), path.Base(b)) })
	for _, file := range f.dropIns {
		if text, err := root.ReadFile(file); err == nil {
			f.parse(string(text))
		}
	}
	return f
}

func (f *unitFile) parse(text string) {
	text = strings.ReplaceAll(text, "\\\n", " ")
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[' && strings.HasSuffix(line, "]"):
			section = line[1 : len(line)-1]
		default:
			k, v, ok := strings.Cut(line, "=")
			if !ok {
				continue
			}
			key := section + "." + strings.TrimSpace(k)
			if v = strings.TrimSpace(v); v == "" {
				f.values[key] = nil // it takes back what was said before
			} else {
				f.values[key] = append(f.values[key], v)
			}
		}
	}
}

// command is one line of ExecStart= and the like.
type unitCommand struct {
	args    []string
	mayFail bool
}

// commands reads such lines. What stands for a value of the environment is filled in.
func (f unitFile) commands(key, unit string, env []string) (out []unitCommand) {
	for _, line := range f.values[key] {
		c := unitCommand{}
		for line != "" && strings.ContainsRune("-@+!:", rune(line[0])) {
			c.mayFail = c.mayFail || line[0] == '-'
			line = line[1:]
		}
		c.args = unitWords(unitSpecifiers(line, unit), env)
		if len(c.args) > 0 {
			out = append(out, c)
		}
	}
	return out
}

// unitSpecifiers fills in what stands for the unit.
func unitSpecifiers(line, unit string) string {
	bare := strings.TrimSuffix(unit, path.Ext(unit))
	prefix, instance, _ := strings.Cut(bare, "@")
	return strings.NewReplacer("%%", "%", "%n", unit, "%N", bare, "%p", prefix, "%i", instance, "%I", instance, "%t", "/run", "%S", "/var/lib").Replace(line)
}

// unitWords splits a line as systemd does: $NAME as a word of its own is many words,
// ${NAME} is one.
func unitWords(line string, env []string) (out []string) {
	value := func(name string) string {
		for _, kv := range slices.Backward(env) {
			if v, ok := strings.CutPrefix(kv, name+"="); ok {
				return v
			}
		}
		return ""
	}
	for _, w := range quotedWords(line) {
		if name, ok := strings.CutPrefix(w, "$"); ok && name != "" && name[0] != '{' && name[0] != '$' && strings.Trim(name, unitLetters) == "" {
			out = append(out, strings.Fields(value(name))...)
			continue
		}
		var b strings.Builder
		for {
			before, rest, ok := strings.Cut(w, "${")
			b.WriteString(strings.ReplaceAll(before, "$$", "$"))
			name, after, closed := strings.Cut(rest, "}")
			if !ok || !closed {
				break
			}
			b.WriteString(value(name))
			w = after
		}
		out = append(out, b.String())
	}
	return out
}

const unitLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

// quotedWords splits at blanks that are not quoted.
func quotedWords(line string) (out []string) {
	var b strings.Builder
	in, quote, escaped := false, rune(0), false
	for _, r := range line {
		switch {
		case escaped:
			escaped = false
			if n, ok := map[rune]rune{'n': '\n', 't': '\t', 's': ' '}[r]; ok {
				r = n
			}
			b.WriteRune(r)
		case r == '\\':
			in, escaped = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			b.WriteRune(r)
		case r == '"' || r == '\'':
			in, quote = true, r
		case r == ' ' || r == '\t':
			if in {
				out = append(out, b.String())
			}
			b.Reset()
			in = false
		default:
			in = true
			b.WriteRune(r)
		}
	}
	if in {
		out = append(out, b.String())
	}
	return out
}
