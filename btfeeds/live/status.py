"""The status words a strategy meets, and the automaton that says which may follow which.

    q0 (nothing said yet) ─ DELAYED, LIVE, CONNBROKEN, NOTSUBSCRIBED, NOTSUPPORTED_TF, DISCONNECTED
    DELAYED               ─ LIVE, CONNBROKEN, NOTSUBSCRIBED, DISCONNECTED
    LIVE                  ─ DELAYED, CONNBROKEN, NOTSUBSCRIBED, DISCONNECTED
    CONNBROKEN            ─ CONNECTED, DISCONNECTED
    CONNECTED             ─ DELAYED, CONNBROKEN, DISCONNECTED
    NOTSUBSCRIBED, NOTSUPPORTED_TF ─ DISCONNECTED
    DISCONNECTED          ─ nothing

There is always a DELAYED between CONNECTED and LIVE, so that a strategy can hold its orders back. UNKNOWN carries a
payload (a declared gap, a corrected bar) and changes nothing.
"""

from __future__ import annotations

import enum


class Status(enum.IntEnum):
    """The words, with backtrader's numbers (`AbstractDataBase.CONNECTED` … `UNKNOWN`)."""

    CONNECTED = 0
    DISCONNECTED = 1
    CONNBROKEN = 2
    DELAYED = 3
    LIVE = 4
    NOTSUBSCRIBED = 5
    NOTSUPPORTED_TF = 6
    UNKNOWN = 7


_S = Status
FOLLOWS: dict[Status | None, frozenset[Status]] = {
    None: frozenset({_S.DELAYED, _S.LIVE, _S.CONNBROKEN, _S.NOTSUBSCRIBED, _S.NOTSUPPORTED_TF, _S.DISCONNECTED}),
    _S.DELAYED: frozenset({_S.LIVE, _S.CONNBROKEN, _S.NOTSUBSCRIBED, _S.DISCONNECTED}),
    _S.LIVE: frozenset({_S.DELAYED, _S.CONNBROKEN, _S.NOTSUBSCRIBED, _S.DISCONNECTED}),
    _S.CONNBROKEN: frozenset({_S.CONNECTED, _S.DISCONNECTED}),
    _S.CONNECTED: frozenset({_S.DELAYED, _S.CONNBROKEN, _S.DISCONNECTED}),
    _S.NOTSUBSCRIBED: frozenset({_S.DISCONNECTED}),
    _S.NOTSUPPORTED_TF: frozenset({_S.DISCONNECTED}),
    _S.DISCONNECTED: frozenset(),
}


def allowed(before: Status | None, word: Status) -> bool:
    """Whether `word` may be said after `before` (None: nothing was said yet)."""
    if word is Status.UNKNOWN:
        return before is not Status.DISCONNECTED
    return word in FOLLOWS[before]
