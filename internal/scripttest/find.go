package scripttest

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/lang"
)

const (
	fileSuffix = "_test.star"
	testPrefix = "test_"
)

// File is a file of tests.
type File struct {
	// Path is the file as a person would name it, from the current folder.
	Path  string
	Tests []string // in source order; those that were asked for

	src []byte
}

// Find returns the files of tests that paths stand for: a file itself, or all
// *_test.star in a folder and below. Hidden folders are left alone, and so are
// those named testdata. Of the tests, those that pick matches, by FILE:NAME; nil
// matches all. The error has every file that cannot be read as tests.
func Find(paths []string, pick *regexp.Regexp) ([]*File, error) {
	var names []string
	var errs []error
	for _, p := range paths {
		found, err := files(p)
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("%s has no tests: they are functions %s*(t) in files named *%s", p, testPrefix, fileSuffix)
		}
		errs = append(errs, err)
		names = append(names, found...)
	}
	var out []*File
	var problems diag.List
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		f, err := open(name, pick)
		if err != nil {
			problems = append(problems, diag.From(err)...)
		} else if len(f.Tests) > 0 {
			out = append(out, f)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, problems.Err())
	}
	return out, problems.Err()
}

// files are the files that a path stands for.
func files(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{filepath.Clean(path)}, nil
	}
	var out []string
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != path && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return filepath.SkipDir
		case d.Type().IsRegular() && strings.HasSuffix(d.Name(), fileSuffix):
			out = append(out, p)
		}
		return nil
	})
	return out, err
}

// open reads which tests a file has.
func open(path string, pick *regexp.Regexp) (*File, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	functions, err := lang.Functions(filepath.ToSlash(path), src)
	if err != nil {
		return nil, err
	}
	f := &File{Path: filepath.ToSlash(path), src: src}
	var problems diag.List
	first := map[string]diag.Pos{}
	for _, fn := range functions {
		if !strings.HasPrefix(fn.Name, testPrefix) {
			continue
		}
		if at, twice := first[fn.Name]; twice {
			problems = append(problems, &diag.Diagnostic{Pos: fn.Pos, Summary: fn.Name + " is defined twice, and only the last would be run",
				Related: []diag.Note{{Pos: at, Text: "the first is here"}}})
			continue
		}
		first[fn.Name] = fn.Pos
		if fn.Params != 1 {
			problems = append(problems, &diag.Diagnostic{Pos: fn.Pos, Summary: fmt.Sprintf("%s has %d parameters: a test has one, t", fn.Name, fn.Params)})
		}
		if pick == nil || pick.MatchString(f.Path+":"+fn.Name) {
			f.Tests = append(f.Tests, fn.Name)
		}
	}
	if len(first) == 0 && len(problems) == 0 {
		problems = append(problems, &diag.Diagnostic{Pos: diag.Pos{File: f.Path}, Summary: "there is no function " + testPrefix + "*(t) in it"})
	}
	slices.SortStableFunc(problems, func(a, b *diag.Diagnostic) int { return cmp.Compare(a.Pos.Line, b.Pos.Line) })
	return f, problems.Err()
}

// dir is the folder that a file's own paths are relative to.
func (f *File) dir() string { return filepath.Dir(filepath.FromSlash(f.Path)) }
