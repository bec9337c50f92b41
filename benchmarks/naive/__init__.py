"""What the operator is compared with: the operator that one writes in an afternoon."""
