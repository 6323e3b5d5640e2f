"""Whose turn it is at a host: its budget, its deadlines and whether it answers at all, for all threads of a client.

On the machine's own clock the budget and the deadlines are shared with the other processes of the machine, and whether
a host answers with the other clients of this one; simulated time is each client's own. A budget is the address's, or
the key's where there is one: a venue that gives keys counts by them.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from btfeeds import bans, monitor
from btfeeds.clock import Clock, SystemClock
from btfeeds.errors import Banned, BtfeedsError, NetworkError, RateLimited, VenueUnavailable
from btfeeds.history.breaker import Breaker, State
from btfeeds.history.ledger import Ledger
from btfeeds.history.pacing import Pacer
from btfeeds.venues.base import Provider

_LONGEST_WAIT_MS = 60_000  # what is further away is told instead of waited for
_PROBE_MS = 50  # of the wall: how soon a request that waits for another's fate looks again


def _never() -> bool:
    return False


class Circuit:
    """The circuit of one host, for whoever enters it: one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _breaker
        self._breaker = Breaker()

    def __enter__(self) -> Breaker:
        self._lock.acquire()
        return self._breaker

    def __exit__(self, *_: object) -> None:
        self._lock.release()


_registry = threading.Lock()  # guards every dict of circuits
_circuits: dict[str, Circuit] = {}  # of this process, on the machine's clock, by host


def forget() -> None:
    """This process knows nothing of any host: after a fork, what is under way there is not under way here."""
    global _registry
    _registry = threading.Lock()
    _circuits.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget)


class Budgets:
    """The pacers and circuits of one client. Thread-safe; may block on the disk for up to two seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._circuits = _circuits if isinstance(clock, SystemClock) else {}
        self._lock = threading.Lock()  # guards everything below; a circuit's own is taken in it
        self._pacers: dict[str, Pacer] = {}
        self._ledger = Ledger() if isinstance(clock, SystemClock) else None

    def turn(self, provider: Provider, weight: int) -> int:
        """0: the request goes now, inside `asked`. Otherwise how many ms to wait before asking again.

        Raises Banned during a ban, RateLimited when the day's requests are spent and VenueUnavailable while the
        circuit is open: nothing is to be sent then, and waiting would take too long. RateLimited, too, before a
        deadline that is far away, where `others_can_be_asked`.
        """
        with self._lock, self._circuit(provider) as breaker:
            now = self._clock.monotonic()
            if rest := breaker.rest(now):
                raise _open(provider, breaker.failures, rest)
            if breaker.state is State.HALF_OPEN:
                return max(1, int(_PROBE_MS * self._clock.speed))
            pacer = self._pacer(provider)
            self._heed_others(provider, pacer, now)
            wait = self._take(provider, pacer, weight, now)
            if not wait:
                breaker.go(now)
            elif pacer.banned:
                raise _banned(provider, wait)
            elif wait > _LONGEST_WAIT_MS and now >= pacer.closed_until:
                raise _spent(provider, wait)
            elif wait > _LONGEST_WAIT_MS and getattr(_thread, "others", False):
                raise _far(provider, wait)
            return wait

    def learn(self, provider: Provider, used: int) -> None:
        """The venue says that `used` of this minute's weight is gone."""
        with self._lock:
            pacer, now = self._pacer(provider), self._clock.monotonic()
            if self._ledger:
                self._ledger.learn(_name(provider), pacer, used, now)
            else:
                pacer.learn(used, now)

    def hold(self, provider: Provider, error: RateLimited) -> None:
        """The venue says that nothing may come for a while."""
        ms = error.retry_after * 1000
        with self._lock:
            self._pacer(provider).hold(ms, self._clock.monotonic(), ban=isinstance(error, Banned))
        bans.remember(_name(provider) if error.of_key else host(provider), ms, self._clock)

    @contextlib.contextmanager
    def asked(self, provider: Provider, gone: Callable[[], bool] = _never) -> Iterator[None]:
        """Around the request whose turn it was: how it ends is counted, unless it was `gone()`: given up by us."""
        ended: BaseException | None = None
        try:
            yield
        except BaseException as error:
            ended = error
            raise
        finally:
            if ended is not None and gone():
                with self._circuit(provider) as breaker:
                    breaker.given_up(self._clock.monotonic())
            else:
                self._count(provider, ended)

    def resting(self, provider: Provider) -> bool:
        """Whether the circuit is open, so that asking again soon is of no use."""
        with self._circuit(provider) as breaker:
            return breaker.state is State.OPEN

    def _count(self, provider: Provider, error: BaseException | None) -> None:
        answered = error is None or (
            isinstance(error, BtfeedsError) and not isinstance(error, NetworkError | VenueUnavailable)
        )
        happening: monitor.Happening | None = None
        with self._circuit(provider) as breaker:
            now = self._clock.monotonic()
            if answered:
                if breaker.answered():
                    happening = monitor.CircuitClosed(provider.name, now - breaker.opened_at)
            elif breaker.failed(now):
                why = error.line() if isinstance(error, BtfeedsError) else repr(error)
                happening = monitor.CircuitOpened(provider.name, breaker.failures, breaker.rest(now), why)
        if happening:
            monitor.publish(happening)

    def _circuit(self, provider: Provider) -> Circuit:
        with _registry:
            return self._circuits.setdefault(host(provider), Circuit())

    def _pacer(self, provider: Provider) -> Pacer:
        limits = provider.limits
        name = _name(provider)
        if name not in self._pacers:
            self._pacers[name] = Pacer(limits.weight_per_minute, limits.requests_per_second, limits.requests_per_day)
        return self._pacers[name]

    def _heed_others(self, provider: Provider, pacer: Pacer, now: int) -> None:
        """A deadline said to another process, or to an earlier one, is ours: that of our address, and of our key."""
        ours = max(0, pacer.closed_until - now)
        theirs = max(bans.left(name, self._clock) for name in {host(provider), _name(provider)})
        if theirs > ours + (1_000 if ours else 0):  # our own one is read back with a few ms more
            pacer.hold(theirs, now, ban=theirs > _LONGEST_WAIT_MS)

    def _take(self, provider: Provider, pacer: Pacer, weight: int, now: int) -> int:
        if self._ledger and now >= pacer.closed_until:
            return self._ledger.take(_name(provider), pacer, weight, now)
        return pacer.take(weight, now)


_thread = threading.local()  # .others: somebody else can be asked than who is asked on this thread


@contextlib.contextmanager
def others_can_be_asked() -> Iterator[None]:
    """As long as it lasts, a deadline that is far away is told on this thread instead of waited for."""
    before = getattr(_thread, "others", False)
    _thread.others = True
    try:
        yield
    finally:
        _thread.others = before


def host(provider: Provider) -> str:
    """The host without credentials, with its port."""
    return urlsplit(provider.rest_url).netloc.rpartition("@")[2]


def _name(provider: Provider) -> str:
    """Whose budget it is. 32 bits of a digest tell keys apart, and nothing about them."""
    if not provider.key:
        return host(provider)
    return f"{host(provider)} {hashlib.blake2b(provider.key.encode(), digest_size=4).hexdigest()}"


def _open(provider: Provider, failures: int, rest: int) -> VenueUnavailable:
    return VenueUnavailable(
        f"{provider.title} has not answered {failures} times in a row.",
        f"No request was sent; it is tried again in {math.ceil(rest / 1000)} s.",
        "Check the network and the venue's status page.",
    )


def _banned(provider: Provider, wait: int) -> Banned:
    return Banned(
        f"{provider.title} takes no request for {wait / 1000:.0f} s more: a ban, or what its plan allows is spent.",
        "No request was sent.",
        "Wait until then; a request before it would prolong a ban.",
        retry_after=wait / 1000,
    )


def _spent(provider: Provider, wait: int) -> RateLimited:
    return RateLimited(
        f"The {provider.limits.requests_per_day} requests a day of {provider.title} are spent.",
        "No request was sent.",
        f"Ask again in {wait / 3_600_000:.1f} hours, or another provider.",
        retry_after=wait / 1000,
    )


def _far(provider: Provider, wait: int) -> RateLimited:
    return RateLimited(
        f"{provider.title} takes no request for {wait / 1000:.0f} s more.",
        "No request was sent.",
        "Ask somebody else, or wait until then.",
        retry_after=wait / 1000,
    )
