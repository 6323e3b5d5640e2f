"""The automaton of FAULTS, written down by hand, against the table."""

from __future__ import annotations

import pytest

from btfeeds.live.status import Status, allowed

NAMES = {
    "D": Status.DELAYED, "L": Status.LIVE, "B": Status.CONNBROKEN, "C": Status.CONNECTED, "X": Status.DISCONNECTED,
    "N": Status.NOTSUBSCRIBED, "T": Status.NOTSUPPORTED_TF, "U": Status.UNKNOWN,
}  # fmt: skip


def accepted(word: str) -> bool:
    before = None
    for letter in word:
        if not allowed(before, NAMES[letter]):
            return False
        if letter != "U":
            before = NAMES[letter]
    return True


@pytest.mark.parametrize(
    "word", ["DLX", "DLBCDLX", "DBCDLDLX", "TX", "DNX", "DLNX", "BCDL", "DLBX", "DULUX", "DLBCBCDL"]
)
def test_words_of_the_automaton_are_accepted(word: str) -> None:
    assert accepted(word)


@pytest.mark.parametrize("word", ["C", "DLBCL", "DLCD", "XD", "DT", "DLBDL", "DLBN", "NL", "DD", "LL", "XU"])
def test_other_words_are_not(word: str) -> None:
    assert not accepted(word)


def test_the_numbers_are_backtraders() -> None:
    import backtrader as bt

    for status in Status:
        name = "NOTSUPPORTED_TIMEFRAME" if status is Status.NOTSUPPORTED_TF else status.name
        assert bt.AbstractDataBase._getstatusname(status) == name
