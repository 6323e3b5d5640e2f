"""The warehouse as others use it."""

from __future__ import annotations

import gzip
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest

from btfeeds import barfile
from btfeeds.clock import ManualClock, SystemClock
from btfeeds.errors import ConfigError, WarehouseError, WarehouseUnwritable
from btfeeds.history.downloader import frame
from btfeeds.history.ranges import gaps
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange, to_ms
from btfeeds.warehouse import Added, Provenance, Warehouse
from tests.shared import shared
from tests.warehouse.bars import APRIL, DAY, HOUR, MARCH, MINUTE, SERIES, bars

EVER = TimeRange(0, 2**60)
TEN = TimeRange(MARCH, MARCH + 10 * MINUTE)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "w", clock=ManualClock(MARCH + DAY))


def test_no_place_is_guessed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("BTFEEDS_WAREHOUSE", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="No warehouse is named"):
        Warehouse()


def test_the_setting_names_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BTFEEDS_WAREHOUSE", str(tmp_path / "here"))
    with Warehouse() as warehouse:
        assert warehouse.root == tmp_path / "here"


def test_bars_come_out_as_they_went_in(warehouse: Warehouse) -> None:
    assert warehouse.add(SERIES, bars(10), provider="binance") == Added(new=10)
    assert warehouse.bars(SERIES, EVER) == bars(10)
    assert warehouse.bars(SERIES, TimeRange(MARCH + 1, MARCH + 3 * MINUTE)) == bars(2, first=1)


def test_a_series_nobody_added_to_is_empty(warehouse: Warehouse) -> None:
    assert warehouse.bars(SERIES, TEN) == []
    assert warehouse.missing(SERIES, TEN) == [TEN]
    assert (warehouse.get(SERIES), warehouse.series(), warehouse.origin(SERIES, TEN)) == (None, [], [])
    assert (warehouse.revisions(SERIES), warehouse.dead_letters(SERIES), warehouse.forget(SERIES, TEN)) == ([], [], 0)
    assert len(warehouse.read("binance", "BTC/USDT", "1m")) == 0


def test_a_frame_is_that_of_a_download(warehouse: Warehouse) -> None:
    warehouse.add(SERIES, bars(10), provider="binance")
    read = warehouse.read("binance", "btc/usdt", "1m", "2024-03-01T00:02", "2024-03-01T00:05Z")
    pd.testing.assert_frame_equal(read, frame(bars(3, first=2)))


def test_a_frame_from_a_file_and_the_catalogue_is_that_of_a_download(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    with Warehouse(tmp_path, clock=ManualClock(APRIL + DAY)) as warehouse:
        both = bars(20, start=APRIL - 10 * MINUTE)
        warehouse.add(SERIES, both, provider="binance", span=TimeRange(MARCH, APRIL + HOUR))
        assert len(warehouse.files()) == 1
        pd.testing.assert_frame_equal(warehouse.read("binance", "BTC/USDT", "1m"), frame(both))
        assert warehouse.arrow(SERIES, EVER).num_rows == 20


def test_what_was_asked_and_answered_is_not_missing_even_without_bars(warehouse: Warehouse) -> None:
    warehouse.add(SERIES, bars(2), provider="binance", span=TimeRange(MARCH - MINUTE, MARCH + 5 * MINUTE))
    assert warehouse.missing(SERIES, TEN) == [TimeRange(MARCH + 5 * MINUTE, TEN.end)]
    assert warehouse.covered(SERIES, TEN) == [TimeRange(MARCH, MARCH + 5 * MINUTE)]


def test_spans_are_widened_to_whole_bars(warehouse: Warehouse) -> None:
    warehouse.add(SERIES, [], provider="binance", span=TimeRange(MARCH + 1, MARCH + 2 * MINUTE + 1))
    assert warehouse.covered(SERIES, EVER) == [TimeRange(MARCH + MINUTE, MARCH + 3 * MINUTE)]
    assert warehouse.missing(SERIES, TimeRange(MARCH + MINUTE, MARCH + 3 * MINUTE + 1)) == [
        TimeRange(MARCH + 3 * MINUTE, MARCH + 4 * MINUTE)
    ]


def test_every_bar_knows_where_it_comes_from(warehouse: Warehouse) -> None:
    warehouse.add(SERIES, bars(3), provider="binance")
    warehouse.add(SERIES, bars(2, first=3), provider="kraken", adjusted=True)
    assert warehouse.origin(SERIES, EVER) == [
        (TimeRange(MARCH, MARCH + 3 * MINUTE), Provenance("binance", MARCH + DAY, False)),
        (TimeRange(MARCH + 3 * MINUTE, MARCH + 5 * MINUTE), Provenance("kraken", MARCH + DAY, True)),
    ]


def test_a_listing_tells_totals_and_the_last_validation(warehouse: Warehouse) -> None:
    days = Subscription("alpaca", Symbol("AAPL"), Timeframe.parse("1d"))
    warehouse.add(SERIES, bars(3), provider="binance")
    warehouse.add(days, bars(2, start=MARCH - 5 * DAY, step=DAY), provider="alpaca")
    warehouse.mark_validated(days, MARCH, 99)
    listed = [(one.subscription, one.first, one.last, one.rows, one.validated, one.score) for one in warehouse.series()]
    assert listed == [
        (days, MARCH - 5 * DAY, MARCH - 4 * DAY, 2, MARCH, 99),
        (SERIES, MARCH, MARCH + 2 * MINUTE, 3, 0, -1),
    ]
    assert warehouse.get(days) == warehouse.series()[0]
    assert warehouse.timeframes(days.venue, days.symbol) == [days.timeframe]


def test_a_listing_opens_no_file_of_bars(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    with Warehouse(tmp_path, clock=ManualClock(APRIL)) as warehouse:
        warehouse.add(SERIES, bars(3), provider="binance", span=TimeRange(MARCH, APRIL))
        opened: list[str] = []
        watching = True

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            if watching and event == "open":
                opened.append(str(arguments[0]))

        sys.addaudithook(watch)
        assert [one.files for one in warehouse.series()] == [1]
        watching = False
        assert [path for path in opened if "parquet" in path] == []


def test_checkpoints_are_kept_and_forgotten(warehouse: Warehouse) -> None:
    warehouse.set_checkpoint("a", {"page": 1, "when": "now"})
    warehouse.set_checkpoint("a", {"page": 2})
    assert warehouse.checkpoint("a") == {"page": 2}
    warehouse.set_checkpoint("a", None)
    assert warehouse.checkpoint("a") is None


def test_a_closed_warehouse_says_so(warehouse: Warehouse) -> None:
    warehouse.close()
    warehouse.close()
    with pytest.raises(WarehouseError, match="is closed"):
        warehouse.series()


def test_one_that_is_sent_to_another_process_is_opened_there(tmp_path: Path) -> None:
    with Warehouse(tmp_path / "w", clock=SystemClock()) as warehouse:
        warehouse.add(SERIES, bars(3), provider="binance")
        code = "import pickle, sys; print(len(pickle.loads(sys.stdin.buffer.read()).read('binance', 'BTC/USDT', '1m')))"
        sent = pickle.dumps(warehouse)
        run = subprocess.run([sys.executable, "-c", code], input=sent, capture_output=True, check=True)
    assert run.stdout.split() == [b"3"]
    with Warehouse(tmp_path / "w", readonly=True) as warehouse, pickle.loads(pickle.dumps(warehouse)) as same:
        assert (same.root, same.readonly, same.bars(SERIES, EVER)) == (tmp_path / "w", True, bars(3))


def test_many_threads_add_and_read_at_once(warehouse: Warehouse) -> None:
    def work(first: int) -> None:
        for number in range(first, first + 20):
            warehouse.add(SERIES, bars(1, first=number), provider="binance")
            assert warehouse.bars(SERIES, EVER)

    threads = [threading.Thread(target=work, args=(20 * number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warehouse.bars(SERIES, EVER) == bars(100)
    assert warehouse.covered(SERIES, EVER) == [TimeRange(MARCH, MARCH + 100 * MINUTE)]


def test_another_process_sees_at_once_what_was_added(warehouse: Warehouse) -> None:
    warehouse.add(SERIES, bars(4), provider="binance")
    code = ("import sys; from btfeeds.warehouse import Warehouse; "
            "print(Warehouse(sys.argv[1], readonly=True).series()[0].rows)")  # fmt: skip
    run = subprocess.run([sys.executable, "-c", code, str(warehouse.root)], capture_output=True, text=True, check=True)
    assert run.stdout == "4\n"


def test_bars_of_months_weeks_and_before_1970_have_their_place(warehouse: Warehouse) -> None:
    months = Subscription("yahoo", Symbol("^GSPC"), Timeframe.parse("1M"))
    times = [to_ms("1928-01-01"), to_ms("1928-02-01"), to_ms("2024-02-01")]
    warehouse.add(months, [Bar(time, 17.0, 18.0, 16.0, 17.5, 0.0) for time in times], provider="yahoo")
    assert [bar.open_time for bar in warehouse.bars(months, TimeRange(-(2**60), 2**60))] == times
    assert warehouse.read("yahoo", "^GSPC", "1M").index[0] == pd.Timestamp("1928-01-01", tz="UTC")


def test_the_grid_goes_on_over_both_changes_of_summer_time(warehouse: Warehouse) -> None:
    hours = Subscription("kraken", Symbol("BTC/EUR"), Timeframe.parse("1h"))
    span = TimeRange(to_ms("2023-03-25"), to_ms("2023-10-31"))
    count = (span.end - span.start) // HOUR
    warehouse.add(hours, bars(count, start=span.start, step=HOUR), provider="kraken")
    assert warehouse.missing(hours, span) == []
    assert gaps(warehouse.bars(hours, span), hours.timeframe, span) == []


def test_numbers_keep_every_digit(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    odd = Bar(MARCH, 0.1 + 0.2, 1e308, 5e-324, 12345.678901234567, 1e-20, 2**40)
    with Warehouse(tmp_path, clock=ManualClock(APRIL)) as warehouse:
        warehouse.add(SERIES, [odd], provider="binance")
        assert warehouse.bars(SERIES, EVER) == [odd]
        warehouse.add(SERIES, [], provider="binance", span=TimeRange(MARCH, APRIL))
        assert len(warehouse.files()) == 1
        assert warehouse.bars(SERIES, EVER) == [odd]


def test_real_bars_come_out_as_they_went_in_and_gaps_of_the_source_are_known_as_such(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    source = shared("bitfinex/zombie3000/BTCUSD_1m_2016.csv.gz")
    with gzip.open(source, "rt", encoding="ascii") as lines:
        data = [_bitfinex(line) for line in lines]
    series = Subscription("bitfinex", Symbol("BTC/USD"), Timeframe.parse("1m"))
    year = TimeRange(to_ms("2016-01-01"), to_ms("2017-01-01"))
    with Warehouse(tmp_path / "w") as warehouse:
        for first in range(0, len(data), 10_000):
            page = data[first : first + 10_000]
            behind = data[first + 10_000].open_time if first + 10_000 < len(data) else year.end
            begin = year.start if first == 0 else page[0].open_time
            warehouse.add(series, page, provider="bitfinex", span=TimeRange(begin, behind))
        assert len(warehouse.files()) == 11, "there are no bars of May"
        held = warehouse.bars(series, year)
        assert held == data
        assert warehouse.missing(series, year) == []
        assert sum(span.end - span.start for span in gaps(held, series.timeframe, year)) == (
            year.end - year.start - len(data) * MINUTE
        )
        assert warehouse.verify() == []


def test_real_bars_without_gaps_are_whole(tmp_path: Path) -> None:
    data = list(barfile.read(shared("binanceus/iaqf/BTCUSDT_1m_20230301_20230321.csv.gz")).bars)
    series = Subscription("binanceus", Symbol("BTC/USDT"), Timeframe.parse("1m"))
    span = TimeRange(data[0].open_time, data[-1].open_time + MINUTE)
    with Warehouse(tmp_path / "w") as warehouse:
        warehouse.add(series, data, provider="binanceus")
        assert warehouse.covered(series, EVER) == [span]
        assert warehouse.bars(series, EVER) == data


def test_a_full_device_is_said_and_loses_nothing(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse.add(SERIES, bars(3), provider="binance")
    with warehouse._catalogue.reading() as db:
        (pages,) = db.execute("PRAGMA page_count").fetchone()
    warehouse._catalogue._connected().execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(WarehouseUnwritable, match="full"):
        warehouse.add(SERIES, bars(2_000, first=3)[:1_400], provider="binance")
    assert warehouse.bars(SERIES, EVER) == bars(3)
    warehouse._catalogue._connected().execute("PRAGMA max_page_count = 1000000")
    assert warehouse.add(SERIES, bars(2, first=3), provider="binance").new == 2


def test_a_read_only_disk_is_read_and_every_write_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "mount"
    root.mkdir()
    with Warehouse(root / "w", clock=ManualClock(MARCH + DAY)) as warehouse:
        warehouse.add(SERIES, bars(3), provider="binance")
    mount = ["mount", "--bind", "-o", "ro", str(root), str(root)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        with Warehouse(root / "w", clock=ManualClock(MARCH + DAY)) as warehouse:
            assert warehouse.readonly
            assert warehouse.bars(SERIES, EVER) == bars(3)
            with pytest.raises(WarehouseUnwritable, match="can only be read"):
                warehouse.add(SERIES, bars(1, first=3), provider="binance")
        with pytest.raises(WarehouseUnwritable):
            Warehouse(root / "other")
    finally:
        subprocess.run(["umount", str(root)], check=True)
    with Warehouse(root / "w", clock=ManualClock(MARCH + DAY)) as warehouse:
        assert warehouse.bars(SERIES, EVER) == bars(3)


def _bitfinex(line: str) -> Bar:
    """Time, open, close, high, low, volume: the venue's own order."""
    time, open_, close, high, low, volume = line.split(",")
    return Bar(int(time), float(open_), float(high), float(low), float(close), float(volume))
