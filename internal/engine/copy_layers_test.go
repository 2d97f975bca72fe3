package engine

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// Layers are shared from the lowest on.
func TestShared(t *testing.T) {
	for _, tt := range []struct {
		layers string
		others []string
		want   string
	}{
		{"a b c", nil, ""},
		{"a b c", []string{"", "b c", "x a b"}, ""},
		{"a b c", []string{"a x", "a b x", "a"}, "a b"},
		{"a b c", []string{"a b c d"}, "a b c"},
		{"a b a", []string{"a b"}, "b"},
		{"a a b", []string{"a a"}, "a"},
		{"", []string{"a"}, ""},
	} {
		var others [][]string
		for _, o := range tt.others {
			others = append(others, strings.Fields(o))
		}
		got := shared(strings.Fields(tt.layers), others)
		for _, l := range strings.Fields("a b c d x") {
			if got[l] != slices.Contains(strings.Fields(tt.want), l) {
				t.Errorf("of %s, %v has %v, want %s", tt.layers, tt.others, got, tt.want)
			}
		}
	}
}

// A saved image loses the layers, and nothing else, whatever it is.
func TestWithoutLayers(t *testing.T) {
	var saved bytes.Buffer
	w := tar.NewWriter(&saved)
	write := func(name, text string) {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	write("blobs/sha256/aa", strings.Repeat("here", 1000))
	write("blobs/sha256/bb", strings.Repeat("new", 1000))
	write("aa/layer.tar", "of an engine that is older")
	write("manifest.json", "[]")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	whole := saved.String()
	layers := map[string]bool{"sha256:aa": true}
	var out bytes.Buffer
	if err := withoutLayers(&out, strings.NewReader(whole), layers); err != nil {
		t.Fatal(err)
	}
	var names []string
	for r := tar.NewReader(&out); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil || int64(len(text)) != h.Size {
			t.Errorf("%s has %d bytes, %v", h.Name, len(text), err)
		}
		names = append(names, h.Name)
	}
	if want := []string{"blobs/sha256/bb", "aa/layer.tar", "manifest.json"}; !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}

	// An engine that gives up says so in the middle, or behind the end.
	const failed = `{"errorDetail":{"message":"no room"},"error":"no room"}` + "\r\n"
	for _, text := range []string{whole[:700] + failed, whole[:512] + failed, whole + failed, failed} {
		said := &lastWords{from: strings.NewReader(text)}
		_, _ = io.Copy(io.Discard, thinned(said, layers))
		if err := said.end(); err == nil || !strings.Contains(err.Error(), "no room") {
			t.Errorf("after %d bytes: %v", len(text)-len(failed), err)
		}
	}
	// One that is cut off is none, and nobody waits for it.
	if _, err := io.Copy(io.Discard, thinned(strings.NewReader(whole[:2000]), layers)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
	if err := thinned(strings.NewReader(whole), layers).Close(); err != nil {
		t.Error(err)
	}
}
