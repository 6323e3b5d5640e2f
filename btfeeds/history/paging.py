"""Pages a span of time over a provider: what is asked next, and for which span an answer is the whole truth.

Three ways: the venue's own bars; bars made of its smaller ones; bars made of its trades (traded.py). The forming bar is
left out by the venue's own clock; a bar that cannot be one leaves a hole that is asked for again, never an empty place.
Nor is an answer without any row one at once, where it speaks of some bars: it is asked for again, with the bar before
it, and where the venue has a row for every bar its other rows have to prove that none is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from btfeeds import monitor
from btfeeds.clock import Clock
from btfeeds.errors import BadFrame, BtfeedsError, HistoryIncomplete, UnsupportedTimeframe
from btfeeds.history.answers import ASK_AGAIN, Asker, BadBars, Failed, Gone, Page, date_of, took
from btfeeds.history.http import HttpClient
from btfeeds.history.ranges import merge, subtract, union, whole
from btfeeds.history.shown import bars_until
from btfeeds.history.traded import Seam, Traded
from btfeeds.market import Bar, Symbol, Timeframe, TimeRange, iso
from btfeeds.venues import reading
from btfeeds.venues.base import HttpResponse, Paging, Provider

__all__ = ["Answer", "BadBars", "Failed", "Gone", "Page", "Pager"]

_DAY_MS = 86_400_000
_PAGES_OF_AN_ANSWER = 100  # more of them are a venue's mistake
_QUIET = 5  # bars: of so many at least, that there is none is asked twice
_SECOND_MS = 1_000  # a Date header counts whole seconds
_PROOF_MS = 30_000  # so long the youngest bar waits for a later one that proves it


@dataclass(slots=True)
class Answer:
    """What one request brought: for which span, which bars, and where bars stood that could not be right."""

    span: TimeRange
    bars: dict[int, Bar]
    bad: dict[int, Bar]
    last: bool  # behind it nothing is closed yet
    venue_time: int
    took: TimeRange
    nothing: bool = False  # it had no row at all
    doubtful: bool = False  # and it should have some, or says so of a long time


class _OutOfReach(Exception):
    """The venue, whose time is `now`, did not have the first bars of the question any more."""

    def __init__(self, now: int) -> None:
        super().__init__(now)
        self.now = now


class Pager:
    """Asks one provider."""

    def __init__(self, provider: Provider, http: HttpClient, clock: Clock) -> None:
        self.provider = provider
        self._clock = clock
        self._asker = Asker(provider, http, clock)
        self._traded = Traded(provider, self._asker)

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
            return self._traded.pages(symbol, timeframe, wanted, gone, failed)
        return self._with_reach(symbol, timeframe, base, wanted, gone, failed)

    def _with_reach(
        self, symbol: Symbol, timeframe: Timeframe, base: Timeframe, span: TimeRange, gone: Gone, failed: Failed
    ) -> Iterator[Page]:
        """Older bars than the venue keeps are made of its trades, where it offers them."""
        reach, ahead = self.provider.bars_reach, 0  # so far is the venue's clock known to be ahead of ours
        seam = Seam()
        while True:
            while reach and self.provider.trades_request(symbol, span) is not None:
                oldest = timeframe.close(timeframe.floor(self._clock.now() + ahead - (reach - 2) * base.ms))
                older = TimeRange(span.start, min(span.end, oldest))
                if not older:
                    break
                if self.provider.omits_empty_bars:
                    yield from self._traded.pages(symbol, timeframe, older, gone, failed)
                else:
                    yield from self._traded.flat_pages(symbol, timeframe, older, gone, failed, seam)
                span = TimeRange(older.end, span.end)  # while that took its time, more bars went out of reach
            span = self._in_reach(timeframe, base, span, failed)
            if not span:
                return
            made = self._native(symbol, timeframe, span, gone, failed)
            if base != timeframe:
                made = self._merged(symbol, timeframe, base, span, gone, failed)
            try:
                for page in made:
                    span = TimeRange(max(span.start, page.span.end), span.end)
                    yield page
                return
            except _OutOfReach as gone_by:  # our clock is behind, or the answer took its time
                ahead = gone_by.now - self._clock.now()

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
        start, known, quiet = span.start, False, False
        while start < span.end:
            window = self.provider.page(timeframe, TimeRange(start, span.end), self._clock.now())
            if not window:
                return
            asked = window if self.provider.paging is Paging.WINDOW else TimeRange(start, span.end)
            try:
                answer = self._ask(symbol, timeframe, asked, window.end, gone, doubt=not quiet)
                if answer.doubtful and not self.provider.omits_empty_bars:
                    if known:
                        raise self._should_have_rows(symbol, timeframe, asked)
                    known = True  # that there is nothing is believed for one window
            except BtfeedsError as error:
                if error.fatal or gone():
                    raise
                failed(window, error)
                start = window.end
                continue
            known, quiet = known or bool(answer.bars), answer.nothing
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

    # --- one request -------------------------------------------------------------------------------------------------

    def _ask(
        self, symbol: Symbol, timeframe: Timeframe, span: TimeRange, window_end: int, gone: Gone, *, doubt: bool
    ) -> Answer:
        answer = self._once(symbol, timeframe, span, gone, window_end)
        if answer.doubtful and (doubt or not self.provider.omits_empty_bars):
            answer = self._doubted(symbol, timeframe, span, window_end, gone, answer)
        for _ in range(ASK_AGAIN):
            if not answer.bad:
                break
            # one question for all of them; what came well the first time is kept
            around = TimeRange(min(answer.bad), timeframe.close(max(answer.bad)))
            try:
                second = self._once(symbol, timeframe, around, gone, around.end)
            except BtfeedsError as error:
                if error.fatal or gone():
                    raise
                break
            if second.nothing:  # which explains no bar that was there a moment ago
                continue
            for time in [time for time in answer.bad if time in second.span and time not in second.bad]:
                del answer.bad[time]
                if time in second.bars:
                    answer.bars[time] = second.bars[time]
        return answer

    def _doubted(
        self, symbol: Symbol, timeframe: Timeframe, span: TimeRange, window_end: int, gone: Gone, answer: Answer
    ) -> Answer:
        """Ask again about a span of which the venue had no row, in another way where it can be."""
        omits, believed = self.provider.omits_empty_bars, window_end
        # the bar before it, or any up to now, prove that the venue has looked
        wider = TimeRange(timeframe.back(span.start, 1), span.end)
        if self.provider.paging is Paging.FORWARD:
            now = timeframe.close(timeframe.floor(answer.venue_time))
            wider = TimeRange(wider.start, max(span.end, now))
            believed = span.end if omits else window_end  # that nobody traded it says twice
        elif timeframe.count_in(wider) > self.provider.limits.bars_per_request:
            wider = span
        for _ in range(1 if omits else ASK_AGAIN):
            answer = self._once(symbol, timeframe, span, gone, believed, wider)
            if not answer.doubtful:
                break
        return answer

    def _should_have_rows(self, symbol: Symbol, timeframe: Timeframe, span: TimeRange) -> BadFrame:
        title = self.provider.title
        return BadFrame(
            f"{title} has a row for every bar of {symbol} {timeframe}, and none of {span} nor of the bar before it.",
            f"It was asked {ASK_AGAIN + 1} times, and that there is nothing was not believed.",
            "Ask again later.",
            reason="schema",
        )

    def _once(
        self,
        symbol: Symbol,
        timeframe: Timeframe,
        span: TimeRange,
        gone: Gone,
        believed: int,
        asked: TimeRange | None = None,
    ) -> Answer:
        """One question about a span, or about `asked`, which is wider. Where the provider gives the oldest rows first,
        the whole rest is asked for, and that there is nothing is believed up to `believed`.
        """
        response, rows = self._rows(symbol, timeframe, asked or span, gone)
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
        end, omits = span.end, self.provider.omits_empty_bars
        if self.provider.paging is Paging.FORWARD:
            # it says nothing about what lies behind its last bar: the venue may give fewer than it was asked for
            if inside:
                end = min(end, timeframe.close(timeframe.floor(max(bar.open_time for bar in inside))))
            elif omits or not rows:
                end = min(end, believed)
        date = date_of(response)
        venue_time = self._asker.venue_now(response, date)
        opened = (bar.open_time for bar in rows)
        lag_ms, zone = self.provider.lag_ms, self.provider.dates_of
        # Where every bar has a row, the next one's is there soon: without it the venue may show an old market.
        unproven_ms = lag_ms if self.provider.omits_empty_bars else max(lag_ms, _PROOF_MS)
        end_of_closed = bars_until(timeframe, venue_time, opened, unproven_ms, self.provider.late_ms)
        if zone is not None and timeframe.unit == "d":  # a day is over when it is over there
            end_of_closed = min(end_of_closed, reading.dated(venue_time, zone))
        covered = TimeRange(span.start, max(span.start, min(end, end_of_closed)))
        settled = min(covered.end, timeframe.floor(venue_time - lag_ms)) - span.start
        return Answer(
            covered,
            {time: bar for time, bar in good.items() if time in covered},
            {time: bar for time, bar in bad.items() if time in covered and time not in good},
            last=end_of_closed <= end,
            venue_time=venue_time,
            took=took(response, date),
            nothing=not rows,
            doubtful=not rows and settled >= _QUIET * timeframe.ms,
        )

    def _rows(
        self, symbol: Symbol, timeframe: Timeframe, span: TimeRange, gone: Gone
    ) -> tuple[HttpResponse, list[Bar]]:
        """The first answer for a span, and its rows with those of the pages that go on where it was broken off."""
        provider, asked, request = self.provider, self._with_proof(timeframe, span), None
        reach = provider.bars_reach * timeframe.ms

        def first_rows(answer: HttpResponse) -> list[Bar]:
            rows = provider.parse_bars(answer, timeframe)
            if reach and request is None:  # not of the archive
                now = self._asker.venue_now(answer, date_of(answer))
                oldest = timeframe.close(timeframe.floor(now + _SECOND_MS) - reach)
                if asked.start < oldest and not any(bar.open_time <= asked.start for bar in rows):
                    raise _OutOfReach(now)
            return self._sane(rows, timeframe, span)

        if reach and asked.start < self._clock.now() - reach + 2 * timeframe.ms:
            request = provider.archive_request(symbol, timeframe, asked)
        try:
            plain = request or provider.bars_request(symbol, timeframe, asked)
            first, rows = self._asker.parsed(plain, first_rows, gone)
        except _OutOfReach:
            request = provider.archive_request(symbol, timeframe, asked)
            if request is None:
                raise
            first, rows = self._asker.parsed(request, first_rows, gone)
        response, following = first, provider.next_page(request or plain, first)
        for _ in range(_PAGES_OF_AN_ANSWER):
            if following is None:
                return first, rows
            response, more = self._asker.parsed(following, lambda answer: provider.parse_bars(answer, timeframe), gone)
            rows += more
            following = provider.next_page(following, response)
        raise BadFrame(f"{provider.title} breaks an answer off without end.", "It was not used.", reason="schema")

    def _with_proof(self, timeframe: Timeframe, span: TimeRange) -> TimeRange:
        """The span, and the bar behind it: that it has begun proves that the last one before it is final."""
        proof = TimeRange(span.start, timeframe.close(timeframe.close(timeframe.floor(span.end - 1))))
        fits = (proof.end - proof.start) // timeframe.ms <= self.provider.limits.bars_per_request
        return proof if fits else span

    def _sane(self, rows: list[Bar], timeframe: Timeframe, span: TimeRange) -> list[Bar]:
        """The rows of an answer. Raises BadFrame when they belong to quite another time: "nothing" would be a lie."""
        if not self.provider.whole_window and not any(bar.open_time in span for bar in rows):
            full = len(rows) >= self.provider.limits.bars_per_request
            if any(bar.open_time < span.start - timeframe.ms for bar in rows) or (rows and full):
                raise BadFrame(
                    f"{self.provider.title} answers with bars of {rows[0].open_time} when asked for {span}.",
                    "The answer was not used.",
                    reason="off_grid",
                )
        return rows


def _inside(span: TimeRange, timeframe: Timeframe) -> TimeRange:
    """The whole bars in `span`."""
    start = whole(span, timeframe).start
    return TimeRange(start, max(start, timeframe.floor(span.end)))
