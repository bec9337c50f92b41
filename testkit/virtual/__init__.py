"""The operator in virtual time: its real controller and client, an API server in memory, the simulator."""
