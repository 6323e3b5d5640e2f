"""The names that scripts rely on, and that importing them costs nothing before they are used."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

import btfeeds


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("name", btfeeds.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(btfeeds, name) is not None
    assert name in dir(btfeeds)


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'candle'"):
        _ = btfeeds.candle


def test_importing_btfeeds_imports_nothing_heavy() -> None:
    heavy = "{'pandas', 'numpy', 'backtrader', 'websocket', 'httpx2', 'rich', 'msgspec', 'dotenv'}"
    assert _python(f"import sys, btfeeds; print(sorted({heavy} & set(sys.modules)))") == "[]"


def test_live_is_a_package_and_can_be_called() -> None:
    from btfeeds.live.status import Status

    assert btfeeds.live.status.Status is Status
    assert callable(btfeeds.live)


def test_live_can_be_called_before_and_after_its_modules_are_imported() -> None:
    code = "import btfeeds.live.status, btfeeds; print(callable(btfeeds.live), btfeeds.live.status.__name__)"
    assert _python(code) == "True btfeeds.live.status"


def test_calling_live_makes_a_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    import btfeeds.feeds

    monkeypatch.setattr(btfeeds.feeds, "live", lambda *args, **params: (args, params))
    made: object = btfeeds.live("binance", "BTC/USDT", "1m", history=5)
    assert made == (("binance", "BTC/USDT", "1m"), {"history": 5})


def test_a_bar_survives_pickling() -> None:
    bar = btfeeds.Bar(60_000, 1.0, 2.0, 0.5, 1.5, 3.0)
    assert pickle.loads(pickle.dumps(bar)) == bar
