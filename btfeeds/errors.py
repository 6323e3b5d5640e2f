"""Every exception of btfeeds, each said in three lines: what happened, what btfeeds did about it, what you can do.

    BtfeedsError
    ├── ConfigError              a parameter, an environment variable or a .env file is wrong
    │   └── MissingExtra         an optional package is not installed
    ├── DataError                something that should hold bars does not
    │   ├── BadBarFile           a file of bars cannot be read
    │   ├── StateError           the file to resume from cannot be used
    │   └── BadFrame             a frame or a response cannot be understood
    ├── VenueError               the venue answered, and the answer is no
    │   ├── UnknownSymbol        the venue does not list the symbol
    │   ├── UnsupportedTimeframe neither the venue nor aggregation gives the timeframe
    │   ├── BadRequest           the venue rejects the request as malformed
    │   ├── RateLimited          too many requests; carries retry_after
    │   │   └── Banned           the venue has banned this address for a while; carries retry_after
    │   ├── RegionBlocked        the venue does not serve this region
    │   └── VenueUnavailable     the venue has an error of its own (5xx, maintenance)
    ├── NetworkError             no answer from the venue
    │   ├── TlsError             the certificate is not accepted
    │   └── ProxyRefused         the proxy wants credentials or says no
    ├── WarehouseError           bars on disk cannot be read or written
    │   ├── WarehouseLocked      another process holds what is needed
    │   ├── WarehouseUnwritable  the disk is full, read-only or broken
    │   ├── WarehouseDamaged     a file of bars was torn or changed; carries the spans
    │   └── WarehouseTooNew      a later btfeeds has written it
    ├── HistoryIncomplete        some pages of a download failed for good; carries the spans
    ├── FeedStopped              a live feed ended with an error and the feed's policy is to raise it
    └── SimulatorError           the simulator cannot do what it was asked
        └── PortInUse            the port is taken
"""

from __future__ import annotations

from typing import ClassVar

LONGEST_WAIT_S = 7 * 86_400.0  # Binance bans for up to three days; what says more is no deadline

class BtfeedsError(Exception):
    """Base of all. `str(error)` is up to three lines: what happened, what btfeeds did, what you can do.

    `fatal` says that asking again cannot help; `exit_code` is what the command line ends with.
    """

    fatal: ClassVar[bool] = True
    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, did: str = "", advice: str = "") -> None:
        super().__init__(what, did, advice)
        self.what = what
        self.did = did
        self.advice = advice

    def __str__(self) -> str:
        return "\n".join(line for line in (self.what, self.did, self.advice) if line)

    def line(self) -> str:
        """The error in one line, for logs and notifications."""
        return " ".join(str(self).split())


class ConfigError(BtfeedsError):
    """A parameter, an environment variable or a .env file is wrong."""

    exit_code = 2


class MissingExtra(ConfigError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package}, which is not installed.",
            "Nothing was started.",
            f'Install it with: pip install "btfeeds[{extra}]"',
        )


class DataError(BtfeedsError):
    """Something that should hold bars does not."""

    exit_code = 3


class BadBarFile(DataError):
    """A file of bars cannot be read."""


class StateError(DataError):
    """The file a feed resumes from is damaged, foreign or in use."""


class BadFrame(DataError):
    """A frame or a response of a venue cannot be understood. `reason` is one of a closed list, for counting."""

    fatal = False

    def __init__(self, what: str, did: str = "", advice: str = "", *, reason: str = "malformed") -> None:
        super().__init__(what, did, advice)
        self.reason = reason


class VenueError(BtfeedsError):
    """The venue answered, and the answer is no."""

    exit_code = 4


class UnknownSymbol(VenueError):
    """The venue does not list the symbol."""


class UnsupportedTimeframe(VenueError):
    """Neither the venue nor aggregation gives the timeframe."""


class BadRequest(VenueError):
    """The venue rejects the request as malformed: a bug here or a change there, never cured by repeating."""


class RateLimited(VenueError):
    """Too many requests. `retry_after` is in seconds; no request goes to that host before it has passed.

    `of_key`: it is the key that has asked too much, and other keys may go on.
    """

    fatal = False

    def __init__(
        self, what: str, did: str = "", advice: str = "", *, retry_after: float = 60.0, of_key: bool = False
    ) -> None:
        super().__init__(what, did, advice)
        self.retry_after = min(max(0.0, retry_after), LONGEST_WAIT_S)  # and 0 for what is no number
        self.of_key = of_key


class Banned(RateLimited):
    """The venue has banned this address. `retry_after` is in seconds."""


class RegionBlocked(VenueError):
    """The venue does not serve this region."""


class VenueUnavailable(VenueError):
    """The venue has an error of its own (HTTP 5xx, maintenance)."""

    fatal = False


class NetworkError(BtfeedsError):
    """No answer from the venue."""

    fatal = False
    exit_code = 5


class TlsError(NetworkError):
    """The venue's certificate is not accepted. Verification is never switched off."""


class ProxyRefused(NetworkError):
    """The proxy wants credentials or says no."""

    fatal = True


class WarehouseError(BtfeedsError):
    """Bars on disk cannot be read or written."""

    exit_code = 3


class WarehouseLocked(WarehouseError):
    """Another process holds what is needed, and does not let go."""

    fatal = False
    exit_code = 5


class WarehouseUnwritable(WarehouseError):
    """The disk is full, read-only or broken; what was there is as it was."""

    fatal = False


class WarehouseDamaged(WarehouseError):
    """A file of bars was torn or changed and is in quarantine. `spans` holds what it covered, as (start, end) in ms."""

    fatal = False

    def __init__(self, what: str, did: str = "", advice: str = "", *, spans: tuple[tuple[int, int], ...] = ()) -> None:
        super().__init__(what, did, advice)
        self.spans = spans


class WarehouseTooNew(WarehouseError):
    """A later btfeeds has written this warehouse."""


class HistoryIncomplete(BtfeedsError):
    """Some pages of a download failed for good. `missing` holds their spans as (start, end) in epoch ms."""

    exit_code = 6

    def __init__(
        self, what: str, did: str = "", advice: str = "", *, missing: tuple[tuple[int, int], ...] = ()
    ) -> None:
        super().__init__(what, did, advice)
        self.missing = missing


class FeedStopped(BtfeedsError):
    """A live feed ended with an error and the feed's policy is to raise it."""


class SimulatorError(BtfeedsError):
    """The simulator cannot do what it was asked."""

    exit_code = 2


class PortInUse(SimulatorError):
    """The port the simulator should listen on is taken."""
