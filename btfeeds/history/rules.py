"""Who is asked for which symbol, and in which order: rules, the user's before ours. Pure.

    crypto=binance,kraken; AAPL=alpaca,yahoo; *.L=yahoo

A rule begins with a kind (history.kinds) or a symbol, in which * stands for anything. The first one that fits counts,
and only its providers are asked. Names are those of `btfeeds venues`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from btfeeds.errors import ConfigError
from btfeeds.history.kinds import Kind, classify
from btfeeds.market import Symbol

# Where no rule fits. A venue's own bars come before a vendor's, who asks for no key before one who does where both
# have the same. IBKR is asked by a rule only: it needs a program of theirs that runs.
_COINS = ("binance", "okx", "bybit", "kucoin", "coinbase", "kraken", "bitfinex", "bitstamp", "gemini", "binanceus")
_SHARES = ("alpacasip", "massive", "alpaca", "yahoo", "fmp", "twelvedata", "alphavantage", "stooq")
DEFAULTS: Mapping[Kind, tuple[str, ...]] = {
    Kind.CRYPTO: (*_COINS, "coingecko"),
    Kind.CRYPTO_FUTURE: ("binanceusdm", "bybitlinear", "bybitinverse", "okx"),
    Kind.EQUITY: _SHARES,
    Kind.ETF: _SHARES,
    Kind.FOREIGN: ("yahoo", "stooq", "fmp", "twelvedata", "alphavantage"),
    Kind.FX: ("yahoo", "twelvedata", "alphavantage", "fmp", "stooq"),
    Kind.INDEX: ("yahoo", "stooq", "fmp", "twelvedata"),
    Kind.FUTURE: ("yahoo", "stooq"),
}
# who quotes coins in the dollar itself
_DOLLARS = ("coinbase", "kraken", "bitstamp", "bitfinex", "gemini", "binanceus", "coingecko", "yahoo")


@dataclass(frozen=True, slots=True)
class Rule:
    """For symbols that fit `pattern` these providers are asked, in this order."""

    pattern: str
    providers: tuple[str, ...]

    def fits(self, symbol: Symbol) -> bool:
        """Whether it speaks of this symbol."""
        if self.pattern in _KINDS:
            return classify(symbol).value == self.pattern
        return fnmatchcase(symbol, self.pattern)


_KINDS = frozenset(kind.value for kind in Kind)


def parse(text: str, canonical: Callable[[str], str]) -> tuple[Rule, ...]:
    """Rules from text. `canonical` gives a provider's name in the registry, or raises. Raises ConfigError."""
    rules = []
    for part in text.replace("\n", ";").split(";"):
        if not part.strip():
            continue
        pattern, equals, names = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise _bad(part)
        if "=" in names:  # a symbol of its own has one: ES=F, EURUSD=X
            last, _, names = names.partition("=")
            pattern = f"{pattern}={last.strip()}"
        providers = tuple(dict.fromkeys(canonical(name) for name in names.split(",") if name.strip()))
        if not pattern or not providers:
            raise _bad(part)
        rules.append(Rule(pattern.lower() if pattern.lower() in _KINDS else pattern.upper(), providers))
    return tuple(rules)


def providers(symbol: Symbol, rules: tuple[Rule, ...] = ()) -> tuple[str, ...]:
    """Who is to be asked for a symbol, in order; our own order may name providers that are not there."""
    for rule in rules:
        if rule.fits(symbol):
            return rule.providers
    kind = classify(symbol)
    return _DOLLARS if kind is Kind.CRYPTO and symbol.quote == "USD" else DEFAULTS[kind]


def _bad(part: str) -> ConfigError:
    return ConfigError(
        f"{part.strip()!r} is no rule of who is asked for which symbol.",
        "Nothing was started.",
        f"Write KIND=PROVIDER,PROVIDER or SYMBOL=PROVIDER; the kinds are {', '.join(kind.value for kind in Kind)}.",
    )
