package main

import (
	"strconv"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/ui"
)

// machineList is what `ls` shows of a provider's machines.
type machineList struct {
	lines any // as JSON
	table ui.Table
	none  string // said where there are none
}

// machineList is the verb ls. The JSON object has the list under a key.
func (a *app) machineList(short, key string, find func(*cobra.Command) (*machineList, error)) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "ls", Aliases: []string{"list"}, Short: short, Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := find(cmd)
			switch {
			case err != nil:
				return err
			case asJSON:
				return ui.PrettyJSON(a.out, map[string]any{key: list.lines})
			case len(list.table.Rows) == 0:
				a.notef("%s", list.none)
				return nil
			}
			return ui.WriteTable(a.out, list.table, a.stdout().Style())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on standard output")
	return cmd
}

// limitCells are the last of a machine's row: the most that it may use, if there
// is a limit.
func limitCells(cpus float64, memory int64) []string {
	cells := []string{"-", "-"}
	if cpus > 0 {
		cells[0] = strconv.FormatFloat(cpus, 'f', -1, 64)
	}
	if memory > 0 {
		cells[1] = units.BytesSize(float64(memory))
	}
	return cells
}
