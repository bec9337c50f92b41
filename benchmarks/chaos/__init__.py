"""`make chaos`: the operator is killed again and again while users and the API do their worst; nothing may be lost.

    python -m benchmarks.chaos --kills 1000 --seed 1

Everything is real: the operator's processes, an API server, the simulator over HTTP.
"""
