"""What goes wrong between the operator and the servers that it talks to."""
