"""What a resource asks of its deployment, and how the deployment differs from it."""
