"""What is counted and measured of resources, accounts and passes."""
