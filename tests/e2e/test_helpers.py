"""The judge of words is judged."""

from __future__ import annotations

import pytest

from tests.e2e.helpers import accepted

_NAMES = {"C": "CONNECTED", "X": "DISCONNECTED", "B": "CONNBROKEN", "D": "DELAYED", "L": "LIVE",
          "N": "NOTSUBSCRIBED", "T": "NOTSUPPORTED_TF", "U": "UNKNOWN"}  # fmt: skip


def _word(letters: str) -> list[str]:
    return [_NAMES[letter] for letter in letters]


@pytest.mark.parametrize("letters", ["X", "DX", "DLX", "DLBCDLX", "DBCDLX", "DLDLX", "DLBCBCDX", "DLBX", "DLBCX", "NX",
                                     "TX", "DNX", "DLNX", "LX", "BCDLX", "BX", "DULUX", "DLBCDLBCDLX"])  # fmt: skip
def test_words_that_may_be_met(letters: str) -> None:
    assert accepted(_word(letters))


@pytest.mark.parametrize("letters", ["", "D", "DL", "DLXX", "DLXD", "CX", "DCX", "DLCX", "DLBDX", "DLBCLX", "DTX",
                                     "DDX", "DLLX", "NLX", "DLBLX", "DLBCNX"])  # fmt: skip
def test_words_that_may_not(letters: str) -> None:
    assert not accepted(_word(letters))
