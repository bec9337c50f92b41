"""`kubectl fireworks plan`: what the operator would do with manifests, and what that would cost."""
