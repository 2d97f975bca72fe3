package swarm
type serviceState struct{}
