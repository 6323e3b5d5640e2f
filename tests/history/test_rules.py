"""Who is asked for which symbol."""

from __future__ import annotations

import pytest

from btfeeds import venues
from btfeeds.errors import ConfigError
from btfeeds.history.kinds import Kind
from btfeeds.history.rules import DEFAULTS, Rule, parse, providers
from btfeeds.market import Symbol


def rules(text: str) -> tuple[Rule, ...]:
    return parse(text, venues.canonical)


def asked(symbol: str, text: str = "") -> tuple[str, ...]:
    return providers(Symbol(symbol), rules(text))


def test_a_rule_names_a_kind_or_a_symbol() -> None:
    assert rules("crypto = Binance, kraken; aapl=alpaca;\n*.L=polygon;") == (
        Rule("crypto", ("binance", "kraken")), Rule("AAPL", ("alpaca",)), Rule("*.L", ("massive",)),
    )  # fmt: skip


def test_the_first_rule_that_fits_counts_and_only_its_providers_are_asked() -> None:
    text = "BTC/*=kraken; crypto=coinbase; *=massive"
    assert asked("BTC/USDT", text) == ("kraken",)
    assert asked("ETH/USDT", text) == ("coinbase",)
    assert asked("AAPL", text) == ("massive",)


def test_a_symbol_with_an_equals_sign_can_be_named() -> None:
    assert rules("ES=F=massive,alpaca") == (Rule("ES=F", ("massive", "alpaca")),)


def test_without_a_rule_the_kind_of_the_symbol_decides() -> None:
    assert asked("BTC/USDT")[0] == "binance"
    assert asked("BTC/USD")[0] == "coinbase"  # a dollar is a dollar there
    assert asked("BTC/USDT:USDT")[0] == "binanceusdm"
    assert asked("AAPL") == asked("SPY")
    assert set(DEFAULTS) == set(Kind)


def test_a_provider_named_twice_is_asked_once() -> None:
    assert asked("AAPL", "AAPL=massive,polygon") == ("massive",)


@pytest.mark.parametrize("text", ["crypto", "crypto=", "=binance", "AAPL=,", "^"])
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no rule"):
        rules(text)


def test_an_unknown_provider_is_refused() -> None:
    with pytest.raises(ConfigError, match="no venue 'bitbucket'"):
        rules("crypto=bitbucket")
