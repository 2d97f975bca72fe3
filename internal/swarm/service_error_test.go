package swarm

import (
	"errors"
	"testing"

	"github.com/swarmscript/swarmscript/internal/resource"
)

func TestServiceErr(t *testing.T) {
	const taken = "port '8080' is already in use by service 'a' (xyz) as an ingress port"
	for _, tt := range []struct {
		name, text, want string
		is               error
	}{
		{"a taken port", "Error response from daemon: rpc error: code = InvalidArgument desc = " + taken, taken, resource.ErrTransient},
		{"a taken port, in short", taken, taken, resource.ErrTransient},
	} {
		err := serviceErr(errors.New(tt.text))
		if err.Error() != tt.want || !errors.Is(err, tt.is) || errors.Is(err, resource.ErrExists) {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
	if err := serviceErr(errors.New("Error response from daemon: rpc error: code = AlreadyExists desc = name conflicts with an existing object: service web already exists")); !errors.Is(err, resource.ErrExists) || errors.Is(err, resource.ErrTransient) {
		t.Errorf("a taken name: got %v", err)
	}
}
