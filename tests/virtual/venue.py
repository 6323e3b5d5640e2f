"""The venue of the simulation: its sockets, its history, and how its faults look from outside.

What it says, and in which words, is its speaker's (see `speech`).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from time import gmtime, strftime

from btfeeds.errors import NetworkError
from btfeeds.venues.base import HttpRequest, HttpResponse
from tests.virtual.schedule import HEAL_AT, IDLE_MS, LASTING, MINUTE, PONG_MS, START, Schedule
from tests.virtual.speech import SPEAKERS
from tests.virtual.speech.base import Values

_DATE = "%a, %d %b %Y %H:%M:%S GMT"  # as HTTP writes it


class Link:
    """One WebSocket as the venue sees it."""

    def __init__(
        self, venue: VirtualVenue, deliver: Callable[[str], None], dropped: Callable[[str, str], None]
    ) -> None:
        self.venue = venue
        self.deliver = deliver
        self.dropped = dropped
        self.subscribed: set[str] = set()
        self.open = True
        self.confirmed: set[str] = set()  # what the client knows to be subscribed
        self.silent = False
        self.covers_from = -1  # when the client came to know that its channel is subscribed
        self._last = 0

    def carries(self) -> bool:
        """Whether the client can rely on this socket for its bars."""
        return self.open and not self.silent and self.venue.channel in self.confirmed

    def send(self, text: str, confirms: set[str] | None = None) -> None:
        """A frame arrives after a while, in order; what is under way when the link is cut is lost."""
        world = self.venue.world
        self._last = max(self._last, world.now + self.venue.latency())
        world.at(self._last, lambda: self._arrive(text, confirms))

    def _arrive(self, text: str, confirms: set[str] | None) -> None:
        if self.open and not self.silent:
            if confirms is not None:
                self.confirmed = confirms
                if self.covers_from < 0 and self.venue.channel in confirms:
                    self.covers_from = self.venue.world.now
            self.deliver(text)

    def cut(self, reason: str, detail: str = "") -> None:
        if self.open:
            self.open = False
            self.venue.note_break(self)
            if not self.silent:
                self.dropped(reason, detail)

    def hear(self, text: str) -> None:
        """The client says something."""
        if not self.open or self.silent:
            return
        self.venue.speaker.hear(self, text)

    def refuses(self) -> bool:
        """Whether the venue is in no mood to subscribe anything."""
        return self.venue.active("nack")

    def confirm(self, text: str, channels: set[str] | None = None) -> None:
        """The answer to a control message: `channels` are subscribed now. It may be lost on its way."""
        if channels is not None:
            self.subscribed = channels
        if not self.venue.active("ack_lost"):
            self.send(text, confirms=set(self.subscribed))

    def ping(self, pong: Callable[[], None]) -> None:
        if self.open and not self.silent:
            self.venue.world.at(self.venue.world.now + self.venue.latency(), lambda: self._pong(pong))

    def _pong(self, pong: Callable[[], None]) -> None:
        if self.open and not self.silent:
            pong()


class VirtualVenue:
    """One symbol's minutes. `world` gives time and the order of things."""

    def __init__(self, world: object, plan: Schedule) -> None:
        from tests.virtual.world import World

        assert isinstance(world, World)
        self.world = world
        self.plan = plan
        self.dice = random.Random(f"venue {plan.seed}")
        self.speaker = SPEAKERS[plan.speaker](self)
        self.channel = self.speaker.channel
        self.truth = self.speaker.truth()
        self.allowed: dict[int, list[Values]] = {time: [values] for time, values in self.truth.items()}
        self.links: list[Link] = []
        self.connects: list[int] = []
        self.requests: list[int] = []
        self.not_before = 0  # a Retry-After was given: no request may come earlier
        self.early_requests = 0
        self.breaks: list[int] = []
        self.naked: list[int] = []
        self.cut_at = -1  # when a link was cut last
        self._active: dict[str, int] = {}
        if plan.gaps == "hold" and plan.lost_minutes:
            self.world.at(START + HEAL_AT, self.find_lost)
        self.speaker.prepare()

    def find_lost(self) -> None:
        """The minutes that were lost are in history after all."""
        for minute in self.plan.lost_minutes:
            price = self.truth[START + (minute - 1) * MINUTE][3]
            values = (price, price, price, price, 1.0)
            self.truth[START + minute * MINUTE] = values
            self.allowed[START + minute * MINUTE] = [values]

    def latency(self) -> int:
        return 5 + int(self.dice.random() * 75)

    def active(self, kind: str) -> bool:
        return kind in self._active

    @property
    def calm(self) -> bool:
        """Whether no fault lasts."""
        return not self._active

    # --- faults ------------------------------------------------------------------------------------------------------

    def _faded(self, at: int) -> None:
        if not any(link.covers_from > at or (link.covers_from == at and not link.silent) for link in self.links):
            self.breaks.append(at)

    def _silence(self, links: list[Link]) -> None:
        carried = any(link.carries() for link in self.links)
        for link in links:
            link.silent = True
        if carried and not any(link.carries() for link in self.links):
            self._fade()

    def _fade(self) -> None:
        """Nobody can see it at once, and a new socket may be there before it is noticed."""
        at = self.world.now
        self.world.at(at + IDLE_MS + PONG_MS + 4_000, lambda: self._faded(at))

    def note_break(self, broken: Link) -> None:
        """The client lost a socket: a break, when it was the last one that carried the channel."""
        self.cut_at = self.world.now
        if self.channel in broken.confirmed and not broken.silent and not any(link.carries() for link in self.links):
            if any(link.open and self.channel in link.confirmed for link in self.links):
                self._fade()  # there is another one, which is dead
            else:
                self.breaks.append(self.world.now)

    def begin(self, kind: str) -> None:
        if kind in LASTING:
            self._active[kind] = self._active.get(kind, 0) + 1
        if kind == "cut":
            self.each(lambda link: link.cut("reset", "cut"))
        elif kind == "close":
            self.each(lambda link: link.cut("close_code", self.dice.choice(("1000", "1001", "1012", "1011"))))
        elif kind in ("half_open", "blackhole"):
            self._silence([link for link in self.links if link.open])
        elif kind == "old_silent":
            self._silence([link for link in self.links if link.open][:-1])
        elif kind == "new_cut" and len(two := [link for link in self.links if link.open]) > 1:
            two[-1].cut("reset", "cut")
        elif kind == "notice":
            notice = self.speaker.notice
            if not notice:
                return
            self.each(lambda link: link.send(notice))
            going = [link for link in self.links if link.open]
            for link in going:
                self.world.at(
                    self.world.now + self.dice.randrange(20_000, 60_000),
                    lambda link=link: link.cut("close_code", "1001"),
                )
        elif kind == "slow":
            self.world.slow = True

    def end(self, kind: str) -> None:
        self._active[kind] -= 1
        if not self._active[kind]:
            del self._active[kind]
        if kind == "slow" and not self.active("slow"):
            self.world.slow = False
            self.world.wake()

    def each(self, do: Callable[[Link], None]) -> None:
        for link in [link for link in self.links if link.open]:
            do(link)

    # --- the stream --------------------------------------------------------------------------------------------------

    def dial(self, opened: Callable[[Link], None], failed: Callable[[str, int], None], link: Link) -> None:
        """A client connects."""
        now = self.world.now
        self.connects.append(now)
        if self.active("refuse"):
            self.world.at(now + self.latency(), lambda: failed("refused", 0))
        elif self.active("blackhole") or self.active("half_open"):
            self.world.at(now + 10_000, lambda: failed("timeout", 0))
        elif self.active("http_429"):
            self.world.at(now + self.latency(), lambda: failed("http", 30_000))
        else:
            self.links.append(link)
            self.world.at(now + 2 * self.latency(), lambda: self._open(opened, link))

    def _open(self, opened: Callable[[Link], None], link: Link) -> None:
        if not link.open:
            return
        opened(link)
        self.speaker.greet(link)
        if self.active("flap"):
            self.world.at(self.world.now + self.dice.randrange(1, 400), lambda: link.cut("close_code", "1013"))

    # --- history -----------------------------------------------------------------------------------------------------

    def answer(self, request: HttpRequest) -> HttpResponse:
        """A REST request arrives. Raises NetworkError when nothing answers."""
        now = self.world.now
        self.requests.append(now)
        if now < self.not_before:
            self.early_requests += 1
        if self.active("rest_down"):
            raise NetworkError("history does not answer")
        if self.active("rest_429"):
            self.not_before = now + 20_000
            return self._reply(429, b'{"code":-1003,"msg":"Too many requests"}', {"retry-after": "20"})
        if self.active("rest_503"):
            return self._reply(503, b"<html>bad gateway</html>")
        if self.active("rest_garbage") and self.dice.random() < 0.6:
            return self._reply(200, self.dice.choice((b"<html>", b"[[1,2", b'{"a":1}', b"")))
        lag = self.dice.randrange(2_000, 9_000) if self.active("rest_lag") else 0
        stale = lag if self.dice.random() < 0.5 else self.dice.randrange(0, 900)  # the market as it was so long ago
        body = self.speaker.history(request, now - stale, now - lag)
        return self._reply(200, body, url="?" + "&".join(f"{name}={value}" for name, value in request.params.items()))

    def _reply(self, status: int, body: bytes, headers: dict[str, str] | None = None, url: str = "") -> HttpResponse:
        date = {"date": strftime(_DATE, gmtime(self.world.now // 1000)), "content-type": "application/json"}
        ours = self.world.clock.now()
        return HttpResponse(status, body, date | (headers or {}), url=url, sent=ours, received=ours)
