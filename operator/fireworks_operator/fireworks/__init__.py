"""The Fireworks REST API. Knows nothing of Kubernetes."""
