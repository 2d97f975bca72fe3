package debian

import (
	"context"
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// shProgram is sh, dash and bash.
func shProgram(bash bool) command {
	return func(ctx context.Context, c *call) int {
		sh := newShell(c, bash)
		args := c.args[1:]
		given := false
		fromInput := false
		for len(args) > 0 && len(args[0]) > 1 && (args[0][0] == '-' || args[0][0] == '+') {
			arg := args[0]
			args = args[1:]
			if arg == "--" {
				break
			}
			if arg == "--login" || arg == "--norc" || arg == "--noprofile" || arg == "--posix" {
				continue
			}
			letters := arg[1:]
			if strings.Contains(letters, "c") && arg[0] == '-' {
				given = true
			}
			if strings.Contains(letters, "s") && arg[0] == '-' {
				fromInput = true
			}
			letters = strings.NewReplacer("c", "", "s", "", "l", "", "i", "").Replace(letters)
			if letters == "" {
				continue
			}
			rest, err := sh.setOptions(append([]string{arg[:1] + letters}, args...), false)
			if err != nil {
				sh.line = 0
				fmt.Fprintf(c.stderr, "%s: 0: %v\n", sh.name, err)
				return 2
			}
			args = rest
			if strings.HasSuffix(letters, "o") && len(args) > 0 && args[0] == "--" {
				args = args[1:]
			}
		}
		return sh.main(ctx, c, args, given, fromInput)
	}
}

// main runs what the arguments say: a script given with -c, a file, or what comes on
// standard input.
func (sh *shell) main(ctx context.Context, c *call, args []string, given, fromInput bool) int {
	script := ""
	switch {
	case given:
		if len(args) == 0 {
			fmt.Fprintf(c.stderr, "%s: 0: -c requires an argument\n", sh.name)
			return 2
		}
		script, args = args[0], args[1:]
		if len(args) > 0 {
			sh.name, args = args[0], args[1:]
		}
	case len(args) > 0 && !fromInput:
		name := args[0]
		args = args[1:]
		data, err := c.fs.ReadFile(name)
		if err != nil {
			fmt.Fprintf(c.stderr, "%s: 0: cannot open %s: %s\n", sh.name, name, strings.Replace(reason(err), "No such file or directory", "No such file", 1))
			return 127 - b2i(!Is(err, ENOENT))
		}
		script, sh.name = string(data), name
	default:
		sh.params, sh.typed = args, true
		return sh.fromInput(ctx, c)
	}
	sh.params = args
	sh.eval(ctx, script, sh.name)
	return sh.finish(ctx)
}

// fromInput runs what comes on standard input, one complete command after the other,
// so that a command may read what follows it.
func (sh *shell) fromInput(ctx context.Context, c *call) int {
	var pending strings.Builder
	for !sh.exiting && ctx.Err() == nil {
		var line []byte
		var err error
		for {
			var b byte
			if b, err = sh.fds.at(0).ReadByte(); err != nil {
				break
			}
			line = append(line, b)
			if b == '\n' {
				break
			}
		}
		pending.Write(line)
		if pending.Len() > 0 {
			_, bad := sh.parse(pending.String(), sh.name)
			if bad == nil || err != nil || !syntax.IsIncomplete(bad) {
				sh.eval(ctx, pending.String(), sh.name)
				pending.Reset()
			}
		}
		if err != nil {
			break
		}
	}
	return sh.finish(ctx)
}
