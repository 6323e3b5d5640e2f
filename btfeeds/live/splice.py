"""Joins history and live: each bar once, in order; names the gap. A state machine that decides and never acts.

One number rules it: `due`, the opening time of the next bar the strategy must get. A bar that opens there is ready;
an older one is a duplicate; a later one waits. Start-up, a reconnection, a frame lost in mid-stream and a ring that
overflowed are one case: a *gap* between `due` and what is held (or the instant the stream was confirmed). While there
is a gap live bars wait; the answer of history closes it. A bar that history does not have, although it has a later
one or the bar is older than `lag_ms`, will never come: it had no trades, or the venue lost it.

`now`: the venue's clock, epoch ms. Out go questions (`Ask`), results (`Delivery`, `Notice`) and remarks (`happenings`).
"""

from __future__ import annotations

from collections.abc import Sequence

from btfeeds import monitor
from btfeeds.errors import BtfeedsError
from btfeeds.live.gaps import Repair, flat_bars, lacking_bars, why_absent
from btfeeds.live.hours import Hours, NextOpen
from btfeeds.live.items import Ask, Correction, Delivery, Gap, Notice, Remedy, SplicePolicy, Summary
from btfeeds.live.memory import Memory
from btfeeds.live.outbox import Outbox
from btfeeds.live.outset import Outset
from btfeeds.live.questions import Questions
from btfeeds.live.silence import Silence
from btfeeds.live.status import Status
from btfeeds.market import EMPTY, Bar, Timeframe, TimeRange


class Splice:
    """One subscription's bars in order. Feed it what happens; take what is ready; ask what it wants asked."""

    def __init__(
        self,
        timeframe: Timeframe,
        start: int | None,
        *,
        name: str = "",
        venue: str = "",
        until: int | None = None,
        omits_empty: bool = True,
        backfill: bool = True,
        gaps: str = "mark",
        after: Bar | None = None,
        reckoned_at: int | None = None,
        policy: SplicePolicy = SplicePolicy(),  # noqa: B008 - frozen
        next_open: NextOpen | None = None,
    ) -> None:
        self.timeframe = timeframe
        self.policy = policy
        self.name, self.venue, self.until = name, venue, until
        self.omits_empty, self.backfill = omits_empty, backfill
        self.gaps = gaps  # mark: declare and step over; fill: flat bars; hold: wait for the bars; stop: end the feed
        if after is not None:  # an earlier run ended behind this bar
            start = max(start or 0, timeframe.close(after.open_time))
        self.due: int | None = None if start is None else timeframe.ceil(start)
        self.summary, self.remedies = Summary(), list[Remedy]()
        self.happenings: list[monitor.Happening] = []
        self.error: BtfeedsError | None = None
        self.online = self._was_live = False
        self._hours = Hours(timeframe, policy.grace_ms, until, next_open)
        self._out = Outbox()
        self.ready = self._out.line  # whether there is something to `take`, for who looks often
        self._held: dict[int, Delivery] = {}
        self._outset = Outset(timeframe, self.due or 0, reckoned_at)
        self.silence = Silence()
        self._questions = Questions(policy.retry_ms)
        self._repair = Repair(venue, name)
        self._unchecked = start is None  # without history nothing else would tell that the symbol does not exist
        self._any, self._seeds = after is not None, start is not None  # the first history is asked for in any case
        self._memory = Memory(after)
        self._out.say(Status.DELAYED, "start")
        self._check_until()

    # --- what happens ------------------------------------------------------------------------------------------------

    def begin(self, now: int) -> None:
        """Whatever closed before now is history: it may be asked before the stream is confirmed."""
        self._outset.confirmed(now)

    def connected(self, now: int) -> None:
        """The stream is confirmed: what closes from now on comes live; what closed before must come from history."""
        opened = self._outset.confirmed(now)
        if self.due is None:
            self.due, self._outset.reckoned_at = opened, now
        if not self.asks:
            self._absent(opened)
        if self.online:
            return
        self.online = True
        self.silence.online_since = now
        self._questions.begin_anew()
        if self.word is Status.CONNBROKEN:
            self.summary.reconnects += 1
            self._out.say(Status.CONNECTED)
            self._out.say(Status.DELAYED, "backfill")

    def clock_moved(self, ms: int) -> None:
        """The venue's time is later by so much than was thought. Earlier: what the clock has set was set too late."""
        self.silence.online_since += ms
        self._questions.clock_moved(ms)
        due = self._outset.moved(ms, self.due)
        if due != self.due:
            self.due, self._questions.open = due, None  # what is asked is about another time

    def broken(self, reason: str = "") -> None:
        """The stream is gone. What is ready stays ready; what follows has to be asked for after `connected`."""
        self.online = False
        if self.word in (None, Status.DELAYED, Status.LIVE):
            self._out.say(Status.CONNBROKEN, reason)

    def live(self, bar: Bar, now: int) -> None:
        """A closed bar came from the stream, or the venue says again what one was: the last word counts."""
        open_time = bar.open_time
        due = self.due
        if open_time > now + self.timeframe.ms:
            self.happenings.append(monitor.FrameRejected(self.venue, "future", f"{self.name} {open_time}"))
            return
        if due is not None and open_time < due:
            self._again(bar)
            return
        if due is None or (due >= self._outset.horizon and self._hours.shut(due, open_time)):
            self.due, self._outset.reckoned_at = open_time, None
        elif open_time > due and not self.asks:
            self._absent(open_time)
        self.silence.spoke()
        if open_time == self.due:
            self._admit_lateness(now)
            self._emit(bar, "live")
            self._drain()
            if not self._held and self.due >= self._outset.horizon:
                self._questions.vain = 0
        elif len(self._held) < self.policy.held_bars:
            self._held[open_time] = Delivery(bar, "live")
        else:
            # Too many wait: let them go, history has them too.
            self._outset.horizon = max(self._outset.horizon, self.timeframe.close(open_time))
            self._held.clear()

    def revised(self, bar: Bar, *, gone: bool = False) -> None:
        """The stream's own later word about a bar it closed; one never given, or `gone` now, is for history to say."""
        if self.due is not None and bar.open_time < self.due:
            self._again(bar)
        elif self._held.pop(bar.open_time, None) is not None and not gone:
            self._held[bar.open_time] = Delivery(bar, "live")

    def quiet(self, span: TimeRange, now: int) -> None:
        """The stream proves that nobody traded in `span` but what it has sent."""
        self.silence.proved(span)
        self._admit_lateness(now)
        self._step_over_quiet()

    def answered(self, ask: Ask, span: TimeRange, bars: Sequence[Bar], now: int, *, done: bool) -> None:
        """History answered for `span` (a piece of what was asked; the last piece has `done`)."""
        if not self._questions.waits_for(ask):
            return
        if done:
            self._questions.open, self._unchecked = None, False
        if self.due is None:
            return
        self._admit_lateness(now)
        source = "backfill" if self._was_live else "history"
        for bar in (bar for bar in bars if bar.open_time in span):
            if bar.open_time < self.due:
                self._differs(bar)
                continue
            self._judge_silence(ask, bar)
            self._absent(bar.open_time)
            if self.error:
                break
            if self.due < bar.open_time:
                self._held.setdefault(bar.open_time, Delivery(bar, source))  # behind a gap that is held open
                continue
            if bar.open_time in self._held:
                self._drain()  # the stream's own word, where there is one
                continue
            self._emit(bar, source)
            self._repair.bars += 1
            self.summary.backfilled += self._was_live
        self._absent(min(span.end, self.timeframe.floor(now - self.policy.lag_ms)))
        self._drain()
        self._step_over_quiet()
        if done:
            if self.due > ask.span.start:  # pages came before this last piece: what counts is the whole answer
                self._questions.begin_anew()
            elif self.due < ask.span.end:  # not there yet, or not closed yet by the venue's clock
                self._questions.in_vain(now)
        self.happenings += self._repair.reached(self.due)

    def refused(self, ask: Ask, error: BtfeedsError, now: int, unreadable: TimeRange = EMPTY) -> None:
        """History could not answer. Fatal errors end the stream; others are asked again later, and for what cannot be
        bars, in the piece `unreadable`, a few times before it is declared.
        """
        if not self._questions.waits_for(ask):
            return
        self._questions.open = None
        if error.fatal and not unreadable:
            self.refuse(error)
            return
        due, blocked = self.due, self._held or self._unchecked or unreadable
        if due is not None and due >= max(ask.span.end, self._outset.horizon) and not blocked:
            self.happenings += self._repair.reached(due)  # live, meanwhile
            return
        damaged = self._questions.damaged(self.due) if self.due is not None and self.due in unreadable else 0
        if damaged > self.policy.unreadable_tries:
            self._questions.begin_anew()
            self._absent(unreadable.end, "what the venue has here cannot be a bar")
            self._drain()
            return
        pause = self._questions.in_vain(now)
        self.happenings.append(monitor.BackfillFailed(self.venue, self.name, error.line(), pause))
        if self.word is Status.LIVE:
            self._out.say(Status.DELAYED, "history does not answer")

    def refuse(self, error: BtfeedsError) -> None:
        """The subscription cannot be had: say so and end."""
        if self.finished or self.error:
            return
        self.error = error
        self._out.refuse(error)
        self.stop(error.what, error)

    def stop(self, reason: str = "", payload: object = None) -> None:
        """The end was asked for. What is ready is still handed over, then DISCONNECTED."""
        self._out.end(reason, payload)

    # --- what comes out ----------------------------------------------------------------------------------------------

    def take(self, behind: int = 0) -> Delivery | Notice | None:
        """The next thing for the strategy. `behind` closed bars wait elsewhere: LIVE is not kept with a backlog."""
        item = self._out.take(behind)
        self.summary.delivered = self._out.delivered
        return item

    def settle(self, now: int) -> Notice | None:
        """To be asked when nothing is waiting anywhere: LIVE, when that has become true."""
        if self.word is not Status.DELAYED or not self.online or self._out or self._held or self.due is None:
            return None
        asked = self._questions.open is not None and self._questions.open.reason != "overdue"
        if self.due < self._outset.horizon or asked or self._questions.vain or now >= self._hours.overdue(self.due):
            return None
        self._was_live, self._seeds = True, False
        return self._out.say_now(Status.LIVE)

    @property
    def asks(self) -> bool:
        """Whether history is asked for what is missing."""
        return self.backfill or self._seeds

    @property
    def word(self) -> Status | None:
        """The last word put in line."""
        return self._out.word

    @property
    def finished(self) -> bool:
        """Whether DISCONNECTED was taken."""
        return self._out.finished

    @property
    def settled(self) -> int:
        """Every bar that opens before this was taken or will never come."""
        waiting = self._out.next_open()
        return (self.due or 0) if waiting is None else waiting

    def ask(self, now: int) -> Ask | None:
        """What history should be asked now, if anything. To be answered by `answered` or `refused`."""
        due, questions = self.due, self._questions
        if questions.open or self.error or self.word is Status.DISCONNECTED:
            return None
        if not self.asks or now < questions.not_before:
            return None
        closed = self.timeframe.floor(now)
        if self._unchecked:
            last = min(closed, due or closed)  # an answer about later bars would step over those that are due
            return questions.put(TimeRange(self.timeframe.back(last, 1), last), "check")
        if due is None:
            return None
        if due < self._outset.horizon or self._held:
            reason = "history" if not self._was_live else "hole" if self.online and self._held else "break"
        elif self.online and now >= self._hours.overdue(due):
            reason = "overdue"
        else:
            return None
        if closed <= due:
            if not self._held:
                return None
            closed = min(self._held)  # our clock lags the venue's: the held bar proves that the others closed
        if reason != "overdue" and self._was_live and (opened := self._repair.begin(Gap(due, closed, reason))):
            self.happenings.append(opened)
            if self.word is Status.LIVE:
                self._out.say(Status.DELAYED, reason)
        if self._held and questions.vain:  # no more than what is missing, and the bar that would prove it absent
            closed = min(closed, self.timeframe.close(min(self._held)))
        end = min(closed, self.timeframe.close(due) + (self.policy.ask_bars - 1) * self.timeframe.ms)
        return questions.put(TimeRange(due, end), reason)

    def deadline(self) -> int | None:
        """When `ask` may next have something to say, on the clock of `now`; None: only after something happens."""
        due, questions = self.due, self._questions
        if questions.open or self.error or not self.asks:
            return None
        if self._held or self._unchecked:
            return questions.not_before
        if due is not None and due < self._outset.horizon:  # which the clock, once it is known better, may be before
            return max(questions.not_before, self.timeframe.close(due))
        return max(questions.not_before, self._hours.overdue(due)) if self.online and due is not None else None

    # --- inside ------------------------------------------------------------------------------------------------------

    def _emit(self, bar: Bar, source: str) -> None:
        if self.until is not None and bar.open_time >= self.until:
            self.due = self.until
            self._check_until()
            return
        self._out.put(bar, source)
        self._any, self._unchecked = True, False  # there is such a symbol
        self._memory.add(bar)
        self.due, self._outset.reckoned_at = self.timeframe.close(bar.open_time), None
        self._check_until()

    def _check_until(self) -> None:
        if self.until is not None and self.due is not None and self.due >= self.until:
            self.stop("the end of the asked range")

    def _drain(self) -> None:
        held = self._held
        while held and self.due in held:
            held_back = held.pop(self.due)
            self._emit(held_back.bar, held_back.source)
        for open_time in [time for time in held if time < (self.due or 0)]:
            self._again(held.pop(open_time).bar)

    def _step_over_quiet(self) -> None:
        if self.due is not None and self.due in self.silence.quiet:
            self._absent(self.silence.quiet.end)
            self._drain()
            self._questions.vain = 0

    def _absent(self, end: int, why: str = "") -> None:
        """Bars due before `end` will never come: step over them, as the gap policy says. `why`: they are no silence."""
        if self.until is not None:
            end = min(end, self.until)
        if self.due is None or end <= self.due or self.error:
            return
        span = TimeRange(self.due, end)
        # else it is a time without trades, as far as anyone knows
        declared = bool(why) or not self.omits_empty or not self.asks
        lacking = declared and self._any
        if lacking and self.gaps == "hold" and self.asks:
            if self.word is Status.LIVE:
                self._out.say(Status.DELAYED, "a gap is held open")
            return
        count = self.timeframe.count_in(span)
        if declared:  # before the bar that follows, and before the flat ones that fill the gap
            self._declare(span, count, why or why_absent(asked=self.asks, begun=self._any))
        elif self._any:
            self.summary.no_trade += count
        if self.gaps == "fill" and self._memory.last:
            for bar in self._hours.owed(flat_bars(self.timeframe, span, self._memory.last.close)):
                self._out.put(bar, "filled")
                self._memory.add(bar)
        self.due, self._outset.reckoned_at = end, None
        if lacking and self.gaps == "stop":
            self.refuse(lacking_bars(self.name, span))
        self._check_until()

    def _again(self, bar: Bar) -> None:
        self.summary.dropped_duplicates += 1
        self.silence.spoke()
        self.happenings.append(monitor.BarDuplicate(self.venue, self.name, bar.open_time))
        self._differs(bar)

    def _differs(self, bar: Bar) -> None:
        """Notice a correction: the venue's word about a delivered bar has changed."""
        before = self._memory.correct(bar)
        if before is not None:
            self.summary.corrected += 1
            self._out.say(Status.UNKNOWN, "correction", Correction(before, bar))
            self.happenings.append(monitor.BarCorrected(self.venue, self.name, bar.open_time, str(before), str(bar)))
        elif self._memory.lacked(bar):
            self._declare(TimeRange(bar.open_time, self.timeframe.close(bar.open_time)), 1, "the venue told it late")

    def _declare(self, span: TimeRange, count: int, reason: str) -> None:
        self.summary.declared += count
        self._out.say(Status.UNKNOWN, "gap", Gap(span.start, span.end, reason))
        self.happenings.append(monitor.GapDeclared(self.venue, self.name, span.start, span.end, count, reason))

    def _judge_silence(self, ask: Ask, bar: Bar) -> None:
        """History has a bar that the stream should have sent."""
        if ask.reason != "overdue" or not self.online or bar.open_time in self._held:
            return
        if remedy := self.silence.judge(bar, ask.number):
            self.remedies.append(remedy)
            self.happenings.append(monitor.SilentSubscription(self.venue, self.name, bar.open_time, remedy.value))

    def _admit_lateness(self, now: int) -> None:
        """What is due now waited for a strategy that was busy: that is not LIVE."""
        if self.word is Status.LIVE and now >= self._hours.overdue(self.due or now) + self.timeframe.ms:
            self._out.say(Status.DELAYED, "behind")
