"""What stands behind `with` is closed, however the block ends."""

from __future__ import annotations

import pytest

from btfeeds.closing import Closing


class Held(Closing):
    closed = 0

    def close(self) -> None:
        self.closed += 1


def test_it_is_closed_at_the_end_and_when_something_goes_wrong() -> None:
    held = Held()
    with held as same:
        assert (same is held, held.closed) == (True, 0)
    assert held.closed == 1
    with pytest.raises(ZeroDivisionError), held:
        raise ZeroDivisionError
    assert held.closed == 2


def test_without_a_way_to_close_there_is_none() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Closing()  # type: ignore[abstract]
