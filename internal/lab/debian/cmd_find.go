package debian

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// finding is one run of find.
type finding struct {
	c        *call
	ctx      context.Context
	now      time.Time
	min, max int
	depth    bool // what is in a folder comes before it
	acts     bool // an action was given, so nothing is printed otherwise
	code     int
	quit     bool
	pruned   bool
	batches  []*batch
}

// found is what find looks at.
type found struct {
	path string
	st   Stat
	deep int
}

// condition is one test or action.
type condition func(f *finding, at found) bool

// batch is what -exec ... + collects.
type batch struct {
	args  []string
	paths []string
}

func findProgram(ctx context.Context, c *call) int {
	args := c.args[1:]
	for len(args) > 0 && (args[0] == "-H" || args[0] == "-P" || args[0] == "-L") {
		if args[0] == "-L" {
			return c.notSimulated("option -L")
		}
		args = args[1:]
	}
	var paths []string
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") && args[0] != "(" && args[0] != "!" {
		paths, args = append(paths, args[0]), args[1:]
	}
	if len(paths) == 0 {
		paths = []string{"."}
	}
	f := &finding{c: c, ctx: ctx, now: time.Now(), max: 1 << 30}
	p := &findParser{f: f, args: args}
	test := func(*finding, found) bool { return true }
	if len(args) > 0 {
		var err error
		test, err = p.all()
		if err != nil {
			if errors.Is(err, errSaid) {
				return 1
			}
			return c.fail(1, "%v", err)
		}
	}
	if !f.acts {
		inner := test
		test = func(f *finding, at found) bool {
			if inner(f, at) {
				f.c.printf("%s\n", at.path)
			}
			return true
		}
	}
	for _, start := range paths {
		st, err := c.fs.Lstat(start)
		if err != nil {
			c.warnf("%s: %s", findQuoted(start), reason(err))
			f.code = 1
			continue
		}
		st.Name = lastName(start)
		f.visit(test, found{start, st, 0})
	}
	for _, b := range f.batches {
		if len(b.paths) > 0 && f.c.spawn(ctx, slices.Concat(b.args, b.paths), nil) != 0 {
			f.code = 1
		}
	}
	return f.code
}

func findQuoted(s string) string { return "'" + s + "'" }

func (f *finding) visit(test condition, at found) {
	if f.quit || f.ctx.Err() != nil {
		return
	}
	f.pruned = false
	if !f.depth && at.deep >= f.min {
		test(f, at)
	}
	if at.st.IsDir() && at.deep < f.max && !(f.pruned && !f.depth) {
		list, err := f.c.fs.ReadDir(at.path)
		if err != nil {
			f.c.warnf("%s: %s", findQuoted(at.path), reason(err))
			f.code = 1
		}
		for _, e := range list {
			inner := at.path + "/" + e.Name
			if strings.HasSuffix(at.path, "/") {
				inner = at.path + e.Name
			}
			f.visit(test, found{inner, e, at.deep + 1})
		}
	}
	if f.depth && at.deep >= f.min && !f.quit {
		test(f, at)
	}
}
