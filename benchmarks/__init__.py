"""The benchmarks behind docs/performance.md: run them with `make bench`.

Everything is real but Fireworks: a Kubernetes API server, the operator and the simulator, each a process of its own.
Every scenario runs the operator beside what it can be compared with, in one go and on the same machine, so that the
ratios say something where the seconds do not.
"""
