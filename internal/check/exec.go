package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/value"
)

// ExecSpec is what a script says of a check_exec of a service.
type ExecSpec struct {
	Target string `star:"target,required,pos" ref:"service.name" doc:"Where the command runs: a service, in one of its containers, or a container of an engine. A plain name is a service's, with engine= a container's."`
	command
}

// containerExecSpec is that of a check_exec of a container.
type containerExecSpec struct {
	Target string `star:"target,required,pos" ref:"container.name" doc:"The container in which the command runs."`
	command
}

// command is what is run, whatever it is run in, and what has to come of it.
type command struct {
	Command swarm.Words `star:"command,required,pos" doc:"The command; a string is split as a shell would."`
	Name    string      `star:"name,local" doc:"The check's name; the target and the command where it is not given."`
	User    string      `star:"user" flag:"--user" doc:"User name or number, with an optional :group; the container's where it is not given."`
	Workdir string      `star:"workdir" flag:"--workdir" doc:"Working directory in the container."`

	ExpectExitCode int64  `star:"expect_exit_code" min:"0" max:"255" doc:"The exit code that passes."`
	ExpectOutput   string `star:"expect_output" doc:"A regular expression that what the command prints must match somewhere."`

	Interval   time.Duration `star:"interval" default:"5s" min:"1000000" doc:"The longest pause between two tries; the first ones are shorter."`
	TryTimeout time.Duration `star:"try_timeout" default:"10s" min:"1000000" doc:"How long one try may take; timeout is for all of them."`
}

// ExecKind is a check that a command in a service's container ends well,
// ContainerExecKind one of a command in a container of one engine.
var (
	ExecKind          = execKind("swarm", execSchema)
	ContainerExecKind = execKind("engine", schema.Of(containerExecSpec{}))
)

func execKind(scope string, s *schema.Struct) *resource.Kind {
	return &resource.Kind{Name: "check_exec", Schema: s, Scope: scope, Check: checkExec, Unnamed: execName, Verify: verifyExec}
}

var execSchema = schema.Of(ExecSpec{})

// SchemaName implements [schema.Named].
func (containerExecSpec) SchemaName() (name, doc string) { return ExecSpec{}.SchemaName() }

// SchemaName implements [schema.Named].
func (ExecSpec) SchemaName() (name, doc string) {
	return "check_exec", "Runs a command in a container - one of a service, or one of an engine - until it ends as expected, after what it comes after has converged; otherwise the apply fails. It is made when something that it comes after changes, and by `swarmscript check`."
}

func execName(args value.Struct) string {
	target := firstText(args)
	if r, ok := args[0].(value.Ref); ok {
		target = r.Address.Name()
	}
	words := []string{target}
	list, _ := args[1].(value.List)
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			return "" // sensitive, or not known yet
		}
		words = append(words, s)
	}
	if target == "" {
		return ""
	}
	return strings.Join(words, " ")
}

func checkExec(args value.Struct) (out schema.Problems) {
	command, _ := execSchema.Field("command")
	if l, ok := args[command.Index].(value.List); ok && len(l) == 0 {
		out = append(out, &schema.Problem{Path: "command", Msg: "is empty"})
	}
	f, _ := execSchema.Field("expect_output")
	if s, ok := args[f.Index].(string); ok {
		if _, err := regexp.Compile(s); err != nil {
			out = append(out, &schema.Problem{Path: "expect_output", Msg: err.Error()})
		}
	}
	return out
}

func verifyExec(ctx context.Context, conn resource.Conn, r *resource.Request) error {
	c, ok := conn.(remote.Client)
	if !ok {
		return fmt.Errorf("a command runs in a container, not in a %T", conn)
	}
	p := &execProbe{spec: &ExecSpec{}}
	p.find = func(ctx context.Context) (*containerAt, error) {
		return serviceContainer(ctx, c, p.spec.Target, r.Node)
	}
	if _, inSwarm := conn.(*swarm.Conn); !inSwarm {
		p.find = func(ctx context.Context) (*containerAt, error) { return engineContainer(ctx, c, p.spec.Target) }
	}
	if err := execSchema.Decode(r.Args, p.spec); err != nil { // the schemas differ in what the target may be
		return err
	}
	if p.spec.ExpectOutput != "" {
		var err error
		if p.output, err = regexp.Compile(p.spec.ExpectOutput); err != nil {
			return err
		}
	}
	return until(ctx, r, Pace{p.spec.Interval, p.spec.TryTimeout}, p.try)
}

type execProbe struct {
	spec   *ExecSpec
	output *regexp.Regexp
	find   func(ctx context.Context) (*containerAt, error)
}

// containerAt is a container, and the engine that runs commands in it.
type containerAt struct {
	engine remote.Client
	id     string
	title  string // what a person calls it
}

// serviceContainer is the first container of a service on the engine that is
// asked or, where it has none, on one that the script names. Only a container's
// own engine runs commands in it: no manager passes them on.
func serviceContainer(ctx context.Context, c remote.Client, service string, node func(context.Context, string) (resource.Conn, error)) (*containerAt, error) {
	at, err := containerOn(ctx, c, service)
	if at != nil || err != nil {
		return at, err
	}
	elsewhere := swarm.NewNotHere(ctx, c.Docker(), service, service)
	var unasked error // of engines that the script names
	for _, n := range elsewhere.Nodes {
		conn, err := node(ctx, n.ID)
		if err == nil && conn == nil {
			continue
		}
		if e, ok := conn.(remote.Client); ok && err == nil {
			at, err = containerOn(ctx, e, service)
		}
		if at != nil {
			return at, nil
		}
		unasked = errors.Join(unasked, err)
	}
	return nil, notNamed(elsewhere, unasked)
}

// notNamed says where the service runs, on engines that the script does not name,
// and how it would.
func notNamed(elsewhere *swarm.NotHere, unasked error) error {
	switch {
	case len(elsewhere.Nodes) == 0:
		return elsewhere
	case unasked != nil:
		return fmt.Errorf("%w; the engine there cannot be asked: %w", elsewhere, unasked)
	}
	n := elsewhere.Nodes[0]
	return fmt.Errorf("%w; a command runs through the container's own engine: name it in the script, as engine(%q, name = %q), or let its machine join with swarm.join", elsewhere, "ssh://USER@"+n.Addr, n.Name)
}

// containerOn is the first container of a service on an engine, nil where it has
// none.
func containerOn(ctx context.Context, e remote.Client, service string) (*containerAt, error) {
	here, err := swarm.LocalContainers(ctx, e.Docker(), service)
	if err != nil || len(here) == 0 {
		return nil, err
	}
	return &containerAt{e, here[0].ID, here[0].Task}, nil
}

// engineContainer is a container of the engine, which has to run.
func engineContainer(ctx context.Context, c remote.Client, name string) (*containerAt, error) {
	got, err := c.Docker().ContainerInspect(ctx, name)
	switch {
	case err != nil:
		return nil, remote.Err(err)
	case got.State != nil && !got.State.Running:
		return nil, fmt.Errorf("container %s does not run: it is %s", name, got.State.Status)
	}
	return &containerAt{c, got.ID, name}, nil
}

func (p *execProbe) try(ctx context.Context) *failure {
	begun := time.Now()
	at, err := p.find(ctx)
	if err != nil {
		return &failure{short: err.Error()}
	}
	code, out, err := runCommand(ctx, at.engine, at.id, container.ExecOptions{
		Cmd: p.spec.Command, User: p.spec.User, WorkingDir: p.spec.Workdir, AttachStdout: true, AttachStderr: true,
	})
	switch {
	case ctx.Err() != nil:
		return &failure{short: "the command did not end in " + spent(begun, p.spec.TryTimeout), detail: excerpt("output", out)}
	case err != nil:
		return &failure{short: remote.Err(err).Error()}
	case int64(code) != p.spec.ExpectExitCode:
		return &failure{
			short:  fmt.Sprintf("the command exited with %d in %s, want %d", code, at.title, p.spec.ExpectExitCode),
			detail: excerpt("output", out),
		}
	case p.output != nil && !p.output.Match(out):
		return &failure{
			short:  fmt.Sprintf("the command's output in %s does not match %q", at.title, p.spec.ExpectOutput),
			detail: excerpt("output", out),
		}
	}
	return nil
}

// runCommand runs a command and returns its exit code and what it printed.
func runCommand(ctx context.Context, c remote.Client, id string, o container.ExecOptions) (code int, out []byte, err error) {
	made, err := c.Docker().ContainerExecCreate(ctx, id, o)
	if err != nil {
		return 0, nil, err
	}
	conn, err := c.Docker().ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{})
	if err != nil {
		return 0, nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, conn.Close)
	defer stop()
	var buf bytes.Buffer
	_, err = stdcopy.StdCopy(&buf, &buf, io.LimitReader(conn.Reader, bodyMax))
	if err != nil {
		return 0, buf.Bytes(), err
	}
	got, err := c.Docker().ContainerExecInspect(ctx, made.ID)
	return got.ExitCode, buf.Bytes(), err
}
