"""The Kubernetes side of the ports that the controller needs."""
