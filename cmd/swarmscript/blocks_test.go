package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/swarmscript/swarmscript/internal/run"
)

// block is a fenced block of a Markdown file.
type block struct {
	line int
	info string // what follows the fence: python error="..."
	text string
}

func blocksOf(t *testing.T, file string) []block {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", file))
	if err != nil {
		t.Fatal(err)
	}
	var out []block
	var open *block
	for i, l := range strings.Split(string(text), "\n") {
		switch {
		case strings.HasPrefix(l, "```") && open == nil:
			open = &block{line: i + 1, info: strings.TrimPrefix(l, "```")}
		case strings.HasPrefix(l, "```"):
			out = append(out, *open)
			open = nil
		case open != nil:
			open.text += l + "\n"
		}
	}
	if open != nil {
		t.Fatalf("%s:%d: the block does not end", file, open.line)
	}
	return out
}

// option is NAME="..." in a block's info.
func (b block) option(name string) string {
	_, rest, ok := strings.Cut(b.info, " "+name+"=")
	if !ok {
		return ""
	}
	if strings.HasPrefix(rest, `"`) {
		return strings.ReplaceAll(rest[1:strings.LastIndex(rest, `"`)], `\"`, `"`)
	}
	rest, _, _ = strings.Cut(rest, " ")
	return rest
}

// Every block of the documentation is what it says: a script that is right, or
// is wrong with that error; command lines that exist; output is not ours to
// check and has no language.
//
//	```python                 is evaluated, and right
//	```python error="REGEXP"  is evaluated, and wrong with that
//	```python file=PATH       is a file for those after it, as are ```dockerfile file=PATH and ```yaml file=PATH
//	```sh                     lines that begin with $ are swarmscript's, run from source or not, or make's
func TestDocumentation(t *testing.T) {
	for _, file := range []string{"README.md", "spec.md"} {
		dir := t.TempDir()
		seen := 0
		for _, b := range blocksOf(t, file) {
			language, _, _ := strings.Cut(b.info, " ")
			var problem string
			switch language {
			case "python":
				seen++
				problem = b.evaluate(t, dir)
			case "sh":
				seen++
				problem = b.commands(t)
			case "dockerfile", "yaml":
				if b.option("file") == "" {
					problem = "it is no file for those after it"
				} else {
					problem = b.evaluate(t, dir)
				}
			case "":
			default:
				problem = "nothing checks blocks of " + language
			}
			if problem != "" {
				t.Errorf("%s:%d: %s", file, b.line, problem)
			}
		}
		if seen == 0 {
			t.Errorf("%s has no block that is checked", file)
		}
	}
}

func (b block) evaluate(t *testing.T, dir string) string {
	name := b.option("file")
	if name == "" {
		name = "block.star"
	}
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(b.text), 0o644); err != nil {
		t.Fatal(err)
	}
	if b.option("file") != "" {
		return ""
	}
	_, err := run.Evaluate(t.Context(), run.Options{File: path, Env: func(string) (string, bool) { return "", false }})
	want := b.option("error")
	switch {
	case want == "" && err != nil:
		return err.Error()
	case want != "" && err == nil:
		return "there is no error"
	case want != "" && !regexp.MustCompile(want).MatchString(err.Error()):
		return "the error is " + err.Error()
	}
	return ""
}

func (b block) commands(t *testing.T) string {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range strings.Split(b.text, "\n") {
		l, ok := strings.CutPrefix(l, "$ ")
		if !ok {
			continue
		}
		l, _, _ = strings.Cut(l, " #")
		words := strings.Fields(l)
		if program, ok := strings.CutPrefix(l, "go run ./cmd/swarmscript "); ok {
			words = append([]string{"swarmscript"}, strings.Fields(program)...)
		}
		switch words[0] {
		case "swarmscript":
			if problem := parses(words[1:]); problem != "" {
				return l + ": " + problem
			}
		case "make":
			if !strings.Contains(string(makefile), "\n"+words[1]+":") {
				return l + ": there is no such target"
			}
		case "git", "cd", "export":
		default:
			return l + ": nothing checks this command"
		}
	}
	return ""
}

// parses says what is wrong with a command line, which is not run.
func parses(args []string) string {
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv, lookupEnv: os.LookupEnv}
	root := a.command()
	root.InitDefaultCompletionCmd(args...)
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err.Error()
	}
	if cmd == root {
		return "there is no such verb"
	}
	if err := cmd.ParseFlags(rest); err != nil && err != pflag.ErrHelp {
		return err.Error()
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		return err.Error()
	}
	return ""
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// What the documentation links to is there.
func TestLinks(t *testing.T) {
	for _, file := range []string{"README.md", "spec.md", "CHANGELOG.md"} {
		text, err := os.ReadFile(filepath.Join("../..", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			if target == "" {
				target = file
			}
			at, err := os.ReadFile(filepath.Join("../..", target))
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			if anchor != "" && !strings.Contains(headings(string(at)), "\n"+anchor+"\n") {
				t.Errorf("%s: %s has no heading #%s", file, target, anchor)
			}
		}
	}
}

// headings are the anchors of a Markdown text, a line each.
func headings(text string) string {
	drop := regexp.MustCompile("[^a-z0-9 _-]")
	out := "\n"
	for _, l := range strings.Split(text, "\n") {
		if h := strings.TrimLeft(l, "#"); h != l && strings.HasPrefix(h, " ") {
			out += strings.ReplaceAll(drop.ReplaceAllString(strings.ToLower(strings.TrimSpace(h)), ""), " ", "-") + "\n"
		}
	}
	return out
}
