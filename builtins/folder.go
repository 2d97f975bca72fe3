package builtins

import (
	"os"
	"path/filepath"

	"github.com/swarmscript/swarmscript/lang"
)

// folder reads the folder of the script's that a kind is made from.
func (c *call) folder() {
	if c.kind.Folder == nil || c.failed || lang.Loading(c.thread) {
		return
	}
	name := ""
	digest, problems := c.kind.Folder(c.decl.Args, func(path string) (string, error) {
		dir, fromRoot, err := c.s.Folder(c.thread, path)
		if err != nil {
			return "", err
		}
		name = fromRoot
		return shortest(dir), nil
	})
	c.problems(problems)
	if digest != nil {
		c.s.Record("folder", name, digest, false)
	}
}

// shortest is a path from where the program runs, if there is one: it is shown,
// and kept in saved plans, which are applied elsewhere.
func shortest(dir string) string {
	if here, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(here, dir); err == nil {
			return rel
		}
	}
	return dir
}
