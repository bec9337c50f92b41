"""What may be spent: the budgets of the cluster."""
