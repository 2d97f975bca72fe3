package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/run"
	"github.com/swarmscript/swarmscript/internal/ui"
)

// selectFlags are those that make a plan of a part.
func selectFlags(cmd *cobra.Command, o *run.Options) {
	f := cmd.Flags()
	f.StringArrayVar(&o.Targets, "target", nil, "plan only the resource at `ADDRESS`, all of a scope, or all that a * stands for, with what they need; may be repeated")
	f.StringArrayVar(&o.Exclude, "exclude", nil, "leave out the resource at `ADDRESS`, and what needs it; may be repeated")
	f.StringArrayVar(&o.Replace, "replace", nil, "delete and create the resource at `ADDRESS` though nothing asks for it; may be repeated")
	f.BoolVar(&o.RefreshOnly, "refresh-only", false, "show what differs, and bring up to date only what is remembered")
}

// planOwned are the flags that belong to a plan: one that is saved has them.
var planOwned = []string{"destroy", "target", "exclude", "replace", "refresh-only", "adopt", "adopt-all", "forget", "allow-data-loss", "allow-pending", "check", "provider", "lab", "var-file"}

// notSaved refuses a saved plan, and what is no text, where a script is wanted.
func notSaved(cmd *cobra.Command, file string) error {
	if run.IsSaved(file) {
		return usagef(cmd.CommandPath(), "", "%s is a saved plan: swarmscript show %s shows it, swarmscript apply %s does it", file, file, file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil // said where it is read
	}
	defer f.Close()
	head := make([]byte, 512)
	n, _ := f.Read(head)
	switch {
	case n == 0:
		return fmt.Errorf("%s is empty: neither a script nor a saved plan", file)
	case strings.ContainsRune(string(head[:n]), 0) || !utf8.Valid(head[:min(n, 16)]):
		return fmt.Errorf("%s is neither a script nor a plan that swarmscript saved", file)
	}
	return nil
}

// applySaved applies a saved plan. It asks nothing: whoever saved it has seen
// it.
func (a *app) applySaved(cmd *cobra.Command, g applying, path string) error {
	for _, name := range planOwned {
		if cmd.Flags().Changed(name) {
			return usagef(cmd.CommandPath(), "", "--%s belongs to the plan: %s was saved with or without it, and is applied as it is", name, path)
		}
	}
	var err error
	if g.saved, err = run.LoadPlan(path, version); err != nil {
		return err
	}
	vars := g.Vars
	if err := a.script(cmd, &g.Options, []string{g.saved.Script}); err != nil {
		return err
	}
	g.Vars, g.File, g.approved = vars, g.saved.Script, true
	return a.apply(cmd.Context(), g)
}

// refresh brings up to date what is remembered, and shows the outputs as they
// are now. Nothing that is live is changed.
func (a *app) refresh(ctx context.Context, p *run.Planned, g applying) error {
	stop, end := a.interrupt.during(func(msg string) { a.notef("%s", msg) })
	r, err := p.Apply(ctx, run.ApplyOptions{Why: "refresh " + g.File, Stop: stop})
	end()
	if err != nil {
		return a.failed(err, p.Source, g.onError())
	}
	if code := r.ExitCode(); code != apply.ExitOK {
		return exit(code)
	}
	return a.nothingToDo(p, g)
}

func (a *app) showCommand() *cobra.Command {
	var asJSON, schema bool
	cmd := &cobra.Command{
		Use:     "show FILE",
		Short:   "Show a saved plan",
		Long:    "Show a plan that plan --out has saved, as it was then. Nothing is contacted.",
		Example: "  swarmscript show shop.plan\n  swarmscript show --json shop.plan | jq .counts\n  swarmscript show --schema",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if schema {
				_, err := a.out.Write(ui.PlanSchema)
				return err
			}
			if len(args) == 0 {
				return usagef(cmd.CommandPath(), "", "give the FILE of a saved plan")
			}
			f, err := run.LoadPlan(args[0], version)
			if err != nil {
				return err
			}
			if asJSON {
				return ui.PlanJSON(a.out, f.Plan, f.Program)
			}
			a.notef("saved %s in %s, from %s%s", f.Created.Format(time.RFC3339), f.Dir, f.Script, options(f))
			return ui.Plan(a.out, f.Plan, ui.PlanOptions{Style: a.stdout().Style(), Destroy: f.Wishes.Destroy, RefreshOnly: f.Wishes.RefreshOnly})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as plan --json")
	cmd.Flags().BoolVar(&schema, "schema", false, "the JSON Schema of plan --json and show --json, without a FILE")
	return cmd
}

// options are those that a plan was made with, as they are given. The sensitive
// variables are not among them: the file has not got them.
func options(f *plan.File) string {
	var b strings.Builder
	w := f.Wishes
	for _, o := range []struct {
		name string
		set  bool
	}{
		{"destroy", w.Destroy}, {"refresh-only", w.RefreshOnly}, {"adopt-all", w.AdoptAll}, {"allow-data-loss", w.AllowDataLoss},
		{"allow-pending", w.AllowPending}, {"check", w.Check},
	} {
		if o.set {
			b.WriteString(" --" + o.name)
		}
	}
	for _, o := range []struct{ name, value string }{{"provider", w.Provider}, {"lab", w.Lab}} {
		if o.value != "" {
			b.WriteString(" --" + o.name + " " + shellWord(o.value))
		}
	}
	var vars []string
	for _, name := range slices.Sorted(maps.Keys(f.Vars)) {
		vars = append(vars, name+"="+f.Vars[name])
	}
	for _, o := range []struct {
		name   string
		values []string
	}{
		{"target", w.Targets}, {"exclude", w.Exclude}, {"replace", w.Replace}, {"adopt", w.Adopt}, {"forget", w.Forget},
		{"var-file", f.VarFiles}, {"var", vars},
	} {
		for _, v := range o.values {
			b.WriteString(" --" + o.name + " " + shellWord(v))
		}
	}
	return b.String()
}

// shellWord quotes what a shell would take apart.
func shellWord(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:/@%") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
