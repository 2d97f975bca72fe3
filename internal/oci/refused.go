package oci

import (
	"errors"
	"slices"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
)

// refusals are the words of registries, and of engines that pass them on, for
// who may not have what was asked for. Most are in the text alone.
var refusals = []string{"unauthorized", "no basic auth credentials", "authentication required", "incorrect username or password", "denied"}

// Refused reports whether an error says that a registry refused who asked, or may
// have: it says the same of images that it does not want to talk about.
func Refused(err error) bool {
	if errors.Is(err, ErrRefused) || cerrdefs.IsUnauthorized(err) || cerrdefs.IsPermissionDenied(err) {
		return true
	}
	// A file or a socket that the engine or we may not open is no registry's.
	said := strings.ReplaceAll(strings.ToLower(err.Error()), ": permission denied", "")
	said = strings.TrimPrefix(said, "permission denied")
	return slices.ContainsFunc(refusals, func(s string) bool { return strings.Contains(said, s) })
}
