"""What Fireworks says of a deployment, and what follows from it and the status before."""
