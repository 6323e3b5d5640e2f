"""One socket's worth of channels (the venue limits how many); during a relief it has two sockets.

The seam between two connections is here: a channel is *covered* while at least one socket has it confirmed, so a
successor that is confirmed before the old socket goes leaves no break behind.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from btfeeds import bans, monitor
from btfeeds.errors import FeedStopped
from btfeeds.live.connection import Connection
from btfeeds.live.coverage import Coverage
from btfeeds.live.effects import Data, Effect, Loss, Lost, Refused
from btfeeds.live.tap import Ear
from btfeeds.live.worker import Worker
from btfeeds.venues.base import TradeUpdate, Venue

if TYPE_CHECKING:
    from btfeeds.live.hub import Hub

logger = logging.getLogger("btfeeds")


class Shard:
    """The channels of one socket, and the worker (or, during a relief, the two workers) that carry them."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._lock = monitor.Hushed()  # guards everything below: feeds' threads and workers' threads come here
        self.channels: set[str] = set()
        self._coverage = Coverage()
        self._up: set[str] = set()  # channels whose taps were told that they are up
        self._proven: set[str] = set()  # channels that the venue has confirmed at some time
        self._workers: list[Worker] = []
        self._gone: list[Worker] = []  # told to go, because their last channel had gone
        self._leaving = ""  # why the newest one wants a successor, while it is one itself
        self._starved = False  # no thread could be started, and this was said

    def room(self) -> int:
        return self._hub.venue.limits.streams_per_connection - len(self.channels)

    def want(self, channel: str) -> None:
        """Carry a channel; its taps are told when it is covered."""
        with self._lock:
            if channel in self.channels:
                return
            self.channels.add(channel)
            if not self._workers:
                if not self._spawn():
                    self.channels.discard(channel)
                    for tap in self._hub.taps(channel):
                        tap.refused(no_thread())
            else:
                for worker in self._workers:
                    worker.ask(lambda connection, now: connection.want([channel], now))
                self._keep_all_but(self._workers[-1])

    def unwant(self, channel: str) -> None:
        with self._lock:
            self.channels.discard(channel)
            self._forget(channel)
            if not self.channels:  # a socket without channels would be dialled again and again
                self._gone = [worker for worker in self._gone if worker.alive] + self._workers
                for worker in self._workers:
                    worker.stop()
                self._workers = []
            for worker in self._workers:
                worker.ask(lambda connection, now: connection.unwant([channel], now))
                worker.ask(self._taking_over(worker))  # what it was waiting for may have been this channel

    def prove(self, channel: str) -> None:
        """The venue has this channel, whether it was confirmed already or not."""
        with self._lock:
            if channel not in self._proven:
                self._proven.add(channel)
                for worker in self._workers:
                    worker.ask(lambda connection, now: connection.prove(channel))

    def renew(self, channel: str) -> None:
        """End and begin the subscription of one mute channel; until it is confirmed again nobody surely carries it."""
        with self._lock:
            for worker in self._workers:
                self._coverage.leave(channel, worker.number)
                worker.ask(lambda connection, now: connection.renew(channel, now))

    def heard(self, channel: str) -> int:
        """Up to when all is handed on that came for this channel, and something came (monotonic clock, ms); 0: none."""
        by, workers = self._coverage.by(channel), list(self._workers)  # without the lock: Cerebro's thread is here
        return max((worker.heard_at for worker in workers if worker.number in by), default=0)

    def prod(self, channel: str) -> None:
        """Have the venue say something where this channel is carried."""
        with self._lock:
            for worker in self._workers:
                if worker.number in self._coverage.by(channel):
                    worker.ask(lambda connection, now: connection.prod(now))

    def errand(self, do: Callable[[], None]) -> bool:
        """Have it done on the thread of a worker; False: there is none. Takes no lock."""

        def command(connection: Connection, now: int) -> list[Effect]:
            do()
            return []

        worker = next(iter(list(self._workers)), None)
        if worker is not None:
            worker.ask(command)
        return worker is not None

    def replace(self, reason: str) -> None:
        """Bring a new socket into service, then end the old one."""
        with self._lock:
            if len(self._workers) != 1:
                return
            if self._hub.venue.overlaps:
                self._spawn()
            else:  # the venue allows one: the old socket goes first
                self._workers[0].ask(lambda connection, now: connection.lost(Loss("silent", reason), now))

    def welcome(self, tap: Ear) -> None:
        """A tap came to a channel that is carried already: it is told so, before a break can be told."""
        with self._lock:
            if tap.channel in self._up:
                self._tell_up(tap)

    def _tell_up(self, tap: Ear) -> None:
        skew = self._hub.skew.value
        tap.up(self._hub.clock.now() + skew, skew)

    def stop(self) -> list[Worker]:
        with self._lock:
            workers, self._workers = self._workers, []
            self.channels.clear()
            for worker in workers:
                worker.stop()
            return workers + self._gone

    def _spawn(self) -> bool:
        """Begin another socket; False: this process gets no thread for it now."""
        worker = self._hub.new_worker(self)
        channels = list(self.channels)
        proven = set(self._proven)
        worker.ask(lambda connection, now: connection.want(channels, now, proven=proven))
        try:
            worker.start()
        except RuntimeError as error:
            if not self._starved:
                logger.critical("no connection to %s can be made: %s", self._hub.venue.name, error)
            self._starved = True
            return False
        self._starved = False
        self._workers.append(worker)
        return True

    # --- Listener: on the workers' threads ---------------------------------------------------------------------------

    def data(self, worker: Worker, event: Data) -> None:
        unnumbered = type(event) is TradeUpdate and event.trades and event.trades[0].id < 0
        with self._lock:  # two sockets' threads come here, and a tap is made for one at a time
            # trades without numbers are told apart by their socket only: those of the channel's voice count
            if not unnumbered or self._coverage.voice(event.channel) in (None, worker.number):  # type: ignore[union-attr]
                self._hub.data(event)

    def covered(self, worker: Worker, channels: tuple[str, ...]) -> None:
        with self._lock:
            if worker not in self._workers:
                return  # it was told to go, and what it carries does not last
            for channel in channels:
                if channel not in self.channels:
                    continue  # it was given up while this was under way
                before = self._coverage.voice(channel)
                self._coverage.confirm(channel, worker.number)
                self._proven.add(channel)
                for tap in self._hub.taps(channel):
                    if channel not in self._up:
                        self._tell_up(tap)
                    elif before != self._coverage.voice(channel):
                        tap.seam()
                self._up.add(channel)
            monitor.publish(monitor.Connected(self._hub.venue.name, worker.number))
            self._take_over(worker)

    def _taking_over(self, worker: Worker) -> Callable[[Connection, int], list[Effect]]:
        """As a command on its thread."""

        def command(connection: Connection, now: int) -> list[Effect]:
            with self._lock:
                self._take_over(worker)
            return []

        return command

    def _take_over(self, worker: Worker) -> None:
        """When this is the newest socket of two, and it has all channels: the old one may go, soon."""
        if len(self._workers) < 2 or worker is not self._workers[-1] or not worker.connection.complete:
            return
        for old in self._workers[:-1]:
            old.ask(lambda connection, now: connection.retire(now))
        self._seam()

    def _seam(self) -> None:
        for channel in self.channels:
            for tap in self._hub.taps(channel):
                tap.seam()

    def lost(self, worker: Worker, effect: Lost) -> None:
        loss = effect.loss
        venue = self._hub.venue.name
        monitor.publish(monitor.Disconnected(venue, worker.number, loss.reason, loss.detail, effect.retry_in_ms))
        if loss.alarm is not None:
            logger.critical("%s", loss.alarm)
        if loss.closed:
            bans.remember(host_of(self._hub.venue), loss.not_before_ms, self._hub.clock)
        with self._lock:
            if worker not in self._workers:
                return
            self._keep_all_but(worker)
            self._uncover(worker, f"{loss.reason}: {loss.detail}" if loss.detail else loss.reason)

    def _uncover(self, worker: Worker, reason: str) -> None:
        """This socket carries nothing now."""
        # A never-confirmed first connection is a break too: the strategy must know that nothing comes.
        alone = all(other is worker for other in self._workers)
        for channel in self.channels:
            before = self._coverage.voice(channel)
            self._coverage.leave(channel, worker.number)
            voice = self._coverage.voice(channel)
            down = voice is None and (channel in self._up or alone)
            for tap in self._hub.taps(channel):
                if down:
                    tap.down(reason)
                elif voice != before:
                    tap.seam()
            if down:
                self._up.discard(channel)

    def _forget(self, channel: str) -> None:
        """Nobody wants it, or nobody gets it."""
        self._coverage.forget(channel)
        self._up.discard(channel)

    def _keep_all_but(self, worker: Worker) -> None:
        """Of two sockets this one will not take over, or not yet: the old one stays."""
        for other in self._workers:
            if other is not worker:
                other.ask(lambda connection, now: connection.stay() + connection.prod(now))

    def refused(self, worker: Worker, effect: Refused) -> None:
        with self._lock:
            if any(self._coverage.by(channel) - {worker.number} for channel in effect.channels):
                # A successor is not wanted, and the old socket still carries what it should have taken over: that one
                # stays until it is lost, and only a refusal then is the end.
                logger.warning("a new connection to %s is refused, the old one stays", self._hub.venue.name)
                self._keep_all_but(worker)
                self._workers = [other for other in self._workers if other is not worker]
                self._uncover(worker, "refused")
                worker.stop()
                return
            for channel in self.channels.intersection(effect.channels):
                self.channels.discard(channel)
                self._forget(channel)
                monitor.publish(monitor.SubscriptionRefused(self._hub.venue.name, channel, effect.error.what))
                for tap in self._hub.taps(channel):
                    tap.refused(effect.error)
            if len(self._workers) > 1:  # what the new socket was waiting for may have been this
                self._workers[-1].ask(self._taking_over(self._workers[-1]))

    def relieve(self, worker: Worker, reason: str) -> None:
        with self._lock:
            if len(self._workers) > 1 and worker is self._workers[-1]:
                self._leaving = reason  # when the other one is gone
            elif worker in self._workers:
                self.replace(reason)

    def ended(self, worker: Worker) -> bool:
        """Its thread leaves; False: not yet, because no other one can be started in its place."""
        with self._lock:
            if worker not in self._workers:
                return True  # it was told to
            successors = [other for other in self._workers if other is not worker]
            if not successors and self.channels and not self._starved:
                logger.critical("a connection's thread to %s has died: it is replaced", self._hub.venue.name)
            self._uncover(worker, "the old socket has gone" if successors else "internal error")
            if not successors and self.channels:
                self._workers = []
                if not self._spawn():
                    self._workers = [worker]
                    return False
                return True
            self._workers = successors
            if successors:
                reason, self._leaving = self._leaving, ""
                if reason:
                    self.replace(reason)
            return True


def no_thread() -> FeedStopped:
    """Why a feed cannot begin."""
    return FeedStopped(
        "This process cannot start another thread.",
        "The feed was not started; others go on.",
        "Run fewer feeds in one process, or raise its limit (`ulimit -u`, a container's pids limit).",
    )


def host_of(venue: Venue) -> str:
    """The stream's host without credentials, with its port."""
    return urlsplit(venue.stream_url).netloc.rpartition("@")[2]
