"""Stories that are told twice: on a virtual clock by tests/virtual, and on real processes by tests/integration."""
