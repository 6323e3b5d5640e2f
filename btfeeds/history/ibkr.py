"""History from Interactive Brokers, through TWS or IB Gateway on this machine: no HTTP, and rules of its own for pace.

A question names its end and a length, and answers with at least what traded in it; a day more is asked for than is
wanted, for "1 D" is a day of trading and may begin with the session. Trades make the bars; of currencies it is the
middle of bid and ask, which has no volume. Days are named by their date, and over when it is over in New York: hours
behind the close belong to them. What is closed, TWS's time tells, which is asked for before each question. Everything
else (pages, bars made of smaller ones) is as with every provider.

https://ibkrcampus.com/campus/ibkr-api-page/twsapi-doc/#hist-bars
https://ibkrcampus.com/campus/ibkr-api-page/twsapi-doc/#historical-pacing-limitations
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections import deque
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Any, ClassVar

from btfeeds import errors
from btfeeds.clock import Clock, SystemClock
from btfeeds.history.downloader import Downloader
from btfeeds.history.http import HttpClient
from btfeeds.history.paging import Answer, Gone, Pager
from btfeeds.history.tws import Gateway
from btfeeds.market import Bar, Symbol, Timeframe, TimeRange, to_ms
from btfeeds.venues import base, reading
from btfeeds.venues.base import Host, HttpResponse, Limits, Provider

_DAY_MS = 86_400_000
_TRIES = 3
_POLL_MS = 50  # of the wall
_INDICES = {"^GSPC": ("SPX", "CBOE"), "^VIX": ("VIX", "CBOE"), "^NDX": ("NDX", "NASDAQ"), "^RUT": ("RUT", "RUSSELL")}
# Bar sizes by their names there, and how many seconds of them one question may be about.
_SIZES = {
    **{"1s": ("1 secs", 1_800), "5s": ("5 secs", 3_600), "10s": ("10 secs", 14_400), "15s": ("15 secs", 14_400)},
    **{"30s": ("30 secs", 28_800), "1m": ("1 min", 86_400), "2m": ("2 mins", 172_800), "3m": ("3 mins", 604_800)},
    **{"5m": ("5 mins", 604_800), "10m": ("10 mins", 604_800), "15m": ("15 mins", 604_800)},
    **{"20m": ("20 mins", 604_800), "30m": ("30 mins", 2_592_000), "1h": ("1 hour", 2_592_000)},
    **{"1d": ("1 day", 364 * 86_400)},
}
_TIMEFRAMES = {Timeframe.parse(ours): native for ours, (native, _) in _SIZES.items()}


class Ibkr(Provider):
    """What Interactive Brokers has, as a data sheet. Bars of more hours are made of hours: where they open differs."""

    hosts: ClassVar[Mapping[str, Host]] = {"ibkr": Host("Interactive Brokers", "", "")}
    timeframes = _TIMEFRAMES
    limits = Limits(3_360, 6)  # 60 questions in 10 minutes
    days_back = reading.days("1s=180 5s=180 10s=180 15s=180 30s=180")  # six months
    paging = base.Paging.WINDOW
    whole_window = True  # "at least": days of trading may lie before the span
    dates_of = reading.NEW_YORK

    assets = ("equities", "indices", "FX", "crypto")
    adjusted = "splits"
    depth = "bars up to 30s: 6 months; others: years, by market"
    free = "an account, and a subscription for most markets"
    docs = "https://ibkrcampus.com/campus/ibkr-api-page/twsapi-doc/"

    def native_symbol(self, symbol: Symbol) -> str:
        return " ".join(self.contract(symbol).values())

    def contract(self, symbol: Symbol) -> dict[str, str]:
        """The fields of the contract. Raises UnknownSymbol."""
        if symbol in _INDICES:
            name, exchange = _INDICES[symbol]
            return {"secType": "IND", "symbol": name, "exchange": exchange, "currency": "USD"}
        if ":" not in symbol and {symbol.base, symbol.quote} <= reading.FIAT:
            return {"secType": "CASH", "symbol": symbol.base, "exchange": "IDEALPRO", "currency": symbol.quote}
        if ":" not in symbol and symbol.quote:
            return {"secType": "CRYPTO", "symbol": symbol.base, "exchange": "PAXOS", "currency": symbol.quote}
        if not re.fullmatch(r"[A-Z0-9]+([.\-][A-Z])?", symbol):
            raise reading.unknown_symbol(self, symbol)
        name = re.sub(r"[.\-]", " ", symbol)  # BRK B
        return {"secType": "STK", "symbol": name, "exchange": "SMART", "currency": "USD"}

    def page(self, timeframe: Timeframe, span: TimeRange, now: int) -> TimeRange:
        longest = 1000 * _SIZES[str(timeframe)][1]
        return super().page(timeframe, TimeRange(span.start, min(span.end, span.start + longest)), now)


class Pace:
    """When the next question may be put. Pure: times are of a monotonic clock in ms."""

    def __init__(self) -> None:
        self._asked: deque[tuple[int, str, str]] = deque()  # when, about which contract, in which words
        self._closed_until = 0

    def wait(self, contract: str, words: str, now: int) -> int:
        """0, and the question counts as put; or how many ms to wait before asking again."""
        while self._asked and self._asked[0][0] + 600_000 <= now:
            self._asked.popleft()
        same = [at for at, _, other in self._asked if other == words]
        near = [at for at, about, _ in self._asked if about == contract]
        waits = [self._closed_until - now]
        if len(self._asked) >= 60:  # in 10 minutes
            waits.append(self._asked[-60][0] + 600_000 - now)
        if same:  # not within 15 s
            waits.append(same[-1] + 15_000 - now)
        if len(near) >= 5:  # fewer than 6 within 2 s
            waits.append(near[-5] + 2_000 - now)
        longest = max(waits)
        if longest <= 0:
            self._asked.append((now, contract, words))
        return max(0, longest)

    def hold(self, seconds: float, now: int) -> None:
        """Nothing is asked for so long."""
        self._closed_until = max(self._closed_until, now + math.ceil(1000 * seconds))


class _IbkrPager(Pager):
    """Pages as of every provider; only the rows come from another door."""

    provider: Ibkr

    def __init__(self, provider: Ibkr, gateway: Gateway, http: HttpClient, clock: Clock) -> None:
        super().__init__(provider, http, clock)
        self._gateway = gateway
        self._pace = Pace()

    def _rows(
        self, symbol: Symbol, timeframe: Timeframe, span: TimeRange, gone: Gone
    ) -> tuple[HttpResponse, list[Bar]]:
        contract = self.provider.contract(symbol)
        request = _request(contract["secType"], timeframe, span)
        words = f"{contract} {request}"
        for again in range(_TRIES):
            self._wait(lambda: self._pace.wait(str(contract), words, self._clock.monotonic()), gone)
            try:
                sent = self._clock.now()
                venue_time = self._gateway.time(gone)
                received = self._clock.now()
                rows = self._gateway.bars(contract, request, gone)
                break
            except errors.BtfeedsError as error:
                # a link that broke is made again; where nobody has ever answered, nobody will in a quarter of a minute
                if error.fatal or gone() or again + 1 == _TRIES or not self._gateway.reached:
                    raise
                if isinstance(error, errors.RateLimited):
                    self._pace.hold(error.retry_after, self._clock.monotonic())
        bars = sorted(map(_bar, rows), key=lambda bar: bar.open_time)
        date = {"date": formatdate(venue_time // 1000, usegmt=True)}
        return HttpResponse(200, b"", date, sent=sent, received=received), bars

    def _doubted(
        self, symbol: Symbol, timeframe: Timeframe, span: TimeRange, window_end: int, gone: Gone, answer: Answer
    ) -> Answer:
        return answer  # that there is nothing it says in words, and who asks again at once has to wait

    def _wait(self, left: Callable[[], int], gone: Gone) -> None:
        step = max(1, int(_POLL_MS * self._clock.speed))
        while ms := left():
            if gone():
                raise errors.NetworkError("The download was given up.", "Nobody waits for it any more.")
            self._clock.sleep(min(ms, step))


class IbkrDownloader(Downloader):
    """Loads bars from TWS or IB Gateway. May be used from several threads."""

    def __init__(self, gateway: Gateway, clock: Clock | None = None) -> None:
        provider, clock = Ibkr(), clock or SystemClock()
        http = HttpClient(clock)
        super().__init__(provider, http, clock)
        self._gateway = gateway
        self._pager = _IbkrPager(provider, gateway, http, clock)

    def close(self) -> None:
        super().close()
        self._gateway.close()


def downloader(
    clock: Clock | None = None,
    timeout: float = 30.0,
    host: str = "127.0.0.1",
    port: int = 7496,
    client_id: int = 1,
    **unknown: Any,
) -> IbkrDownloader:
    """A downloader. `port` is TWS's 7496 (7497 paper) or IB Gateway's 4001 (4002). Raises ConfigError."""
    if unknown:
        raise errors.ConfigError(
            f"A downloader of ibkr has no setting {', '.join(sorted(unknown))}.",
            "Nothing was started.",
            "The settings are: host, port, client_id, clock, timeout.",
        )
    return IbkrDownloader(Gateway(host, port, client_id, timeout), clock)


def _request(kind: str, timeframe: Timeframe, span: TimeRange) -> dict[str, Any]:
    """What reqHistoricalData is asked."""
    native, _ = _SIZES[str(timeframe)]
    length = span.end - span.start
    days = f"{-(-length // _DAY_MS) + 1} D"
    return {
        "endDateTime": dt.datetime.fromtimestamp(span.end // 1000, dt.UTC),
        "durationStr": f"{-(-length // 1000)} S" if timeframe.unit == "s" else days,
        "barSizeSetting": native,
        "whatToShow": {"CASH": "MIDPOINT", "CRYPTO": "AGGTRADES"}.get(kind, "TRADES"),
        "useRTH": False,
        "formatDate": 2,  # epoch seconds: a clock's local time would be that of TWS
    }


def _bar(row: Any) -> Bar:
    """A row of the answer. Raises BadFrame."""
    date = row.date
    if not isinstance(date, dt.date) or (isinstance(date, dt.datetime) and date.tzinfo is None):
        raise reading.schema("A row's time is none, or comes without its zone.")
    try:
        o, high, low, c, volume = (float(number) for number in (row.open, row.high, row.low, row.close, row.volume))
        # -1 stands for "none"
        return Bar(to_ms(date), o, high, low, c, 0.0 if volume == -1 else volume, max(-1, int(row.barCount)))
    except (TypeError, ValueError, OverflowError):
        raise reading.schema(f"A row is no bar: {row!r:.200}") from None
