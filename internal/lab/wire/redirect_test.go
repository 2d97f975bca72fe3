package wire_test

import (
	"context"
	"net"
	"testing"

	prometheus "github.com/grpc-ecosystem/go-grpc-prometheus"
	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/ca"
	"github.com/moby/swarmkit/v2/manager/raftselector"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// A manager sends on to the leader what it is asked, but not what was sent on to it:
// the leader would take who sent it for who asks.
func TestSentOnOnce(t *testing.T) {
	leader := serves(t, nil)
	stale := serves(t, leader)
	for _, c := range []struct {
		to   *grpc.ClientConn
		want codes.Code
	}{{leader, codes.OK}, {stale, codes.OK}, {serves(t, stale), codes.ResourceExhausted}} {
		_, err := api.NewNodeCAClient(c.to).IssueNodeCertificate(t.Context(), &api.IssueNodeCertificateRequest{})
		if got := status.Code(err); got != c.want {
			t.Errorf("IssueNodeCertificate: %v, want %s", err, c.want)
		}
	}
}

// serves is a connection to a manager that takes another one for the leader, itself
// where that is nil.
func serves(t *testing.T, leader *grpc.ClientConn) *grpc.ClientConn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	api.RegisterNodeCAServer(s, api.NewRaftProxyNodeCAServer(issuer{}, selector{leader}, nil, ca.WithMetadataForwardTLSInfo))
	go s.Serve(l)
	t.Cleanup(s.Stop)
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithUnaryInterceptor(prometheus.UnaryClientInterceptor))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

type selector struct{ leader *grpc.ClientConn }

// LeaderConn implements [raftselector.ConnProvider].
func (s selector) LeaderConn(context.Context) (*grpc.ClientConn, error) {
	if s.leader == nil {
		return nil, raftselector.ErrIsLeader
	}
	return s.leader, nil
}

type issuer struct{ api.NodeCAServer }

// IssueNodeCertificate implements [api.NodeCAServer].
func (issuer) IssueNodeCertificate(context.Context, *api.IssueNodeCertificateRequest) (*api.IssueNodeCertificateResponse, error) {
	return &api.IssueNodeCertificateResponse{}, nil
}
