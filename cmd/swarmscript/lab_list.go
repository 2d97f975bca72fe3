package main

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	units "github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/lab"
	"github.com/swarmscript/swarmscript/internal/lab/api"
	"github.com/swarmscript/swarmscript/internal/ui"
)

// hostLine is a host as `lab ls --json` shows it.
type hostLine struct {
	Name    string    `json:"name"`
	Project string    `json:"project"`
	State   api.State `json:"state"`
	Image   string    `json:"image"`
	Engine  string    `json:"engine,omitempty"`
	Address string    `json:"address"`
	SSH     string    `json:"ssh"`
	User    string    `json:"user"`
	KeyFile string    `json:"key_file"`
	HostKey string    `json:"host_key"`
	CPUs    float64   `json:"cpus,omitempty"`
	Memory  int64     `json:"memory,omitempty"`
	Apart   []string  `json:"apart,omitempty"` // the full names of those that it does not reach
	Trouble []string  `json:"trouble,omitempty"`
	Created time.Time `json:"created"`
}

func (l *labs) listCommand() *cobra.Command {
	return l.machineList("List the hosts of all projects", "hosts", func(cmd *cobra.Command) (*machineList, error) {
		found, err := l.open()
		if err != nil {
			return nil, err
		}
		defer found.Close()
		all, err := found.Hosts(cmd.Context())
		if err != nil {
			return nil, err
		}
		lines := hostLines(all)
		return &machineList{lines: lines, table: hostTable(lines), none: "no hosts in " + near(found.Dir())}, nil
	})
}

func hostLines(all []*api.Host) []hostLine {
	names := map[string]string{}
	for _, h := range all {
		names[h.ID] = h.FullName()
	}
	out := []hostLine{}
	for _, h := range all {
		line := hostLine{
			Name: h.Name, Project: h.Project, State: h.State, Image: h.Image, Engine: h.Engine, Address: h.Address, SSH: h.SSH, User: h.User,
			KeyFile: h.KeyFile, HostKey: h.HostKey, CPUs: float64(h.NanoCPUs) / 1e9, Memory: h.Memory, Trouble: h.Trouble, Created: h.Created,
		}
		for _, id := range h.Apart {
			line.Apart = append(line.Apart, names[id])
		}
		slices.Sort(line.Apart)
		out = append(out, line)
	}
	return out
}

func hostTable(lines []hostLine) ui.Table {
	t := ui.Table{Head: []string{"NAME", "PROJECT", "STATE", "ADDRESS", "IMAGE", "ENGINE", "CPUS", "MEMORY"}}
	for _, l := range lines {
		engine := cmp.Or(l.Engine, "-")
		row := ui.Row{Cells: append([]string{l.Name, l.Project, string(l.State), l.Address, l.Image, engine}, limitCells(l.CPUs, l.Memory)...), Old: l.State == api.Off, Bad: l.State == api.Paused}
		if len(l.Apart) > 0 {
			row.Below = append(row.Below, "does not reach "+strings.Join(l.Apart, ", "))
		}
		row.Below = append(row.Below, l.Trouble...)
		t.Rows = append(t.Rows, row)
	}
	return t
}

func (l *labs) statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "status", Short: "Say whether the lab's process runs, and what it takes", Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := l.open()
			if err != nil {
				return err
			}
			defer found.Close()
			info, err := found.Info(cmd.Context())
			if err != nil && !errors.Is(err, lab.ErrNone) {
				return err
			}
			if asJSON {
				return ui.PrettyJSON(l.out, labStatus(found, info))
			}
			dir := near(found.Dir())
			switch {
			case info != nil:
				hosts := fmt.Sprintf("%d hosts", info.Hosts)
				if info.Hosts == 1 {
					hosts = "1 host"
				}
				_, err = fmt.Fprintf(l.out, "the lab in %s runs: %s, %d running; process %d since %s, %s, ends after %s without anybody\n",
					dir, hosts, info.Running, info.PID, info.Started.Local().Format("15:04:05"), units.BytesSize(float64(info.Memory)), info.Idle)
			case found.Exists():
				_, err = fmt.Fprintf(l.out, "the lab in %s does not run: it goes on when it is needed, or with swarmscript lab start\n", dir)
			default:
				_, err = fmt.Fprintf(l.out, "there is no lab in %s\n", dir)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on standard output")
	return cmd
}

// statusLine is a lab as `lab status --json` shows it.
type statusLine struct {
	Dir   string `json:"dir"`
	State string `json:"state"` // "none", "stopped", "running"
	*api.Info
}

func labStatus(found *lab.Lab, info *api.Info) statusLine {
	line := statusLine{Dir: found.Dir(), State: "none", Info: info}
	switch {
	case info != nil:
		line.State = "running"
	case found.Exists():
		line.State = "stopped"
	}
	return line
}

func (l *labs) envCommand() *cobra.Command {
	shell := "sh"
	if runtime.GOOS == "windows" {
		shell = "powershell"
	}
	cmd := &cobra.Command{
		Use:   "env HOST",
		Short: "Print what points the docker CLI at a host's engine",
		Long: "Print what points the docker CLI at a host's engine, for the shell to take in:\n\n" +
			"  eval $(swarmscript lab env mgr-0)\n" +
			"  swarmscript lab env mgr-0 --shell fish | source\n" +
			"  swarmscript lab env mgr-0 --shell powershell | Invoke-Expression",
		ValidArgsFunction: l.complete(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef(cmd.CommandPath(), "", "env needs the name of one HOST")
			}
			write, ok := shells[shell]
			if !ok {
				return usagef(cmd.CommandPath(), "", "--shell %s: want sh, fish or powershell", shell)
			}
			return l.with(cmd.Context(), args, func(found *lab.Lab, h *api.Host) error {
				at, err := found.Engine(cmd.Context(), h.ID)
				if err == nil {
					_, err = fmt.Fprint(l.out, write(at))
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&shell, "shell", shell, "`NAME` of the shell: sh, fish or powershell")
	return cmd
}

// others are variables that would have docker talk to another engine, or another
// way.
var others = []string{"DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"}

// shells write the variables. What eval gets is one line by then: so each command
// ends in a semicolon.
var shells = map[string]func(host string) string{
	"sh": func(host string) string {
		return fmt.Sprintf("export DOCKER_HOST=%s;\nunset %s;\n", shellWord(host), strings.Join(others, " "))
	},
	"fish": func(host string) string {
		return fmt.Sprintf("set -gx DOCKER_HOST %s;\nset -e %s;\n", shellWord(host), strings.Join(others, " "))
	},
	"powershell": func(host string) string {
		text := fmt.Sprintf("$Env:DOCKER_HOST = \"%s\"\n", host)
		for _, name := range others {
			text += fmt.Sprintf("$Env:%s = $null\n", name)
		}
		return text
	},
}
