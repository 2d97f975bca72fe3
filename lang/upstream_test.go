package lang

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	starlarkmath "go.starlark.net/lib/math"
	starlarkproto "go.starlark.net/lib/proto"
	"go.starlark.net/lib/time"
	"go.starlark.net/starlark"
	"go.starlark.net/starlarktest"
	"go.starlark.net/syntax"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
)

// upstreamDir is the folder of go.starlark.net in the module cache.
func upstreamDir(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "go.starlark.net").Output()
	if err != nil || strings.TrimSpace(string(out)) == "" {
		t.Skipf("go.starlark.net's folder is not known: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// TestUpstream runs the language's own tests with everything of ours on: the
// rewrite, the guarded builtins, the limits.
func TestUpstream(t *testing.T) {
	dir := filepath.Join(upstreamDir(t), "starlark", "testdata")
	files, err := filepath.Glob(filepath.Join(dir, "*.star"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files: %v", err)
	}
	ran := 0
	for _, file := range files {
		switch filepath.Base(file) {
		case "benchmark.star", "paths.star", "function_param.star":
			continue // not run by upstream's TestExecFile either
		}
		ran++
		t.Run(filepath.Base(file), func(t *testing.T) {
			for _, c := range readChunks(t, file) {
				runUpstream(t, file, c)
				c.done(t)
			}
		})
	}
	if ran != 21 {
		t.Errorf("ran %d files, want upstream's 21", ran)
	}
}

func runUpstream(t *testing.T, file string, c *chunk) {
	option := func(name string) bool { return strings.Contains(c.src, "option:"+name) }
	opts := &syntax.FileOptions{
		Set:               option("set"),
		While:             option("while"),
		TopLevelControl:   option("toplevelcontrol"),
		GlobalReassign:    option("globalreassign"),
		LoadBindsGlobally: option("loadbindsglobally"),
		Recursion:         option("recursion"),
	}
	f, err := opts.Parse(file, c.src, 0)
	if err != nil {
		t.Fatal(err)
	}
	rewrite(f)
	env := starlark.StringDict{
		"hasfields": starlark.NewBuiltin("hasfields", func(*starlark.Thread, *starlark.Builtin, starlark.Tuple, []starlark.Tuple) (starlark.Value, error) {
			return &hasFields{attrs: starlark.StringDict{}}, nil
		}),
		"fibonacci": endless{},
	}
	// What upstream does not predeclare must stay unknown.
	maps.Copy(env, guards)
	for name, v := range universe {
		if starlark.Universe.Has(name) || name == "struct" {
			env[name] = v
		}
	}
	prog, err := starlark.FileProgram(f, env.Has)
	if err != nil {
		t.Fatal(err)
	}
	thread := &starlark.Thread{Load: loadUpstream}
	s := &Session{limits: defaultLimits, thread: thread, baseHeap: heapInUse()}
	thread.SetLocal(sessionKey, s)
	starlarktest.SetReporter(thread, t)
	setProtoPool(t, thread, filepath.Dir(file))
	globals, err := prog.Init(thread, env)
	var eval *starlark.EvalError
	if errors.As(err, &eval) {
		for i := range eval.CallStack {
			if pos := eval.CallStack.At(i).Pos; pos.Filename() == file {
				c.got(t, int(pos.Line), err.Error())
				return
			}
		}
		t.Error(eval.Backtrace())
	} else if err != nil {
		t.Error(err)
	}
	if name, err := s.checkFreeze(globals); err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	globals.Freeze()
}

func setProtoPool(t *testing.T, thread *starlark.Thread, dir string) {
	data, err := os.ReadFile(filepath.Join(dir, "proto", "test.fds"))
	if err != nil {
		t.Fatal(err)
	}
	fds := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(data, fds); err != nil {
		t.Fatal(err)
	}
	pool, err := protodesc.NewFiles(fds)
	if err != nil {
		t.Fatal(err)
	}
	starlarkproto.SetPool(thread, pool)
}

func loadUpstream(thread *starlark.Thread, name string) (starlark.StringDict, error) {
	switch name {
	case "assert.star":
		return starlarktest.LoadAssertModule()
	case "json.star":
		return starlark.StringDict{"json": jsonModule()}, nil
	case "time.star":
		return starlark.StringDict{"time": time.Module}, nil
	case "math.star":
		return starlark.StringDict{"math": starlarkmath.Module}, nil
	case "proto.star":
		return starlark.StringDict{"proto": starlarkproto.Module}, nil
	}
	file := filepath.Join(filepath.Dir(thread.CallFrame(0).Pos.Filename()), name)
	return starlark.ExecFileOptions(&syntax.FileOptions{}, thread, file, nil, nil)
}

// endless iterates without an end, as upstream's tests need it.
type endless struct{}

func (endless) String() string             { return "fib" }
func (endless) Type() string               { return "fib" }
func (endless) Freeze()                    {}
func (endless) Truth() starlark.Bool       { return true }
func (endless) Hash() (uint32, error)      { return 0, errors.New("fib is unhashable") }
func (endless) Iterate() starlark.Iterator { return &fibonacci{0, 1} }

type fibonacci struct{ a, b int }

func (it *fibonacci) Next(p *starlark.Value) bool {
	*p = starlark.MakeInt(it.a)
	it.a, it.b = it.b, it.a+it.b
	return true
}
func (*fibonacci) Done() {}

// hasFields takes any field, as upstream's tests need it.
type hasFields struct {
	attrs  starlark.StringDict
	frozen bool
}

func (h *hasFields) String() string        { return "hasfields" }
func (h *hasFields) Type() string          { return "hasfields" }
func (h *hasFields) Truth() starlark.Bool  { return true }
func (h *hasFields) Hash() (uint32, error) { return 42, nil }
func (h *hasFields) Freeze() {
	if !h.frozen {
		h.frozen = true
		h.attrs.Freeze()
	}
}
func (h *hasFields) Attr(name string) (starlark.Value, error) { return h.attrs[name], nil }
func (h *hasFields) AttrNames() []string {
	names := h.attrs.Keys()
	sort.Strings(names)
	return names
}

func (h *hasFields) SetField(name string, v starlark.Value) error {
	if h.frozen {
		return errors.New("cannot set field on a frozen hasfields")
	}
	if strings.HasPrefix(name, "no") {
		return starlark.NoSuchAttrError(fmt.Sprintf("no .%s field", name))
	}
	h.attrs[name] = v
	return nil
}

func (h *hasFields) Binary(op syntax.Token, y starlark.Value, _ starlark.Side) (starlark.Value, error) {
	if _, ok := y.(*starlark.List); ok && op == syntax.PLUS {
		return starlark.MakeInt(42), nil
	}
	return nil, nil
}
