package machines

import (
	"math/rand/v2"
	"net/netip"

	"github.com/swarmscript/swarmscript/internal/azure/balance"
)

// balancer is what load balancers do: this process listens at their addresses. It
// implements [emulator.Balancing].
type balancer struct{ balance *balance.Balancer }

func newBalancer() *balancer { return &balancer{balance.New()} }

// Address implements [emulator.Balancing]. On Linux, which machines need, all of
// 127.0.0.0/8 is this computer, so that nothing has to be set up, nor is left behind.
// Labs have their hosts from 127.1 to 127.254. Other emulators take theirs here too:
// picked at random, two of them hardly meet.
func (*balancer) Address() netip.Addr {
	return netip.AddrFrom4([4]byte{127, 255, byte(rand.IntN(255)), byte(1 + rand.IntN(254))})
}

// Balance implements [emulator.Balancing].
func (b *balancer) Balance(fronts []balance.Front) error { return b.balance.Set(fronts) }

func (b *balancer) end() { b.balance.Close() }
