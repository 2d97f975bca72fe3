package debian

import (
	"context"
	"slices"
	"strings"
)

func envProgram(ctx context.Context, c *call) int {
	opts, rest, bad, ok := c.optionsFirst("iu:0C:", "ignore-environment", "unset=", "null", "chdir=")
	if !ok {
		return bad
	}
	end := "\n"
	env := slices.Clone(c.env)
	for _, o := range opts {
		switch o.name {
		case "i", "ignore-environment":
			env = nil
		case "u", "unset":
			env = withoutEnv(env, o.value)
		case "0", "null":
			end = "\x00"
		case "C", "chdir":
			c.fs.Dir = c.fs.Abs(o.value)
		}
	}
	if c.name() == "printenv" {
		return printEnv(c, env, rest, end)
	}
	if len(rest) > 0 && rest[0] == "-" {
		env, rest = nil, rest[1:]
	}
	for len(rest) > 0 {
		name, value, ok := strings.Cut(rest[0], "=")
		if !ok {
			break
		}
		env = setEnv(env, name, value)
		rest = rest[1:]
	}
	if len(rest) == 0 {
		return printEnv(c, env, nil, end)
	}
	c.env = env
	return c.replace(ctx, rest)
}

func printEnv(c *call, env, names []string, end string) int {
	code := b2i(len(names) > 0)
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		switch {
		case len(names) == 0:
			c.printf("%s%s", kv, end)
		case slices.Contains(names, name):
			c.printf("%s%s", value, end)
			code = 0
		}
	}
	return code
}

// setEnv returns an environment with a variable in it.
func setEnv(env []string, name, value string) []string {
	return append(withoutEnv(env, name), name+"="+value)
}

func withoutEnv(env []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
}
