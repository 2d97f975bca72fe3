package debian

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// saying is an error in the words of a program of the machine.
type saying string

func (s saying) Error() string { return string(s) }

func saysf(format string, args ...any) error { return saying(fmt.Sprintf(format, args...)) }

// aptConfigCommand is apt-config, as far as it shows what apt's files say.
func aptConfigCommand(ctx context.Context, c *call) int {
	if len(c.args) < 2 || c.args[1] != "dump" {
		return c.notSimulated(strings.Join(c.args[1:], " "))
	}
	conf, err := c.aptConf()
	if err != nil {
		return c.aptError("%v", err)
	}
	format := "%F \"%v\";%n"
	var names []string
	for left := c.args[2:]; len(left) > 0; left = left[1:] {
		if w := left[0]; w == "--format" && len(left) > 1 {
			format, left = left[1], left[1:]
		} else if strings.HasPrefix(w, "-") {
			return c.notSimulated("option " + w)
		} else {
			names = append(names, w)
		}
	}
	c.printf("%s", conf.dump(names, format))
	return 0
}

// aptConf is what apt's files say together: settings and lists, in their order.
type aptConf struct{ entries []aptSetting }

type aptSetting struct {
	name, value string
	element     bool // of a list: its name ends in ::
}

func (c *call) aptConf() (*aptConf, error) {
	conf := &aptConf{}
	entries, _ := c.fs.ReadDir("/etc/apt/apt.conf.d")
	var files []string
	for _, e := range entries {
		if !e.IsDir() && (!strings.Contains(e.Name, ".") || strings.HasSuffix(e.Name, ".conf")) {
			files = append(files, "/etc/apt/apt.conf.d/"+e.Name)
		}
	}
	files = append(files, "/etc/apt/apt.conf")
	if f := c.getenv("APT_CONFIG"); f != "" {
		files = append([]string{f}, files...)
	}
	for _, f := range files {
		text, err := c.fs.ReadFile(f)
		if err != nil {
			continue
		}
		if err := conf.parse(string(text)); err != nil {
			return nil, saysf("Syntax error %s:%v", f, err)
		}
	}
	return conf, nil
}

// parse reads a file of apt's: NAME "VALUE"; and NAME { ... }; within each other.
func (conf *aptConf) parse(text string) error {
	var scope []string
	var words []string
	word, quoted, in := "", false, false
	end := func() {
		if in {
			words = append(words, word)
		}
		word, in = "", false
	}
	for n, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(trimmed, "#clear "); ok {
			conf.clear(strings.TrimSuffix(strings.TrimSpace(name), ";"))
			continue
		}
		if strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, "//") {
			continue
		}
		for i := 0; i < len(line); i++ {
			switch ch := line[i]; {
			case ch == '"':
				quoted, in = !quoted, true
			case quoted:
				word += string(ch)
			case ch == '/' && strings.HasPrefix(line[i:], "//"):
				i = len(line)
			case ch == ' ' || ch == '\t':
				end()
			case ch == '{':
				end()
				if len(words) != 1 {
					return saysf("%d: Block starts with no name.", n+1)
				}
				scope, words = append(scope, words[0]), nil
			case ch == '}':
				end()
				if len(scope) == 0 || len(words) > 0 {
					return saysf("%d: Extra junk at end of file", n+1)
				}
				scope = scope[:len(scope)-1]
			case ch == ';':
				end()
				conf.set(scope, words)
				words = nil
			default:
				word += string(ch)
				in = true
			}
		}
		if quoted {
			return saysf("%d: Malformed tag", n+1)
		}
		end()
	}
	if len(scope) > 0 || len(words) > 0 {
		return saysf("0: Extra junk at end of file")
	}
	return nil
}

func (conf *aptConf) set(scope, words []string) {
	name := strings.Join(scope, "::")
	switch len(words) {
	case 1: // an element of the list that the block is
		conf.entries = append(conf.entries, aptSetting{name, words[0], true})
	case 2:
		if name != "" {
			name += "::"
		}
		name += words[0]
		if list, ok := strings.CutSuffix(name, "::"); ok {
			conf.entries = append(conf.entries, aptSetting{list, words[1], true})
			return
		}
		i := slices.IndexFunc(conf.entries, func(e aptSetting) bool { return !e.element && strings.EqualFold(e.name, name) })
		if i >= 0 {
			conf.entries[i].value = words[1]
			return
		}
		conf.entries = append(conf.entries, aptSetting{name, words[1], false})
	}
}

func (conf *aptConf) clear(name string) {
	conf.entries = slices.DeleteFunc(conf.entries, func(e aptSetting) bool {
		return strings.EqualFold(e.name, name) || strings.HasPrefix(strings.ToLower(e.name), strings.ToLower(name)+"::")
	})
}

// dump is what apt-config prints, of some names with what is below them.
func (conf *aptConf) dump(names []string, format string) string {
	var b strings.Builder
	show := func(name, value string) {
		b.WriteString(strings.NewReplacer("%F", name, "%f", name, "%v", value, "%n", "\n", "%%", "%").Replace(format))
	}
	seen := map[string]bool{}
	for _, e := range conf.entries {
		wanted := len(names) == 0
		for _, n := range names {
			wanted = wanted || strings.EqualFold(e.name, n) || strings.HasPrefix(strings.ToLower(e.name), strings.ToLower(n)+"::")
		}
		if !wanted {
			continue
		}
		if e.element {
			if !seen[e.name] {
				seen[e.name] = true
				show(e.name, "")
				for _, o := range conf.entries {
					if o.element && o.name == e.name {
						show(o.name+"::", o.value)
					}
				}
			}
			continue
		}
		show(e.name, e.value)
	}
	return b.String()
}
