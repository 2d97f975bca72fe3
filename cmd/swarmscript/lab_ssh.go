package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/swarmscript/swarmscript/internal/lab"
	"github.com/swarmscript/swarmscript/internal/lab/api"
	"github.com/swarmscript/swarmscript/internal/ui"
)

func (l *labs) sshCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ssh HOST [COMMAND...]",
		Short: "Log in to a host, or run a command on it",
		Long: "Log in to a host as its user, or run a command on it and end with its exit code. The host is a simulated\n" +
			"Debian: what it does not know fails and says so.",
		Example: "  swarmscript lab ssh mgr-0\n" +
			"  swarmscript lab ssh mgr-0 docker service ls\n" +
			"  swarmscript lab ssh mgr-0 'systemctl stop docker && journalctl -u docker'",
		ValidArgsFunction: l.complete(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef(cmd.CommandPath(), "", "ssh needs the name of a HOST")
			}
			host, command := args[:1], args[1:]
			if len(command) > 0 && command[0] == "--" { // as docker exec and kubectl exec have it
				command = command[1:]
			}
			code := 0
			err := l.with(cmd.Context(), host, func(_ *lab.Lab, h *api.Host) (err error) {
				switch h.State {
				case api.Off:
					return fmt.Errorf("host %s is off: swarmscript lab start %s", h.Name, args[0])
				case api.Paused:
					return fmt.Errorf("host %s is paused: swarmscript lab resume %s", h.Name, args[0])
				}
				code, err = l.login(cmd, h, strings.Join(command, " ")) // as ssh does
				return err
			})
			if err == nil && code != 0 {
				return exit(code)
			}
			return err
		},
	}
	cmd.Flags().SetInterspersed(false) // what follows the host is the command's
	return cmd
}

// login runs a command, or a shell that has the terminal.
func (l *labs) login(cmd *cobra.Command, h *api.Host, command string) (int, error) {
	fd := int(l.in.Fd())
	if command != "" || !term.IsTerminal(fd) {
		return lab.Run(cmd.Context(), h, command, l.in, l.out, l.err, nil)
	}
	was, err := term.MakeRaw(fd)
	if err != nil {
		return 0, err
	}
	defer term.Restore(fd, was)
	tty := &lab.Terminal{Kind: cmp.Or(l.getenv("TERM"), "dumb"), Width: 80, Height: 24}
	if w, h, err := term.GetSize(int(l.out.Fd())); err == nil {
		tty.Width, tty.Height = w, h
	}
	return lab.Run(cmd.Context(), h, "", l.in, l.out, l.err, tty)
}

func (l *labs) faultCommand() *cobra.Command {
	var f api.Fault
	var asJSON, clear bool
	cmd := &cobra.Command{
		Use:   "fault [EFFECT...]",
		Short: "Make containers go wrong, or show and clear what does",
		Long: "Make containers go wrong from now on: those of an image, of a service, or of a name, or all where none is\n" +
			"given. Without an EFFECT, show the faults that hold. An EFFECT is\n\n" +
			"  exit=CODE         the process ends with it\n" +
			"  exit-after=TIME   after that long, as 2s\n" +
			"  oom               it is killed for its memory\n" +
			"  unhealthy         its health check fails, where it has one\n" +
			"  start-delay=TIME  it starts slowly\n" +
			"  pull=HOW          its image is missing, unauthorized, unreachable or slow\n" +
			"  log=TEXT          it says that when it starts\n\n" +
			"A script can say the same of one service: container_labels = {\"lab.exit\": \"3\"}.",
		Example: "  swarmscript lab fault exit=3 --service web\n" +
			"  swarmscript lab fault pull=missing --image nginx:1.27\n" +
			"  swarmscript lab fault                      # which there are\n" +
			"  swarmscript lab fault --clear              # all of them",
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := l.there()
			if err != nil {
				return err
			}
			defer found.Close()
			switch {
			case clear && len(args) == 0:
				return found.Clear(cmd.Context(), "")
			case clear:
				return each(args, func(id string) error { return found.Clear(cmd.Context(), id) })
			case len(args) == 0:
				return l.listFaults(cmd, found, asJSON)
			}
			f.Effects = map[string]string{}
			for _, effect := range args {
				name, v, _ := strings.Cut(effect, "=")
				f.Effects[name] = v
			}
			set, err := found.Fault(cmd.Context(), f)
			if err == nil {
				_, err = fmt.Fprintln(l.out, set.ID)
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Image, "image", "", "containers of that image: `NAME` is any tag of it, NAME:TAG just that one")
	flags.StringVar(&f.Service, "service", "", "containers of the service of that `NAME`")
	flags.StringVar(&f.Container, "container", "", "the container of that `NAME`")
	flags.BoolVar(&clear, "clear", false, "take faults away: those whose IDs are given, or all")
	flags.BoolVar(&asJSON, "json", false, "one JSON object on standard output")
	return cmd
}

func (l *labs) listFaults(cmd *cobra.Command, found *lab.Lab, asJSON bool) error {
	all, err := found.Faults(cmd.Context())
	if err != nil {
		return err
	}
	if asJSON {
		return ui.PrettyJSON(l.out, struct {
			Faults []*api.Fault `json:"faults"`
		}{all})
	}
	if len(all) == 0 {
		l.notef("no faults")
		return nil
	}
	t := ui.Table{Head: []string{"ID", "EFFECT", "OF"}}
	for _, f := range all {
		t.Rows = append(t.Rows, ui.Row{Cells: []string{f.ID, f.Effect(), f.Target()}})
	}
	return ui.WriteTable(l.out, t, l.stdout().Style())
}
