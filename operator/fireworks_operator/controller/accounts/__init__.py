"""The accounts at Fireworks: their keys, what is observed of them, and what may be asked."""
