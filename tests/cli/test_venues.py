"""`btfeeds venues`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from btfeeds import venues
from btfeeds.cli import app


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("BTFEEDS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def _rows(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    assert app._run(["venues", "--json"]) == 0
    return {row["name"]: row for row in json.loads(capsys.readouterr().out)}


def test_every_venue_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(_rows(capsys)) == [*venues.names(), "ibkr"]


def test_a_program_can_read_what_a_venue_offers(capsys: pytest.CaptureFixture[str]) -> None:
    row = _rows(capsys)["binance"]
    assert row["live"] is True and row["history"] is True
    assert {"1m", "1h", "1d"} <= set(row["timeframes"])  # type: ignore[call-overload]
    assert row["closing"] == "flag"
    assert row["streamed"] == row["timeframes"] and row["needs_key"] is False
    assert row["serves"] == "not the USA" and "binanceus" in row["hosts"]  # type: ignore[operator]
    assert row["rest_url"] == "https://api.binance.com"
    assert row["stream_url"] == "wss://stream.binance.com:9443"
    assert row["limits"]["bars_per_request"] == 1000  # type: ignore[index]


def test_a_venue_that_needs_a_key_is_listed_without_one(capsys: pytest.CaptureFixture[str]) -> None:
    row = _rows(capsys)["massive"]
    assert (row["needs_key"], row["closing"], row["streamed"]) == (True, "closed-only", ["1s", "1m"])


def test_what_a_provider_of_history_offers_can_be_read_by_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    rows = _rows(capsys)
    row = rows["yahoo"]
    assert (row["live"], row["closing"], row["stream_url"], row["needs_key"]) == (False, None, None, False)
    assert (row["adjusted"], row["volume"], row["delay_s"]) == ("splits", True, 1200)
    assert row["assets"] == ["equities", "indices", "FX", "crypto", "futures"]
    assert row["days_back"]["1m"] == 29 and row["docs"] == "https://finance.yahoo.com"  # type: ignore[index]
    assert rows["coingecko"]["volume"] is False and rows["binance"]["adjusted"] is None
    assert rows["ibkr"]["rest_url"] is None and rows["ibkr"]["live"] is False


def test_what_is_made_of_trades_is_not_said_to_be_streamed(capsys: pytest.CaptureFixture[str]) -> None:
    row = _rows(capsys)["bitstamp"]
    assert (row["closing"], row["streamed"]) == ("from trades", []) and "1m" in row["timeframes"]  # type: ignore[operator]


def test_the_hosts_are_those_that_would_be_used(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BTFEEDS_BINANCE_REST_URL", "https://user:word@mirror")
    assert _rows(capsys)["binance"]["rest_url"] == "https://***@mirror"


def test_people_get_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert app._run(["venues"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in venues.names())
    assert "wss://stream.binance.com:9443" in out
    assert "no volume" in out and "adjusted:" in out and "ibkr" in out
    assert "streams/socket" in out and "needs a key" in out and "(not the USA)" in out
