"""One pass over one resource: look, decide, act."""
