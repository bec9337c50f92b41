"""What the demo stands on: its screen, and the processes it runs."""
