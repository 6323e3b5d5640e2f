"""The venue of the simulation: what is true, what it sends, and how its faults look from outside."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from email.utils import formatdate

from btfeeds.errors import NetworkError
from btfeeds.venues.base import HttpRequest, HttpResponse
from tests.virtual.schedule import HEAL_AT, HISTORY_MINUTES, LIVE_MINUTES, MINUTE, START, Schedule

Values = tuple[float, float, float, float, float]  # open, high, low, close, volume
CHANNEL = "btcusdt@kline_1m"


def truth_of(plan: Schedule) -> dict[int, Values]:
    """Every closed bar of the venue by opening time, minutes without trades as flat rows."""
    dice = random.Random(f"truth {plan.seed}")
    price, bars = 20_000.0, {}
    for minute in range(-HISTORY_MINUTES, LIVE_MINUTES + 10):
        if minute in plan.lost_minutes:
            continue
        if dice.random() < plan.quiet:
            bars[START + minute * MINUTE] = (price, price, price, price, 0.0)
            continue
        close = round(price + dice.randrange(-500, 501) / 100, 2)
        high = round(max(price, close) + dice.randrange(0, 200) / 100, 2)
        low = round(min(price, close) - dice.randrange(0, 200) / 100, 2)
        bars[START + minute * MINUTE] = (price, high, low, close, dice.randrange(1, 10_000) / 1_000)
        price = close
    return bars


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
        self._last = 0

    def carries(self) -> bool:
        """Whether the client can rely on this socket for its bars."""
        return self.open and not self.silent and CHANNEL in self.confirmed

    def send(self, text: str, confirms: set[str] | None = None) -> None:
        """A frame arrives after a while, in order; what is under way when the link is cut is lost."""
        world = self.venue.world
        self._last = max(self._last, world.now + self.venue.latency())
        world.at(self._last, lambda: self._arrive(text, confirms))

    def _arrive(self, text: str, confirms: set[str] | None) -> None:
        if self.open and not self.silent:
            if confirms is not None:
                self.confirmed = confirms
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
        said = json.loads(text)
        if self.venue.active("nack") and said["method"] == "SUBSCRIBE":
            self.send(json.dumps({"error": {"code": 9, "msg": "busy"}, "id": said["id"]}))
            return
        if said["method"] == "SUBSCRIBE":
            self.subscribed.update(said["params"])
        else:
            self.subscribed.difference_update(said["params"])
        if not self.venue.active("ack_lost"):
            self.send(json.dumps({"result": None, "id": said["id"]}), confirms=set(self.subscribed))

    def ping(self, pong: Callable[[], None]) -> None:
        if self.open and not self.silent:
            self.venue.world.at(self.venue.world.now + self.venue.latency(), lambda: self._pong(pong))

    def _pong(self, pong: Callable[[], None]) -> None:
        if self.open and not self.silent:
            pong()


class VirtualVenue:
    """Binance, as far as one symbol's minutes need it. `world` gives time and the order of things."""

    def __init__(self, world: object, plan: Schedule) -> None:
        from tests.virtual.world import World

        assert isinstance(world, World)
        self.world = world
        self.plan = plan
        self.dice = random.Random(f"venue {plan.seed}")
        self.truth = truth_of(plan)
        self.allowed: dict[int, list[Values]] = {time: [values] for time, values in self.truth.items()}
        self.links: list[Link] = []
        self.connects: list[int] = []
        self.requests: list[int] = []
        self.not_before = 0  # a Retry-After was given: no request may come earlier
        self.early_requests = 0
        self.breaks: list[int] = []
        self.naked: list[int] = []
        self._active: dict[str, int] = {}
        if plan.gaps == "hold" and plan.lost_minutes:
            self.world.at(START + HEAL_AT, self.find_lost)
        for minute in range(-1, LIVE_MINUTES + 5):
            self.world.at(START + minute * MINUTE, self._minute(START + minute * MINUTE))

    def find_lost(self) -> None:
        """The minutes that were lost are in history after all."""
        for minute in self.plan.lost_minutes:
            price = self.truth[START + (minute - 1) * MINUTE][3]
            values = (price, price, price, price, 1.0)
            self.truth[START + minute * MINUTE] = values
            self.allowed[START + minute * MINUTE] = [values]

    def latency(self) -> int:
        return self.dice.randrange(5, 80)

    def active(self, kind: str) -> bool:
        return self._active.get(kind, 0) > 0

    # --- faults ------------------------------------------------------------------------------------------------------

    def _faded(self, at: int) -> None:
        if not any(link.carries() for link in self.links):
            self.breaks.append(at)

    def note_break(self, broken: Link) -> None:
        """The client lost a socket: a break, when it was the last one that carried the channel."""
        if CHANNEL in broken.confirmed and not broken.silent and not any(link.carries() for link in self.links):
            self.breaks.append(self.world.now)

    def begin(self, kind: str) -> None:
        self._active[kind] = self._active.get(kind, 0) + 1
        if kind == "cut":
            self._each(lambda link: link.cut("reset", "cut"))
        elif kind == "close":
            self._each(lambda link: link.cut("close_code", self.dice.choice(("1000", "1001", "1012", "1011"))))
        elif kind in ("half_open", "blackhole"):
            carried = any(link.carries() for link in self.links)
            self._each(lambda link: setattr(link, "silent", True))
            if carried:  # nobody can see it at once, and a new socket may be there before it is noticed
                at = self.world.now
                self.world.at(at + 44_000, lambda: self._faded(at))
        elif kind == "notice":
            self._each(
                lambda link: link.send(
                    json.dumps({"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": 1}})
                )
            )
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
        if kind == "slow" and not self.active("slow"):
            self.world.slow = False
            self.world.wake()

    def _each(self, do: Callable[[Link], None]) -> None:
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
        if self.active("flap"):
            self.world.at(self.world.now + self.dice.randrange(1, 400), lambda: link.cut("close_code", "1013"))

    def _minute(self, opens: int) -> Callable[[], None]:
        """What a minute brings: a forming update in its midst, the closed frame after its end."""

        def happen() -> None:
            values = self.truth.get(opens)
            if values is None or values[4] == 0.0:
                return  # no trade: the stream is silent
            world = self.world
            middle = self.dice.randrange(5_000, 50_000)
            world.at(opens + middle, lambda: self._say(opens, _partial(values), closed=False))
            if self.active("unfinished"):
                early = self.dice.randrange(52_000, 59_900)
                world.at(opens + early, lambda: self._say(opens, _partial(values), closed=True))
            late = 1_900 if self.active("delay") and self.dice.random() < 0.5 else 30
            if self.active("delay") and self.dice.random() < 0.3:
                late = self.dice.randrange(2_000, 20_000)
            if self.active("reorder") and self.dice.random() < 0.5:
                late = 60_000 + self.dice.randrange(100, 3_000)
            world.at(opens + MINUTE + late, lambda: self._close(opens))

        return happen

    def _close(self, opens: int) -> None:
        values = self.truth[opens]
        if self.active("malformed") and self.dice.random() < 0.7:
            self._each(lambda link: link.send('{"stream":"btcusdt@kline_1m","data":{"e":"kline","k":{"t":'))
            return
        if self.active("drop_frame") and self.dice.random() < 0.5:
            return
        self._say(opens, values, closed=True)
        if self.active("duplicate"):
            for _ in range(self.dice.randrange(1, 3)):
                self._say(opens, values, closed=True)
        if self.active("future"):
            self._say(opens + 3 * MINUTE, values, closed=True, event_time=opens + 4 * MINUTE)
        if self.active("correction"):
            changed = (values[0], values[1], values[2], values[3], round(values[4] + 1.0, 3))
            self.allowed[opens].append(changed)
            self.truth[opens] = changed
            self._say(opens, changed, closed=True)

    def _say(self, opens: int, values: Values, *, closed: bool, event_time: int = 0) -> None:
        if self.active("mute"):
            return
        event_time = event_time or self.world.now
        o, h, lo, c, v = values
        text = (
            f'{{"stream":"{CHANNEL}","data":{{"e":"kline","E":{event_time},"s":"BTCUSDT","k":{{"t":{opens},'
            f'"T":{opens + MINUTE - 1},"s":"BTCUSDT","i":"1m","f":1,"L":9,"o":"{o:.8f}","c":"{c:.8f}","h":"{h:.8f}",'
            f'"l":"{lo:.8f}","v":"{v:.8f}","n":9,"x":{str(closed).lower()},"q":"1","V":"1","Q":"1","B":"0"}}}}}}'
        )
        for link in self.links:
            if link.open and CHANNEL in link.subscribed:
                link.send(text, confirms={CHANNEL})  # data proves a subscription too

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
        first, last = int(request.params["startTime"]), int(request.params["endTime"])
        limit = int(request.params.get("limit", 500))
        if self.active("rest_short"):
            limit = min(limit, self.dice.randrange(1, 4))
        rows = []
        for opens in range(first + (START - first) % MINUTE, min(last, now - stale) + 1, MINUTE):
            values = self.truth.get(opens)
            if values is None:
                continue
            if opens + MINUTE > now - stale:
                values = _partial(values)  # still forming in this answer
            elif opens + MINUTE > now - lag:
                continue  # closed, but history does not have it yet
            o, h, lo, c, v = values
            rows.append(
                [
                    opens,
                    f"{o:.8f}",
                    f"{h:.8f}",
                    f"{lo:.8f}",
                    f"{c:.8f}",
                    f"{v:.8f}",
                    opens + MINUTE - 1,
                    "0",
                    9,
                    "0",
                    "0",
                    "0",
                ]
            )
            if len(rows) == limit:
                break
        return self._reply(200, json.dumps(rows).encode())

    def _reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> HttpResponse:
        date = {"date": formatdate(self.world.now // 1000, usegmt=True), "content-type": "application/json"}
        ours = self.world.clock.now()
        return HttpResponse(status, body, date | (headers or {}), sent=ours, received=ours)


def _partial(values: Values) -> Values:
    """The bar before its end: other content that must never be taken for the final one."""
    o, _, _, _, v = values
    return (o, o, o, o, v / 2)
