package scripttest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/diff"
	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/run"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/ui"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

// The first assertion that fails ends the test.
var assertMethods = []method{
	{"equal", `t.equal(got, want, msg="")`, "fails where the two differ, and says how", (*test).equal},
	{"true", `t.true(cond, msg="")`, "fails where it is not true", (*test).isTrue},
	{"contains", `t.contains(container, item, msg="")`, "fails where the item is not in it: a list, a dict's keys, text in text", (*test).contains},
	{"fails", `t.fails(fn, pattern="", vars={}, env={})`, "fails where fn does not fail, or not with an error that the regular expression matches; returns the error's text", (*test).fails},
	{"eventually", `t.eventually(fn, within="30s", msg="")`, "calls fn until no assertion in it fails and it returns nothing or something true; returns that", (*test).eventually},
	{"golden", `t.golden(got, name=t.name)`, "compares the text of a plan, or any text, with the file testdata/NAME.golden beside the test, in which the names of the lab's machines stand for their addresses; swarmscript test --update writes it", (*test).goldenFile},
	{"fail", `t.fail(msg)`, "fails", (*test).failBuiltin},
	{"log", `t.log(*values)`, "says something, which is shown where the test fails, and with -v", (*test).logBuiltin},
	{"skip", `t.skip(why)`, "ends the test, which neither passes nor fails", (*test).skip},
}

func (t *test) equal(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var got, want starlark.Value
	var msg string
	if err := starlark.UnpackArgs("t.equal", args, kwargs, "got", &got, "want", &want, "msg?", &msg); err != nil {
		return nil, err
	}
	same, err := lang.Equal(thread, got, want)
	if err != nil {
		return nil, err
	}
	if same {
		return starlark.None, nil
	}
	summary, detail := difference(got, want)
	return nil, t.fail(thread, prefixed(msg, summary), detail)
}

func (t *test) isTrue(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var cond starlark.Value
	var msg string
	if err := starlark.UnpackArgs("t.true", args, kwargs, "cond", &cond, "msg?", &msg); err != nil {
		return nil, err
	}
	ok, err := lang.Truth(cond)
	if err != nil || ok {
		return starlark.None, err
	}
	return nil, t.fail(thread, prefixed(msg, "it is "+short(cond)), "")
}

func (t *test) contains(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var in, item starlark.Value
	var msg string
	if err := starlark.UnpackArgs("t.contains", args, kwargs, "container", &in, "item", &item, "msg?", &msg); err != nil {
		return nil, err
	}
	ok, err := lang.Contains(thread, item, in)
	if err != nil || ok {
		return starlark.None, err
	}
	return nil, t.fail(thread, prefixed(msg, short(item)+" is not in it"), lang.Text(in))
}

func (t *test) failBuiltin(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var msg string
	if err := starlark.UnpackArgs("t.fail", args, kwargs, "msg", &msg); err != nil {
		return nil, err
	}
	return nil, t.fail(thread, msg, "")
}

func (t *test) logBuiltin(_ *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if err := starlark.UnpackArgs("t.log", nil, kwargs); err != nil {
		return nil, err
	}
	words := make([]string, len(args))
	for i, v := range args {
		words[i] = plainText(v)
	}
	t.say(strings.Join(words, " "))
	return starlark.None, nil
}

// errSkipped ends a test that is skipped.
var errSkipped = errors.New("skipped")

func (t *test) skip(_ *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var why string
	if err := starlark.UnpackArgs("t.skip", args, kwargs, "why", &why); err != nil {
		return nil, err
	}
	t.skipped = &why
	return nil, errSkipped
}

// fails tries a script, or a function, whose own calls may be what fails.
func (t *test) fails(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var pattern string
	w, err := t.wishes("t.fails", args, kwargs, "pattern?", &pattern)
	if err != nil {
		return nil, err
	}
	rx, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("t.fails: for parameter pattern: %w", err)
	}
	before := t.planned
	err = t.session.Try(func() error {
		s, err := w.script.make(thread, t.options(w))
		if err != nil || len(s.Program.Declarations) == 0 {
			return err
		}
		p, err := t.planScript(s)
		if p != nil {
			err = errors.Join(err, p.Close())
		}
		return err
	})
	if cause := t.cancelled(); cause != nil {
		return nil, cause
	}
	if t.skipped != nil {
		return nil, errSkipped
	}
	if err == nil {
		return nil, t.fail(thread, "it did not fail", "")
	}
	t.planned = before // what is wrong has no plan
	text := messages(err)
	if !rx.MatchString(text) {
		return nil, t.fail(thread, fmt.Sprintf("it failed otherwise than with %q", pattern), text)
	}
	return starlark.String(text), nil
}

// messages are the problems of an error, a line each, with what explains them.
func messages(err error) string {
	var lines []string
	for _, d := range diag.From(err) {
		line := d.Summary
		if d.Hint != "" {
			line += " (" + d.Hint + ")"
		}
		lines = append(lines, line)
		if d.Detail != "" {
			lines = append(lines, d.Detail)
		}
	}
	return strings.Join(lines, "\n")
}

// pollPause is how long eventually waits between two tries.
const pollPause = 100 * time.Millisecond

var durations = &schema.Type{Kind: schema.Duration}

func (t *test) eventually(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var fn starlark.Callable
	var within starlark.Value = starlark.String("30s")
	var msg string
	if err := starlark.UnpackArgs("t.eventually", args, kwargs, "fn", &fn, "within?", &within, "msg?", &msg); err != nil {
		return nil, err
	}
	limit, err := seconds(within)
	if err != nil {
		return nil, fmt.Errorf("t.eventually: for parameter within: %w", err)
	}
	for begun := time.Now(); ; {
		var v starlark.Value
		err := t.session.Try(func() (err error) {
			v, err = starlark.Call(thread, fn, nil, nil)
			return err
		})
		if cause := t.cancelled(); cause != nil {
			return nil, cause
		}
		if t.skipped != nil {
			return nil, errSkipped
		}
		ok := v == starlark.None
		if err == nil && !ok {
			if ok, err = lang.Truth(v); err != nil {
				return nil, err
			}
		}
		if err == nil && ok {
			return v, nil
		}
		if time.Since(begun) >= limit {
			why := "it returns"
			if err != nil {
				why = "its error is: " + messages(err)
			} else {
				why += " " + lang.Text(v)
			}
			return nil, t.fail(thread, prefixed(msg, fmt.Sprintf("it did not become so within %s", limit)), why)
		}
		select {
		case <-time.After(pollPause):
		case <-t.ctx.Done():
		}
	}
}

// seconds reads a duration: "30s", or a number of seconds.
func seconds(v starlark.Value) (time.Duration, error) {
	given, err := lang.ToValue(v)
	if err != nil {
		return 0, err
	}
	checked, problems := durations.Check(given)
	if problems != nil {
		return 0, problems
	}
	n, ok := checked.(int64)
	if !ok || n <= 0 {
		return 0, fmt.Errorf("got %s, want more than no time", value.Text(given))
	}
	return time.Duration(n), nil
}

// goldenFile compares a text with the one in a file.
func (t *test) goldenFile(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var got starlark.Value
	name := t.name
	if err := starlark.UnpackArgs("t.golden", args, kwargs, "got", &got, "name?", &name); err != nil {
		return nil, err
	}
	if !goldenName().MatchString(name) {
		return nil, fmt.Errorf("t.golden: for parameter name: got %q, want letters, digits, dots, - and _", name)
	}
	text, err := goldenText(got)
	if err == nil {
		text, err = t.nameAddresses(text)
	}
	if err != nil {
		return nil, err
	}
	file := filepath.Join(t.file.dir(), "testdata", name+".golden")
	if by, err := t.claim(file); err != nil {
		return nil, t.fail(thread, fmt.Sprintf("%s compares with %s too", by, name+".golden"), "name them apart: t.golden(plan, name = ...)")
	}
	shown := filepath.ToSlash(file)
	want, err := os.ReadFile(file)
	switch {
	case t.Update && string(want) == text && err == nil:
		return starlark.None, nil
	case t.Update:
		t.say("wrote " + shown)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return nil, err
		}
		return starlark.None, os.WriteFile(file, []byte(text), 0o644)
	case os.IsNotExist(err):
		return nil, t.fail(thread, "there is no "+shown+" yet", "swarmscript test --update writes it; look at it before you keep it")
	case err != nil:
		return nil, err
	}
	wanted := strings.ReplaceAll(string(want), "\r\n", "\n")
	if wanted == text {
		return starlark.None, nil
	}
	t.planned = nil // the difference says more
	return nil, t.fail(thread, "it is not what "+shown+" has", string(diff.Diff(shown, []byte(wanted), "now", []byte(text)))+"swarmscript test --update takes it as it is now")
}

var goldenName = pattern.Of(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

// claim takes a golden file for a test, which alone may compare with it: two would
// write it over and over. Of one test all calls but the first are refused as well.
func (t *test) claim(file string) (by string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if by := t.golden[file]; by != "" {
		return by, errors.New("taken")
	}
	t.golden[file] = t.name
	return "", nil
}

// goldenText is what is compared of a value: of a plan what a person reads.
func goldenText(v starlark.Value) (string, error) {
	p, ok := v.(*run.PlanValue)
	if !ok {
		return strings.TrimRight(plainText(v), "\n") + "\n", nil
	}
	var b strings.Builder
	if err := ui.Plan(&b, p.Plan, ui.PlanOptions{Style: ui.Style{Width: goldenWidth}}); err != nil {
		return "", err
	}
	return strings.TrimLeft(b.String(), "\n"), nil
}

// nameAddresses puts the names of the lab's machines where a text has their
// addresses, which are others in each lab.
func (t *test) nameAddresses(text string) (string, error) {
	if t.lab == nil {
		return text, nil
	}
	hosts, err := t.lab.Hosts(t.ctx)
	for _, h := range hosts {
		whole := regexp.MustCompile(`\b` + regexp.QuoteMeta(h.Address) + `\b`)
		text = whole.ReplaceAllString(text, "<"+h.Name+">")
	}
	return text, err
}

const goldenWidth = 120

// prefixed puts the test's own words before ours.
func prefixed(msg, text string) string {
	if msg == "" {
		return text
	}
	return msg + ": " + text
}

// plainText is a value as print shows it.
func plainText(v starlark.Value) string {
	if s, ok := starlark.AsString(v); ok {
		return s
	}
	return lang.Text(v)
}

// short is a value in no more than a line.
func short(v starlark.Value) string { return cut(lang.Text(v), 100) }

// cut shortens a text that is longer than most.
func cut(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most-3]) + "..."
	}
	return text
}
