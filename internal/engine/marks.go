package engine

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// Labels of an engine's networks and volumes are set when they are made and
// never again. What was adopted or moved has its mark beside it: in the label of
// another volume, of which each change makes a new generation, as a lease does
// (lease.go). The project's lease keeps writers apart; a volume's first label
// wins, so that two without one cannot both think that they were last.

// labelMarks holds marks as JSON, by the objects' IDs.
const labelMarks = "swarmscript.marks"

func marksBase(project string) string { return projectBase(project) + ".marks." }

// marksIn returns the generations of a project's marks, oldest first.
func marksIn(volumes []*volume.Volume, project string) []generation {
	var out []generation
	base := marksBase(project)
	for _, v := range volumes {
		num, ok := strings.CutPrefix(v.Name, base)
		n, err := strconv.Atoi(num)
		if ok && err == nil && v.Labels[labelProject] == project {
			out = append(out, generation{n, v.Labels[labelMarks]})
		}
	}
	slices.SortFunc(out, func(a, b generation) int { return a.n - b.n })
	return out
}

// newestMarks returns the marks that the newest generation holds.
func newestMarks(volumes []*volume.Volume, project string) (map[string]resource.Mark, error) {
	gens := marksIn(volumes, project)
	if project == "" || len(gens) == 0 {
		return nil, nil
	}
	last := gens[len(gens)-1]
	var marks map[string]resource.Mark
	if err := json.Unmarshal([]byte(last.text), &marks); err != nil {
		return nil, fmt.Errorf("volume %s%d: the project's marks are damaged: %w", marksBase(project), last.n, err)
	}
	return marks, nil
}

// marksOfOthers returns what other projects than one have marked so. Marks that
// cannot be read are their project's problem.
func marksOfOthers(volumes []*volume.Volume, project string) map[string]resource.Mark {
	var all map[string]resource.Mark
	seen := map[string]bool{project: true, "": true}
	for _, v := range volumes {
		p := v.Labels[labelProject]
		if seen[p] || v.Labels[labelMarks] == "" {
			continue
		}
		seen[p] = true
		marks, err := newestMarks(volumes, p)
		if err != nil || len(marks) == 0 {
			continue
		}
		if all == nil {
			all = map[string]resource.Mark{}
		}
		maps.Copy(all, marks)
	}
	return all
}

// SaveMarks implements [resource.Marker].
func (c *Conn) SaveMarks(ctx context.Context, project string, change func(map[string]resource.Mark)) error {
	c.marks.Lock() // the steps of one run
	defer c.marks.Unlock()
	api, base := c.Docker(), marksBase(project)
	got, err := api.VolumeList(ctx, volume.ListOptions{Filters: filters.NewArgs(filters.Arg("name", base))})
	if err != nil {
		return remote.Err(err)
	}
	marks, err := newestMarks(got.Volumes, project)
	if err != nil {
		return err
	}
	before := maps.Clone(marks)
	if marks == nil {
		marks = map[string]resource.Mark{}
	}
	change(marks)
	if maps.EqualFunc(before, marks, resource.Mark.Equal) {
		return nil
	}
	gens := marksIn(got.Volumes, project)
	if len(marks) > 0 {
		next := 1
		if len(gens) > 0 {
			next = gens[len(gens)-1].n + 1
		}
		if err := c.writeMarks(ctx, project, next, marks); err != nil {
			return err
		}
	}
	for _, g := range gens { // oldest first: the newest that is there counts
		if err := remote.Err(api.VolumeRemove(ctx, base+strconv.Itoa(g.n), false)); err != nil && !remote.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// writeMarks makes a generation, or returns a conflict.
func (c *Conn) writeMarks(ctx context.Context, project string, n int, marks map[string]resource.Mark) error {
	text, err := json.Marshal(marks)
	if err != nil {
		return err
	}
	me := rand.Text()
	made, err := c.Docker().VolumeCreate(ctx, volume.CreateOptions{
		Name: marksBase(project) + strconv.Itoa(n), Driver: "local",
		Labels: map[string]string{labelProject: project, labelMarks: string(text), labelNonce: me},
	})
	if err != nil {
		return remote.Err(err)
	}
	if made.Labels[labelNonce] != me {
		return fmt.Errorf("the marks of %s: %w", project, resource.ErrConflict)
	}
	return nil
}

var _ resource.Marker = (*Conn)(nil)
