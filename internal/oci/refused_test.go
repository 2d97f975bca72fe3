package oci

import (
	"errors"
	"fmt"
	"testing"

	cerrdefs "github.com/containerd/errdefs"
)

func TestRefusedTexts(t *testing.T) {
	for text, want := range map[string]bool{
		"unauthorized: authentication required":                                                        true,
		"Head \"https://r/v2/web/manifests/1\": no basic auth credentials":                             true,
		"unauthorized: incorrect username or password":                                                 true,
		"pull access denied for web, repository does not exist or may require 'docker login'":          true,
		"denied: requested access to the resource is denied":                                           true,
		"denied: permission_denied: write_package":                                                     true,
		"denied: Permission \"artifactregistry.repositories.downloadArtifacts\" denied":                true,
		"manifest for web:1 not found: manifest unknown":                                               false,
		"dial tcp 10.0.0.1:443: connect: connection refused":                                           false,
		"failed to register layer: open /var/lib/docker/x: permission denied":                          false,
		"permission denied while trying to connect to the Docker daemon socket at unix:///docker.sock": false,
	} {
		if got := Refused(errors.New(text)); got != want {
			t.Errorf("%s: refused is %t, want %t", text, got, want)
		}
	}
	for _, err := range []error{ErrRefused, cerrdefs.ErrUnauthenticated, cerrdefs.ErrPermissionDenied} {
		if !Refused(fmt.Errorf("no: %w", err)) {
			t.Errorf("%v is no refusal", err)
		}
	}
}
