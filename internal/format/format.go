// Package format lays scripts out the one way: buildtools' formatter, which
// Starlark's users know from elsewhere, applied only to what our own parser
// takes.
package format

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/bazelbuild/buildtools/build"
	"github.com/rogpeppe/go-internal/diff"

	"github.com/swarmscript/swarmscript/lang"
)

// Source returns a script's text laid out. The error is a diag.List.
//
// The formatter's own parser takes more than the language has, such as
// annotations of types; so the language's goes first. And its result is parsed
// again: whatever the formatter gets wrong, it does not break a script.
func Source(name string, text []byte) ([]byte, error) {
	if err := lang.Parse(name, text); err != nil {
		return nil, err
	}
	f, err := build.ParseDefault(name, text)
	if err != nil {
		return nil, fmt.Errorf("%s: the formatter does not understand it: %w", name, err)
	}
	out := build.Format(f)
	if err := lang.Parse(name, out); err != nil {
		return nil, fmt.Errorf("%s: the formatter would break it, so it was left as it is: %w", name, err)
	}
	return out, nil
}

// Files returns the scripts that a path stands for: a file itself, whatever
// its name, or all .star files in a folder and below. Hidden folders are left
// alone, as are links.
func Files(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var files []string
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != path && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		case d.Type().IsRegular() && filepath.Ext(p) == ".star":
			files = append(files, p)
		}
		return nil
	})
	return files, err
}

// Write replaces a file's text at once, keeping its mode: who reads it
// meanwhile sees the old text or the new one. A link stays a link.
func Write(path string, text []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".fmt-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already where all went well
	_, err = f.Write(text)
	if cerr := f.Chmod(info.Mode().Perm()); err == nil {
		err = cerr
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Diff returns a unified diff, nothing where the texts are equal.
func Diff(name string, before, after []byte) []byte {
	if bytes.Equal(before, after) {
		return nil
	}
	return diff.Diff(name, before, name+" (formatted)", after)
}
