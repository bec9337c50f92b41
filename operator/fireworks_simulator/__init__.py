"""A Fireworks AI control plane to run locally."""
