package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/docs"
)

// The forms that docs has.
var docFormats = []string{"text", "markdown", "html"}

func (a *app) docsCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "docs [NAME]",
		Short: "Show what a script can call",
		Long: "Show what a script can call: all of it in a line each, or one builtin with its arguments, or one argument\n" +
			"(service.ports), or a module of the standard library. As Markdown, or as one HTML page with search that needs no other file.",
		Example: "  swarmscript docs\n" +
			"  swarmscript docs service\n" +
			"  swarmscript docs service.ports\n" +
			"  swarmscript docs @stdlib//update.star\n" +
			"  swarmscript docs --format html > reference.html",
		Args: atMost(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return docNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case format == "html" && len(args) > 0:
				return usagef(cmd.CommandPath(), "", "the HTML page is of everything: leave out %s, or open it at #%s", args[0], args[0])
			case format == "html":
				return docs.HTML(a.out)
			case format != "text" && format != "markdown":
				return usagef(cmd.CommandPath(), diag.DidYouMean(format, docFormats), "--format %s: want text, markdown or html", format)
			}
			return a.showDocs(args, format == "markdown")
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "`FORM` of the result: text, markdown or html")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(docFormats, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (a *app) showDocs(names []string, markdown bool) error {
	width := a.stdout().Style().Width
	switch {
	case len(names) == 0 && markdown:
		return docs.Markdown(a.out)
	case len(names) == 0:
		return docs.List(a.out, width)
	case strings.HasPrefix(names[0], "@"):
		m, err := docs.FindModule(names[0])
		switch {
		case err != nil:
			return err
		case markdown:
			return docs.MarkdownModule(a.out, m)
		}
		return docs.ModuleText(a.out, m, width)
	}
	e, argument, err := docs.Named(names[0])
	switch {
	case err != nil:
		return err
	case markdown && argument != "":
		return &diag.Diagnostic{Summary: names[0] + ": Markdown is of a builtin as a whole", Hint: "swarmscript docs --format markdown " + e.Name}
	case markdown:
		return docs.MarkdownEntry(a.out, e)
	case argument != "":
		return docs.Argument(a.out, e, argument, width)
	}
	return docs.Text(a.out, e, width)
}

// docNames are the names that docs knows, for completion.
func docNames() []string {
	var names []string
	for _, e := range docs.All() {
		names = append(names, e.Name)
	}
	modules, err := docs.Modules()
	if err != nil {
		return names // less is completed
	}
	for _, m := range modules {
		names = append(names, m.Name)
	}
	return names
}
