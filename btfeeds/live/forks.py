"""Whether this process is the child of a fork, known without a system call: it is asked at every bar."""

from __future__ import annotations

import os

generation = 0  # how many forks lead from the process that imported this to this one


def _in_child() -> None:
    global generation
    generation += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
