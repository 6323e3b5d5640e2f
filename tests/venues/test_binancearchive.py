"""The archive's oddities, and downloads of it; what every venue must do is in test_conformance.py."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import io
import zipfile
from collections.abc import Callable

import httpx2
import pytest

from btfeeds.errors import BadFrame, HistoryIncomplete, UnknownSymbol
from btfeeds.market import Bar, Symbol, Timeframe, TimeRange, to_ms
from btfeeds.venues.base import HttpRequest, HttpResponse
from btfeeds.venues.binancearchive import BinanceArchive
from tests.shared import shared
from tests.venues.fake import PAGE, Answer, FakeHost

M, DAY_MS = 60_000, 86_400_000
MINUTE, MONTH = Timeframe.parse("1m"), Timeframe.parse("1M")
FIRST = to_ms("2024-01-30")
NAMES = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore"
)


def packed(lines: list[str], *names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names or ("BTCUSDT.csv",):
            # without the time of packing: the same lines are the same file, and have the same checksum
            info = zipfile.ZipInfo(name)
            archive.writestr(info, "".join(f"{line}\n" for line in lines), zipfile.ZIP_DEFLATED)
    return file.getvalue()


def line(time: int, price: float = 100.0, unit: int = 1) -> str:
    return f"{time * unit},{price},{price + 2},{price - 2},{price + 1},1.5,{(time + M) * unit - 1},150,3,0.5,50,0"


def span(start: str, end: str) -> TimeRange:
    return TimeRange(to_ms(start), to_ms(end))


def archive(name: str = "binancearchive") -> BinanceArchive:
    return BinanceArchive(name)


def path(text: str, start: str, end: str, name: str = "binancearchive", symbol: str = "BTC/USDT") -> str:
    return archive(name).bars_request(Symbol(symbol), Timeframe.parse(text), span(start, end)).path


# --- which file -------------------------------------------------------------------------------------------------------


def test_a_whole_month_is_one_file_and_anything_else_a_day() -> None:
    folder = "/data/spot/{}/klines/BTCUSDT/1m/BTCUSDT-1m-{}.zip.CHECKSUM"
    assert path("1m", "2024-02-01", "2024-03-01") == folder.format("monthly", "2024-02")
    assert path("1m", "2024-02-01", "2024-02-29") == folder.format("daily", "2024-02-01")
    assert path("1m", "2024-02-02T12:00Z", "2024-02-03") == folder.format("daily", "2024-02-02")


def test_a_month_s_own_bar_has_another_name_there() -> None:
    wanted = "/data/spot/monthly/klines/BTCUSDT/1mo/BTCUSDT-1mo-2024-02.zip.CHECKSUM"
    assert path("1M", "2024-02-01", "2024-03-01") == wanted


def test_futures_have_a_folder_of_their_own() -> None:
    wanted = "/data/futures/um/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-02-02.zip.CHECKSUM"
    assert path("1m", "2024-02-02", "2024-02-03", "binancearchiveusdm", "BTC/USDT:USDT") == wanted
    with pytest.raises(UnknownSymbol):
        archive().native_symbol(Symbol("BTC/USDT:USDT"))


def test_a_month_of_seconds_is_loaded_by_days() -> None:
    assert "/daily/klines/BTCUSDT/1s/" in path("1s", "2024-02-01", "2024-03-01")
    assert "1s" not in map(str, archive("binancearchiveusdm").timeframes)


def test_weeks_are_made_of_days_and_a_month_is_its_own_bar() -> None:
    assert [str(archive().base_timeframe(Timeframe.parse(text))) for text in ("3d", "1w", "1M")] == ["1d", "1d", "1M"]


@pytest.mark.parametrize(
    ("timeframe", "start", "now", "end"),
    [
        (MINUTE, "2024-02-01", "2024-03-10T00:00Z", "2024-03-01"),  # the month is published
        (MINUTE, "2024-02-01", "2024-03-09T23:59Z", "2024-02-02"),  # not yet, perhaps
        (MINUTE, "2024-02-01T06:00Z", "2024-06-01", "2024-02-02"),  # not whole
        (MINUTE, "2024-03-08", "2024-03-10T00:00Z", "2024-03-09"),  # the day is published
        (MINUTE, "2024-03-08", "2024-03-09T23:59Z", "2024-03-08"),  # nothing yet
        (MONTH, "2024-02-01", "2024-03-10T00:00Z", "2024-03-01"),
        (MONTH, "2024-02-01", "2024-03-09T23:59Z", "2024-02-01"),
    ],
)
def test_a_page_is_a_file_that_is_published(timeframe: Timeframe, start: str, now: str, end: str) -> None:
    page = archive().page(timeframe, span(start, "2024-05-01"), to_ms(now))
    assert page == span(start, end)


# --- checksums --------------------------------------------------------------------------------------------------------


def test_the_checksum_is_asked_for_first_and_goes_with_the_request_for_the_file() -> None:
    first = HttpRequest("/data/x/BTCUSDT-1m-2024-02-02.zip.CHECKSUM")
    answer = HttpResponse(200, f"{'ab' * 32}  BTCUSDT-1m-2024-02-02.zip\n".encode())
    archive().check(answer)
    assert archive().parse_bars(answer, MINUTE) == []
    second = archive().next_page(first, answer)
    assert second == HttpRequest(f"/data/x/BTCUSDT-1m-2024-02-02.zip#sha256={'ab' * 32}")
    assert archive().next_page(second, HttpResponse(200, b"PK")) is None


@pytest.mark.parametrize(
    "text", [f"{'ab' * 32}  BTCUSDT-1m-2024-02-03.zip", f"{'ab' * 31}  BTCUSDT-1m-2024-02-02.zip", ""]
)
def test_a_checksum_of_another_file_is_refused(text: str) -> None:
    with pytest.raises(BadFrame, match="another file"):
        request = HttpRequest("/data/x/BTCUSDT-1m-2024-02-02.zip.CHECKSUM")
        archive().next_page(request, HttpResponse(200, text.encode()))


def read(body: bytes, date: str = "2024-01-30", wanted: str = "") -> list[Bar]:
    url = f"https://data.binance.vision/x/BTCUSDT-1m-{date}.zip#sha256={wanted or hashlib.sha256(body).hexdigest()}"
    return archive().parse_bars(HttpResponse(200, body, url=url), MINUTE)


def test_a_file_that_does_not_match_its_checksum_is_refused() -> None:
    body = packed([line(FIRST)])
    assert len(read(body)) == 1
    with pytest.raises(BadFrame, match="does not match its checksum"):
        read(body, wanted="ab" * 32)


def test_a_file_with_bars_of_another_time_is_refused() -> None:
    with pytest.raises(BadFrame, match="another time"):
        read(packed([line(FIRST), line(FIRST + DAY_MS)]))
    assert len(read(packed([line(FIRST), line(FIRST + DAY_MS)]), "2024-01")) == 2
    with pytest.raises(BadFrame, match="another time"):
        read(packed([line(FIRST + 2 * DAY_MS)]), "2024-01")


# --- what files hold --------------------------------------------------------------------------------------------------


def test_times_of_2025_are_in_microseconds() -> None:
    start = to_ms("2025-01-01")
    assert [bar.open_time for bar in read(packed([line(start, unit=1000)]), "2025-01-01")] == [start]


def test_a_line_of_names_is_no_bar() -> None:
    assert read(packed([NAMES, line(FIRST)])) == [Bar(FIRST, 100.0, 102.0, 98.0, 101.0, 1.5, 3)]


@pytest.mark.parametrize(
    "body",
    [
        b"PK\x03\x04 and nothing else",
        packed([line(FIRST)], "one.csv", "two.csv"),
        packed([line(FIRST)[:-2]]),
        packed([line(FIRST) + ",1"]),
        packed(["1706572800000;100"]),
        packed([line(FIRST).replace("100.0", "x")]),
        packed([line(FIRST), "\x00"]),
        packed(["ä" + line(FIRST)]),
        packed([line(FIRST)])[:-1],
    ],
)
def test_what_is_no_file_of_bars_is_refused(body: bytes) -> None:
    with pytest.raises(BadFrame):
        read(body)


def test_a_file_that_would_be_huge_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("btfeeds.venues.binancearchive._MOST_BYTES", 50)
    with pytest.raises(BadFrame, match="would have"):
        read(packed([line(FIRST)]))


# --- downloads --------------------------------------------------------------------------------------------------------


def published(price: Callable[[int], float] = lambda time: 100.0, step: int = M) -> Answer:
    """Every file there could be, with a bar in every minute (or `step`)."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        name = request.url.path.rpartition("/")[2].removesuffix(".CHECKSUM")
        date = name.removesuffix(".zip").split("-", 2)[2]
        start = dt.date.fromisoformat(date if len(date) == 10 else f"{date}-01")
        following = (start + dt.timedelta(days=32)).replace(day=1) if len(date) == 7 else start + dt.timedelta(days=1)
        times = range(to_ms(start), to_ms(following), step)
        body = packed([line(time, price(time)) for time in times])
        if request.url.path.endswith(".CHECKSUM"):
            return httpx2.Response(200, content=f"{hashlib.sha256(body).hexdigest()}  {name}\n".encode())
        return httpx2.Response(200, content=body)

    return answer


def test_days_and_months_are_put_together_and_the_last_day_waits() -> None:
    fake = FakeHost(to_ms("2024-03-12T10:00Z"), published(step=3_600_000))
    with fake.downloader(archive()) as downloader:
        frame = downloader.download("BTC/USDT", "1h", "2024-01-30T12:00Z")
    assert len(frame) == 12 + 24 + 29 * 24 + 10 * 24
    assert str(frame.index[-1]) == "2024-03-10 23:00:00+00:00"
    assert frame.index.is_unique and frame.index.is_monotonic_increasing
    files = [one.url.path.rpartition("-1h-")[2] for one in fake.requests]
    assert files[:6] == [
        "2024-01-30.zip.CHECKSUM", "2024-01-30.zip", "2024-01-31.zip.CHECKSUM", "2024-01-31.zip",
        "2024-02.zip.CHECKSUM", "2024-02.zip",
    ]
    assert len(files) == 2 * (2 + 1 + 10)


def test_the_fragment_with_the_checksum_is_not_sent() -> None:
    fake = FakeHost(FIRST + 10 * DAY_MS, published())
    with fake.downloader(archive()) as downloader:
        downloader.bars("BTC/USDT", "1m", TimeRange(FIRST, FIRST + M))
    assert [b"sha256" in one.url.raw_path for one in fake.requests] == [False, False]


@pytest.mark.parametrize(
    "trouble",
    [
        httpx2.Response(429),
        httpx2.Response(429, headers={"Retry-After": "30"}),
        httpx2.Response(503, content=b"<Error><Code>SlowDown</Code></Error>"),
        httpx2.Response(500, content=b"<html><body>Internal Error</body></html>"),
        PAGE,
    ],
)
@pytest.mark.parametrize("at", [0, 1])
def test_a_download_outlives_an_answer_that_is_none(trouble: httpx2.Response, at: int) -> None:
    first = [published()(httpx2.Request("GET", "https://x/BTCUSDT-1m-2024-01-30.zip.CHECKSUM"))][:at]
    fake = FakeHost(FIRST + 10 * DAY_MS, published(), *first, trouble)
    with fake.downloader(archive()) as downloader:
        found = downloader.bars("BTC/USDT", "1m", TimeRange(FIRST, FIRST + 5 * M))
    assert [bar.open_time for bar in found] == [FIRST + n * M for n in range(5)] and len(fake.requests) == 3


def test_a_file_that_was_damaged_on_its_way_is_asked_for_again() -> None:
    good = published()
    checksum = good(httpx2.Request("GET", "https://x/BTCUSDT-1m-2024-01-30.zip.CHECKSUM"))
    damaged = httpx2.Response(200, content=packed([line(FIRST, 999.0)]))
    fake = FakeHost(FIRST + 10 * DAY_MS, good, checksum, damaged)
    with fake.downloader(archive()) as downloader:
        found = downloader.bars("BTC/USDT", "1m", TimeRange(FIRST, FIRST + 2 * M))
    assert [bar.open for bar in found] == [100.0, 100.0] and len(fake.requests) == 3


def test_a_file_that_stays_damaged_is_missing_and_the_next_day_comes() -> None:
    good = published()

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("2024-01-30.zip"):
            return httpx2.Response(200, content=packed([line(FIRST, 999.0)]))
        return good(request)

    with FakeHost(FIRST + 10 * DAY_MS, answer).downloader(archive()) as downloader:
        frame = downloader.download("BTC/USDT", "1m", FIRST, FIRST + 2 * DAY_MS, partial=True)
        assert frame.attrs["missing"] == ((FIRST, FIRST + DAY_MS),) and len(frame) == 1_440
        with pytest.raises(HistoryIncomplete, match="does not match its checksum"):
            downloader.download("BTC/USDT", "1m", FIRST, FIRST + 2 * DAY_MS)


def test_a_file_with_fewer_rows_says_that_there_were_no_others() -> None:
    body = packed([line(FIRST + 2 * M)])
    name = f"{hashlib.sha256(body).hexdigest()}  BTCUSDT-1m-2024-01-30.zip"
    answers = (httpx2.Response(200, content=name.encode()), httpx2.Response(200, content=body))
    with FakeHost(FIRST + 10 * DAY_MS, published(), *answers).downloader(archive()) as downloader:
        [page] = downloader.pages("BTC/USDT", "1m", TimeRange(FIRST, FIRST + 5 * M))
    assert page.span == TimeRange(FIRST, FIRST + 5 * M) and [bar.open_time for bar in page.bars] == [FIRST + 2 * M]


def test_a_file_that_is_not_there_is_named() -> None:
    no = httpx2.Response(404, content=b"<Error><Code>NoSuchKey</Code></Error>")
    fake = FakeHost(FIRST + 10 * DAY_MS, published(), no)
    with fake.downloader(archive()) as downloader, pytest.raises(UnknownSymbol, match=r"BTCUSDT-1m-2024-01-30\.zip:"):
        downloader.download("BTC/USDT", "1m", FIRST, FIRST + DAY_MS)
    assert len(fake.requests) == 1


def test_months_have_bars_of_their_own() -> None:
    fake = FakeHost(to_ms("2024-04-05"), published(step=31 * DAY_MS))
    with fake.downloader(archive()) as downloader:
        frame = downloader.download("BTC/USDT", "1M", "2024-01-01", "2024-04-01")
    assert [str(stamp.date()) for stamp in frame.index] == ["2024-01-01", "2024-02-01"], "March is not published yet"


def test_a_real_day_comes_through_the_archive_as_it_was() -> None:
    with gzip.open(shared("binanceus/iaqf/BTCUSDT_1m_20230301_20230321.csv.gz"), "rt", encoding="utf-8") as file:
        rows = [row.rstrip("\n").split(",") for row in file][1 : 1 + 1_440]
    lines = []
    for stamp, *numbers in rows:
        time = to_ms(stamp)
        lines.append(",".join([str(time), *numbers[:5], str(time + M - 1), "0", "1", "0", "0", "0"]))
    body = packed(lines)
    name = f"{hashlib.sha256(body).hexdigest()}  BTCUSDT-1m-2023-03-01.zip"
    answers = (httpx2.Response(200, content=name.encode()), httpx2.Response(200, content=body))
    with FakeHost(FIRST, published(), *answers).downloader(archive()) as downloader:
        frame = downloader.download("BTC/USDT", "1m", "2023-03-01", "2023-03-02")
    assert len(frame) == 1_440 and [float(number) for number in rows[-1][1:6]] == list(frame.iloc[-1])[:5]
