"""What a symbol names."""

from __future__ import annotations

import pytest

from btfeeds.history.kinds import Kind, classify
from btfeeds.market import Symbol


@pytest.mark.parametrize(
    ("symbol", "kind"),
    [
        ("BTC/USDT", Kind.CRYPTO),
        ("eth/btc", Kind.CRYPTO),
        ("BTC/USD", Kind.CRYPTO),  # one currency does not make a pair of currencies
        ("BTC-USD", Kind.CRYPTO),
        ("BTC/USDT:USDT", Kind.CRYPTO_FUTURE),
        ("BTC/USD:BTC", Kind.CRYPTO_FUTURE),
        ("EUR/USD", Kind.FX),
        ("XAU/USD", Kind.FX),
        ("EURUSD=X", Kind.FX),
        ("AAPL", Kind.EQUITY),
        ("BRK.B", Kind.EQUITY),  # a class of shares, not a market
        ("BF-B", Kind.EQUITY),
        ("VOD.L", Kind.FOREIGN),
        ("SAP.DE", Kind.FOREIGN),
        ("7203.T", Kind.FOREIGN),
        ("0700.HK", Kind.FOREIGN),
        ("SPY", Kind.ETF),
        ("QQQ", Kind.ETF),
        ("^GSPC", Kind.INDEX),
        ("ES=F", Kind.FUTURE),
    ],
)
def test_a_symbol_names_this(symbol: str, kind: Kind) -> None:
    assert classify(Symbol(symbol)) is kind


def test_only_coins_are_traded_around_the_clock() -> None:
    assert [kind.value for kind in Kind if kind.always_open] == ["crypto", "crypto-future"]
