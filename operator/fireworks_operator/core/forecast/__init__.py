"""What the operator would do with a resource, and what that would cost, by the decisions that the operator makes."""
