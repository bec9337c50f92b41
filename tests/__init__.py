"""The tests; what more than one folder of them needs is in `testkit`."""
