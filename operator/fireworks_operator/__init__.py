"""Kubernetes operator that keeps FireworksDeployment resources and Fireworks AI deployments in step."""
