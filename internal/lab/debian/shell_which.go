package debian

import (
	"context"

	"mvdan.cc/sh/v3/syntax"
)

func (sh *shell) doCommand(ctx context.Context, args []string) int {
	rest := args[1:]
	show := ""
	for len(rest) > 0 && len(rest[0]) > 1 && rest[0][0] == '-' {
		switch rest[0] {
		case "-v", "-V":
			show = rest[0]
		case "-p", "--":
		default:
			return sh.say(args, 2, "Illegal option %s", rest[0])
		}
		rest = rest[1:]
	}
	if len(rest) == 0 {
		return 0
	}
	if show != "" {
		return sh.showCommand(rest, show == "-V")
	}
	if rest[0] == "exec" { // its redirections are gone with this command
		sh.exec(ctx, &syntax.CallExpr{}, rest[1:], nil)
		return sh.status
	}
	if b := sh.builtin(rest[0]); b != nil {
		return b(sh, ctx, rest)
	}
	return sh.external(ctx, rest)
}

// showCommand is command -v, command -V and type.
func (sh *shell) showCommand(names []string, long bool) int {
	status := 0
	for _, name := range names {
		file, err := lookPath(sh.fs, sh.get("PATH"), name)
		kind, short := "", name
		switch {
		case syntax.IsKeyword(name):
			kind = " is a shell keyword"
		case sh.funcs[name] != nil:
			kind = " is a shell function"
		case specialBuiltins[name]:
			kind = " is a special shell builtin"
		case sh.builtin(name) != nil:
			kind = " is a shell builtin"
		case err == nil && sh.fs.Access(file, 1) == nil:
			kind, short = " is "+file, file
		default:
			if long {
				sh.print(name + ": not found\n")
			}
			status = 127
			continue
		}
		if long {
			sh.print(name + kind + "\n")
		} else {
			sh.print(short + "\n")
		}
	}
	return status
}

func (sh *shell) doType(_ context.Context, args []string) int { return sh.showCommand(args[1:], true) }
