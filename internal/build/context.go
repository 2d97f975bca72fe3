package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/patternmatcher/ignorefile"
	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"

	"github.com/swarmscript/swarmscript/internal/diag"
)

// Context is the folder that an image is built from.
type Context struct {
	dir        string
	dockerfile string // its path in the folder, with slashes
	text       []byte // of the Dockerfile
	ignored    []string
	files      fsutil.FS
}

// Open returns the context in a folder, by the path of the Dockerfile in it. What
// it leaves out is in the ignore file beside the Dockerfile, as in
// web.Dockerfile.dockerignore, or else in .dockerignore; .swarmscript always is.
func Open(dir, dockerfile string) (*Context, error) {
	dockerfile = path.Clean(filepath.ToSlash(dockerfile))
	if !filepath.IsLocal(filepath.FromSlash(dockerfile)) {
		return nil, fmt.Errorf("the Dockerfile %s is outside the context", dockerfile)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("the context %s: %w", filepath.ToSlash(dir), diag.FileError(err))
	}
	defer root.Close()
	// A walk takes a folder that cannot be read for an empty one.
	if _, err := fs.ReadDir(root.FS(), "."); err != nil {
		return nil, fmt.Errorf("the context %s: %w", filepath.ToSlash(dir), diag.FileError(err))
	}
	c := &Context{dir: dir, dockerfile: dockerfile}
	if c.text, err = root.ReadFile(filepath.FromSlash(dockerfile)); err != nil {
		return nil, fmt.Errorf("the Dockerfile %s: %w", dockerfile, diag.FileError(err))
	}
	if c.ignored, err = ignores(root, dockerfile); err != nil {
		return nil, err
	}
	all, err := fsutil.NewFS(dir)
	if err != nil {
		return nil, fmt.Errorf("the context %s: %w", filepath.ToSlash(dir), diag.FileError(err))
	}
	c.files, err = fsutil.NewFilterFS(all, &fsutil.FilterOpt{ExcludePatterns: c.ignored, Map: asRoot})
	if err != nil {
		return nil, fmt.Errorf("its .dockerignore: %w", err)
	}
	return c, nil
}

// asRoot gives all files to root, as docker build does.
func asRoot(_ string, s *types.Stat) fsutil.MapResult {
	s.Uid, s.Gid = 0, 0
	return fsutil.MapResultKeep
}

func ignores(root *os.Root, dockerfile string) ([]string, error) {
	for _, name := range []string{dockerfile + ".dockerignore", ".dockerignore"} {
		text, err := root.ReadFile(filepath.FromSlash(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, diag.FileError(err))
		}
		patterns, err := ignorefile.ReadAll(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return append(patterns, ownFolder), nil
	}
	return []string{ownFolder}, nil
}

// ownFolder is where applies and labs keep what is theirs, keys too. It is written
// while an image is built, and belongs in none.
const ownFolder = "**/.swarmscript"

// maxEntries is how many digests are told one by one. With more files those of a
// folder are told together.
const maxEntries = 40

// Digests returns what is in the context, by path: of each file a digest of its
// content and permissions, or of all in a folder where there are many. Equal
// digests mean equal contexts.
func (c *Context) Digests(ctx context.Context) (map[string]string, error) {
	files := map[string][]byte{}
	err := c.files.Walk(ctx, "/", func(name string, e fs.DirEntry, err error) error {
		name = filepath.ToSlash(name)
		var sum []byte
		if err == nil {
			sum, err = c.digest(name, e)
		}
		if err != nil {
			return &fileError{name, diag.FileError(err)}
		}
		if e.IsDir() {
			name += "/"
		}
		files[name] = sum
		return nil
	})
	if err != nil {
		var at *fileError
		if errors.As(err, &at) {
			return nil, at
		}
		return nil, diag.FileError(err)
	}
	if files[c.dockerfile] == nil { // left out of what is copied; the build reads it
		sum := sha256.Sum256(c.text)
		files[c.dockerfile] = sum[:]
	}
	return together(files), nil
}

// fileError is a file that cannot be read. It hides what the error is: the walk
// takes a file that is not there for one that has gone.
type fileError struct {
	name string
	err  error
}

func (e *fileError) Error() string {
	return fmt.Sprintf("%s in the context: %v (a line in .dockerignore leaves it out)", e.name, e.err)
}

// digest is what one entry of the context stands for.
func (c *Context) digest(name string, e fs.DirEntry) ([]byte, error) {
	info, err := e.Info()
	if err != nil {
		return nil, err
	}
	stat, ok := info.Sys().(*types.Stat)
	if !ok {
		return nil, fmt.Errorf("it is described by a %T", info.Sys())
	}
	h := sha256.New()
	if info.Mode().IsRegular() {
		// Whether it is a hard link depends on how the folder came to be.
		fmt.Fprintf(h, "%o\n", stat.Mode)
		f, err := c.files.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if _, err := io.Copy(h, f); err != nil {
			return nil, err
		}
	} else {
		fmt.Fprintf(h, "%o %q\n", stat.Mode, stat.Linkname)
	}
	return h.Sum(nil), nil
}

// together puts the digests of files together, by folders where there are many of
// them. Folders are told by what is in them, empty ones by themselves.
func together(files map[string][]byte) map[string]string {
	entry := func(name string) string { return name }
	if len(files) > maxEntries {
		entry = func(name string) string {
			if first, _, in := strings.Cut(name, "/"); in {
				return first + "/"
			}
			return name
		}
	}
	parts := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		to := entry(name)
		parts[to] = append(parts[to], fmt.Sprintf("%q %x", name, files[name]))
	}
	if len(parts) > maxEntries {
		all := []string{}
		for _, name := range slices.Sorted(maps.Keys(parts)) {
			all = append(all, parts[name]...)
		}
		parts = map[string][]string{"./": all}
	}
	out := map[string]string{}
	for name, p := range parts {
		sum := sha256.Sum256([]byte(strings.Join(p, "\n")))
		out[name] = hex.EncodeToString(sum[:12])
	}
	return out
}
