"""`python -m btfeeds`: the same as the command `btfeeds`."""

from __future__ import annotations

from btfeeds.cli import main

if __name__ == "__main__":
    main()
