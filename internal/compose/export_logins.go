package compose

import "github.com/distribution/reference"

// logins tells of the registries that the script logs in to: those that an image in
// the file is of, and all where the host of one is not known before an apply.
func (e *exporter) logins() {
	for _, l := range e.program.Logins {
		if e.hosts[l.Host] || e.hosts[""] {
			e.need("docker login %s, and docker stack deploy --with-registry-auth", l.Host)
		}
	}
}

// imageHost is the registry of an image; "" where that is not known.
func imageHost(image string) string {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return ""
	}
	return reference.Domain(named)
}
