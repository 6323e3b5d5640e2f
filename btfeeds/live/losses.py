"""What the refusals of a venue mean: close codes and HTTP statuses in the place of a WebSocket. Pure, but for the
environment, which names the proxy.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from btfeeds.errors import Banned, BtfeedsError, ProxyRefused, RateLimited, RegionBlocked, VenueUnavailable
from btfeeds.live.dialing import proxy_host, proxy_variable
from btfeeds.live.effects import Loss
from btfeeds.venues.base import HttpResponse, retry_after

_WAIT_S = 60.0  # where it is not said
Check = Callable[[HttpResponse], None]  # Provider.check: raises what an answer means


def closed(data: bytes) -> Loss:
    """What a close frame means (RFC 6455 §7.4.1)."""
    code = int.from_bytes(data[:2], "big") if len(data) >= 2 else 1005
    text = data[2:].decode("utf-8", "replace")
    wait = {1008: 60_000, 1013: 30_000}.get(code, 0)
    refused = None
    if code == 1008:
        refused = VenueUnavailable(
            f"The venue keeps closing the connection, as against its policy (1008 {text}).".replace(" )", ")"),
            "It was tried three times, a minute apart, and then no more.",
            "Look for other programs at this address that connect to the venue, and read its notices.",
        )
    return Loss("close_code", f"{code} {text}".strip(), wait, refused)


def bad_status(answer: HttpResponse, check: Check) -> Loss:
    """The venue, or somebody on the way, answered something else than a WebSocket."""
    status, url = answer.status, answer.url
    host = urlsplit(url).hostname or url
    detail = f"HTTP {status}"
    if status == 403 and (wait := _crowded(answer, check)):
        return Loss("http", detail, wait, closed=True)
    if status in (403, 451):
        blocked = RegionBlocked(
            f"{host} answers HTTP {status}: it does not serve this address or region.",
            "No further attempt was made.",
            "Use a host for your region (a stream_url parameter or BTFEEDS_<VENUE>_STREAM_URL).",
        )
        return Loss("http", detail, error=blocked)
    if status == 407:
        return Loss("http", detail, error=proxy_refused(url))
    if status in (418, 429):
        seconds = retry_after(answer)
        wait = int(1000 * (_WAIT_S if seconds is None else seconds))
        return Loss("http", detail, wait, closed=True, alarm=_banned(host, wait) if status == 418 else None)
    return Loss("http", detail)


def proxy_refused(url: str) -> ProxyRefused:
    """Names the variable to look at, and never what stands in it."""
    host = urlsplit(url).hostname or url
    name = proxy_variable(host, url.startswith("wss")) or "HTTPS_PROXY"
    return ProxyRefused(
        f"The proxy {proxy_host(name) or '?'} on the way to {host} wants credentials (HTTP 407).",
        "No further attempt was made.",
        f"Put user and password into the proxy's URL in {name}, or name the host in NO_PROXY.",
    )


def _crowded(answer: HttpResponse, check: Check) -> int:
    """For how many ms this address asks too much, should that be what the venue means; 0: it means something else."""
    try:
        check(answer)
    except RateLimited as error:
        return int(1000 * error.retry_after)
    except BtfeedsError:
        pass
    return 0


def _banned(host: str, ms: int) -> Banned:
    return Banned(
        f"{host} has banned this address for {ms // 1000} s (HTTP 418).",
        "Nothing is sent to it until then, by a restarted program neither.",
        "Run fewer programs at this address that connect to it.",
        retry_after=ms / 1000,
    )
