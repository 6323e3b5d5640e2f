"""A child after a fork knows that it is one."""

from __future__ import annotations

import os

import pytest

from btfeeds.live import forks


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_every_fork_is_another_generation_in_the_child_only() -> None:
    before = forks.generation
    child = os.fork()
    if child == 0:
        os._exit(forks.generation - before)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 1
    assert forks.generation == before
