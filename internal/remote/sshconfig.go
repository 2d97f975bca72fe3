package remote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// scan reads the files of ssh_config for one host, in OpenSSH's way: from top
// to bottom, the first value of a keyword counts. (kevinburke/ssh_config reads
// `Match host a user b` as three patterns of hosts, and knows no other
// criteria; a key given to the wrong host is not what we want to explain.)
type scan struct {
	alias  string // as the user calls the host
	user   string // as given by the caller, "" for not
	values map[string][]string
	final  bool // the second pass, for Match final
	again  bool // there is a Match final
}

const (
	maxInclude  = 16 // OpenSSH's own bound
	execTimeout = 30 * time.Second
)

// many are the keywords that may come several times, and add up.
var many = []string{"identityfile", "certificatefile"}

// scanConfig reads the user's file and the system's.
func scanConfig(alias, user string) (*scan, error) {
	s := &scan{alias: alias, user: user, values: map[string][]string{}}
	for {
		if home, err := os.UserHomeDir(); err == nil {
			if err := s.file(filepath.Join(home, ".ssh", "config"), true, true, 0); err != nil {
				return nil, err
			}
		}
		if runtime.GOOS != "windows" {
			if err := s.file("/etc/ssh/ssh_config", true, false, 0); err != nil {
				return nil, err
			}
		}
		if !s.again || s.final {
			return s, nil
		}
		s.final = true
	}
}

// file reads one. Active says whether what comes before the first Host or
// Match counts; nothing in the file does where it is false.
func (s *scan) file(path string, active, own bool, depth int) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := guarded(path, own); err != nil {
		return err
	}
	allowed, n := active, 0
	for line := range strings.Lines(string(text)) {
		n++
		keyword, args, err := splitLine(line)
		if err == nil && keyword != "" {
			active, err = s.line(keyword, args, active, allowed, own, depth)
		}
		if err != nil {
			var deeper *configError
			if errors.As(err, &deeper) {
				return err
			}
			return &configError{path, n, err}
		}
	}
	return nil
}

// configError is a line that cannot be understood.
type configError struct {
	path string
	line int
	err  error
}

func (e *configError) Error() string { return fmt.Sprintf("%s:%d: %v", e.path, e.line, e.err) }

func (e *configError) Unwrap() error { return e.err }

// guarded refuses a file of the user's that others may write to, as ssh does:
// it may name commands.
func guarded(path string, own bool) error {
	if !own || runtime.GOOS == "windows" {
		return nil
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s may be written to by others: chmod go-w %s", path, path)
	}
	return nil
}

// line takes one line, and returns whether the next ones count.
func (s *scan) line(keyword string, args []string, active, allowed, own bool, depth int) (bool, error) {
	if len(args) == 0 {
		return active, fmt.Errorf("%s has no value", keyword)
	}
	switch keyword {
	case "host":
		return allowed && matchPatterns(args, s.alias), nil
	case "match":
		if !allowed {
			return false, nil
		}
		return s.match(args)
	case "include":
		return active, s.include(args, active, own, depth)
	}
	if !active {
		return active, nil
	}
	_, set := s.values[keyword]
	switch {
	case slices.Contains(many, keyword):
		if !slices.Contains(s.values[keyword], args[0]) {
			s.values[keyword] = append(s.values[keyword], args[0])
		}
	case keyword == "proxyjump" && s.values["proxycommand"] != nil, keyword == "proxycommand" && s.values["proxyjump"] != nil:
		// Whichever comes first.
	case !set:
		s.values[keyword] = args
	}
	return active, nil
}

// include reads other files in place of the line.
func (s *scan) include(globs []string, active, own bool, depth int) error {
	if depth >= maxInclude {
		return fmt.Errorf("more than %d files include each other", maxInclude)
	}
	for _, glob := range globs {
		path, err := untilde(glob)
		if err != nil {
			return err
		}
		if !filepath.IsAbs(path) {
			dir := "/etc/ssh"
			if own {
				if dir, err = untilde("~/.ssh"); err != nil {
					return err
				}
			}
			path = filepath.Join(dir, path)
		}
		paths, err := filepath.Glob(path)
		if err != nil {
			return fmt.Errorf("include %s: %w", glob, err)
		}
		for _, p := range paths {
			if err := s.file(p, active, own, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// match says whether all criteria of a Match line hold.
func (s *scan) match(args []string) (bool, error) {
	holds, before := true, ""
	for len(args) > 0 {
		name, not := strings.CutPrefix(strings.ToLower(args[0]), "!")
		args = args[1:]
		var is bool
		switch name {
		case "all":
			if not || len(args) > 0 || before != "" && before != "final" && before != "canonical" {
				return false, errors.New("match all goes with nothing else")
			}
			is = true
		case "final":
			s.again = true
			is = s.final
		case "canonical": // we never make names canonical
		default:
			if len(args) == 0 {
				return false, fmt.Errorf("match %s has no value", name)
			}
			var err error
			if is, err = s.criterion(name, args[0], holds); err != nil {
				return false, err
			}
			args = args[1:]
		}
		holds, before = holds && is != not, name
	}
	return holds, nil
}

// criterion is one with a value. A command is run only where all before it
// holds.
func (s *scan) criterion(name, value string, holds bool) (bool, error) {
	patterns := strings.Split(value, ",")
	switch name {
	case "host":
		return matchPatterns(patterns, s.hostName()), nil
	case "originalhost":
		return matchPatterns(patterns, s.alias), nil
	case "user":
		return matchPatterns(patterns, s.userName()), nil
	case "localuser":
		return matchPatterns(patterns, localUser()), nil
	case "exec":
		if !holds {
			return false, nil
		}
		return s.exec(value)
	case "localnetwork", "tagged", "version", "sessiontype", "command":
		return false, fmt.Errorf("match %s is not supported here", name)
	}
	return false, fmt.Errorf("unknown criterion %q of Match", name)
}

// exec runs the command of Match exec in the user's shell.
func (s *scan) exec(command string) (bool, error) {
	command, err := s.expand(command)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), execTimeout)
	defer cancel()
	err = exec.CommandContext(ctx, userShell(), "-c", command).Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || ctx.Err() != nil) {
		return false, fmt.Errorf("match exec %q: %w", command, err)
	}
	return err == nil, nil
}

// matchPatterns says whether a text matches one of the patterns, and none that
// begins with an exclamation mark.
func matchPatterns(patterns []string, text string) bool {
	found := false
	for _, p := range patterns {
		p, not := strings.CutPrefix(p, "!")
		if !wildcard(p, text) {
			continue
		}
		if not {
			return false
		}
		found = true
	}
	return found
}

// splitLine takes a line apart: a keyword in lower case, and words that may be
// quoted. A comment gives neither.
func splitLine(line string) (keyword string, args []string, err error) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return "", nil, nil
	}
	end := strings.IndexAny(line, " \t=\"")
	if end < 0 {
		end = len(line)
	}
	keyword = strings.ToLower(line[:end])
	rest := strings.TrimLeft(line[end:], " \t")
	rest = strings.TrimLeft(strings.TrimPrefix(rest, "="), " \t")
	if keyword == "proxycommand" || keyword == "localcommand" || keyword == "remotecommand" {
		return keyword, []string{rest}, nil // the shell's, as it is
	}
	args, err = words(rest)
	return keyword, args, err
}

// words splits at spaces outside of quotes; a word that begins with # ends the
// line.
func words(text string) ([]string, error) {
	var list []string
	var word strings.Builder
	in, quote := false, byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && i+1 < len(text) && (strings.IndexByte(`"'\`, text[i+1]) >= 0 || quote == 0 && text[i+1] == ' '):
			i++
			word.WriteByte(text[i])
			in = true
		case quote != 0:
			if c == quote {
				quote = 0
			} else {
				word.WriteByte(c)
			}
		case c == '"' || c == '\'':
			quote, in = c, true
		case c == ' ' || c == '\t':
			if in {
				list = append(list, word.String())
			}
			word.Reset()
			in = false
		case c == '#' && !in:
			return list, nil
		default:
			word.WriteByte(c)
			in = true
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote is not closed")
	}
	if in {
		list = append(list, word.String())
	}
	return list, nil
}
