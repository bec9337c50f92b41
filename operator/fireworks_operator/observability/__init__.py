"""Metrics, health and logs: a leaf that imports no other room."""
