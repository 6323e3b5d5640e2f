"""A folder of real frames and answers, one file of each kind, as the venue sent them: what a dialect is tested with.

Files are named as in tests/venues/payloads, so that the folder is a start for a new one. `received.jsonl` says when
each came. Secrets are masked; what was sent is not kept at all.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from pathlib import Path
from types import TracebackType

from btfeeds import settings, wire
from btfeeds.clock import Clock, SystemClock
from btfeeds.errors import BadFrame, BtfeedsError, ConfigError
from btfeeds.market import Timeframe
from btfeeds.venues.base import BarUpdate, HttpRequest, HttpResponse, Provider, Venue

_MINUTE = Timeframe.parse("1m")
_HEADERS = re.compile(r"date|retry-after|content-type|.*(limit|weight|remaining|reset|used|before|after).*")
_SECRET = re.compile(r'("(?:\w*token|secret|api_?key|listenKey|signature|passphrase)"\s*:\s*")[^"]*', re.IGNORECASE)
_MOST = 100  # kinds; a venue that sends more of them sends something else in each


class Recorder:
    """Use as a context manager: as long as it lasts, the first of each kind is written to `folder`."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self._folder = folder
        self._clock: Clock = clock or SystemClock()
        self._lock = threading.Lock()  # guards kinds and the files: frames come on several threads
        self.kinds: dict[str, int] = {}  # how many of each kind have come

    def __enter__(self) -> Recorder:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / "received.jsonl").touch()
        except OSError as error:
            raise ConfigError(
                f"Nothing can be recorded to {self._folder}: {error.strerror}.",
                "Nothing was started.",
                "Name a folder that you may write to, or that does not exist yet.",
            ) from None
        wire.listen(self._told)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        wire.leave(self._told)

    def _told(self, provider: Provider, data: bytes | HttpResponse, request: HttpRequest | None) -> None:
        time = self._clock.now()
        if isinstance(data, HttpResponse):
            kind = answer_kind(provider, data)
            content = _enveloped(data) if kind.startswith("rest_error_") else data.body
        else:
            kind, content = frame_kind(provider, data), data
        with self._lock:
            self.kinds[kind] = self.kinds.get(kind, 0) + 1
            if self.kinds[kind] > 1 or len(self.kinds) > _MOST:
                return
            text = content.decode("utf-8", "replace")
            for secret in filter(None, (provider.key, provider.secret)):
                text = text.replace(secret, settings.MASK)
            text = _SECRET.sub(rf"\g<1>{settings.MASK}", settings.mask(text))
            name = f"{kind}.json" if text.lstrip()[:1] in ("{", "[") else f"{kind}.txt"
            (self._folder / name).write_text(text, encoding="utf-8", newline="")
            line = json.dumps({"file": name, "venue": provider.name, "time": time, "bytes": len(content)})
            with (self._folder / "received.jsonl").open("a", encoding="utf-8") as file:
                file.write(line + "\n")


def frame_kind(provider: Provider, frame: bytes) -> str:
    """frame_bar_closed, frame_accepted, frame_alive_heartbeat …: what the dialect takes a frame for."""
    assert isinstance(provider, Venue)
    try:
        events = list(provider.parse_frame(frame))
    except BadFrame as error:
        return f"frame_unreadable_{error.reason}"
    bars = {True: "bar_closed", False: "bar_forming"}
    names = dict.fromkeys(bars[e.closed] if isinstance(e, BarUpdate) else _snake(type(e).__name__) for e in events)
    if list(names) == ["alive"]:
        return f"frame_alive{_word(frame)}"
    return f"frame_{'_'.join(names) or 'nothing'}{'s' if len(events) > 1 else ''}"


def answer_kind(provider: Provider, response: HttpResponse) -> str:
    """rest_bars, rest_trades, rest_error_rate_limited, rest_other."""
    try:
        provider.check(response)
    except BtfeedsError as error:
        return f"rest_error_{_snake(type(error).__name__)}"
    for kind in ("bars", "trades"):
        try:
            found = provider.parse_bars(response, _MINUTE) if kind == "bars" else provider.parse_trades(response)
        except (BadFrame, NotImplementedError):  # the base class's: this venue offers no trades
            continue
        return f"rest_{kind}" if found else f"rest_{kind}_none"
    return "rest_other"


def _word(frame: bytes) -> str:
    """What a sign of life says of itself, as far as it can name a file: its type, event or channel."""
    found = re.search(rb'"(?:type|event|channel|method|op|e|ev|T)"\s*:\s*"([\w.\-]{1,30})"', frame)
    return f"_{_snake(found[1].decode())}" if found else ""


def _snake(name: str) -> str:
    return re.sub(r"\W+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)).lower()


def _enveloped(response: HttpResponse) -> bytes:
    headers = {name: value for name, value in response.headers.items() if _HEADERS.fullmatch(name)}
    body: object = response.body.decode("utf-8", "replace")
    with contextlib.suppress(ValueError):  # a page of text stays as it is
        body = json.loads(response.body)
    return json.dumps({"status": response.status, "headers": headers, "body": body}, indent=1).encode()
