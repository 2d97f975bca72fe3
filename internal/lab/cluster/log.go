package cluster

import (
	"io"

	"github.com/sirupsen/logrus"
	"google.golang.org/grpc/grpclog"
)

// Logs sends what SwarmKit, its raft, gRPC and Docker's server log, which have one log
// for the process, to a writer. Call it before anything else.
func Logs(w io.Writer, level logrus.Level) {
	logrus.SetOutput(w)
	logrus.SetLevel(level)
	warnings := io.Discard // gRPC warns of each attempt to reach a host that is off
	if level >= logrus.DebugLevel {
		warnings = w
	}
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, warnings, w))
}
