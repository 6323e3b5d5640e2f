"""How the commands write for people: one rich console, made when it is needed."""

from __future__ import annotations

import sys
from typing import NoReturn

from rich.console import Console

PIPE_WIDTH = 160  # a pipe has no width of its own


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        """Leave it to the frame, which knows the exit code."""
        raise BrokenPipeError


def console(*, stderr: bool = False) -> Console:
    """A console on stdout or stderr."""
    stream = sys.stderr if stderr else sys.stdout
    return _Console(stderr=stderr, width=None if stream.isatty() else PIPE_WIDTH, highlight=False)
