"""History made of trades: what a venue has no bars of, or no longer.

The trades of a span are all there when one behind it was shown, or when the venue, asked for what follows, has none:
that a page is not full proves nothing, the venue may give fewer than it was asked for. Where a venue's own rows are
flat while nobody trades, so are the bars made here; the price of the first of them is looked for before the span.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from btfeeds.errors import BadFrame, BtfeedsError
from btfeeds.history.answers import Asker, Failed, Gone, Page, date_of, took
from btfeeds.history.backward import trades_in
from btfeeds.history.ranges import pages
from btfeeds.history.shown import trades_until
from btfeeds.live.aggregate import bars_from_trades
from btfeeds.market import Bar, Symbol, Timeframe, TimeRange, Trade
from btfeeds.venues.base import HttpRequest, HttpResponse, Provider

_NEAR_MS = 600_000  # how far before a span its last price is looked for first


@dataclass(slots=True)
class Seam:
    """Where the last page of flat bars ended, and at which price (0.0: nobody had traded yet)."""

    end: int = -1
    close: float = 0.0


class Traded:
    """Bars of one provider's trades."""

    def __init__(self, provider: Provider, asker: Asker) -> None:
        self._provider = provider
        self._asker = asker

    def pages(
        self, symbol: Symbol, timeframe: Timeframe, span: TimeRange, gone: Gone, failed: Failed
    ) -> Iterator[Page]:
        """Ascending pages of `span`, with bars where somebody traded. `failed` and errors: see paging.Pager."""
        for window in pages(span, timeframe, max(1, self._provider.trades_window_ms // timeframe.ms)):
            try:
                trades, first, heard = self._trades(symbol, window, gone)
            except BtfeedsError as error:
                if error.fatal or gone():
                    raise
                failed(window, error)
                continue
            date = date_of(first)
            venue_time = self._asker.venue_now(first, date)
            closed = trades_until(timeframe, venue_time, heard, self._provider.lag_ms)
            answered = TimeRange(window.start, max(window.start, min(window.end, closed)))
            bars = bars_from_trades((trade for trade in trades if trade.time in answered), timeframe)
            under_way = took(first, date)
            if answered or under_way:  # it tells the venue's time all the same
                yield Page(answered, bars, venue_time, under_way)
            if answered.end < window.end:
                return

    def flat_pages(
        self, symbol: Symbol, timeframe: Timeframe, span: TimeRange, gone: Gone, failed: Failed, seam: Seam
    ) -> Iterator[Page]:
        """As `pages`, with flat bars where nobody traded; before the market's first trade there are none."""
        for page in self.pages(symbol, timeframe, span, gone, failed):
            if page.span and page.span.start != seam.end:
                begun = bool(page.bars) and page.bars[0].open_time == page.span.start
                try:
                    seam.close = 0.0 if begun else self._close_before(symbol, page.span.start, gone)
                except BtfeedsError as error:
                    if error.fatal or gone():
                        raise
                    failed(page.span, error)
                    continue
            rows, bars, close = {bar.open_time: bar for bar in page.bars}, [], seam.close
            for time in timeframe.opens(page.span):
                bar = rows.get(time) or (Bar(time, close, close, close, close, 0.0, 0) if close else None)
                if bar is not None:
                    bars.append(bar)
                    close = bar.close
            seam.end, seam.close = page.span.end, close
            yield Page(page.span, bars, page.venue_time, page.took)

    # --- the trades of a span ----------------------------------------------------------------------------------------

    def _trades(self, symbol: Symbol, span: TimeRange, gone: Gone) -> tuple[list[Trade], HttpResponse, int]:
        """The trades of a span, ascending; the answer that tells up to when they are all; the time of the last trade
        that was shown, which may be behind the span.
        """
        if self._provider.trades_back:
            return self._numbered_trades(symbol, span, gone)
        found: dict[int, Trade] = {}
        first, heard, window = HttpResponse(0, b""), 0, self._provider.trades_window_ms
        for start in range(span.start, span.end, window):
            hour = TimeRange(start, min(span.end, start + window))
            request, begun = self._provider.trades_request(symbol, hour), False
            while True:
                assert request is not None  # who asks for trades knows that they are offered
                response, trades = self._asker.parsed(request, self._provider.parse_trades, gone)
                first = first if begun else response
                heard = max([heard, *(trade.time for trade in trades)])
                new = [trade for trade in trades if trade.time in hour and trade.id not in found]
                found.update((trade.id, trade) for trade in new)
                if any(trade.time >= hour.end for trade in trades):
                    break
                if new:
                    after = max(new, key=lambda trade: trade.id)
                    request = self._provider.next_page(request, response) or self._provider.trades_request(
                        symbol, hour, after
                    )
                elif len(trades) >= _most(request):
                    raise BadFrame(
                        f"{self._provider.title} gives the same {len(trades)} trades again when asked for later ones.",
                        "Nothing was made of them.",
                        reason="schema",
                    )
                elif begun:  # asked twice: one answer without trades may be a mistake
                    break
                begun = True
        return [found[number] for number in sorted(found)], first, heard

    def _numbered_trades(
        self, symbol: Symbol, span: TimeRange, gone: Gone
    ) -> tuple[list[Trade], HttpResponse, int]:
        answers: list[HttpResponse] = []
        heard = 0

        def ask(below: int) -> list[Trade]:
            after = Trade(span.end, 0.0, 0.0, below) if below else None
            request = self._provider.trades_request(symbol, span, after)
            assert request is not None  # who asks for trades knows that they are offered
            response, trades = self._asker.parsed(request, self._provider.parse_trades, gone)
            nonlocal heard
            answers.append(response)
            heard = max([heard, *(trade.time for trade in trades)])
            return list(trades)

        page = int(self._provider.trades_request(symbol, span).params["limit"])  # type: ignore[union-attr]
        trades = trades_in(span, ask, page)
        return trades, answers[0], heard

    def _close_before(self, symbol: Symbol, time: int, gone: Gone) -> float:
        """The price of the last trade before `time`; 0.0 where there is none."""
        quiet, start, back = time, max(0, time - _NEAR_MS), _NEAR_MS  # from `quiet` on nobody traded
        last: Trade | None = None  # the latest known before it
        while True:
            asked = TimeRange(start, quiet)
            trades, full = self._oldest(symbol, asked, gone)
            if not trades:  # may be a mistake
                trades, full = self._oldest(symbol, asked, gone)
            before = [trade for trade in trades if trade.time < quiet]
            if before:
                again = not full and last is not None and before[-1].time <= last.time  # nothing follows, it says twice
                last = before[-1]
                if again or len(before) < len(trades):
                    return last.price
            else:
                quiet = start
            if last is not None:  # the first ones behind `start`, and perhaps not the last
                if quiet - last.time <= 1:
                    same, _, _ = self._trades(symbol, TimeRange(last.time, quiet), gone)
                    return (same or [last])[-1].price
                start = last.time if before and not full else (last.time + quiet) // 2
            elif start == 0:
                return 0.0
            else:
                back *= 4
                start = max(0, time - back)

    def _oldest(self, symbol: Symbol, span: TimeRange, gone: Gone) -> tuple[list[Trade], bool]:
        """The first page of the trades of a span, or of those behind it; whether no more of them fit into it."""
        request = self._provider.trades_request(symbol, span)
        assert request is not None  # who asks for trades knows that they are offered
        _, trades = self._asker.parsed(request, self._provider.parse_trades, gone)
        return list(trades), len(trades) >= _most(request)


def _most(request: HttpRequest) -> float:
    """How many trades an answer holds at most, as far as the request says."""
    said = request.params.get("limit") or request.params.get("count")
    return int(said) if said else math.inf
