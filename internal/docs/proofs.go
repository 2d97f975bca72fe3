package docs

// Proof is a test that shows that a kind does what its table says.
type Proof struct {
	What   string // what it shows
	Test   string // the test's function
	File   string // where it is, from the project's root
	Engine string // on which engines it ran: real ones, or none
}

const bothEngines = "Docker Engine 28.5.2 and 20.10"

// Proofs are the proofs of each kind. A test checks that the functions are
// where this says, and that no kind is without a round trip, a repaired drift
// and a replacement.
var Proofs = map[string][]Proof{
	"swarm": {
		{"round trip", "TestRealSwarm", "internal/swarm/swarm_real_test.go", bothEngines},
		{"drift", "TestRealSwarm", "internal/swarm/swarm_real_test.go", bothEngines},
		{"adoption", "TestRealSwarmAdopted", "internal/swarm/swarm_real_test.go", bothEngines},
	},
	"network": {
		{"round trip", "TestRealNetwork", "internal/swarm/network_real_test.go", bothEngines},
		{"replacement", "TestRealNetwork", "internal/swarm/network_real_test.go", bothEngines},
		{"round trip of the ingress network", "TestRealIngress", "internal/swarm/network_real_test.go", bothEngines},
		{"replacement while in use", "TestRealNetworkBusy", "internal/swarm/network_real_test.go", bothEngines},
	},
	"secret": {
		{"round trip", "TestRealSecret", "internal/swarm/content_real_test.go", bothEngines},
		{"never shown", "TestSecretNeverShown", "internal/swarm/content_real_test.go", bothEngines},
	},
	"config": {
		{"round trip", "TestRealConfig", "internal/swarm/content_real_test.go", bothEngines},
	},
	"service": {
		{"round trip of every field", "TestServiceFields", "internal/swarm/service_real_test.go", bothEngines},
		{"convergence, and why there is none", "TestServiceSettles", "internal/swarm/service_settle_real_test.go", bothEngines},
	},
}
