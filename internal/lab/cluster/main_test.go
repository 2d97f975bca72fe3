package cluster_test

import (
	"flag"
	"io"
	"os"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/swarmscript/swarmscript/internal/lab/cluster"
)

// powerCuts is how often TestPowerCuts does it.
var powerCuts = flag.Int("swarm.cuts", 5, "how often TestPowerCuts cuts the power")

func TestMain(m *testing.M) {
	level := flag.String("swarm.log", "", "the level of SwarmKit's log; none without it")
	flag.Parse()
	cluster.Logs(io.Discard, logrus.PanicLevel)
	if *level != "" {
		l, err := logrus.ParseLevel(*level)
		if err != nil {
			panic(err)
		}
		cluster.Logs(os.Stderr, l)
	}
	os.Exit(m.Run())
}
