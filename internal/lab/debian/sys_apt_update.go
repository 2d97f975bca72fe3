package debian

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
)

// update is apt-get update.
func (a *aptGet) update(ctx context.Context) int {
	if a.proc.who.UID != 0 {
		a.aptError("Could not open lock file %s/lock - open (13: Permission denied)", aptListsDir)
		return a.aptError("Unable to lock directory %s/", aptListsDir)
	}
	all, err := a.sys.readSources(a.list, a.parts)
	if err != nil {
		a.aptError("%s", err)
		return a.aptError("The list of sources could not be read.")
	}
	root := a.sys.fs.Root()
	if err := root.MkdirAll(aptListsDir+"/partial", 0o755); err != nil {
		return a.aptError("%s", reason(err))
	}
	keep := map[string]bool{"lock": true, "partial": true, "auxfiles": true}
	var failed []string
	for n, src := range all {
		problem, unsigned := a.sys.fetch(src)
		switch {
		case problem != "":
			a.printf("Err:%d %s InRelease\n  %s\n", n+1, src, problem)
			failed = append(failed, a.failedSource(src, problem, unsigned))
			continue
		case root.Exists(aptListsDir + "/" + src.release()):
			a.printf("Hit:%d %s InRelease\n", n+1, src)
		default:
			a.printf("Get:%d %s InRelease [%d kB]\n", n+1, src, 40+len(src.suite))
		}
		err := root.WriteFile(aptListsDir+"/"+src.release(), []byte("Suite: "+src.suite+"\nCodename: "+src.suite+"\n"), 0o644)
		keep[src.release()] = true
		for _, component := range src.components {
			keep[src.index(component)] = true
			err = errors.Join(err, root.WriteFile(aptListsDir+"/"+src.index(component), []byte("# swarmscript lab: see apt-cache\n"), 0o644))
		}
		if err != nil {
			return a.aptError("%s", reason(err))
		}
	}
	if entries, _ := root.ReadDir(aptListsDir); a.cleanup {
		for _, e := range entries {
			if !keep[e.Name] {
				root.Unlink(path.Join(aptListsDir, e.Name))
			}
		}
	}
	a.printf("Reading package lists...\n")
	a.flush()
	if len(failed) == 0 {
		return 0
	}
	for _, text := range failed {
		fmt.Fprintln(a.stderr, text)
	}
	return a.aptError("Some index files failed to download. They have been ignored, or old ones used instead.")
}

func (a *aptGet) failedSource(src source, problem string, unsigned bool) string {
	if unsigned {
		return fmt.Sprintf("W: GPG error: %s InRelease: %s\nE: The repository '%s InRelease' is not signed.", src, problem, src)
	}
	if strings.HasPrefix(problem, "404") {
		return fmt.Sprintf("E: The repository '%s Release' does not have a Release file.\nE: %s", src, problem)
	}
	return fmt.Sprintf("E: Failed to fetch %s/dists/%s/InRelease  %s", strings.TrimSuffix(src.uri, "/"), src.suite, problem)
}
