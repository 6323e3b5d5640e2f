"""`btfeeds fetch`: what may be written, and what is shown. That it fetches is tested end to end (tests/e2e)."""

from __future__ import annotations

from pathlib import Path

import pytest

from btfeeds.cli import app
from btfeeds.cli.fetch import _lines, _moment, _span
from btfeeds.errors import ConfigError, WarehouseUnwritable
from btfeeds.fetching import Fetched, Wish, left_over
from btfeeds.market import Symbol, Timeframe, TimeRange
from btfeeds.warehouse import Warehouse
from btfeeds.warehouse.gapreport import Cause, Gap, GapReport

M = 60_000
NOON = 1_709_294_400_000
SPAN = TimeRange(NOON, NOON + 100 * M)
WISH = Wish("auto", Symbol("BTC/USDT"), Timeframe.parse("1m"), SPAN)


@pytest.mark.parametrize(
    ("text", "ms"),
    [("2024-03-01T12:00Z", NOON), ("1709294400000", NOON), ("2h", NOON - 120 * M), ("1d", NOON - 1_440 * M)],
)
def test_an_instant_may_be_written_as_a_time_before_now(text: str, ms: int) -> None:
    assert _moment(text, NOON) == ms


def test_the_end_is_now_at_the_latest() -> None:
    assert _span("2024-03-01T11:00Z", None, NOON) == TimeRange(NOON - 60 * M, NOON)
    assert _span("2024-03-01T11:00Z", "2030-01-01", NOON) == TimeRange(NOON - 60 * M, NOON)
    assert _span("2024-03-01T11:00Z", "2024-03-01T11:30Z", NOON) == TimeRange(NOON - 60 * M, NOON - 30 * M)


@pytest.mark.parametrize(("start", "end"), [(None, None), ("2024-03-01", "2024-02-01"), ("2030-01-01", None)])
def test_no_time_is_refused(start: str | None, end: str | None) -> None:
    with pytest.raises(ConfigError):
        _span(start, end, NOON)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["bitbucket", "BTC/USDT", "1m", "--from", "2024-01-01"], "There is no venue 'bitbucket'."),
        (["binance", "BTC/USDT", "1x", "--from", "2024-01-01"], "'1x' is not a timeframe."),
        (["binance", "BTC/USDT", "1m"], "There is no --from."),
        (["binance", "BTC/USDT", "1m", "--from", "soon"], "'soon' is not a time."),
        (["binance", "BTC/USDT", "1m", "--from", "2024-01-01", "--larger", "1s"], "Bars of 1s cannot be made"),
        (["binance", "BTC/USDT", "1m", "--from", "99999M"], "'99999M' is longer than a hundred years."),
        (["yahoo", "AAPL", "1m", "--from", "2024-01-01", "--larger", "1h,1d"], "Bars of 1d of AAPL cannot be made"),
        (["auto", "AAPL", "1m", "--from", "2024-01-01", "--rules", "AAPL=massive"], "Nobody can be asked for AAPL"),
        (["auto", "BTC/USDT", "1m", "--from", "1d", "--sim", "http://127.0.0.1:9"], "A simulator is one venue"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(
    args: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app._run(["fetch", *args, "--warehouse", str(tmp_path / "bars")]) == 2
    told = capsys.readouterr()
    assert told.err.startswith(said)
    assert (len(told.err.splitlines()), told.out) == (3, "")


def test_without_a_warehouse_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert app._run(["fetch", "binance", "BTC/USDT", "1m", "--from", "2024-01-01"]) == 2
    assert capsys.readouterr().err.startswith("No warehouse is named.")


@pytest.fixture
def wishes(monkeypatch: pytest.MonkeyPatch) -> list[Wish]:
    """What is fetched."""
    wishes: list[Wish] = []

    def fetched(manager: object, warehouse: object, wish: Wish, **_: object) -> Fetched:
        wishes.append(wish)
        return Fetched(wish)

    monkeypatch.setattr("btfeeds.fetching.fetch", fetched)
    return wishes


NOTED = {"start": SPAN.start, "end": SPAN.end, "larger": ["1h"]}


def test_resume_goes_on_with_the_symbols_that_were_interrupted_and_names_the_others(
    tmp_path: Path, wishes: list[Wish], capsys: pytest.CaptureFixture[str]
) -> None:
    with Warehouse(tmp_path / "bars") as warehouse:
        warehouse.set_checkpoint("fetch binance ETH/USDT 1m", NOTED)
    args = ["fetch", "binance", "BTC/USDT,ETH/USDT", "1m", "--resume", "--warehouse", str(tmp_path / "bars")]
    assert app._run(args) == 0
    assert [(wish.symbol, wish.span) for wish in wishes] == [("ETH/USDT", SPAN)]
    assert capsys.readouterr().err == "No fetch of binance BTC/USDT 1m was interrupted.\n"


def test_resume_is_refused_where_no_symbol_was_interrupted(
    tmp_path: Path, wishes: list[Wish], capsys: pytest.CaptureFixture[str]
) -> None:
    Warehouse(tmp_path / "bars").close()
    args = ["fetch", "binance", "BTC/USDT,ETH/USDT", "1m", "--resume", "--warehouse", str(tmp_path / "bars")]
    assert (app._run(args), wishes) == (2, [])
    assert capsys.readouterr().err.startswith("No fetch of binance BTC/USDT 1m was interrupted.\nNothing was started.")


def test_symbols_that_wait_for_others_can_be_resumed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object, **__: object) -> Fetched:
        raise WarehouseUnwritable("The disk is full.")

    monkeypatch.setattr("btfeeds.fetching.fetch", stopped)
    args = ["fetch", "binance", "BTC/USDT,ETH/USDT", "1m", "--warehouse", str(tmp_path / "bars"), "--jobs", "1"]
    assert app._run([*args, "--from", "2024-03-01T12:00Z", "--to", "2024-03-01T13:40Z"]) == 3
    with Warehouse(tmp_path / "bars") as warehouse:
        for symbol in ("BTC/USDT", "ETH/USDT"):
            assert left_over(warehouse, "binance", Symbol(symbol), Timeframe.parse("1m")).span == SPAN


def test_resume_makes_the_larger_bars_that_were_wanted(tmp_path: Path, wishes: list[Wish]) -> None:
    with Warehouse(tmp_path / "bars") as warehouse:
        warehouse.set_checkpoint("fetch binance BTC/USDT 1m", NOTED)
    args = ["fetch", "binance", "BTC/USDT", "1m", "--resume", "--larger", "5m", "--warehouse", str(tmp_path / "bars")]
    assert app._run(args) == 0
    assert [(wish.span, [str(one) for one in wish.larger]) for wish in wishes] == [(SPAN, ["1h", "5m"])]


def test_people_read_what_it_came_to() -> None:
    result = Fetched(WISH, pages=2, bars=90, seconds=1.5, larger={"5m": 18}, missing=[TimeRange(NOON, NOON + M)])
    result.origin = [(SPAN, "binance")]
    gaps = (
        Gap(TimeRange(NOON + 20 * M, NOON + 26 * M), 6, Cause.SOURCE),
        Gap(TimeRange(NOON + 50 * M, NOON + 54 * M), 4, Cause.NO_TRADE),
    )
    result.gaps = GapReport(SPAN, 90, gaps)
    assert list(_lines(result)) == [
        "auto BTC/USDT 1m: 90 bars in 2 pages, 60 bars/s",
        "  2024-03-01T12:00:00Z .. 2024-03-01T13:40:00Z is binance's",
        "  90 bars are there, 4 without trades, 6 the source does not have",
        "  the longest gap of the source: 6 bars from 2024-03-01T12:20:00Z",
        "  18 bars of 5m made",
        "  still missing: 2024-03-01T12:00:00Z .. 2024-03-01T12:01:00Z",
    ]
    assert next(iter(_lines(Fetched(WISH)))) == "auto BTC/USDT 1m: everything was there"
    assert next(iter(_lines(Fetched(WISH, missing=[SPAN])))) == "auto BTC/USDT 1m: nothing came"


def test_people_read_what_is_not_published_yet() -> None:
    assert list(_lines(Fetched(WISH, unpublished=[SPAN]))) == [
        "auto BTC/USDT 1m: nothing came",
        "  not published yet: 2024-03-01T12:00:00Z .. 2024-03-01T13:40:00Z",
    ]
