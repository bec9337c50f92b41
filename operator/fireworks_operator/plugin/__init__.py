"""`kubectl fireworks`: what a user of FireworksDeployments wants to see and do from a terminal."""
