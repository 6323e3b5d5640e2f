"""A server in one object that reads a request for bars as `expect.json` says the venue does, and answers in rows of its
own: whether the dialect's requests mean the span they were made for shows in the bars that a Downloader gets from it.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any
from zoneinfo import ZoneInfo

import httpx2

from btfeeds.clock import ManualClock
from btfeeds.history.downloader import Downloader
from btfeeds.history.http import HttpClient
from btfeeds.market import Bar, Timeframe
from btfeeds.venues.base import HttpResponse, Provider
from tests.history.venue import Unread


class ModelServer:
    """Holds `bars` (the last may be forming) and answers for `provider`, whose clock says `now`."""

    def __init__(self, provider: Provider, rules: dict[str, Any], bars: list[Bar], now: int) -> None:
        self.provider = _plain(provider)
        self.rules = rules
        self.bars = bars
        self.clock = ManualClock(now)
        self.requests = 0

    def downloader(self) -> Downloader:
        http = HttpClient(self.clock, transport=Unread(self._answer))
        return Downloader(self.provider, http, self.clock)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests += 1
        if self.rules.get("files"):
            return self._file(request.url.path)
        rows = [bar for bar in self.bars if self._after_start(request, bar) and self._before_end(request, bar)]
        if reach := self.rules.get("reach"):
            rows = [bar for bar in rows if bar in self.bars[-reach:]]
        cap = self.rules["cap"]
        if name := self.rules["limit"]:
            asked = _param(request, name)
            cap = min(cap or 10**9, int(asked)) if asked else cap
        if cap is not None and len(rows) > cap:
            rows = rows[:cap] if self.rules["gives"] == "oldest" else rows[-cap:]
        return httpx2.Response(200, content=_body(rows))

    def _file(self, path: str) -> httpx2.Response:
        """A file of a day or a month, or its checksum."""
        name = path.rpartition("/")[2]
        if name.endswith(".CHECKSUM"):
            return httpx2.Response(200, content=f"{'0' * 64}  {name.removesuffix('.CHECKSUM')}\n".encode())
        [date] = re.findall(r"-(\d{4}-\d\d(?:-\d\d)?)\.zip", name)
        opened = {bar: str(dt.datetime.fromtimestamp(bar.open_time / 1000, dt.UTC)) for bar in self.bars}
        rows = [bar for bar, time in opened.items() if time.startswith(date)]
        return httpx2.Response(200, content=_body(rows))

    def _after_start(self, request: httpx2.Request, bar: Bar) -> bool:
        bound = self._bound(request, "start")
        return bound is None or bar.open_time > bound[0] or (bound[1] and bar.open_time == bound[0])

    def _before_end(self, request: httpx2.Request, bar: Bar) -> bool:
        bound = self._bound(request, "end")
        return bound is None or bar.open_time < bound[0] or (bound[1] and bar.open_time == bound[0])

    def _bound(self, request: httpx2.Request, which: str) -> tuple[float, bool] | None:
        """The bound in ms, and whether it belongs to the span."""
        if self.rules[which] is None:
            return None
        name, unit, kind = self.rules[which]
        text = _param(request, name)
        if not text:
            return None
        if unit == "iso":
            moment = dt.datetime.fromisoformat(text)
            assert moment.tzinfo is not None, f"{text} names no time zone"
            return moment.timestamp() * 1000, kind == "inclusive"
        if unit in ("wall", "date", "month"):
            return self._local(text, unit, which), kind == "inclusive" and (unit == "wall" or which == "start")
        assert text.isdigit(), f"{name}={text} is no whole number of {unit}"
        return int(text) * {"ms": 1, "s": 1000, "ns": 1e-6}[unit], kind == "inclusive"


    def _local(self, text: str, unit: str, which: str) -> float:
        """A time of the venue's own clock; of a date or a month the start, or the end, which is excluded."""
        moment = dt.datetime.fromisoformat(f"{text}-01" if unit == "month" else text)
        if which == "end" and unit == "date":
            moment += dt.timedelta(days=1)
        if which == "end" and unit == "month":
            moment = (moment + dt.timedelta(days=32)).replace(day=1)
        return moment.replace(tzinfo=ZoneInfo(self.rules.get("zone", "UTC"))).timestamp() * 1000


def _body(rows: list[Bar]) -> bytes:
    return json.dumps([[bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume] for bar in rows]).encode()


def _param(request: httpx2.Request, name: str) -> str:
    if name.startswith("/"):
        return request.url.path.split("/")[int(name[1:])]
    return str(request.url.params.get(name, ""))


def _plain(provider: Provider) -> Provider:
    """The same venue: its requests are its own, its answers are the model's rows."""

    def parse_bars(self: Provider, response: HttpResponse, timeframe: Timeframe) -> list[Bar]:
        return [Bar(*row) for row in json.loads(response.body)] if response.body[:1] == b"[" else []

    def check(self: Provider, response: HttpResponse) -> None:
        assert response.status == 200

    methods = {"parse_bars": parse_bars, "check": check, "used_weight": lambda self, response: None}
    kind = type(f"Model{type(provider).__name__}", (type(provider),), methods)
    made: Provider = kind(provider.name, key="key", secret="secret")
    return made
