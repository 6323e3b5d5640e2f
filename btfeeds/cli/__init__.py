"""The command line: `btfeeds COMMAND …`. One module for each command; `app` is the frame around them."""

from __future__ import annotations

from btfeeds.cli.app import main

__all__ = ["main"]
