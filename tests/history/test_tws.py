"""The connection to TWS: a thread with a loop of its own, and what its errors mean."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from btfeeds.errors import (
    BadRequest,
    ConfigError,
    MissingExtra,
    NetworkError,
    RateLimited,
    UnknownSymbol,
    VenueUnavailable,
)
from btfeeds.history import tws
from btfeeds.history.tws import Gateway, refusal

pytest.importorskip("ib_async")

APPLE = {"secType": "STK", "symbol": "AAPL", "exchange": "SMART", "currency": "USD"}


class FakeIB:
    """Speaks as ib_async.IB does; `answers` are the rows, or an exception, of one request after the other."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[Any, dict[str, Any]]] = []
        self.connects: list[dict[str, Any]] = []
        self.connected = False
        self.threads: set[str] = set()
        self.RaiseRequestErrors = False
        self.time = dt.datetime(2021, 1, 7, 9, tzinfo=dt.UTC)

    def isConnected(self) -> bool:
        return self.connected

    async def connectAsync(self, **target: Any) -> None:
        self.connects.append(target)
        self.connected = True

    async def reqHistoricalDataAsync(self, contract: Any, **request: Any) -> Any:
        self.threads.add(threading.current_thread().name)
        self.asked.append((contract, request))
        answer = self.answers.pop(0) if self.answers else []
        if answer == "nothing comes":
            await asyncio.Event().wait()
        if isinstance(answer, BaseException):
            raise answer
        return answer(request) if callable(answer) else answer

    async def reqCurrentTimeAsync(self) -> dt.datetime:
        return self.time

    def disconnect(self) -> None:
        self.connected = False


class RequestError(Exception):
    """As ib_async.wrapper.RequestError."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"API error: {code}: {message}")
        self.code, self.message = code, message


def gateway(ib: FakeIB, timeout: float = 30.0) -> Gateway:
    return Gateway("127.0.0.1", 7497, 5, timeout, lambda: ib)


def ask(ib: FakeIB, timeout: float = 30.0) -> list[Any]:
    made = gateway(ib, timeout)
    try:
        return made.bars(APPLE, {"durationStr": "1 D"}, lambda: False)
    finally:
        made.close()


def test_a_question_is_put_in_a_thread_of_its_own_over_a_connection_that_only_reads() -> None:
    ib = FakeIB([1, 2])
    assert ask(ib) == [1, 2]
    assert ib.threads == {"btfeeds-ibkr"} and ib.RaiseRequestErrors
    assert ib.connects == [{"host": "127.0.0.1", "port": 7497, "clientId": 5, "timeout": 30.0, "readonly": True}]
    [(contract, request)] = ib.asked
    assert (contract.secType, contract.symbol, contract.exchange, contract.currency) == ("STK", "AAPL", "SMART", "USD")
    assert request == {"durationStr": "1 D", "timeout": 0}


def test_its_time_is_asked_for_by_one_at_a_time() -> None:
    class Slow(FakeIB):
        under_way = 0

        async def reqCurrentTimeAsync(self) -> dt.datetime:
            self.under_way += 1
            assert self.under_way == 1, "an answer does not say whose it is"
            await asyncio.sleep(0)
            self.under_way -= 1
            return dt.datetime(2021, 1, 5, 9, 0, 20, tzinfo=dt.UTC)

    made = gateway(Slow())
    times: list[int] = []
    threads = [threading.Thread(target=lambda: times.append(made.time(lambda: False))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    made.close()
    assert times == [1_609_837_220_000] * 4


def test_a_connection_that_broke_is_made_again() -> None:
    ib = FakeIB([1], ConnectionError("Socket disconnect"), [2])
    made = gateway(ib)
    assert made.bars(APPLE, {}, lambda: False) == [1]
    with pytest.raises(NetworkError, match="Socket disconnect"):
        made.bars(APPLE, {}, lambda: False)
    ib.connected = False
    assert made.bars(APPLE, {}, lambda: False) == [2] and len(ib.connects) == 2
    made.close()


def test_where_nobody_listens_the_advice_names_the_program() -> None:
    class Deaf(FakeIB):
        async def connectAsync(self, **target: Any) -> None:
            raise ConnectionRefusedError(111, "Connect call failed")

    ib = Deaf()
    made = gateway(ib)
    with pytest.raises(NetworkError, match="Start TWS or IB Gateway") as caught:
        made.bars(APPLE, {}, lambda: False)
    assert "127.0.0.1:7497" in str(caught.value) and not made.reached
    made.close()


def test_an_answer_that_never_comes_is_an_error_and_not_an_empty_one() -> None:
    with pytest.raises(NetworkError, match="no answer within"):
        ask(FakeIB("nothing comes"), timeout=0.05)


def test_who_gives_up_waits_no_longer() -> None:
    made = gateway(FakeIB("nothing comes"))
    with pytest.raises(NetworkError, match="given up"):
        made.bars(APPLE, {}, lambda: True)
    made.close()


def test_closing_ends_what_is_under_way_and_the_thread() -> None:
    ib = FakeIB("nothing comes")
    made = gateway(ib)
    errors: list[BaseException] = []

    def wait() -> None:
        try:
            made.bars(APPLE, {}, lambda: False)
        except NetworkError as error:
            errors.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    while not ib.asked:
        threading.Event().wait(0.001)
    made.close()
    waiting.join(10)
    assert len(errors) == 1 and not ib.connected
    assert "btfeeds-ibkr" not in [thread.name for thread in threading.enumerate()]
    made.close()
    with pytest.raises(NetworkError):
        made.bars(APPLE, {}, lambda: False)


def test_no_data_is_an_empty_answer() -> None:
    said = "Historical Market Data Service error message:HMDS query returned no data: AAPL@SMART Trades"
    assert ask(FakeIB(RequestError(162, said))) == []


@pytest.mark.parametrize(
    ("code", "said", "kind"),
    [
        (162, "Historical Market Data Service error message:Historical data request pacing violation", RateLimited),
        (162, "Historical Market Data Service error message:No market data permissions for NYSE STK", ConfigError),
        (162, "Historical Market Data Service error message:API historical data query cancelled", VenueUnavailable),
        (200, "No security definition has been found for the request", UnknownSymbol),
        (354, "Requested market data is not subscribed", ConfigError),
        (10089, "Requested market data requires additional subscription for API", ConfigError),
        (366, "No historical data query found for ticker id", VenueUnavailable),
        (1100, "Connectivity between IB and Trader Workstation has been lost", VenueUnavailable),
        (2105, "A historical data farm is disconnected", VenueUnavailable),
        (321, "Error validating request", BadRequest),
    ],
)
def test_every_error_of_a_request_has_its_name_and_three_lines(code: int, said: str, kind: type[Exception]) -> None:
    assert type(refusal(code, said)) is kind
    assert len(str(refusal(code, said)).splitlines()) == 3
    with pytest.raises(kind, match=str(code)):
        ask(FakeIB(RequestError(code, said)))


def test_the_errors_are_read_as_the_library_makes_them() -> None:
    from ib_async.wrapper import RequestError as Theirs

    with pytest.raises(UnknownSymbol, match="200 No security"):
        ask(FakeIB(Theirs(3, 200, "No security definition")))


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ib_async", None)
    made = Gateway("127.0.0.1", 7497, 5, 1.0)
    with pytest.raises(MissingExtra, match=r"btfeeds\[ibkr\]"):
        made.bars(APPLE, {}, lambda: False)
    made.close()


def test_the_library_offers_what_is_used_of_it() -> None:
    from inspect import signature

    from ib_async import IB

    assert {"host", "port", "clientId", "timeout", "readonly"} <= signature(IB.connectAsync).parameters.keys()
    asked = {"endDateTime", "durationStr", "barSizeSetting", "whatToShow", "useRTH", "formatDate", "timeout"}
    assert asked <= signature(IB.reqHistoricalDataAsync).parameters.keys()
    assert SimpleNamespace(RaiseRequestErrors=IB.RaiseRequestErrors).RaiseRequestErrors is False
    assert tws.Gateway.__doc__
