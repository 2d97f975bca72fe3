package build

import (
	"reflect"
	"testing"

	control "github.com/moby/buildkit/api/services/control"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// byBuildKit reads a status with BuildKit's own types.
func byBuildKit(message []byte) (buildStatus, error) {
	var r control.StatusResponse
	var s buildStatus
	err := proto.Unmarshal(message, &r)
	for _, v := range r.Vertexes {
		s.vertexes = append(s.vertexes, vertex{v.Digest, v.Name, v.Started != nil, v.Completed != nil, v.Error != ""})
	}
	for _, a := range r.Statuses {
		s.amounts = append(s.amounts, amount{a.Vertex, a.Current, a.Completed != nil})
	}
	for _, l := range r.Logs {
		s.logs = append(s.logs, output{l.Vertex, l.Msg})
	}
	return s, err
}

var statuses = []*control.StatusResponse{
	{},
	{Vertexes: []*control.Vertex{{}, {Digest: "a", Inputs: []string{"b"}, Name: "[1/2] FROM scratch", Cached: true, Started: timestamppb.Now(), Completed: timestamppb.Now(), Error: "exit code: 1"}}},
	{Statuses: []*control.VertexStatus{{ID: "layer", Vertex: "a", Name: "n", Current: -1, Total: 5, Started: timestamppb.Now(), Completed: timestamppb.Now()}, {Vertex: "b", Current: 1 << 40}}},
	{Logs: []*control.VertexLog{{Vertex: "a", Timestamp: timestamppb.Now(), Stream: 2, Msg: []byte("text\n")}}, Warnings: []*control.VertexWarning{{Vertex: "a", Level: 1, Short: []byte("s")}}},
}

func TestReadStatus(t *testing.T) {
	for _, r := range statuses {
		message, err := proto.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		want, err := byBuildKit(message)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := readStatus(message); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v is read as %+v, %v, want %+v", r, got, err, want)
		}
		for cut := range len(message) { // an end in mid-field is an error, or that of a shorter message
			_, want := byBuildKit(message[:cut])
			if _, err := readStatus(message[:cut]); (err != nil) != (want != nil) {
				t.Errorf("the first %d bytes of %v: got %v, BuildKit says %v", cut, r, err, want)
			}
		}
	}
}

// What BuildKit's own types read is read in the same way.
func FuzzReadStatus(f *testing.F) {
	for _, r := range statuses {
		message, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(message)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		got, err := readStatus(message)
		want, refused := byBuildKit(message)
		if refused != nil {
			return // it may be for a field that is not shown
		}
		if err != nil || len(got.vertexes) != len(want.vertexes) || len(got.amounts) != len(want.amounts) || len(got.logs) != len(want.logs) {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
		for i := range got.logs { // no text may be none or empty
			if string(got.logs[i].text) != string(want.logs[i].text) {
				t.Errorf("got %q, want %q", got.logs[i].text, want.logs[i].text)
			}
			got.logs[i].text, want.logs[i].text = nil, nil
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}
