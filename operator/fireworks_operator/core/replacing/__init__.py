"""A resource with two deployments: which of them the next step is about, and what the status says of both."""
