"""A bar on a terminal, for long downloads only."""

from __future__ import annotations

import io

import pytest

from btfeeds.history.progress import shown


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def written(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, progress: bool | None, requests: float) -> str:
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with shown(progress, "Binance BTC/USDT 1m", requests) as report:
        report(0.5)
        report(1.0)
    return stream.getvalue()


def test_a_long_download_in_a_terminal_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "BTC/USDT" in written(monkeypatch, Terminal(), None, 6)


@pytest.mark.parametrize(
    ("stream", "progress", "requests"),
    [(Terminal(), None, 5), (io.StringIO(), None, 1000), (Terminal(), False, 1000)],
    ids=["short", "no terminal", "switched off"],
)
def test_otherwise_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, progress: bool | None, requests: float
) -> None:
    assert written(monkeypatch, stream, progress, requests) == ""


def test_a_function_is_told_instead() -> None:
    shares: list[float] = []
    with shown(shares.append, "", 1000) as report:
        report(0.25)
    assert shares == [0.25]
