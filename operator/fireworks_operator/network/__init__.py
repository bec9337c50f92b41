"""How connections leave the house: through which proxy, and which certificates they trust. Knows no other room."""
