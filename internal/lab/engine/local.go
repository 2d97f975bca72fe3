package engine

// LocalNetwork finds a network that this engine has of its own, by name or ID, and
// returns its name. A swarm's service can use none of them but the predefined ones.
func (e *Engine) LocalNetwork(ref string) (name string, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n, err := e.findNetwork(ref)
	if err != nil || n.Dynamic {
		return "", false
	}
	return n.Name, true
}
