package build

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	control "github.com/moby/buildkit/api/services/control"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// told follows a build in an engine's words, and returns what is told of it.
func told(t testing.TB, o *Options, lines ...string) (id string, out []string, err error) {
	o.Progress = func(p Progress) { out = append(out, fmt.Sprintf("%d/%d %s", p.Done, p.Total, p.Text)) }
	id, err = follow(strings.NewReader(strings.Join(lines, "\n")), newTrace(o))
	return id, out, err
}

func trace1(t testing.TB, r *control.StatusResponse) string {
	t.Helper()
	raw, err := proto.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"id":"moby.buildkit.trace","aux":%q}`, base64.StdEncoding.EncodeToString(raw))
}

// The classic builder's words, and BuildKit's.
func TestFollow(t *testing.T) {
	id, out, err := told(t, &Options{}, `{"stream":"Step 1/2 : FROM scratch"}`, `{"stream":"\n"}`, `{"stream":" ---> 12\n"}`, `{"stream":"Step 2/2 : COPY . /"}`, `{"aux":{"ID":"sha256:aa"}}`)
	if got := strings.Join(out, ", "); id != "sha256:aa" || err != nil || got != "0/1 [1/2] FROM scratch, 1/2 [2/2] COPY . /" {
		t.Errorf("got %s, %v, told %s", id, err, got)
	}
	now := timestamppb.Now()
	base := &control.Vertex{Digest: "a", Name: "[1/2] FROM scratch", Started: now, Completed: now}
	run := &control.Vertex{Digest: "b", Name: "[2/2] RUN cat pass-phrase", Started: now}
	failed := &control.Vertex{Digest: "b", Name: run.Name, Started: now, Completed: now, Error: "exit code: 1"}
	secret := &Options{Secrets: map[string][]byte{"pw": []byte("pass-phrase\n")}}
	_, out, err = told(t, secret,
		trace1(t, &control.StatusResponse{Vertexes: []*control.Vertex{base, run}}),
		trace1(t, &control.StatusResponse{Logs: []*control.VertexLog{{Vertex: "b", Msg: []byte("\x1b[31mit is pass-phr")}, {Vertex: "b", Msg: []byte("ase\x1b[0m\r\n10 %\r20 %\n")}}}),
		trace1(t, &control.StatusResponse{Vertexes: []*control.Vertex{failed}}),
		`{"errorDetail":{"message":"x"},"error":"failed to solve: exit code: 1"}`,
	)
	if got := strings.Join(out, ", "); !strings.HasPrefix(got, "1/2 [2/2] RUN cat (sensitive)") || strings.Contains(got, "phrase") {
		t.Errorf("told %s", got)
	}
	want := "[2/2] RUN cat (sensitive): exit code: 1\nits last lines:\n  it is (sensitive)\n  20 %"
	if err == nil || err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	for _, tt := range []struct{ text, want string }{
		{`{"stream":"x"} {`, "unexpected EOF"}, {`not JSON`, "invalid character"}, {``, "without an image"}, {`{"error":"no space left on device"}`, "no space left"},
	} {
		if _, _, err := told(t, &Options{}, tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s gives %v, want %q", tt.text, err, tt.want)
		}
	}
}

// Whatever an engine says of a build, it ends, and nothing of it steers a terminal.
func FuzzFollow(f *testing.F) {
	f.Add(`{"stream":"Step 1/2 : FROM scratch\u001b[31m"}` + "\n" + `{"error":"x\u0007"}`)
	f.Add(trace1(f, &control.StatusResponse{Statuses: []*control.VertexStatus{{Vertex: "a", Current: -1}}}))
	f.Fuzz(func(t *testing.T, s string) {
		_, out, _ := told(t, &Options{}, s)
		if strings.ContainsAny(strings.Join(out, ""), "\x1b\x07\r") {
			t.Errorf("told %q", out)
		}
	})
}
