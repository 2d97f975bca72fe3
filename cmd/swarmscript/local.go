package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/local"
	"github.com/swarmscript/swarmscript/internal/ui"
)

// localCommand is the family of verbs for the machines of local().
func (a *app) localCommand() *cobra.Command {
	var cfg local.Config
	cmd := &cobra.Command{
		Use:   "local",
		Short: "Look at the machines that local() made on this computer, and try what happens when they fail",
		Long: "Look at the machines that local() made on this computer, and try what happens when they fail. What is done\n" +
			"here is by hand: where the script says otherwise, the next apply makes it so again. A NAME is a machine's\n" +
			"own, or with its project before it, as shop/staging/web, where several projects have it.",
		Example: "  swarmscript local ls\n" +
			"  swarmscript local kill web-2             # a power cut\n" +
			"  swarmscript local partition web-1 web-3  # they do not reach each other\n" +
			"  swarmscript local heal",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			var verbs []string
			for _, c := range cmd.Commands() {
				verbs = append(verbs, c.Name())
			}
			if len(args) == 0 {
				return usagef(cmd.CommandPath(), "", "local needs a verb: %s", strings.Join(verbs, ", "))
			}
			return usagef(cmd.CommandPath(), diag.DidYouMean(args[0], verbs), "unknown verb %q", args[0])
		},
	}
	cmd.PersistentFlags().StringVar(&cfg.Site, "site", "", "the machines of another `SITE`, as local(site = SITE) has them")
	cmd.AddCommand(
		a.localListCommand(&cfg),
		a.localVerb(&cfg, "start", "Boot machines, and wait until they answer", func(m *local.Machine, ctx context.Context) error {
			return m.Start(ctx, func(string) {})
		}),
		a.localVerb(&cfg, "stop", "Shut machines down in an orderly way", (*local.Machine).Stop),
		a.localVerb(&cfg, "kill", "Cut machines' power: all that runs on them ends at once, their disks stay", (*local.Machine).Kill),
		a.localVerb(&cfg, "pause", "Make machines hang: connections stay open, and nobody answers", (*local.Machine).Pause),
		a.localVerb(&cfg, "resume", "Let machines go on that were paused", (*local.Machine).Resume),
		a.partitionCommand(&cfg), a.healCommand(&cfg), a.localRemoveCommand(&cfg),
	)
	for _, c := range cmd.Commands() {
		c.Flags().SortFlags = false
		c.DisableFlagsInUseLine = true
	}
	return cmd
}

// completeMachines offers the names that are not there yet, at most so many.
func completeMachines(cfg *local.Config, most int) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		s, err := local.Open(*cfg)
		if err != nil || most > 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		all, err := s.List()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names := slices.DeleteFunc(local.Names(all), func(n string) bool { return slices.Contains(args, n) })
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// machineLine is a machine as `local ls --json` shows it.
type machineLine struct {
	Name    string      `json:"name"`
	Project string      `json:"project"`
	State   local.State `json:"state"`
	Image   string      `json:"image"`
	Address string      `json:"address"`
	User    string      `json:"user"`
	KeyFile string      `json:"key_file"`
	HostKey string      `json:"host_key"`
	CPUs    float64     `json:"cpus,omitempty"`
	Memory  int64       `json:"memory,omitempty"`
	Apart   []string    `json:"apart,omitempty"` // the full names of those that it does not reach
	Created time.Time   `json:"created"`
}

func (a *app) localListCommand(cfg *local.Config) *cobra.Command {
	return a.machineList("List the machines of all projects", "machines", func(*cobra.Command) (*machineList, error) {
		s, err := local.Open(*cfg)
		if err != nil {
			return nil, err
		}
		all, err := s.List()
		if err != nil {
			return nil, err
		}
		lines := machineLines(all)
		list := &machineList{lines: lines, table: machineTable(lines), none: "no machines"}
		if others := s.OtherSites(); len(others) > 0 {
			list.none += " here; there are of other sites: --site " + strings.Join(others, ", --site ")
		}
		return list, nil
	})
}

func machineLines(all []*local.Machine) []machineLine {
	names := map[string]string{}
	for _, m := range all {
		names[m.ID] = m.FullName()
	}
	out := []machineLine{}
	for _, m := range all {
		line := machineLine{
			Name: m.Name, Project: m.Project, State: m.State(), Image: m.Image, Address: m.Address.String(), User: m.User,
			KeyFile: m.KeyFile(), HostKey: m.HostKey, CPUs: float64(m.NanoCPUs) / 1e9, Memory: m.Memory, Created: m.Created,
		}
		for id := range m.Apart {
			if name := names[id]; name != "" {
				line.Apart = append(line.Apart, name)
			}
		}
		slices.Sort(line.Apart)
		out = append(out, line)
	}
	return out
}

func machineTable(lines []machineLine) ui.Table {
	t := ui.Table{Head: []string{"NAME", "PROJECT", "STATE", "ADDRESS", "IMAGE", "CPUS", "MEMORY"}}
	for _, l := range lines {
		row := ui.Row{Cells: append([]string{l.Name, l.Project, string(l.State), l.Address, l.Image}, limitCells(l.CPUs, l.Memory)...), Old: l.State == local.Off, Bad: l.State == local.Paused || l.State == local.Broken}
		if len(l.Apart) > 0 {
			row.Below = []string{"does not reach " + strings.Join(l.Apart, ", ")}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// localVerb is a verb that does something to each machine that is named.
func (a *app) localVerb(cfg *local.Config, verb, short string, do func(*local.Machine, context.Context) error) *cobra.Command {
	return &cobra.Command{
		Use:               verb + " NAME...",
		Short:             short,
		ValidArgsFunction: completeMachines(cfg, 0),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef(cmd.CommandPath(), "", "%s needs the NAME of a machine", verb)
			}
			return a.withMachines(cmd, cfg, args, func(ctx context.Context, all []*local.Machine) error {
				return each(all, func(m *local.Machine) error { return do(m, ctx) })
			})
		},
	}
}

func (a *app) partitionCommand(cfg *local.Config) *cobra.Command {
	return &cobra.Command{
		Use:               "partition A B",
		Short:             "Keep two machines from reaching each other, until heal",
		ValidArgsFunction: completeMachines(cfg, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef(cmd.CommandPath(), "", "partition needs the NAMEs of two machines")
			}
			return a.withMachines(cmd, cfg, args, func(ctx context.Context, m []*local.Machine) error {
				return local.Partition(ctx, m[0], m[1])
			})
		},
	}
}

func (a *app) healCommand(cfg *local.Config) *cobra.Command {
	return &cobra.Command{
		Use:               "heal [A B]",
		Short:             "Let two machines reach each other again, or all",
		Args:              atMost(2),
		ValidArgsFunction: completeMachines(cfg, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return usagef(cmd.CommandPath(), "", "heal needs the NAMEs of two machines, or none for all")
			}
			if len(args) == 0 {
				s, err := local.Open(*cfg)
				if err != nil {
					return err
				}
				return s.HealAll(cmd.Context())
			}
			return a.withMachines(cmd, cfg, args, func(ctx context.Context, m []*local.Machine) error {
				return local.Heal(ctx, m[0], m[1])
			})
		},
	}
}

func (a *app) localRemoveCommand(cfg *local.Config) *cobra.Command {
	approved := false
	cmd := &cobra.Command{
		Use:   "rm NAME...",
		Short: "Remove machines whose script is gone, with all that is on their disks",
		Long: "Remove machines, with all that is on their disks. It is for those whose script is gone: the others go with\n" +
			"swarmscript destroy, or are made anew by the next apply.",
		ValidArgsFunction: completeMachines(cfg, 0),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef(cmd.CommandPath(), "", "rm needs the NAME of a machine")
			}
			return a.withMachines(cmd, cfg, args, func(ctx context.Context, all []*local.Machine) error {
				var lost []string
				for _, m := range all {
					lost = append(lost, "machine "+m.FullName()+", with all that is on its disk")
				}
				if !approved {
					yes, err := ui.Approve(ctx, a.stderr(), ui.Question{Lost: lost})
					if err != nil {
						return err
					}
					if !yes {
						a.notef("not approved; nothing was changed")
						return exit(apply.ExitError)
					}
				}
				return each(all, func(m *local.Machine) error { return m.Destroy(ctx) })
			})
		},
	}
	cmd.Flags().BoolVar(&approved, "auto-approve", false, "do not ask")
	return cmd
}

// withMachines finds the machines that are named.
func (a *app) withMachines(cmd *cobra.Command, cfg *local.Config, names []string, do func(context.Context, []*local.Machine) error) error {
	s, err := local.Open(*cfg)
	if err != nil {
		return err
	}
	found, err := s.Pick(names)
	if err != nil {
		return err
	}
	return do(cmd.Context(), found)
}

// each does something to all of a list, some at once, and returns all that went
// wrong.
func each[T any](all []T, do func(T) error) error {
	errs := make([]error, len(all))
	slots := make(chan struct{}, apply.DefaultParallelism)
	var wg sync.WaitGroup
	for i, one := range all {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			errs[i] = do(one)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
