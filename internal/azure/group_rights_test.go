package azure_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/swarmscript/swarmscript/internal/azure/emulator"
)

// lacking is a login that may not read something of the subscription.
type lacking struct {
	policy.Transporter
	reads []string
}

// groupOnly is a login that has its rights in a resource group, and none beside it.
func groupOnly(all policy.Transporter) lacking {
	return lacking{all, []string{"microsoft.compute/virtualmachines", "microsoft.compute/skus", "microsoft.compute/locations/westeurope/usages"}}
}

// Do implements [policy.Transporter].
func (l lacking) Do(r *http.Request) (*http.Response, error) {
	_, what, beside := strings.Cut(strings.ToLower(r.URL.Path), emulator.DefaultSubscription+"/providers/")
	if !beside || !slices.Contains(l.reads, what) {
		return l.Transporter.Do(r)
	}
	body := `{"error":{"code":"AuthorizationFailed","message":"The client 'x' does not have authorization to perform action '` + what + `/read' over scope '/subscriptions/y'."}}`
	return &http.Response{StatusCode: 403, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// Who may do all in the resource group is told which machines run, too.
func TestRightsInTheGroupAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newQuickStory(t)
		s.direct = groupOnly(s.direct)
		s.apply(head + "vm('web', provider = az)\nvm('off', provider = az, running = False)")
	})
}

// Machines that are to be in zones of their own are not made without, for good, where
// nobody may read which zones there are.
func TestZonesThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newQuickStory(t)
		all := s.direct
		s.direct = groupOnly(all)
		three := head + "[vm('mgr-%d' % i, provider = az) for i in range(3)]"
		s.refuses(three, "vm.mgr-2: it is to be in another zone", "Microsoft.Compute/skus/read on the subscription", "such as Reader on the subscription")
		s.refuses(head+"[vm('mgr-%d' % i, provider = az, zone = ['1', None][i]) for i in range(2)]", "vm.mgr-1: it is to be in another zone")
		s.wants(head+"[vm('mgr-%d' % i, provider = az, zone = str(i + 1)) for i in range(2)]",
			"create network_security_group.shop-test-nsg", "create resource_group.shop-test", "create virtual_network.shop-test-vnet", "create vm.mgr-0", "create vm.mgr-1")
		s.apply(head + "set = availability_set('set', provider = az)\n[vm('web-%d' % i, provider = az, availability_set = set) for i in range(2)]")
		s.direct = all
		s.apply(three)
		s.direct = groupOnly(all)
		s.wants(three)
		s.refuses(strings.Replace(three, "range(3)", "range(4)", 1), "vm.mgr-3: it is to be in another zone")
	})
}

// What has nothing to do with quotas is held against what there is also where nobody may
// read them.
func TestQuotasThatCannotBeRead(t *testing.T) {
	for _, quotas := range []string{"microsoft.compute/locations/westeurope/usages", "microsoft.network/locations/westeurope/usages"} {
		synctest.Test(t, func(t *testing.T) {
			s := newQuickStory(t)
			src := head + "vm('web', provider = az, size = 'Standard_D2ds_v5')"
			s.apply(src)
			s.direct = lacking{s.direct, []string{quotas}}
			s.wants(strings.Replace(src, "D2ds", "D2s", 1), "replace vm.web size") // it has no temporary disk
			s.refuses(strings.Replace(src, "size = ", "image = 'Debian:debian-12:none', size = ", 1), "Debian:debian-12:none")
		})
	}
}
