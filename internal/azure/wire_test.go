package azure_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	azfake "github.com/Azure/azure-sdk-for-go/sdk/azcore/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	computefake "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8/fake"
	networkfake "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9/fake"
	resourcesfake "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources/v4/fake"
)

// A wire plays each request that is sent to Azure to the SDK's own fake servers as
// well, and holds the emulator's answer against the SDK's models. The fakes are
// Microsoft's word on what a request looks like, and ours is not the only one.
type wire struct {
	report func(format string, args ...any)
	before func(op string) // what somebody else does before an operation is sent

	mu    sync.Mutex
	heard map[string]int  // the operations that the fakes took
	told  map[string]bool // where Azure said to ask after an operation
}

func newWire(report func(format string, args ...any)) *wire {
	return &wire{report: report, heard: map[string]int{}, told: map[string]bool{}}
}

// operations are those that the fakes took so far, as
// "VirtualMachinesClient.BeginDelete".
func (w *wire) operations() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for op := range w.heard {
		out = append(out, op)
	}
	slices.Sort(out)
	return out
}

// Do implements [policy.Policy].
func (w *wire) Do(req *policy.Request) (*http.Response, error) {
	raw, sent := req.Raw(), []byte(nil)
	if body := req.Body(); body != nil {
		var err error
		if sent, err = io.ReadAll(body); err != nil {
			return nil, err
		}
		if err := req.RewindBody(); err != nil {
			return nil, err
		}
	}
	op, named := raw.Context().Value(runtime.CtxAPINameKey{}).(string)
	var answer reflect.Type
	if w.before != nil {
		w.before(op)
	}
	if named {
		var err error
		if answer, err = play(raw, op, sent); err != nil {
			w.report("%s: %s %s: %v", op, raw.Method, raw.URL, err)
		}
	} else if !w.polls(raw) && !writtenByHand(raw) {
		w.report("%s %s is of no operation of the SDK, and nobody said to send it", raw.Method, raw.URL)
	}
	resp, err := req.Next()
	if err != nil {
		return nil, err
	}
	w.note(op, raw, resp)
	if answer != nil && resp.StatusCode < 300 {
		if err := checkAnswer(resp, answer); err != nil {
			w.report("%s: the answer to %s %s: %v", op, raw.Method, raw.URL, err)
		}
	}
	return resp, nil
}

// polls reports whether a request asks after an operation: where Azure said to, or
// at last for the resource itself.
func (w *wire) polls(raw *http.Request) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return raw.Method == http.MethodGet && w.told[raw.URL.String()]
}

// writtenByHand reports whether a request is one of the few that are not worth another
// of the SDK's packages: what the login sees, and may do, and the terms of images.
func writtenByHand(raw *http.Request) bool {
	path := raw.URL.Path
	return raw.Method == http.MethodGet && (path == "/subscriptions" || strings.HasSuffix(path, "/providers/Microsoft.Authorization/permissions") ||
		strings.Contains(path, "/providers/Microsoft.MarketplaceOrdering/") && strings.HasSuffix(path, "/agreements/current"))
}

func (w *wire) note(op string, raw *http.Request, resp *http.Response) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if op != "" {
		w.heard[op]++
	}
	w.told[raw.URL.String()] = true
	for _, name := range []string{"Azure-AsyncOperation", "Location"} {
		if to := resp.Header.Get(name); to != "" {
			w.told[to] = true
		}
	}
}

// errPlayed ends what a fake does after it understood a request.
var errPlayed = errors.New("played")

// play sends a request to the fake of its resource provider, and returns what its
// operation is to be answered.
func play(raw *http.Request, op string, sent []byte) (answer reflect.Type, err error) {
	factory, transport := fakeOf(raw.URL.Path)
	client, _, _ := strings.Cut(op, ".")
	server := reflect.ValueOf(factory).Elem().FieldByName(strings.TrimSuffix(client, "Client") + "Server")
	if !server.IsValid() {
		return nil, fmt.Errorf("%T has no server for it", factory)
	}
	var taken string
	var args []reflect.Value
	for i := range server.NumField() {
		name, f := server.Type().Field(i).Name, server.Field(i)
		f.Set(reflect.MakeFunc(f.Type(), func(in []reflect.Value) []reflect.Value {
			taken, args = client+"."+name, in
			return refuseAll(f.Type())
		}))
	}
	copied := raw.Clone(context.WithoutCancel(raw.Context())) // an apply that is ended asks no less correctly
	if copied.Body = nil; len(sent) > 0 {
		copied.Body = io.NopCloser(bytes.NewReader(sent))
	}
	_, err = transport.Do(copied)
	switch {
	case taken == "":
		return nil, fmt.Errorf("the fake server does not take it: %w", err)
	case taken != op:
		return nil, fmt.Errorf("the fake server takes it for %s", taken)
	}
	f := server.FieldByName(strings.TrimPrefix(taken, client+"."))
	return answerOf(f.Type().Out(0)), checkArguments(args, sent)
}

// fakeOf is a new fake of the resource provider of a path, to which no operation is
// known yet.
func fakeOf(path string) (factory any, t policy.Transporter) {
	switch path = strings.ToLower(path); {
	case strings.HasSuffix(path, "/register"): // which Resource Manager does of each
	case strings.Contains(path, "/providers/microsoft.compute/"):
		f := &computefake.ServerFactory{}
		return f, computefake.NewServerFactoryTransport(f)
	case strings.Contains(path, "/providers/microsoft.network/"):
		f := &networkfake.ServerFactory{}
		return f, networkfake.NewServerFactoryTransport(f)
	}
	f := &resourcesfake.ServerFactory{}
	return f, resourcesfake.NewServerFactoryTransport(f)
}

// refuseAll are the results of an operation that ends with [errPlayed].
func refuseAll(f reflect.Type) (out []reflect.Value) {
	for i := range f.NumOut() {
		v := reflect.New(f.Out(i))
		switch r := v.Interface().(type) {
		case *azfake.ErrorResponder:
			r.SetError(errPlayed)
		case interface{ AddError(error) }: // a list's
			r.AddError(errPlayed)
		}
		out = append(out, v.Elem())
	}
	return out
}

// answerOf is the type of what a responder, a list's or a long operation's too, is
// made for.
func answerOf(responder reflect.Type) reflect.Type {
	p := reflect.PointerTo(responder)
	for name, at := range map[string]int{"SetResponse": 2, "AddPage": 2, "SetTerminalResponse": 2} {
		if m, ok := p.MethodByName(name); ok {
			return m.Type.In(at)
		}
	}
	return nil
}

// checkArguments finds out whether what a fake read is what was sent: names, each a
// part of the path, and a body that says the same in the SDK's words.
func checkArguments(args []reflect.Value, sent []byte) error {
	body := false
	for _, arg := range args {
		switch arg.Kind() {
		case reflect.String:
			if name := arg.String(); name == "" || strings.Contains(name, "/") {
				return fmt.Errorf("%q is no name", name)
			}
		case reflect.Struct:
			body = true
			read, err := json.Marshal(arg.Interface())
			if err != nil {
				return err
			}
			if err := sameJSON(sent, read); err != nil {
				return fmt.Errorf("the body: %w", err)
			}
		}
	}
	if len(sent) > 0 && !body {
		return fmt.Errorf("it has a body, of which the operation knows nothing: %s", sent)
	}
	return nil
}

// checkAnswer finds what an answer has that the SDK's model of it does not.
func checkAnswer(resp *http.Response, model reflect.Type) error {
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(data))
	if len(data) == 0 {
		return nil
	}
	v := reflect.New(model)
	to := v
	if _, ok := v.Interface().(json.Unmarshaler); !ok { // a list that is nothing but one
		if model.NumField() != 1 {
			return fmt.Errorf("%s is to have no body, and has %s", model.Name(), data)
		}
		to = v.Elem().Field(0).Addr()
	}
	if err := json.Unmarshal(data, to.Interface()); err != nil {
		return err
	}
	read, err := json.Marshal(to.Interface())
	if err != nil {
		return err
	}
	return sameJSON(data, read)
}

// sameJSON finds what one text says and the other does not.
func sameJSON(sent, read []byte) error {
	var a, b any
	if err := errors.Join(json.Unmarshal(sent, &a), json.Unmarshal(read, &b)); err != nil {
		return err
	}
	if lost := differences("", a, b); len(lost) > 0 {
		return fmt.Errorf("not understood: %s", strings.Join(lost, ", "))
	}
	return nil
}

// differences are where two values differ. What is null is not there.
func differences(path string, a, b any) (out []string) {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok {
			break
		}
		keys := map[string]bool{}
		for k := range x {
			keys[k] = true
		}
		for k := range y {
			keys[k] = true
		}
		for k := range keys {
			out = append(out, differences(path+"."+k, x[k], y[k])...)
		}
		slices.Sort(out)
		return out
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			break
		}
		for i := range x {
			out = append(out, differences(fmt.Sprintf("%s[%d]", path, i), x[i], y[i])...)
		}
		return out
	case string:
		// Azure writes a time with +00:00, and the SDK with Z.
		y, _ := b.(string)
		from, err1 := time.Parse(time.RFC3339Nano, x)
		to, err2 := time.Parse(time.RFC3339Nano, y)
		if err1 == nil && err2 == nil && from.Equal(to) {
			return nil
		}
	}
	if !reflect.DeepEqual(a, b) {
		out = append(out, fmt.Sprintf("%s: %v, %v", strings.TrimPrefix(path, "."), a, b))
	}
	return out
}
