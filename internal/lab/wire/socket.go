package wire

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/xnet"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/status"
)

const (
	socketStep  = 5 * time.Millisecond
	socketSteps = 1000
)

// socket is the resolver of the control socket of a node of this process. SwarmKit asks
// there whether the manager serves already, which it does a moment later, and sleeps for
// half a second if not: so long would each init and each join take. It gets the address
// when the answer will be yes.
type socket struct{ cancel context.CancelFunc }

func newSocket(path string, cc resolver.ClientConn) socket {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		serves(ctx, path)
		cc.UpdateState(resolver.State{Addresses: []resolver.Address{{Addr: path}}}) // nothing after the connection's end
	}()
	return socket{cancel}
}

func (s socket) ResolveNow(resolver.ResolveNowOptions) {}
func (s socket) Close()                                { s.cancel() }

// serves waits until the manager at a socket serves, but not for ever: whoever asked
// will see for himself then.
func serves(ctx context.Context, path string) {
	conn, err := grpc.NewClient("passthrough:///control",
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})), // as SwarmKit does: the file's owner is who may
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return xnet.DialTimeoutLocal(path, time.Second) }))
	if err != nil {
		return
	}
	defer conn.Close()
	tick := time.NewTicker(socketStep)
	defer tick.Stop()
	for range socketSteps {
		r, err := api.NewHealthClient(conn).Check(ctx, &api.HealthCheckRequest{Service: "ControlAPI"})
		switch {
		case err == nil && r.Status == api.HealthCheckResponse_SERVING, status.Code(err) == codes.Unimplemented:
			return
		case err != nil:
			conn.ResetConnectBackoff()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
