"""What budgets let the resources of their namespace do, and what has become of the money."""
