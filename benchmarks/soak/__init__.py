"""`make soak`: resources come, change and go for an hour at accelerated time, and the operator must not grow.

python -m benchmarks.soak --minutes 60
"""
