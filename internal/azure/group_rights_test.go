package azure_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/swarmscript/swarmscript/internal/azure/emulator"
)

// groupOnly is a login that has its rights in a resource group, and none beside it.
type groupOnly struct{ policy.Transporter }

// Do implements [policy.Transporter].
func (g groupOnly) Do(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(strings.ToLower(r.URL.Path), emulator.DefaultSubscription+"/providers/microsoft.compute/virtualmachines") {
		return g.Transporter.Do(r)
	}
	body := `{"error":{"code":"AuthorizationFailed","message":"The client 'x' does not have authorization to perform action 'Microsoft.Compute/virtualMachines/read' over scope '/subscriptions/y'."}}`
	return &http.Response{StatusCode: 403, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// Who may do all in the resource group is told which machines run, too.
func TestRightsInTheGroupAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newQuickStory(t)
		s.direct = groupOnly{s.direct}
		s.apply(head + "vm('web', provider = az)\nvm('off', provider = az, running = False)")
	})
}
