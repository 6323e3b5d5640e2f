"""A folder of real frames and answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from btfeeds import wire
from btfeeds.clock import ManualClock
from btfeeds.errors import ConfigError
from btfeeds.recorder import Recorder, answer_kind, frame_kind
from btfeeds.venues.base import HttpRequest, HttpResponse
from btfeeds.venues.binance import Binance
from btfeeds.venues.kucoin import KuCoin
from btfeeds.venues.massive import Massive

PAYLOADS = Path(__file__).parent / "venues" / "payloads"
NOW = 1_700_000_000_000


def payload(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("frame_kline_closed", "frame_bar_closed"),
        ("frame_kline_forming", "frame_bar_forming"),
        ("frame_agg_trade", "frame_trade_update"),
        ("frame_ack", "frame_accepted"),
        ("frame_depth", "frame_alive_depthupdate"),
    ],
)
def test_a_frame_is_named_by_what_it_is_taken_for(name: str, kind: str) -> None:
    assert frame_kind(Binance(), payload(f"binance/{name}")).replace("depth_update", "depthupdate") == kind


def test_a_frame_that_is_not_understood_is_kept_too() -> None:
    assert frame_kind(Binance(), b"<html>") == "frame_unreadable_malformed"


@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (200, "rest_bars", "rest_bars"),
        (200, "rest_trades", "rest_trades"),
        (429, "rest_bars", "rest_error_rate_limited"),
    ],
)
def test_an_answer_is_named_by_what_it_is_taken_for(status: int, name: str, kind: str) -> None:
    assert answer_kind(Binance(), HttpResponse(status, payload(f"binance/{name}"))) == kind


def test_the_first_of_each_kind_is_kept_as_it_came(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    with Recorder(tmp_path / "new" / "folder", clock):
        for name in ("frame_ack", "frame_kline_closed", "frame_kline_without_trades"):
            clock.advance(5)
            wire.told(Binance(), payload(f"binance/{name}"))
    wire.told(Binance(), payload("binance/frame_kline_forming"))  # after its end
    folder = tmp_path / "new" / "folder"
    assert {path.name for path in folder.iterdir()} == {
        "frame_accepted.json", "frame_bar_closed.json", "received.jsonl",
    }  # fmt: skip
    assert (folder / "frame_bar_closed.json").read_bytes() == payload("binance/frame_kline_closed")
    lines = [json.loads(line) for line in (folder / "received.jsonl").read_text().splitlines()]
    assert [(line["file"], line["time"]) for line in lines] == [
        ("frame_accepted.json", NOW + 5),
        ("frame_bar_closed.json", NOW + 10),
    ]


def test_a_refusal_is_kept_with_its_status_and_no_cookie(tmp_path: Path) -> None:
    headers = {"retry-after": "7", "set-cookie": "session=abc", "x-mbx-used-weight-1m": "6000"}
    with Recorder(tmp_path):
        wire.told(Binance(), HttpResponse(429, b'{"code":-1003,"msg":"x"}', headers), HttpRequest("/klines"))
    kept = json.loads((tmp_path / "rest_error_rate_limited.json").read_text())
    assert kept == {
        "status": 429,
        "headers": {"retry-after": "7", "x-mbx-used-weight-1m": "6000"},
        "body": {"code": -1003, "msg": "x"},
    }


def test_no_secret_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BTFEEDS_MASSIVE_API_KEY", "canary-one")
    with Recorder(tmp_path):
        wire.told(Massive(key="canary-two"), b'[{"ev":"status","status":"x","message":"canary-one canary-two"}]')
        wire.told(KuCoin(), HttpResponse(200, payload("kucoin/rest_ticket")), HttpRequest("/bullet"))
    text = "".join(path.read_text() for path in tmp_path.iterdir())
    assert "canary" not in text and "2neAiuYv" not in text and text.count("***") == 3


def test_a_folder_that_cannot_be_written_to_is_said_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="Nothing can be recorded"), Recorder(tmp_path / "file" / "folder"):
        pass
