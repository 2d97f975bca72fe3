package remote

import (
	"net/http"
	"time"

	"github.com/docker/docker/client"
)

// DockerSocket is where engines listen if nobody said otherwise.
const DockerSocket = "/var/run/docker.sock"

// Docker returns the Engine API behind a socket of the host, over the host's
// connection; "" means [DockerSocket]. Nothing is dialled before the first
// request. Closing it leaves the host's connection alone.
func (h *Host) Docker(socket string) (*Docker, error) {
	t := &target{host: "ssh://" + h.Name()}
	if socket == "" {
		socket = DockerSocket
	} else if socket != DockerSocket {
		t.host += socket
	}
	d := &Docker{host: h, target: t, creds: NewCredentials("")}
	d.trans = &http.Transport{
		MaxIdleConnsPerHost: 16,
		MaxConnsPerHost:     maxStreams / 2, // the rest is for what is attached to, and followed
		IdleConnTimeout:     30 * time.Second,
		DialContext:         (&engineDialer{h: h, socket: socket}).dial,
	}
	var err error
	d.api, err = client.NewClientWithOpts(
		client.WithHost("http://docker.example.com"), // a name for HTTP's sake
		client.WithHTTPClient(&http.Client{Transport: &tripper{d}, CheckRedirect: client.CheckRedirect}),
		client.WithVersionFromEnv(),
		client.WithAPIVersionNegotiation(),
	)
	return d, err
}
