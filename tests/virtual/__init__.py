"""Deterministic simulation: a venue, its faults and the whole of btfeeds without threads, sockets or waiting.

One seed expands to one schedule of faults over two hours of virtual time; one schedule gives one log, byte for byte.

    python -m tests.virtual replay --seed 8123        what happened under one seed
    python -m tests.virtual soak 1000000              many seeds, shared by all closing rules (make soak N=…)
    python -m tests.virtual soak 2000 --rule roll-over
    python -m tests.virtual mutants                   every planted bug is found
"""
