"""What the status says after a pass."""
