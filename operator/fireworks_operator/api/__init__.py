"""What users write and read: the FireworksDeployment resource, its conditions, its CRD."""
