"""The Helm chart: Helm itself, what it renders, and an installation of it."""
