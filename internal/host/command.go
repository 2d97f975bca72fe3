package host

import (
	"encoding/base64"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// CommandSpec is a command that a machine runs.
type CommandSpec struct {
	Name              string            `star:"name,required,pos,local" doc:"What it is called here."`
	Run               string            `star:"run,required" doc:"A script for sh. It ends at the first command that fails (sh -e)."`
	Unless            *string           `star:"unless" doc:"A script for sh: where it succeeds, there is nothing to run. Every plan runs it, so it must change nothing; it has a minute."`
	Creates           *string           `star:"creates" doc:"The path of something that it makes: where that is, there is nothing to run."`
	User              string            `star:"user" default:"root" doc:"The account that runs it, and unless."`
	Cwd               string            `star:"cwd" default:"/" doc:"The folder that it is run in."`
	Environment       map[string]string `star:"environment" doc:"Environment variables; they are kept on the machine, to see whether they change."`
	SecretEnvironment map[string]string `star:"secret_environment,local,secret" doc:"Environment variables that are not kept: a change of one alone runs nothing."`
	Stdin             *string           `star:"stdin,local,secret" doc:"Its standard input, which is not kept: a change of it alone runs nothing."`
	Triggers          map[string]string `star:"triggers" doc:"Values that run it again when they change."`
}

// SchemaName implements [schema.Named].
func (*CommandSpec) SchemaName() (string, string) {
	return "command", "A command that a machine runs. With unless or creates, it is run whenever those find that it is needed; without them once, and again when run, user, cwd, environment or triggers change. What it did is not undone when it is no longer declared."
}

var commandSchema = schema.Of(CommandSpec{})

// CommandKind is a command that a machine runs.
var CommandKind = &resource.Kind{
	Name:      "command",
	Schema:    commandSchema,
	Scope:     "host",
	Rank:      1,
	Keyless:   true,
	TakesOver: true,
	Check:     checkCommand,
	Needs: func(args value.Struct) []resource.Need {
		user, _ := text(commandSchema, args, "user")
		cwd, _ := text(commandSchema, args, "cwd")
		return append(needsFolder(cwd), resource.Need{Kind: "user", Name: user})
	},
	Effect: func(_ *resource.Object, _ value.Struct, changes []schema.Change, _ bool) string {
		if len(changes) == 0 {
			return ""
		}
		return "runs again"
	},
	Ending: func(_ *resource.Object, anew bool) string {
		if anew {
			return "runs again"
		}
		return "what it did stays"
	},
	Handler: commandHandler{},
}

// variable is the name of an environment variable.
var variable = pattern.Of(`^[A-Za-z_][A-Za-z0-9_]*$`)

func checkCommand(args value.Struct) (ps schema.Problems) {
	var kept schema.Problems // which say nothing of a value
	for _, name := range []string{"run", "unless", "creates", "environment", "triggers"} {
		if value.Sensitive(get(commandSchema, args, name)) {
			kept = append(kept, &schema.Problem{Path: name, Msg: "is kept on the machine, and seen in its list of processes: it must not hold a sensitive value", Hint: "give that by secret_environment or stdin"})
		}
	}
	for _, name := range []string{"unless", "creates"} {
		if !value.Known(get(commandSchema, args, name)) {
			ps = append(ps, &schema.Problem{Path: name, Msg: "is asked before any step is run, so it must not hold the output of one"})
		}
	}
	for _, name := range []string{"cwd", "creates"} {
		if p, ok := text(commandSchema, args, name); ok && !path.IsAbs(p) {
			ps = append(ps, &schema.Problem{Path: name, Msg: fmt.Sprintf("got %q, want an absolute path", p)})
		}
	}
	for _, name := range []string{"environment", "secret_environment"} {
		m, _ := value.Reveal(get(commandSchema, args, name)).(*value.Map)
		for i := range m.Len() {
			if k := m.Entries[i].Key; !variable().MatchString(k) {
				ps = append(ps, &schema.Problem{Path: name, Msg: fmt.Sprintf("%q is no name of an environment variable", k)})
			}
		}
	}
	if u, ok := text(commandSchema, args, "user"); ok && !accountName().MatchString(u) {
		ps = append(ps, &schema.Problem{Path: "user", Msg: fmt.Sprintf("got %q, want the name of an account", u)})
	}
	if r, ok := text(commandSchema, args, "run"); ok && len(r) > maxScript {
		ps = append(ps, &schema.Problem{Path: "run", Msg: fmt.Sprintf("has %d bytes, and %d is the most: write it with file(), and run that", len(r), maxScript)})
	}
	return append(kept, commandSchema.HideSecrets(args, ps)...)
}

// maxScript is what Linux takes as one argument of a program, and some room.
const maxScript = 100 << 10

// commandNote is what a machine remembers of a command that was run.
type commandNote struct {
	Run         string            `json:"run"`
	User        string            `json:"user"`
	Cwd         string            `json:"cwd"`
	Environment map[string]string `json:"environment,omitempty"`
	Triggers    map[string]string `json:"triggers,omitempty"`
}

// commandSection asks the declared commands' guards.
var commandSection = section{
	name: "commands", kinds: []string{"command"},
	script: func(decls []*resource.Declaration) string {
		var b strings.Builder
		for i, d := range decls {
			spec := guardSpec(d.Args)
			if g := spec.guard(); g != "" {
				fmt.Fprintf(&b, "%sprintf '%d %%s %%s\\n' \"$code\" \"$(printf %%s \"$said\" | base64 -w0)\"\n", ask(g), i)
			}
		}
		b.WriteString(":")
		return b.String()
	},
	read: readCommands,
}

// ask is the shell that asks a guard: it sets $code to how that ended, and $said to
// the last line of what it wrote to standard error.
func ask(guard string) string {
	return fmt.Sprintf("code=0; said=$( (%s) </dev/null 2>&1 >/dev/null ) || code=$?\nsaid=$(printf %%s \"$said\" | tail -n 1 | cut -c1-200)\n", guard)
}

// guardSpec is as much of a command as is known before any step is run, and as
// its guards need.
func guardSpec(args value.Struct) *CommandSpec {
	known := make(value.Struct, len(args))
	for i, v := range args {
		switch m, isMap := v.(*value.Map); {
		case value.Known(v):
			known[i] = v
		case isMap:
			kept := &value.Map{}
			for _, e := range m.Entries {
				if value.Known(e.Value) {
					kept.Entries = append(kept.Entries, e)
				}
			}
			known[i] = kept
		}
	}
	spec := &CommandSpec{}
	if err := commandSchema.Decode(known, spec); err != nil {
		return &CommandSpec{}
	}
	return spec
}

// guard is the shell that succeeds where there is nothing to run; "" for none.
func (s *CommandSpec) guard() string {
	var tests []string
	if s.Creates != nil {
		tests = append(tests, "[ -e "+remote.Quote(*s.Creates)+" ]")
	}
	if s.Unless != nil {
		tests = append(tests, s.shell(nil, "timeout 60 ", *s.Unless))
	}
	return strings.Join(tests, " && ")
}

// shell runs a script as the command is run.
func (s *CommandSpec) shell(secrets map[string]string, before, script string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "cd %s", remote.Quote(s.Cwd))
	for _, vars := range []map[string]string{s.Environment, secrets} {
		for _, k := range slices.Sorted(maps.Keys(vars)) {
			fmt.Fprintf(&b, " && export %s=%s", k, remote.Quote(vars[k]))
		}
	}
	if s.User != "root" {
		u := remote.Quote(s.User)
		fmt.Fprintf(&b, " && HOME=$(getent passwd %s | cut -d: -f6) USER=%s LOGNAME=%s && export HOME USER LOGNAME && %srunuser -u %s -- sh -ec %s", u, u, u, before, u, remote.Quote(script))
	} else {
		fmt.Fprintf(&b, " && %ssh -ec %s", before, remote.Quote(script))
	}
	return b.String()
}

// answer is how a guard ended.
type answer struct {
	code int
	said string // the last line that it wrote to standard error
}

// broken says in what way a guard did not answer its question, "" where it did: a
// shell's code for what is not there is an answer until the command has run, which
// may be what brings it.
func (a answer) broken(ran bool) string {
	switch {
	case a.code == 124:
		return "did not end in a minute"
	case strings.Contains(a.said, "Syntax error"), ran && (a.code == 126 || a.code == 127):
		return fmt.Sprintf("ended with exit code %d: %s", a.code, a.said)
	}
	return ""
}

func parseAnswers(out []byte) (map[int]answer, error) {
	all := map[int]answer{}
	for _, line := range lines(out) {
		var i int
		var a answer
		var b64 string
		if n, _ := fmt.Sscan(line, &i, &a.code, &b64); n < 2 {
			return nil, fmt.Errorf("the machine's answer about commands is damaged: %.80q", line)
		}
		said, err := base64.StdEncoding.DecodeString(b64)
		if err != nil {
			return nil, fmt.Errorf("the machine's answer about commands is damaged: %.80q", line)
		}
		a.said = string(said)
		all[i] = a
	}
	return all, nil
}

func readCommands(l *look, out []byte, decls []*resource.Declaration) error {
	answers, err := parseAnswers(out)
	if err != nil {
		return err
	}
	for i, d := range decls {
		_, ran := l.record(idOf("command", nameOf(d)))
		asked, guarded := answers[i]
		if why := asked.broken(ran); guarded && why != "" {
			l.warnings = append(l.warnings, fmt.Sprintf("%s: unless %s; it is taken to say that there is something to run", d.Address.Short(), why))
		}
		switch {
		case guarded && asked.code == 0:
			l.add(d, asDeclared(commandSchema, d.Args), nil)
		case guarded && ran: // what it made is gone
			args := asDeclared(commandSchema, d.Args)
			set(commandSchema, args, "unless", nil)
			set(commandSchema, args, "creates", nil)
			l.add(d, args, nil)
		case ran && !guarded:
			var note commandNote
			if err := l.note(idOf("command", nameOf(d)), &note); err != nil {
				return err
			}
			args := commandSchema.Encode(&CommandSpec{
				Run: note.Run, User: note.User, Cwd: note.Cwd, Environment: note.Environment, Triggers: note.Triggers,
			})
			set(commandSchema, args, "name", get(commandSchema, d.Args, "name"))
			l.add(d, args, nil)
		}
	}
	return nil
}
