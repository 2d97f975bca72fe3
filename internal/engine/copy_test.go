package engine

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/system"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm"
)

// Which images an engine runs by itself.
func TestRuns(t *testing.T) {
	for _, tt := range []struct {
		os, arch, image string
		want            bool
	}{
		{"linux", "x86_64", "linux/amd64", true},
		{"linux", "x86_64", "linux/386", true},
		{"linux", "x86_64", "linux/arm64", false},
		{"linux", "aarch64", "linux/arm64", true},
		{"linux", "aarch64", "linux/arm", true},
		{"linux", "armv7l", "linux/arm", true},
		{"linux", "armv7l", "linux/arm64", false},
		{"linux", "x86_64", "windows/amd64", false},
		{"windows", "x86_64", "windows/amd64", true},
		{"", "", "linux/arm64", true},
	} {
		imageOS, arch, _ := strings.Cut(tt.image, "/")
		if got := runs(tt.os, tt.arch, imageOS, arch); got != tt.want {
			t.Errorf("%s/%s runs %s: %v", tt.os, tt.arch, tt.image, got)
		}
	}
}

// Engines with stores of different kinds call one image by two IDs.
func TestStores(t *testing.T) {
	with := func(status ...[2]string) *Conn {
		return &Conn{last: &swarm.Snapshot{Info: system.Info{OSType: "linux", Architecture: "x86_64", DriverStatus: status}}}
	}
	containerd, own := with([2]string{"driver-type", "io.containerd.snapshotter.v1"}), with([2]string{"Backing Filesystem", "extfs"})
	img := &image.InspectResponse{Os: "linux", Architecture: "amd64"}
	spec := &ImageCopySpec{Image: "web:1", Source: "docker.m1"}
	for _, c := range []*Conn{containerd, own} {
		if err := c.mayHold(img, c, spec); err != nil {
			t.Error(err)
		}
	}
	const want = "web:1 cannot be copied from docker.m1: its engine keeps images in containerd's store, this one in a store of its own"
	if err := own.mayHold(img, containerd, spec); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}

// broken is a stream that ends with an error.
type broken struct{ io.Reader }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		err = errors.New("the line is cut")
	}
	return n, err
}

// A stream that is not an image to its end says why.
func TestSending(t *testing.T) {
	for _, tt := range []struct {
		from io.Reader
		want string // "" is a whole one
	}{
		{strings.NewReader(strings.Repeat("layer", 10000)), ""},
		{strings.NewReader(strings.Repeat("layer", 10000) + `{"errorDetail":{"message":"no room"},"error":"no room"}` + "\r\n"), "no room"},
		{strings.NewReader(`{"errorDetail":{"message":` + strings.Repeat("layer", 2000)), ""},
		{broken{strings.NewReader("layer")}, "the line is cut"},
	} {
		var told []string
		said := &lastWords{from: tt.from}
		s := &sending{from: said, size: 4, tell: func(p resource.Progress) { told = append(told, p.Text) }}
		_, _ = io.Copy(io.Discard, s)
		s.end()
		err := said.end()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("got %v, want %q", err, tt.want)
		}
		if len(told) == 0 || !strings.HasPrefix(told[0], "sent ") {
			t.Errorf("it told %q", told)
		}
	}
}
