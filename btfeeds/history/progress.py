"""How far a long download is, on a terminal; nothing where nobody looks."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

Progress = Callable[[float], None]

_LONG = 5  # requests


@contextlib.contextmanager
def shown(progress: Progress | bool | None, title: str, requests: float) -> Iterator[Progress]:
    """Gives the function to call with the share that is done (0 to 1)."""
    if callable(progress):
        yield progress
    elif progress or (progress is None and requests > _LONG and sys.stderr.isatty()):
        with _bar(title) as report:
            yield report
    else:
        yield lambda share: None


@contextlib.contextmanager
def _bar(title: str) -> Iterator[Progress]:
    # imported here: a live feed never shows a bar
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda share: bar.update(task, completed=min(1.0, share))
