package host

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// What a machine keeps of us. A mark is a file of its own, which the step that
// changes the object writes in the same command, before the change: a step that
// is cut short leaves a mark too many, never one too few, and two writers of
// different objects do not meet.
//
//	/var/lib/swarmscript/
//	  project/shop%2Fprod/lease
//	  project/shop%2Fprod/marks/file-1f2e...   one line of JSON: a record
//	  backup/file-1f2e...                      what was there before us; not there where nothing was
const root = "/var/lib/swarmscript"

// record is what a machine keeps of one object of ours.
type record struct {
	Kind string        `json:"kind"`
	Name string        `json:"name"`
	Mark resource.Mark `json:"mark"`
	// Note is what the kind wants to remember beside it.
	Note json.RawMessage `json:"note,omitempty"`

	// before is set where something was there before us, which a deletion puts back.
	before bool
}

func newRecord(kind, name string, m resource.Mark, note any) (*record, error) {
	rec := &record{Kind: kind, Name: name, Mark: m}
	if note == nil {
		return rec, nil
	}
	raw, err := json.Marshal(note)
	rec.Note = raw
	return rec, err
}

// idOf is the ID of an object: nothing tells two files at one path apart.
func idOf(kind, name string) string { return kind + ":" + name }

// uniqueID tells the same thing of two machines apart, by how they are reached:
// machines that were cloned share what they think of themselves.
func (c *Conn) uniqueID(id string) string { return c.host.Name() + " " + id }

// fileOf is the name of the files that are kept of an object.
func fileOf(kind, name string) string {
	sum := sha256.Sum256([]byte(idOf(kind, name)))
	return kind + "-" + hex.EncodeToString(sum[:12])
}

// projectDir is the folder of a project.
func projectDir(project string) string {
	name := strings.ReplaceAll(url.PathEscape(project), ".", "%2E")
	return root + "/project/" + "p" + name
}

// store begins a script that keeps something of an object: it sets
//
//	B  what was there before us, if that exists
//	M  the object's mark
//	known   whether a project has marked the object
//	keep    writes its mark, and takes the other projects' away
//	forget  removes the mark and what was kept beside it
func store(project, kind, name string, rec *record) (string, error) {
	text := []byte{}
	if rec != nil {
		var err error
		if text, err = json.Marshal(rec); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf(`set -eu
store=%s mine=%s object=%s record=%s
B=$store/backup/$object M=$mine/marks/$object
known() { for m in "$store"/project/*/marks/"$object"; do if [ -e "$m" ]; then return 0; fi; done; return 1; }
keep() {
  (umask 077; mkdir -p "$mine/marks" "$store/backup"; printf '%%s\n' "$record" >"$M.new"; sync "$M.new"; mv -f "$M.new" "$M")
  for m in "$store"/project/*/marks/"$object"; do if [ "$m" != "$M" ]; then rm -f "$m"; fi; done
}
forget() { rm -rf "$B" "$M"; }
`, remote.Quote(root), remote.Quote(projectDir(project)), remote.Quote(fileOf(kind, name)), remote.Quote(string(text))), nil
}

// change is a step that changes an object.
type change struct {
	name string
	note any // what the kind wants to remember; nil for nothing
	// after is note once the script has ended well; nil where it is the same.
	after any
	// check ends with fail where the change must not begin.
	check string
	// save is run first where no project has marked the object yet: it puts what
	// is there into $B.new, if anything is.
	save   string
	script string
	// late is set where the mark says that the script was run, not that it may
	// have been: it is kept afterwards.
	late bool
	data []byte // what the script reads from its standard input
}

// write changes an object and keeps its mark, in one command. It returns what
// the script printed.
func (c *Conn) write(ctx context.Context, r *resource.Request, ch change) ([]byte, error) {
	kind := r.Address.Kind()
	rec, err := newRecord(kind, ch.name, r.Mark, ch.note)
	if err != nil {
		return nil, err
	}
	begin, err := store(r.Mark.Project, kind, ch.name, rec)
	if err != nil {
		return nil, err
	}
	end := ""
	if ch.after != nil {
		rec, err := newRecord(kind, ch.name, r.Mark, ch.after)
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(rec)
		if err != nil {
			return nil, err
		}
		end = "record=" + remote.Quote(string(text)) + "\nkeep\n"
	}
	first := `if ! known; then
  rm -rf "$B" "$B.new"
  (umask 077; mkdir -p "$store/backup")
  ` + ch.save + `
  if [ -e "$B.new" ] || [ -L "$B.new" ]; then mv -T "$B.new" "$B"; fi
fi
`
	if ch.late {
		return c.run(ctx, begin+ch.check+"\n"+ch.script+"\nkeep\n", ch.data)
	}
	return c.run(ctx, begin+ch.check+"\n"+first+"keep\n"+ch.script+"\n"+end, ch.data)
}

// drop removes an object, or puts back what was there before us, and then
// forgets it. The script has $B where something was there. What no step of ours
// has marked is not ours to remove.
func (c *Conn) drop(ctx context.Context, r *resource.Request, script string) error {
	begin, err := store(r.Live.Mark.Project, r.Live.Kind, r.Live.Name, nil)
	if err != nil {
		return err
	}
	_, err = c.run(ctx, begin+`[ -e "$M" ] || exit 0`+"\n"+script+"\nforget\n", nil)
	return err
}

// asBefore is the ending of what was there before us: it goes back to what it was.
// Where no step of ours has changed it, nothing of it is removed.
func asBefore(live *resource.Object, anew bool) string {
	switch rec, _ := live.Native.(record); {
	case anew:
		return ""
	case rec.Kind == "":
		return "it was so before us, and stays"
	case rec.before:
		return "goes back to what it was before us"
	}
	return ""
}

// readBackups prints the files of what was there before us: that of a unit, of
// which the state is always kept, where there was one.
const readBackups = `cd ` + root + `/backup || exit 0
for b in *; do
  case $b in *.new) continue ;; esac
  load=
  if [ -f "$b/state" ]; then read -r load rest <"$b/state"; fi
  [ "$load" = not-found ] || printf '%s\n' "$b"
done`

// readMarks prints the marks of all projects, each after the path of its file.
const readMarks = `find ` + root + `/project -path '*/marks/*' -type f ! -name '*.new' -exec grep -H '' {} +`

// parseMarks reads what readMarks printed, by project and ID.
func parseMarks(out []byte) (map[string]map[string]record, error) {
	all := map[string]map[string]record{}
	for line := range bytes.Lines(out) {
		path, text, ok := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(":"))
		var rec record
		if !ok || json.Unmarshal(text, &rec) != nil || rec.Kind == "" || rec.Name == "" {
			return nil, fmt.Errorf("%s on the machine is damaged: remove it, and the object that it marked is nobody's", path)
		}
		p := rec.Mark.Project
		if all[p] == nil {
			all[p] = map[string]record{}
		}
		all[p][idOf(rec.Kind, rec.Name)] = rec
	}
	return all, nil
}

// changed returns marks as they are after a change, which goes by the IDs that
// observations have.
func (c *Conn) changed(before map[string]resource.Mark, change func(map[string]resource.Mark)) map[string]resource.Mark {
	prefix := c.uniqueID("")
	marks := map[string]resource.Mark{}
	for id, m := range before {
		marks[prefix+id] = m
	}
	change(marks)
	after := map[string]resource.Mark{}
	for id, m := range marks {
		after[strings.TrimPrefix(id, prefix)] = m
	}
	return after
}

// SaveMarks implements [resource.Marker].
func (c *Conn) SaveMarks(ctx context.Context, project string, change func(map[string]resource.Mark)) error {
	out, err := c.run(ctx, readMarks+" || true\n", nil)
	if err != nil {
		return err
	}
	all, err := parseMarks(out)
	if err != nil {
		return err
	}
	before := map[string]resource.Mark{}
	for id, rec := range all[project] {
		before[id] = rec.Mark
	}
	marks := c.changed(before, change)
	var script strings.Builder
	for _, id := range slices.Sorted(maps.Keys(marks)) {
		kind, name, ok := strings.Cut(id, ":")
		if m := marks[id]; !ok || m.Equal(before[id]) {
			continue
		}
		rec := all[project][id]
		rec.Kind, rec.Name, rec.Mark = kind, name, marks[id]
		text, err := store(project, kind, name, &rec)
		if err != nil {
			return err
		}
		script.WriteString("(" + text + "keep\n)\n")
	}
	for _, id := range slices.Sorted(maps.Keys(before)) {
		if _, stays := marks[id]; !stays {
			kind, name, _ := strings.Cut(id, ":")
			fmt.Fprintf(&script, "rm -f %s\n", remote.Quote(projectDir(project)+"/marks/"+fileOf(kind, name)))
		}
	}
	if script.Len() == 0 {
		return nil
	}
	_, err = c.run(ctx, "set -e\n"+script.String(), nil)
	return err
}

var _ resource.Marker = (*Conn)(nil)
