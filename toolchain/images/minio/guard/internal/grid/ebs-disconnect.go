package grid

// EBSDisconnect ends the connection with another host: requests that wait for it fail, and it is connected to again as
// after any other end.
func (m *Manager) EBSDisconnect(host string) {
	if c := m.targets[host]; c != nil && c.State() == StateConnected {
		c.updateState(StateConnectionError)
	}
}
