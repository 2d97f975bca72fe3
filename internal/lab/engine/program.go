package engine

import (
	"path"
	"strconv"
	"strings"
	"time"
)

const forever = time.Duration(-1)

// program is what a container's command does.
type program struct {
	output []string      // lines on standard output, at its start
	errors []string      // and on standard error
	runs   time.Duration // until it ends by itself
	known  bool          // it is really that long, not just what is not known
	exit   int
}

// jobRuns is how long a job's command runs that is not known.
const jobRuns = time.Second

// programOf is what a container's command does. A job is there to end: of one whose
// command is not known it is taken that it does its work, as of a service that it
// goes on.
func programOf(c *container) program {
	p := simulate(append([]string{c.Path}, c.Args...), c.Config.Tty || c.Config.OpenStdin)
	if c.Job && p.runs == forever && !p.known {
		p.runs = jobRuns
	}
	return p
}

// simulate knows the few commands that tests and jobs are made of: they end, and
// all others run until they are stopped. A command is also known as the argument
// of an entrypoint, so that `ENTRYPOINT ["/app"]` with `exit 3` ends.
func simulate(command []string, terminal bool) program {
	if len(command) == 0 {
		return program{runs: forever}
	}
	if p, known := builtin(path.Base(command[0]), command[1:], terminal); known {
		return p
	}
	if len(command) > 1 && (command[1] == "exit" || command[1] == "true" || command[1] == "false") {
		if p, known := builtin(command[1], command[2:], terminal); known {
			return p
		}
	}
	return program{runs: forever}
}

func builtin(name string, args []string, terminal bool) (program, bool) {
	switch name {
	case "true", "hello-world":
		return program{}, true
	case "false":
		return program{exit: 1}, true
	case "echo":
		return program{output: []string{strings.Join(args, " ")}}, true
	case "exit":
		code := 0
		if len(args) > 0 {
			code, _ = strconv.Atoi(args[0])
		}
		return program{exit: code & 0xff}, true
	case "sleep":
		return sleep(args), true
	case "sh", "bash", "ash":
		if len(args) > 1 && args[0] == "-c" {
			return script(args[1]), true
		}
		if len(args) == 0 && !terminal {
			return program{}, true // a shell whose input is at its end
		}
	}
	return program{}, false
}

func sleep(args []string) program {
	var total time.Duration
	for _, a := range args {
		if a == "infinity" || a == "inf" {
			return program{runs: forever, known: true}
		}
		d, err := time.ParseDuration(a)
		if err != nil {
			if d, err = time.ParseDuration(a + "s"); err != nil {
				return program{errors: []string{"sleep: invalid number '" + a + "'"}, exit: 1}
			}
		}
		total += d
	}
	return program{runs: total}
}

// script is the sum of a shell's simple commands. At the first that it does not
// know, the script is one that runs until it is stopped.
func script(text string) (sum program) {
	text = strings.NewReplacer("&&", ";", "\n", ";").Replace(text)
	for _, line := range strings.Split(text, ";") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		toErrors := words[len(words)-1] == ">&2" || words[len(words)-1] == "1>&2"
		if toErrors {
			words = words[:len(words)-1]
		}
		if words[0] == "exec" {
			words = words[1:]
		}
		p := program{runs: forever}
		if len(words) > 0 && !strings.ContainsAny(line, "|$`(<") {
			if known, ok := builtin(words[0], unquote(words[1:]), false); ok {
				p = known
			}
		}
		if toErrors {
			p.output, p.errors = nil, append(p.errors, p.output...)
		}
		sum.output, sum.errors, sum.exit = append(sum.output, p.output...), append(sum.errors, p.errors...), p.exit
		if p.runs == forever {
			sum.runs, sum.known = forever, p.known
			return sum
		}
		sum.runs += p.runs
		if words[0] == "exit" {
			return sum
		}
	}
	return sum
}

func unquote(words []string) []string {
	joined := strings.Join(words, " ")
	if n := len(joined); n > 1 && joined[0] == joined[n-1] && (joined[0] == '"' || joined[0] == '\'') {
		return []string{joined[1 : n-1]}
	}
	return words
}
