"""Files of bars for others and from others, all through `Columns`: CSV, CSV.gz, Parquet, Feather as freqtrade has it,
and CSV that backtrader's own feeds read.

Reading goes in pieces and names line and column of what is wrong; writing leaves the old file or the new one, whole.
"""

from btfeeds.formats.kinds import Kind, kind_of
from btfeeds.formats.reading import Chunk, Rejected, read
from btfeeds.formats.writing import write

__all__ = ["Chunk", "Kind", "Rejected", "kind_of", "read", "write"]
