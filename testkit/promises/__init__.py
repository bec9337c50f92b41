"""What must hold at every moment, and once everything has settled, judged without the operator's code."""
