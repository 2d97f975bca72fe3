package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/remote"
	swarmkind "github.com/swarmscript/swarmscript/internal/swarm"
)

// Target is a container that a command can be run in.
type Target struct {
	API  client.APIClient
	ID   string
	Task string // for a person: "web.1"
}

// Locate finds a container of SERVICE or SERVICE.SLOT on an engine that can be
// reached: a container's commands go through its own engine, and no manager
// passes them on. states may be empty, where the engine is a worker. The error
// says where the task runs.
func Locate(ctx context.Context, states []*State, engines []remote.Client, name string) (*Target, error) {
	service, slot, id, err := serviceAndSlot(states, name)
	if err != nil {
		return nil, err
	}
	var elsewhere *swarmkind.NotHere
	var others []string // tasks of the service that are here
	for _, e := range engines {
		here, err := swarmkind.LocalContainers(ctx, e.Docker(), service)
		if err != nil {
			return nil, err
		}
		for _, c := range here {
			if id != "" && c.ServiceID != id {
				continue // another swarm's, of the same name
			}
			task := c.Task
			if len(states) > 0 {
				for _, st := range states {
					task = service + "." + st.Host(strings.TrimPrefix(task, service+"."))
				}
			}
			if slot == "" || task == service+"."+slot || c.Task == service+"."+slot {
				return &Target{API: e.Docker(), ID: c.ID, Task: task}, nil
			}
			others = append(others, task)
		}
		if not := swarmkind.NewNotHere(ctx, e.Docker(), service, strings.TrimSuffix(service+"."+slot, ".")); elsewhere == nil || len(not.Others) > 0 {
			elsewhere = not
		}
	}
	if elsewhere == nil {
		return nil, errors.New("there is no engine to run a command on")
	}
	if len(elsewhere.Others)+len(elsewhere.Exist) == 0 {
		elsewhere.Exist = others // no manager could say more
	}
	d := &diag.Diagnostic{Summary: elsewhere.Error()}
	if len(elsewhere.Nodes) > 0 {
		d.Detail = fmt.Sprintf("a container is reached through its own engine: DOCKER_HOST=ssh://USER@%s swarmscript exec %s -- ...", elsewhere.Nodes[0].Addr, name)
	}
	return nil, d
}

// serviceAndSlot splits web.1 into its parts, unless it is a service's name.
func serviceAndSlot(states []*State, name string) (service, slot, id string, err error) {
	found, err := Find(states, []string{name})
	if err == nil && len(found) == 1 {
		return found[0].Spec.Name, "", found[0].ID, nil
	}
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		if of, ferr := Find(states, []string{name[:i]}); ferr == nil && len(of) == 1 {
			return of[0].Spec.Name, name[i+1:], of[0].ID, nil
		}
	}
	if len(states) > 0 {
		return "", "", "", err
	}
	// An engine that is no manager knows containers, not services.
	if i := strings.LastIndexByte(name, '.'); i > 0 && isNumber(name[i+1:]) {
		return name[:i], name[i+1:], "", nil
	}
	return name, "", "", nil
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// ExecOptions are a command and how it is connected.
type ExecOptions struct {
	Command    []string
	User       string
	Workdir    string
	Env        []string
	Privileged bool
	TTY        bool
	Stdin      io.Reader // nil for none
	Stdout     io.Writer
	Stderr     io.Writer
	// Sizes are those of the terminal, the first at the start; nil without one.
	Sizes <-chan Size
}

// Size is that of a terminal.
type Size struct{ Width, Height int }

// Exec runs a command in a container and returns its exit code. Docker cannot
// stop such a command: where ctx ends, it is left to itself.
func Exec(ctx context.Context, t *Target, o ExecOptions) (int, error) {
	config := container.ExecOptions{
		Cmd: o.Command, User: o.User, WorkingDir: o.Workdir, Env: o.Env, Privileged: o.Privileged, Tty: o.TTY,
		AttachStdin: o.Stdin != nil, AttachStdout: true, AttachStderr: true,
	}
	made, err := t.API.ContainerExecCreate(ctx, t.ID, config)
	if err != nil {
		return 0, remote.Err(err)
	}
	conn, err := t.API.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{Tty: o.TTY})
	if err != nil {
		return 0, remote.Err(err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, conn.Close)
	defer stop()
	if o.Stdin != nil {
		// It ends with the process: a read of a terminal cannot be called off.
		go func() {
			io.Copy(conn.Conn, o.Stdin) // what the command does not read is its business
			conn.CloseWrite()
		}()
	}
	var wg sync.WaitGroup
	sized, ended := context.WithCancel(ctx)
	wg.Go(func() { resize(sized, t.API, made.ID, o.Sizes) })
	if o.TTY {
		_, err = io.Copy(o.Stdout, conn.Reader)
	} else {
		_, err = stdcopy.StdCopy(o.Stdout, o.Stderr, conn.Reader)
	}
	ended()
	wg.Wait()
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if err != nil {
		return 0, fmt.Errorf("the connection to the command broke: %w", err)
	}
	got, err := t.API.ContainerExecInspect(ctx, made.ID)
	if err != nil {
		return 0, remote.Err(err)
	}
	return got.ExitCode, nil
}

func resize(ctx context.Context, api client.APIClient, id string, sizes <-chan Size) {
	for sizes != nil {
		select {
		case s, ok := <-sizes:
			if !ok {
				return
			}
			// A size that does not arrive is no reason to end the command.
			_ = api.ContainerExecResize(ctx, id, container.ResizeOptions{Width: uint(s.Width), Height: uint(s.Height)})
		case <-ctx.Done():
			return
		}
	}
}
