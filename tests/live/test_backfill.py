"""History is asked on other threads; every question ends with a done answer or a failure."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator

import pytest

from btfeeds.errors import Banned, BtfeedsError, HistoryIncomplete, TlsError, VenueUnavailable
from btfeeds.history.downloader import Page
from btfeeds.live.backfill import Backfill
from btfeeds.live.items import Ask
from btfeeds.live.ring import Answer, Failure
from btfeeds.market import Bar, Subscription, Symbol, Timeframe, TimeRange

M = 60_000
BTC = Subscription("toy", Symbol("BTC/USDT"), Timeframe.parse("1m"))
ASK = Ask(1, TimeRange(0, 4 * M), "history")


def bar(minute: int) -> Bar:
    return Bar(minute * M, 1.0, 2.0, 0.5, 1.5, 1.0)


class Fake:
    """A downloader with two pages, or an error."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.threads: set[str] = set()
        self.closed = False

    def pages(
        self, symbol: str, timeframe: Timeframe, span: TimeRange, cancelled: Callable[[], bool]
    ) -> Iterator[Page]:
        self.threads.add(threading.current_thread().name)
        yield Page(TimeRange(0, 2 * M), [bar(0), bar(1)], 120_500, TimeRange(7, 9))
        if self.error:
            raise self.error
        yield Page(TimeRange(2 * M, 4 * M), [bar(3)])

    def close(self) -> None:
        self.closed = True


def ask(downloader: Fake, cancelled: Callable[[], bool] = lambda: False) -> list[Answer | Failure]:
    replies: queue.Queue[Answer | Failure] = queue.Queue()
    backfill = Backfill(downloader)  # type: ignore[arg-type]
    backfill.ask(BTC, ASK, replies.put, cancelled)
    got = [replies.get(timeout=10)]
    while isinstance(got[-1], Answer) and not got[-1].done and not cancelled():
        got.append(replies.get(timeout=10))
    backfill.close()
    assert backfill.join(5)
    return got


def test_pages_come_as_answers_and_the_last_one_is_done() -> None:
    assert ask(Fake()) == [
        Answer(ASK, TimeRange(0, 2 * M), (bar(0), bar(1)), False, 120_500, TimeRange(7, 9)),
        Answer(ASK, TimeRange(2 * M, 4 * M), (bar(3),), False),
        Answer(ASK, TimeRange(4 * M, 4 * M), (), True),
    ]


def test_an_error_of_the_venue_is_a_failure_after_the_good_pages() -> None:
    error = VenueUnavailable("503")
    assert ask(Fake(error))[-1] == Failure(ASK, error)


def test_an_error_of_ours_is_a_failure_too() -> None:
    last = ask(Fake(ZeroDivisionError("oops")))[-1]
    assert isinstance(last, Failure) and not last.error.fatal


class Spoiled(Fake):
    """Of four minutes the third cannot be a bar."""

    def pages(
        self, symbol: str, timeframe: Timeframe, span: TimeRange, cancelled: Callable[[], bool]
    ) -> Iterator[Page]:
        yield Page(TimeRange(0, 2 * M), [bar(0), bar(1)])
        yield Page(TimeRange(3 * M, 4 * M), [bar(3)])
        raise HistoryIncomplete("It cannot be a bar.", missing=((2 * M, 3 * M),))


def test_what_cannot_be_a_bar_is_named_and_nothing_behind_it_is_given() -> None:
    """A later bar would have the one before stepped over in silence."""
    first, last = ask(Spoiled())
    assert first == Answer(ASK, TimeRange(0, 2 * M), (bar(0), bar(1)), False)
    assert isinstance(last, Failure) and last.unreadable == TimeRange(2 * M, 3 * M)


class Jumping(Fake):
    """Pages with a hole that is none: nobody says that anything is missing."""

    def pages(
        self, symbol: str, timeframe: Timeframe, span: TimeRange, cancelled: Callable[[], bool]
    ) -> Iterator[Page]:
        yield Page(TimeRange(0, 2 * M), [bar(0), bar(1)])
        yield Page(TimeRange(3 * M, 4 * M), [bar(3)])


def test_a_page_behind_a_hole_of_which_nobody_speaks_is_given_at_the_end() -> None:
    assert [answer.span for answer in ask(Jumping()) if isinstance(answer, Answer)] == [
        TimeRange(0, 2 * M), TimeRange(3 * M, 4 * M), TimeRange(4 * M, 4 * M),
    ]  # fmt: skip


def test_without_a_thread_the_question_fails_and_may_be_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    replies: list[Answer | Failure] = []
    backfill = Backfill(Fake())  # type: ignore[arg-type]
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        backfill.ask(BTC, ASK, replies.append, lambda: False)
    [failure] = replies
    assert isinstance(failure, Failure) and not failure.error.fatal
    answers: queue.Queue[Answer | Failure] = queue.Queue()
    backfill.ask(BTC, ASK, answers.put, lambda: False)
    assert isinstance(answers.get(timeout=10), Answer)
    backfill.close()
    assert backfill.join(5)


def test_nothing_runs_on_the_asking_thread_and_threads_end_on_close() -> None:
    downloader = Fake()
    ask(downloader)
    assert downloader.threads == {"btfeeds-toy-history-1"} and downloader.closed
    assert not any(thread.name.startswith("btfeeds-toy-history") for thread in threading.enumerate())


def test_a_question_nobody_waits_for_is_not_asked() -> None:
    downloader = Fake()
    backfill = Backfill(downloader)  # type: ignore[arg-type]
    backfill.ask(BTC, ASK, lambda answer: None, lambda: True)
    backfill.close()
    assert backfill.join(5)
    assert downloader.threads == set()


@pytest.mark.parametrize("error", [Banned("banned for an hour"), TlsError("an unknown certificate")])
def test_what_somebody_has_to_look_at_is_critical_and_said_once(
    error: BtfeedsError, caplog: pytest.LogCaptureFixture
) -> None:
    downloader = Fake(error)
    replies: queue.Queue[Answer | Failure] = queue.Queue()
    backfill = Backfill(downloader)  # type: ignore[arg-type]
    for still in (error, error, None, error):
        downloader.error = still
        backfill.ask(BTC, ASK, replies.put, lambda: False)
        while isinstance(last := replies.get(timeout=10), Answer) and not last.done:
            pass
    backfill.close()
    assert [record.message for record in caplog.records if record.levelno == logging.CRITICAL] == [error.what] * 2
