package run

import (
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	blank "github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// pushFor puts an image into the registry that is for some architectures: an
// index of them where there are several. There is nothing in it.
func (w *loginWorld) pushFor(t *testing.T, ref string, architectures ...string) {
	t.Helper()
	to, err := name.ParseReference(w.r.Addr + "/" + ref)
	if err != nil {
		t.Fatal(err)
	}
	options := []remote.Option{
		remote.WithAuth(&authn.Basic{Username: w.r.User, Password: w.r.Password}),
		remote.WithTransport(&http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}),
		remote.WithContext(t.Context()),
	}
	index := v1.ImageIndex(blank.Index)
	var last v1.Image
	for _, arch := range architectures {
		platform := v1.Platform{OS: "linux", Architecture: arch}
		last, err = mutate.ConfigFile(blank.Image, &v1.ConfigFile{OS: platform.OS, Architecture: arch})
		if err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: last, Descriptor: v1.Descriptor{Platform: &platform}})
	}
	if len(architectures) == 1 {
		err = remote.Write(to, last, options...)
	} else {
		err = remote.WriteIndex(to, index, options...)
	}
	if err != nil {
		t.Fatal(err)
	}
}
