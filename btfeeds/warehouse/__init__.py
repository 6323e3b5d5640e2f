"""Bars on disk: what was asked of a provider once is never asked again, and what is damaged never gets out.

    with Warehouse("bars") as warehouse:
        warehouse.add(subscription, bars, provider="binance", span=asked)
        frame = warehouse.read("binance", "BTC/USDT", "1m", "2024-03-01", "2024-04-01")

A `catalogue.sqlite` holds what is new, what was asked and answered, and which files there are; closed months and years
lie beside it in Parquet files. A read is the union of both.
"""

from btfeeds.warehouse.items import Added, Damage, DeadLetter, Provenance, Revision, SealedFile, Series
from btfeeds.warehouse.warehouse import Warehouse

__all__ = ["Added", "Damage", "DeadLetter", "Provenance", "Revision", "SealedFile", "Series", "Warehouse"]
