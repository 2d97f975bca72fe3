package debian

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// xargsProgram runs a command with arguments that it reads.
func xargsProgram(ctx context.Context, c *call) int {
	opts, rest, bad, ok := c.optionsFirst("0rn:I:d:tP:L:", "null", "no-run-if-empty", "max-args=", "delimiter=")
	if !ok {
		return bad
	}
	var most int
	var replace, delimiter string
	always := true
	for _, o := range opts {
		switch o.name {
		case "0", "null":
			delimiter = "\x00"
		case "d", "delimiter":
			delimiter, _ = unescape(o.value, false)
		case "r", "no-run-if-empty":
			always = false
		case "n", "max-args":
			most, _ = strconv.Atoi(o.value)
		case "I":
			replace = o.value
		case "P":
		default:
			return c.notSimulated("option -" + o.name)
		}
	}
	if len(rest) == 0 {
		rest = []string{"echo"}
	}
	words, err := xargsWords(c, delimiter, replace != "")
	if err != nil {
		return c.fail(1, "%v", err)
	}
	x := &xargs{c: c, command: rest}
	switch {
	case replace != "":
		for _, w := range words {
			args := slices.Clone(rest)
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], replace, w)
			}
			x.run(ctx, args)
		}
	case len(words) == 0 && always:
		x.run(ctx, rest)
	case most > 0:
		for part := range slices.Chunk(words, most) {
			x.run(ctx, slices.Concat(rest, part))
		}
	case len(words) > 0:
		x.run(ctx, slices.Concat(rest, words))
	}
	return x.code
}

type xargs struct {
	c       *call
	command []string
	code    int
}

func (x *xargs) run(ctx context.Context, args []string) {
	if ctx.Err() != nil || x.code == 124 || x.code == 127 || x.code == 126 {
		return
	}
	switch code := x.c.spawn(ctx, args, func(child *call) {
		child.fds.set(0, readStream(nil))
		child.stdin = child.fds.at(0)
	}); {
	case code == 0:
	case code == 255:
		x.code = 124
	case code == 126 || code == 127:
		x.code = code
	default:
		x.code = 123
	}
}

// xargsWords splits the input: at blanks and with quotes, at a delimiter, or into lines.
func xargsWords(c *call, delimiter string, lines bool) ([]string, error) {
	data, err := c.readAll()
	if err != nil {
		return nil, err
	}
	s := string(data)
	if delimiter != "" || lines {
		if delimiter == "" {
			delimiter = "\n"
		}
		s = strings.TrimSuffix(s, delimiter)
		if s == "" {
			return nil, nil
		}
		return strings.Split(s, delimiter), nil
	}
	var words []string
	var word []byte
	started, quote := false, byte(0)
	for i := 0; i < len(s); i++ {
		b := s[i]
		switch {
		case quote != 0 && b == quote:
			quote = 0
		case quote != 0:
			word = append(word, b)
		case b == '\'' || b == '"':
			quote, started = b, true
		case b == '\\' && i+1 < len(s):
			i++
			word, started = append(word, s[i]), true
		case b == ' ' || b == '\t' || b == '\n':
			if started {
				words, word, started = append(words, string(word)), nil, false
			}
		default:
			word, started = append(word, b), true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("unmatched %s quote", map[byte]string{'\'': "single", '"': "double"}[quote])
	}
	if started {
		words = append(words, string(word))
	}
	return words, nil
}
