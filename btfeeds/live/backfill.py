"""Asks history in the background, so that no network call ever runs on the strategy's thread.

A few daemon threads per venue work through a queue of questions; pages are handed over as they come. Closing lets
go of questions that nobody waits for any more.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from btfeeds.errors import Banned, BtfeedsError, HistoryIncomplete, NetworkError, TlsError
from btfeeds.history.downloader import Downloader
from btfeeds.history.paging import Page
from btfeeds.live.items import Ask
from btfeeds.live.ring import Answer, Failure
from btfeeds.market import EMPTY, Subscription, TimeRange

if TYPE_CHECKING:
    from btfeeds.live.stored import Stored

logger = logging.getLogger("btfeeds")

_THREADS = 4


@dataclass(frozen=True, slots=True)
class _Question:
    subscription: Subscription
    ask: Ask
    reply: Callable[[Answer | Failure], None]
    cancelled: Callable[[], bool]
    stored: Stored | None


class Backfill:
    """The questions of one venue's streams, answered by one `Downloader` (its pacing and budget are shared)."""

    def __init__(self, downloader: Downloader) -> None:
        self._downloader = downloader
        self._questions: queue.SimpleQueue[_Question | None] = queue.SimpleQueue()
        self._lock = threading.Lock()  # guards _threads, _idle and _closed
        self._threads: list[threading.Thread] = []
        self._open = 0  # questions queued or under way
        self._closed = False
        self._alarmed = False  # said since history answered last

    def ask(
        self,
        subscription: Subscription,
        ask: Ask,
        reply: Callable[[Answer | Failure], None],
        cancelled: Callable[[], bool],
        stored: Stored | None = None,
    ) -> None:
        """Answer `ask` through `reply` on another thread: Answers up to the last one, which is `done`, or a Failure.

        With `stored` its warehouse is read first, and the venue is asked for the rest.
        """
        with self._lock:
            if self._closed:
                return
            if self._open >= len(self._threads) and len(self._threads) < _THREADS:
                name = f"btfeeds-{subscription.venue}-history-{len(self._threads) + 1}"
                thread = threading.Thread(target=self._run, name=name, daemon=True)
                try:
                    thread.start()
                    self._threads.append(thread)
                except RuntimeError as error:  # this process gets no thread for it now
                    logger.critical("history of %s: %s", subscription, error)
            heard = bool(self._threads)
            self._open += heard
        if heard:
            self._questions.put(_Question(subscription, ask, reply, cancelled, stored))
        else:
            reply(Failure(ask, NetworkError("This process cannot start another thread.", "It is asked again later.")))

    def close(self) -> None:
        """Let go: threads leave after the request under way. Does not wait."""
        with self._lock:
            self._closed = True
            threads = len(self._threads)
        for _ in range(threads):
            self._questions.put(None)
        self._downloader.close()

    def join(self, seconds: float) -> bool:
        """Wait for the threads to leave, so long in all; False when one did not in time."""
        end = time.monotonic() + seconds
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while (question := self._questions.get()) is not None:
            try:
                if not (self._closed or question.cancelled()):
                    self._answer(question)
            except Exception:  # the thread's outermost border: `reply` is somebody else's, and others wait, too
                logger.critical("an answer of history could not be handed over", exc_info=True)
            finally:
                with self._lock:
                    self._open -= 1

    def _answer(self, question: _Question) -> None:
        subscription, ask = question.subscription, question.ask
        covered = ask.span.start
        try:
            asked, some = False, False
            behind: list[Page] = []  # pages behind a piece that is not there: whether it can be had, the end tells
            source = self._downloader if question.stored is None else question.stored.through(self._downloader)
            pages = source.pages(
                subscription.symbol,
                subscription.timeframe,
                ask.span,
                cancelled=lambda: self._closed or question.cancelled(),
            )
            for page in pages:
                some, asked = True, asked or not page.stored
                if behind or page.span.start > covered:
                    behind.append(page)
                    continue
                covered = page.span.end
                question.reply(Answer(ask, page.span, tuple(page.bars), False, page.venue_time, page.took, asked))
                if self._closed or question.cancelled():
                    return
            for page in behind:
                covered = page.span.end
                question.reply(Answer(ask, page.span, tuple(page.bars), False, page.venue_time, page.took, asked))
            self._alarmed = False
            question.reply(Answer(ask, TimeRange(covered, covered), (), done=True, asked=asked or not some))
        except HistoryIncomplete as error:  # what cannot be bars: the others are good
            missing = (TimeRange(*span) for span in error.missing)
            question.reply(Failure(ask, error, next((span for span in missing if span.end > covered), EMPTY)))
        except BtfeedsError as error:
            if isinstance(error, Banned | TlsError) and not self._alarmed:
                self._alarmed = True  # it will be asked again, but somebody has to look at it
                logger.critical("%s", error)
            question.reply(Failure(ask, error))
        except (
            Exception
        ) as error:  # the thread's outermost border: a question without an answer would hold a feed for ever
            logger.critical("asking history of %s failed inside: %r", subscription, error, exc_info=True)
            question.reply(Failure(ask, NetworkError(f"Asking history failed: {error!r}", "It is asked again later.")))
