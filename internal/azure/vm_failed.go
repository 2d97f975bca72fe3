package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// Azure sets up the system of a machine once, when it makes it. Where that fails the
// machine stays, and no later write makes up for it: so it goes again.

// unmade is said of such a machine where an earlier run was ended before that.
const unmade = "its creation has failed"

// failedCode begins the status of a machine whose last operation has failed. The code
// of what went wrong follows.
const failedCode = "ProvisioningState/failed/"

// isUnmade reports whether Azure says of a machine that its system could not be set up,
// and nothing of it came up later. Every other failure may be that of an update of a
// machine that has run.
func isUnmade(v *armcompute.VirtualMachineInstanceView) bool {
	return v != nil && !cameUp(v) && hasStatus(v.Statuses, failedCode+"OSProvisioning")
}

// cameUp reports whether the system of a machine says that it is there.
func cameUp(v *armcompute.VirtualMachineInstanceView) bool {
	return v != nil && v.VMAgent != nil && hasStatus(v.VMAgent.Statuses, "ProvisioningState/succeeded")
}

func hasStatus(list []*armcompute.InstanceViewStatus, prefix string) bool {
	return slices.ContainsFunc(list, func(s *armcompute.InstanceViewStatus) bool { return strings.HasPrefix(text(s.Code), prefix) })
}

// whyFailed is what a machine says of its last operation, which has failed.
func whyFailed(v *armcompute.VirtualMachineInstanceView) *Failure {
	if v != nil {
		for _, s := range v.Statuses {
			if code, ok := strings.CutPrefix(text(s.Code), failedCode); ok {
				f := &Failure{Code: code, Message: text(s.Message)}
				f.Advice, _ = judge(0, f.Code, f.Message)
				return f
			}
		}
	}
	return &Failure{Code: "Failed", Message: "Azure does not say why"}
}

// unmake deletes a machine that Azure has failed to make, with what it made with it. It
// returns why that failed; nil: the machine is asked. One whose system has come up since
// is made: what failed then is another operation, such as a policy's extension.
func (c *Conn) unmake(ctx context.Context, cl *clients, r *resource.Request, name string, why error) error {
	got, err := cl.vms.Get(ctx, c.Group(), name, &armcompute.VirtualMachinesClientGetOptions{Expand: ptr(armcompute.InstanceViewTypesInstanceView)})
	view := val(got.Properties).InstanceView
	if why == nil {
		why = explain(err)
	}
	if state := provisioning(&got.VirtualMachine); err != nil || state != "Failed" && state != "Canceled" { // it is made, and something else went wrong
		return why
	}
	if why == nil {
		why = whyFailed(view)
	}
	if cameUp(view) {
		return why
	}
	toProgress(r)("could not be made, and is deleted again")
	advice := []string{"it is deleted again, with its disk and its addresses"}
	if err := c.removeVM(ctx, cl, r, name); err != nil {
		advice[0] = "it could not be deleted again: " + err.Error()
	}
	var f *Failure
	if !errors.As(why, &f) {
		return fmt.Errorf("%w; %s", why, advice[0])
	}
	told := *f
	if f.Advice != "" {
		advice = append(advice, f.Advice)
	}
	if strings.HasPrefix(f.Code, "OSProvisioning") {
		advice = append(advice, "while the next one is made, az vm boot-diagnostics get-boot-log --name "+name+" --resource-group "+c.Group()+" shows what it says when it boots")
	}
	told.Advice = strings.Join(advice, "; ")
	return &told
}

// removeVM deletes a machine, and waits until it is gone with what came with it.
func (c *Conn) removeVM(ctx context.Context, cl *clients, r *resource.Request, name string) error {
	var answer *http.Response
	poller, err := cl.vms.BeginDelete(policy.WithCaptureResponse(ctx, &answer), c.Group(), name, nil)
	switch err = explain(err); {
	case isMissing(err):
		return nil
	case err != nil:
		return err
	}
	waits(r)
	return c.gone(ctx, cl, name, operation{asked: operationOf(poller), every: interval(answer)})
}
