"""The one door to TWS and IB Gateway: a connection, owned by a thread with an event loop, as `ib_async` wants it.

A question runs in that thread; who asks waits, and can stop waiting. Foreign exceptions end here. The package is
imported when somebody connects.

https://ibkrcampus.com/campus/ibkr-api-page/twsapi-doc/#hist-bars
https://ibkrcampus.com/campus/ibkr-api-page/twsapi-doc/#api-error-codes
https://ibkrcampus.com/campus/ibkr-api-page/twsapi-doc/#current-time
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import re
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from btfeeds import errors
from btfeeds.market import to_ms

# What it has to say is in the errors.
logging.getLogger("ib_async").setLevel(logging.CRITICAL)

_POLL_S = 0.05
_BUSY_S = 60.0  # so long after a pacing violation
_NO_DATA, _PACING = "returned no data", "pacing violation"
_PERMISSION = re.compile(r"permission|not subscribed|subscription", re.IGNORECASE)

Gone = Callable[[], bool]


class Gateway:
    """A connection that is made when it is needed, and made again when it broke. May be used from several threads.

    `ib` makes the object that speaks: `ib_async.IB` where it is not given. `timeout` in seconds of the wall.
    """

    def __init__(
        self, host: str, port: int, client_id: int, timeout: float, ib: Callable[[], Any] | None = None
    ) -> None:
        self.address = f"{host}:{port}"
        self.reached = False  # somebody has answered there
        self._target: dict[str, Any] = {"host": host, "port": port, "clientId": client_id}
        self._timeout = timeout
        self._make = ib
        self._lock = threading.Lock()  # guards _loop and _thread
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ib: Any = None  # of the thread
        self._connecting: asyncio.Lock | None = None  # of the thread
        self._asking: asyncio.Lock | None = None  # of the thread
        self._closed = False

    def close(self) -> None:
        """Hang up; who waits gets a NetworkError. From any thread, any number of times."""
        self._closed = True
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(self._hang_up, loop)
            thread.join(2.0)

    def bars(self, contract: Mapping[str, Any], request: Mapping[str, Any], gone: Gone) -> list[Any]:
        """The rows of reqHistoricalData, as it has them. Raises what the answer, or its absence, means."""
        return list(self._waited(self._bars(contract, request), gone))

    def time(self, gone: Gone) -> int:
        """What time it is there (epoch ms, whole seconds). Raises as `bars`."""
        return to_ms(self._waited(self._time(), gone))

    # --- in the thread ------------------------------------------------------------------------------------------------

    async def _bars(self, contract: Mapping[str, Any], request: Mapping[str, Any]) -> Any:
        ib = await self._connected()
        from ib_async import Contract

        # without a timeout of its own: it would answer "nothing"
        return await ib.reqHistoricalDataAsync(Contract(**contract), **request, timeout=0)

    async def _time(self) -> Any:
        ib = await self._connected()
        self._asking = self._asking or asyncio.Lock()
        async with self._asking:  # an answer does not say whose it is
            return await ib.reqCurrentTimeAsync()

    async def _connected(self) -> Any:
        self._connecting = self._connecting or asyncio.Lock()
        async with self._connecting:
            if self._ib is None:
                self._ib = (self._make or _ib)()
                self._ib.RaiseRequestErrors = True  # without it a refusal reads as "nothing"
            if not self._ib.isConnected():
                await self._ib.connectAsync(**self._target, timeout=self._timeout, readonly=True)
                self.reached = True
        return self._ib

    def _hang_up(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._ib is not None:
            self._ib.disconnect()
        loop.stop()

    # --- outside of it ------------------------------------------------------------------------------------------------

    def _waited(self, question: Coroutine[Any, Any, Any], gone: Gone) -> Any:
        try:
            future = asyncio.run_coroutine_threadsafe(question, self._running())
        except BaseException:
            question.close()
            raise
        deadline = time.monotonic() + 2 * self._timeout
        while not (self._closed or gone() or time.monotonic() > deadline):
            try:
                return future.result(_POLL_S)
            except concurrent.futures.TimeoutError:
                if future.done():  # it was not this wait that ended
                    raise self._unreachable(f"no answer within {self._timeout:g} s") from None
            except errors.BtfeedsError:
                raise
            except concurrent.futures.CancelledError:
                break
            except OSError as error:  # ConnectionError: the link broke, or TWS is not there
                raise self._unreachable(str(error) or type(error).__name__) from None
            except Exception as error:
                if not hasattr(error, "code"):
                    raise
                if _is_nothing(error):
                    return []
                raise refusal(int(error.code), str(getattr(error, "message", error))) from None
        future.cancel()
        if self._closed or gone():
            raise errors.NetworkError("The request was given up.", "Nobody waits for it any more.")
        raise self._unreachable(f"no answer within {2 * self._timeout:g} s")

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._closed:
                raise errors.NetworkError("The request was given up.", "Nobody waits for it any more.")
            if self._loop is None:
                self._loop = loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=_run, args=(loop,), name="btfeeds-ibkr", daemon=True)
                self._thread.start()
            return self._loop

    def _unreachable(self, why: str) -> errors.NetworkError:
        return errors.NetworkError(
            f"Interactive Brokers ({self.address}) cannot be reached: {why}.",
            "The request was given up.",
            "Start TWS or IB Gateway, allow API connections there, and check host, port and client_id.",
        )


def refusal(code: int, said: str) -> errors.BtfeedsError:
    """What an error of a request means."""
    name, words, did = "Interactive Brokers", f"{code} {said[:200]}", "It is not asked again."
    if _PACING in said or code == 100:
        return errors.RateLimited(
            f"{name} wants fewer requests ({words}).",
            f"The next one waits for {_BUSY_S:.0f} s.",
            "Nothing needs to be done, unless other programs ask the same account.",
            retry_after=_BUSY_S,
        )
    if code == 200:
        advice = "Check the spelling: AAPL, EUR/USD, BTC/USD, ^GSPC."
        return errors.UnknownSymbol(f"{name} does not list this symbol ({words}).", "Nothing was loaded.", advice)
    if code in (354, 10089, 10090, 10186, 10187) or (code == 162 and _PERMISSION.search(said)):
        advice = "Subscribe to the market's data in the Client Portal, or choose another provider."
        return errors.ConfigError(f"{name} does not give these data to this account ({words}).", did, advice)
    if code in (162, 366, 502, 504, 1100, 1101, 1102) or 2_100 <= code < 2_200:
        what, advice = f"{name} has an error of its own ({words}).", "See TWS or IB Gateway if it lasts."
        return errors.VenueUnavailable(what, "It is asked again later.", advice)
    return errors.BadRequest(f"{name} rejects the request ({words}).", did, "Check symbol and times.")


def _is_nothing(error: Exception) -> bool:
    return getattr(error, "code", 0) == 162 and _NO_DATA in str(getattr(error, "message", ""))


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        waiting = asyncio.all_tasks(loop)
        for task in waiting:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*waiting, return_exceptions=True))
    finally:
        loop.close()


def _ib() -> Any:
    try:
        from ib_async import IB
    except ImportError:
        raise errors.MissingExtra("ib_async", "ibkr", "History from Interactive Brokers") from None
    return IB()
