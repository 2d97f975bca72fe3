// Package balance sends what comes to ports of this computer on to several others, as
// a load balancer of Azure does: to those whose probes go well, and what belongs
// together to one.
//
// It works on connections, not on packets: who is sent to sees this computer as the
// client. A [Balancer] owns all goroutines, and they end with it.
package balance
