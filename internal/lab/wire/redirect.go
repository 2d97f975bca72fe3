package wire

import (
	"context"

	prometheus "github.com/grpc-ecosystem/go-grpc-prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// A manager that is not the leader sends on what it is asked to the leader, and says
// for whom. What it sends to one that has ceased to be the leader must not be sent on
// once more: the next would say that it is for the manager before it, so that a worker
// which renews its certificate meanwhile is given a manager's. SwarmKit means to refuse
// that and forgets it: its proxies note a redirect in the metadata of a request, which
// ca.WithMetadataForwardTLSInfo then replaces by those that came in.
//
// All that SwarmKit dials has these interceptors, which would count calls.
func init() {
	prometheus.UnaryClientInterceptor = func(ctx context.Context, method string, in, out any, cc *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if err := sentOnce(ctx); err != nil {
			return err
		}
		return call(ctx, method, in, out, cc, opts...)
	}
	prometheus.StreamClientInterceptor = func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		if err := sentOnce(ctx); err != nil {
			return nil, err
		}
		return open(ctx, desc, cc, method, opts...)
	}
}

// forwarded is where SwarmKit says that a request is sent on.
const forwarded = "forwarded_cert"

// sentOnce refuses to send on what was sent on.
func sentOnce(ctx context.Context) error {
	came, _ := metadata.FromIncomingContext(ctx)
	goes, _ := metadata.FromOutgoingContext(ctx)
	if len(came.Get(forwarded)) > 0 && len(goes.Get(forwarded)) > 0 {
		return status.Error(codes.ResourceExhausted, "more than one redirect to leader")
	}
	return nil
}
