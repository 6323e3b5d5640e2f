"""What kind of thing a symbol names: a crypto pair, a share, a fund, a currency, an index, a future. Pure.

A symbol says less than one would like: a plain ticker may be a share or a fund, and a letter behind a point may be a
class of shares (BRK.B) or a market (VOD.L). The tables below hold what cannot be seen; what is in none of them is
taken for a share of a US company.
"""

from __future__ import annotations

import enum
import re

from btfeeds.market import Symbol


class Kind(enum.Enum):
    """The kinds that the rules of selection speak of."""

    CRYPTO = "crypto"
    CRYPTO_FUTURE = "crypto-future"
    EQUITY = "equity"
    FOREIGN = "foreign"  # shares listed outside the US
    ETF = "etf"
    FX = "fx"
    INDEX = "index"
    FUTURE = "future"

    @property
    def always_open(self) -> bool:
        """Whether it is traded around the clock: then a day is the 24 hours of UTC, whoever counts them."""
        return self in (Kind.CRYPTO, Kind.CRYPTO_FUTURE)


SHARES = (Kind.EQUITY, Kind.ETF, Kind.FOREIGN)  # which are split


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# ISO 4217, those with a market worth the name, and the two metals that are quoted like currencies
_CURRENCIES = _words(
    "AED AUD BRL CAD CHF CLP CNH CNY COP CZK DKK EUR GBP HKD HUF IDR ILS INR JPY KRW MXN MYR NOK NZD PHP PLN RON "
    "RUB SAR SEK SGD THB TRY TWD USD ZAR XAU XAG"
)
_COINS = _words("USDT USDC USD EUR GBP BTC ETH")  # what coins are quoted in, where "-" stands for "/"
# the funds that are traded most; nothing in the ticker tells them from shares
_FUNDS = _words(
    "AGG ARKK BIL BND DIA EEM EFA EWJ EWZ FXI GDX GLD HYG IAU IBIT IEF IEFA IEMG IJH IJR ITOT IVV IWD IWF IWM JEPI "
    "KWEB LQD MDY QQQ QQQM RSP SCHD SCHX SHY SLV SMH SOXL SOXX SPLG SPXL SPY SQQQ TIP TLT TQQQ USO UVXY VEA VGT VIG "
    "VNQ VO VOO VTI VTV VUG VWO VXUS VYM XBI XLB XLC XLE XLF XLI XLK XLP XLRE XLU XLV XLY XOP"
)
# markets by the suffix that most vendors share: London, Frankfurt, Paris, Amsterdam, Milan, Madrid, Zurich, Toronto …
_MARKETS = _words(
    "L IL F DE BE HM DU MU SG PA AS BR LS MI MC SW VI IR HE ST CO OL IC WA PR BD AT IS TO V NE CN MX SA BA SN T HK "
    "SS SZ TW TWO KS KQ SI JK KL BK NS BO AX NZ TA SR QA JO"
)


def classify(symbol: Symbol) -> Kind:
    """The kind of a unified symbol."""
    base, quote = symbol.base, symbol.quote
    if ":" in symbol:
        return Kind.CRYPTO_FUTURE  # BTC/USDT:USDT, settled in what stands behind the colon
    if quote:
        return Kind.FX if {base, quote} <= _CURRENCIES else Kind.CRYPTO
    if base.startswith("^"):
        return Kind.INDEX
    if base.endswith("=X"):
        return Kind.FX
    if base.endswith("=F"):
        return Kind.FUTURE
    if match := re.fullmatch(r"[A-Z0-9]+-([A-Z]+)", base):
        return Kind.CRYPTO if match[1] in _COINS else Kind.EQUITY
    _, point, market = base.rpartition(".")
    if point and market in _MARKETS:
        return Kind.FOREIGN
    return Kind.ETF if base in _FUNDS else Kind.EQUITY
