package remote

import (
	"strings"
	"testing"
)

func TestPasswordsInAddressesAreNotShown(t *testing.T) {
	quiet(t)
	for _, host := range []string{"ssh://u:hunter2@h", "ssh://u:hunter2%zz@h", "tcp://u:hunter2@h:2375", "tcp://hunter2@h:2375", "gopher://u:hunter2@h", "u:hunter2@h"} {
		t.Setenv("DOCKER_HOST", host)
		_, err := Dial(Endpoint{})
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "DOCKER_HOST") {
			t.Errorf("%s: %v", host, err)
		}
	}
}
