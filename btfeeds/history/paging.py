"""Pages a span of time over a provider: what is asked next, and for which span an answer is the whole truth.

Three ways: the venue's own bars; bars made of its smaller ones; bars made of its trades. The forming bar is left out
by the venue's own clock; a bar that cannot be one leaves a hole that is asked for again, never an empty place.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from btfeeds import monitor
from btfeeds.clock import Clock
from btfeeds.errors import BadFrame, BtfeedsError, HistoryIncomplete, NetworkError, UnsupportedTimeframe
from btfeeds.history.backward import trades_in
from btfeeds.history.http import HttpClient
from btfeeds.history.ranges import merge, pages, subtract, union, whole
from btfeeds.history.shown import bars_until, trades_until
from btfeeds.live.aggregate import bars_from_trades
from btfeeds.market import EMPTY, Bar, Symbol, Timeframe, TimeRange, Trade, iso, to_ms
from btfeeds.venues.base import HttpRequest, HttpResponse, Paging, Provider

_DAY_MS = 86_400_000
_ASK_AGAIN = 2  # times, for a bar or an answer that cannot be right
_PAGES_OF_AN_ANSWER = 100  # more of them are a venue's mistake

Gone = Callable[[], bool]
Failed = Callable[[TimeRange, BtfeedsError], None]


class Page(msgspec.Struct, frozen=True):
    """A piece of time that the venue has answered: its closed bars, ascending, and no others opened in it.

    `venue_time` is the venue's time at the answer (epoch ms), and `took` is when the answer was under way by our clock:
    empty where the venue does not say its time, or somebody's cache answered. `stored`: it was on disk. `rejected` are
    rows of the answer that cannot be bars, of times beside the span.
    """

    span: TimeRange
    bars: list[Bar]
    venue_time: int = 0
    took: TimeRange = EMPTY
    stored: bool = False
    rejected: tuple[Bar, ...] = ()


@dataclass(slots=True)
class _Answer:
    """What one request brought: for which span, which bars, and where bars stood that could not be right."""

    span: TimeRange
    bars: dict[int, Bar]
    bad: dict[int, Bar]
    last: bool  # behind it nothing is closed yet
    venue_time: int
    took: TimeRange


class BadBars(BadFrame):
    """Single bars of an answer cannot be bars, however often they are asked for."""


class Pager:
    """Asks one provider."""

    def __init__(self, provider: Provider, http: HttpClient, clock: Clock) -> None:
        self.provider = provider
        self._http = http
        self._clock = clock

    # --- native bars, bars from smaller ones, bars from trades -------------------------------------------------------

    def pages(
        self, symbol: Symbol, timeframe: Timeframe, span: TimeRange, gone: Gone, failed: Failed
    ) -> Iterator[Page]:
        """Ascending pages of `span`. `failed` is told of pieces that could not be loaded, and may raise.

        Raises fatal errors itself, and any error once `gone()`.
        """
        wanted = whole(span, timeframe)
        try:
            base = self.provider.base_timeframe(timeframe)
        except UnsupportedTimeframe:
            if self.provider.trades_request(symbol, wanted) is None:
                raise
            return self._from_trades(symbol, timeframe, wanted, gone, failed)
        return self._with_reach(symbol, timeframe, base, wanted, gone, failed)

    def _with_reach(
        self, symbol: Symbol, timeframe: Timeframe, base: Timeframe, span: TimeRange, gone: Gone, failed: Failed
    ) -> Iterator[Page]:
        """Older bars than the venue keeps are made of its trades, where it offers them."""
        reach = self.provider.bars_reach
        while reach and self.provider.trades_request(symbol, span) is not None:
            oldest = timeframe.close(timeframe.floor(self._clock.now() - (reach - 2) * base.ms))
            older = TimeRange(span.start, min(span.end, oldest))
            if not older:
                break
            made = self._from_trades(symbol, timeframe, older, gone, failed)
            yield from made if self.provider.omits_empty_bars else _with_flat_bars(made, timeframe)
            span = TimeRange(older.end, span.end)  # while that took its time, more bars went out of reach
        span = self._in_reach(timeframe, base, span, failed)
        if not span:
            return
        if base == timeframe:
            yield from self._native(symbol, timeframe, span, gone, failed)
        else:
            yield from self._merged(symbol, timeframe, base, span, gone, failed)

    def _in_reach(self, timeframe: Timeframe, base: Timeframe, span: TimeRange, failed: Failed) -> TimeRange:
        """What of the span the venue has: what is older has failed, what is not there yet is left out."""
        now, delay = self._clock.now(), self.provider.delay_ms
        span = TimeRange(span.start, min(span.end, base.floor(now - delay))) if delay else span
        days = self.provider.days_back.get(base)
        if days is None:
            return span
        # one bar later: that bar has begun before the first instant there is, and while one asks, time goes on
        oldest = timeframe.close(timeframe.ceil(now - days * _DAY_MS))
        older = TimeRange(span.start, min(span.end, oldest))
        if older:
            what = f"{self.provider.title} has bars of {base} of the last {days} days only, and none of {older}."
            advice = f"Start at {iso(oldest)} or later, or choose a longer timeframe or another provider."
            missing = ((older.start, older.end),)
            failed(older, HistoryIncomplete(what, "Nothing was asked for that time.", advice, missing=missing))
        return TimeRange(max(span.start, oldest), span.end)

    def _native(
        self, symbol: Symbol, timeframe: Timeframe, span: TimeRange, gone: Gone, failed: Failed
    ) -> Iterator[Page]:
        start = span.start
        while start < span.end:
            window = self.provider.page(timeframe, TimeRange(start, span.end), self._clock.now())
            if not window:
                return
            asked = window if self.provider.paging is Paging.WINDOW else TimeRange(start, span.end)
            try:
                answer = self._ask(symbol, timeframe, asked, gone)
            except BtfeedsError as error:
                if error.fatal or gone():
                    raise
                failed(window, error)
                start = window.end
                continue
            holes = [TimeRange(time, timeframe.close(time)) for time in answer.bad]
            bars = [answer.bars[time] for time in sorted(answer.bars)]
            rejected = tuple(answer.bad.values())
            for piece in subtract([answer.span], holes):
                inside = [bar for bar in bars if bar.open_time in piece]
                yield Page(piece, inside, answer.venue_time, answer.took, rejected=rejected)
                rejected = ()
            if rejected:
                yield Page(TimeRange(start, start), [], answer.venue_time, answer.took, rejected=rejected)
            for hole in union(holes):
                failed(hole, BadBars(f"{self.provider.title} has sent bars that cannot be bars."))
            if not answer.span and answer.took:
                yield Page(answer.span, [], answer.venue_time, answer.took)  # it tells the venue's time all the same
            if answer.last:
                return
            start = answer.span.end

    def _merged(
        self, symbol: Symbol, timeframe: Timeframe, base: Timeframe, span: TimeRange, gone: Gone, failed: Failed
    ) -> Iterator[Page]:
        def widened(piece: TimeRange, error: BtfeedsError) -> None:
            failed(TimeRange(timeframe.floor(piece.start), timeframe.close(timeframe.floor(piece.end - 1))), error)

        held: list[Bar] = []
        covered = TimeRange(span.start, span.start)
        for page in self._native(symbol, base, span, gone, widened):
            if page.span.start != covered.end:
                held, covered = [], page.span
            held += page.bars
            covered = TimeRange(covered.start, page.span.end)
            done = _inside(covered, timeframe)  # empty, mostly, when nothing is closed yet
            if done or page.took:
                yield Page(done, merge(held, timeframe, done), page.venue_time, page.took)
            if done:
                held = [bar for bar in held if bar.open_time >= done.end]
                covered = TimeRange(done.end, covered.end)

    def _from_trades(
        self, symbol: Symbol, timeframe: Timeframe, span: TimeRange, gone: Gone, failed: Failed
    ) -> Iterator[Page]:
        for window in pages(span, timeframe, max(1, self.provider.trades_window_ms // timeframe.ms)):
            try:
                trades, first, heard = self._trades(symbol, window, gone)
            except BtfeedsError as error:
                if error.fatal or gone():
                    raise
                failed(window, error)
                continue
            date = _date(first)
            venue_time = self._venue_now(first, date)
            closed = trades_until(timeframe, venue_time, heard, self.provider.lag_ms)
            answered = TimeRange(window.start, max(window.start, min(window.end, closed)))
            bars = bars_from_trades((trade for trade in trades if trade.time in answered), timeframe)
            took = _took(first, date)
            if answered or took:  # it tells the venue's time all the same
                yield Page(answered, bars, venue_time, took)
            if answered.end < window.end:
                return

    # --- one request -------------------------------------------------------------------------------------------------

    def _ask(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange, gone: Gone) -> _Answer:
        answer = self._once(symbol, timeframe, span, gone)
        for _ in range(_ASK_AGAIN):
            if not answer.bad:
                break
            # one question for all of them; what came well the first time is kept
            around = TimeRange(min(answer.bad), timeframe.close(max(answer.bad)))
            try:
                second = self._once(symbol, timeframe, around, gone)
            except BtfeedsError as error:
                if error.fatal or gone():
                    raise
                break
            for time in [time for time in answer.bad if time in second.span and time not in second.bad]:
                del answer.bad[time]
                if time in second.bars:
                    answer.bars[time] = second.bars[time]
        return answer

    def _once(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange, gone: Gone) -> _Answer:
        response, rows = self._rows(symbol, timeframe, span, gone)
        inside = [bar for bar in rows if bar.open_time in span]
        good: dict[int, Bar] = {}
        bad: dict[int, Bar] = {}
        for bar in inside:
            reason = bar.fault() or ("" if timeframe.aligned(bar.open_time) else "off_grid")
            if reason:
                detail = f"history: {symbol} {timeframe} {bar}"
                monitor.publish(monitor.FrameRejected(self.provider.name, reason, detail))
                bad[timeframe.floor(bar.open_time)] = bar
            else:
                good[bar.open_time] = bar
        end = span.end
        # A full answer says nothing about what lies behind its last bar. Neither does a short one where every bar has a
        # row: the venue may give fewer than it was asked for.
        full = len(rows) >= self.provider.limits.bars_per_request or not self.provider.omits_empty_bars
        if inside and full and self.provider.paging is Paging.FORWARD:
            end = min(end, timeframe.close(timeframe.floor(max(bar.open_time for bar in inside))))
        date = _date(response)
        venue_time = self._venue_now(response, date)
        opened = (bar.open_time for bar in rows)
        end_of_closed = bars_until(timeframe, venue_time, opened, self.provider.lag_ms, self.provider.late_ms)
        covered = TimeRange(span.start, max(span.start, min(end, end_of_closed)))
        return _Answer(
            covered,
            {time: bar for time, bar in good.items() if time in covered},
            {time: bar for time, bar in bad.items() if time in covered and time not in good},
            last=end_of_closed <= end,
            venue_time=venue_time,
            took=_took(response, date),
        )

    def _rows(
        self, symbol: Symbol, timeframe: Timeframe, span: TimeRange, gone: Gone
    ) -> tuple[HttpResponse, list[Bar]]:
        """The first answer for a span, and its rows with those of the pages that go on where it was broken off."""
        provider, asked, request = self.provider, self._with_proof(timeframe, span), None
        if provider.bars_reach and asked.start < self._clock.now() - (provider.bars_reach - 2) * timeframe.ms:
            request = provider.archive_request(symbol, timeframe, asked)
        request = request or provider.bars_request(symbol, timeframe, asked)
        first, rows = self._parsed(request, lambda answer: self._sane(answer, timeframe, span), gone)
        response, following = first, provider.next_page(request, first)
        for _ in range(_PAGES_OF_AN_ANSWER):
            if following is None:
                return first, rows
            response, more = self._parsed(following, lambda answer: provider.parse_bars(answer, timeframe), gone)
            rows += more
            following = provider.next_page(following, response)
        raise BadFrame(f"{provider.title} breaks an answer off without end.", "It was not used.", reason="schema")

    def _with_proof(self, timeframe: Timeframe, span: TimeRange) -> TimeRange:
        """The span, and the bar behind it: that it has begun proves that the last one before it is final."""
        proof = TimeRange(span.start, timeframe.close(timeframe.close(timeframe.floor(span.end - 1))))
        fits = (proof.end - proof.start) // timeframe.ms <= self.provider.limits.bars_per_request
        return proof if fits else span

    def _sane(self, response: HttpResponse, timeframe: Timeframe, span: TimeRange) -> list[Bar]:
        """The rows of an answer. Raises BadFrame when they belong to quite another time: "nothing" would be a lie."""
        rows = self.provider.parse_bars(response, timeframe)
        if self.provider.whole_window:
            return [bar for bar in rows if bar.open_time >= span.start]
        if not any(bar.open_time in span for bar in rows):
            full = len(rows) >= self.provider.limits.bars_per_request
            if any(bar.open_time < span.start - timeframe.ms for bar in rows) or (rows and full):
                raise BadFrame(
                    f"{self.provider.title} answers with bars of {rows[0].open_time} when asked for {span}.",
                    "The answer was not used.",
                    reason="off_grid",
                )
        return rows

    def _trades(self, symbol: Symbol, span: TimeRange, gone: Gone) -> tuple[list[Trade], HttpResponse, int]:
        """The trades of a span, ascending; the answer that tells up to when they are all; the time of the last trade
        that was shown, which may be behind the span.
        """
        if self.provider.trades_back:
            return self._numbered_trades(symbol, span, gone)
        found: dict[int, Trade] = {}
        first, heard = HttpResponse(0, b""), 0
        window = self.provider.trades_window_ms
        for start in range(span.start, span.end, window):
            hour = TimeRange(start, min(span.end, start + window))
            after: Trade | None = None
            while True:
                request = self.provider.trades_request(symbol, hour, after)
                assert request is not None  # pages() has asked already
                response, trades = self._parsed(request, self.provider.parse_trades, gone)
                first = response if after is None else first
                heard = max([heard, *(trade.time for trade in trades)])
                new = [trade for trade in trades if trade.id not in found and (after is None or trade.id > after.id)]
                found.update((trade.id, trade) for trade in new)
                full = len(trades) >= int(request.params.get("limit", 1))
                if not new or not full or new[-1].time >= hour.end:
                    break
                after = max(new, key=lambda trade: trade.id)
        return [found[number] for number in sorted(found)], first, heard

    def _numbered_trades(
        self, symbol: Symbol, span: TimeRange, gone: Gone
    ) -> tuple[list[Trade], HttpResponse, int]:
        answers: list[HttpResponse] = []
        heard = 0

        def ask(below: int) -> list[Trade]:
            after = Trade(span.end, 0.0, 0.0, below) if below else None
            request = self.provider.trades_request(symbol, span, after)
            assert request is not None  # pages() has asked already
            response, trades = self._parsed(request, self.provider.parse_trades, gone)
            nonlocal heard
            answers.append(response)
            heard = max([heard, *(trade.time for trade in trades)])
            return list(trades)

        page = int(self.provider.trades_request(symbol, span).params["limit"])  # type: ignore[union-attr]
        trades = trades_in(span, ask, page)
        return trades, answers[0], heard

    def _parsed(self, request: HttpRequest, parse: Callable[[HttpResponse], list[Any]], gone: Gone) -> Any:
        """The good answer and what it says; asked again when it cannot be understood."""
        for again in range(_ASK_AGAIN + 1):
            if gone():
                raise NetworkError("The download was given up.", "Nobody waits for it any more.")
            response = self._http.send(self.provider, request, gone)
            try:
                return response, parse(response)
            except BadFrame as error:
                monitor.publish(monitor.FrameRejected(self.provider.name, error.reason, f"history: {error.what}"))
                if again == _ASK_AGAIN:
                    raise
        raise AssertionError("the last try returns or raises")

    def _venue_now(self, response: HttpResponse, date: int) -> int:
        """The venue's time: a bar is closed when the venue says so, not when a clock here does."""
        return date or response.sent or self._clock.now()


def _took(response: HttpResponse, date: int) -> TimeRange:
    """When the answer was under way, by our clock; empty where nothing can be learned of the venue's clock from it."""
    fresh = response.headers.get("age", "0").strip() == "0"
    known = fresh and response.received and date
    return TimeRange(response.sent, response.received + 1) if known else EMPTY


def _date(response: HttpResponse) -> int:
    """When the venue says it answered (epoch ms, whole seconds); 0 where it does not."""
    try:
        return to_ms(parsedate_to_datetime(response.headers["date"]).astimezone(dt.UTC))
    except (KeyError, TypeError, ValueError, OverflowError):
        return 0


def _inside(span: TimeRange, timeframe: Timeframe) -> TimeRange:
    """The whole bars in `span`."""
    start = whole(span, timeframe).start
    return TimeRange(start, max(start, timeframe.floor(span.end)))


def _with_flat_bars(pages: Iterable[Page], timeframe: Timeframe) -> Iterator[Page]:
    """Flat bars where nobody traded, as the venue's own rows have them; before the first trade there are none."""
    end, close = -1, 0.0
    for page in pages:
        if page.span.start != end:
            close = 0.0
        end, rows, bars = page.span.end, {bar.open_time: bar for bar in page.bars}, []
        for time in timeframe.opens(page.span):
            bar = rows.get(time) or (Bar(time, close, close, close, close, 0.0, 0) if close else None)
            if bar is not None:
                bars.append(bar)
                close = bar.close
        yield Page(page.span, bars, page.venue_time, page.took)
