"""What travels cannot be changed."""

from __future__ import annotations

import pytest

from btfeeds.warehouse import Added, Provenance


def test_what_was_added_and_where_from_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Added().new = 1  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Provenance("binance", 0, False).provider = "kraken"  # type: ignore[misc]
