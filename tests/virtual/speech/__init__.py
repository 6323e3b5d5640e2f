"""What the venues of the simulation say: a speaker for each way in which bars become final.

    flag                   binance: frames tell the time
    flag-without-time      okx: they do not
    roll-over              kraken
    late-roll-over         bitfinex: the last word about a bar may come behind the first one of the next
    closed-only            alpaca
    from-pieces            alpaca as if it streamed halves of minutes: a bar is whole when both have come
    from-trades            coinbase
    from-uncounted-trades  bitstamp: nothing proves that none is missing
"""

from __future__ import annotations

from tests.virtual.speech.alpaca import Alpaca
from tests.virtual.speech.base import Speaker
from tests.virtual.speech.binance import Binance
from tests.virtual.speech.bitfinex import Bitfinex
from tests.virtual.speech.bitstamp import Bitstamp
from tests.virtual.speech.coinbase import Coinbase
from tests.virtual.speech.halves import Halves
from tests.virtual.speech.kraken import Kraken
from tests.virtual.speech.okx import OKX

SPEAKERS: dict[str, type[Speaker]] = {
    "binance": Binance,
    "okx": OKX,
    "kraken": Kraken,
    "bitfinex": Bitfinex,
    "alpaca": Alpaca,
    "halves": Halves,
    "coinbase": Coinbase,
    "bitstamp": Bitstamp,
}
RULES: dict[str, str] = {
    "flag": "binance",
    "flag-without-time": "okx",
    "roll-over": "kraken",
    "late-roll-over": "bitfinex",
    "closed-only": "alpaca",
    "from-pieces": "halves",
    "from-trades": "coinbase",
    "from-uncounted-trades": "bitstamp",
}
