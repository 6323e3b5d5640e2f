"""What a provider offers, as data: for `btfeeds venues`, and for whoever has to choose one.

A dialect sets what its venue documents; what nobody says stays "" or ().
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from btfeeds.market import Timeframe

ASSETS = ("crypto", "crypto futures", "equities", "indices", "FX", "futures")
ADJUSTED = ("raw", "splits", "splits and dividends")


class Offer:
    """The capabilities of a provider. A host may differ from its dialect."""

    needs_key: ClassVar[bool] = False
    serves: str = ""  # which regions, where the venue draws lines
    # Where data are sold late or published in files: what opened less than so long ago is not there yet.
    delay_ms: ClassVar[int] = 0
    days_back: Mapping[Timeframe, int] = {}  # so many days before now there are bars; older ones are not asked for

    bars_of: str = ""  # whose bars these are, where it is another's: they are kept as that venue's

    assets: tuple[str, ...] = ()  # of ASSETS
    adjusted: str = ""  # one of ADJUSTED, where it has equities
    has_volume: bool = True  # without it every volume is 0
    depth: str = ""  # how far back history goes
    free: str = ""  # what may be had without paying
    docs: str = ""  # the venue's own pages
