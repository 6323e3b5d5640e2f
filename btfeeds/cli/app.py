"""The frame of the command line: finds the command, and turns whatever ends it into an exit code.

    0 done · 1 the verdict is bad · 2 to 6 an error of btfeeds, in three lines on stderr (see errors.py)
    70 a defect · 74 our output cannot be written · 130 Ctrl+C · 141 its reader went away · 143 SIGTERM
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import logging
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import Any, TextIO

import click

from btfeeds.errors import BtfeedsError

INTERRUPTED, BROKEN_PIPE, TERMINATED, DEFECT, UNWRITABLE = 130, 141, 143, 70, 74
# what a full disk, a terminal that has gone and a closed file answer to whoever writes
_LOST = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF, errno.ENXIO, errno.EAGAIN}
_told: list[int] = []  # by signals: exit codes

# command → what it is for. The command is the function `command` of btfeeds.cli.<name>, imported when it is needed:
# the help of all must not cost the imports of each.
COMMANDS = {
    "demo": "Trade simulated bars through network faults, and see the verdict.",
    "fetch": "Download history into the warehouse: only what is missing.",
    "live": "Show history, then live bars, as a strategy meets them.",
    "simulate": "Run a venue on this machine, from a file of bars.",
    "venues": "List the venues and what they offer.",
    "warehouse": "Show and look after the bars on disk.",
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"btfeeds.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from btfeeds import __version__

        click.echo(f"btfeeds {__version__}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version and exit."
)
def cli() -> None:
    """Live and historical market data for backtrader: every closed bar exactly once, in order, none missing."""
    _configure()


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    signal.signal(signal.SIGTERM, _end)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # in the background a shell has it ignored
        signal.signal(signal.SIGINT, _end)
    sys.exit(_run(args) if _standard_streams() else UNWRITABLE)


def _standard_streams() -> bool:
    """Make sure that they can be written, whatever they are encoded in. False where there is no stdout."""
    stdout: TextIO | None = sys.stdout  # Python has None for what is closed, as by >&-
    stderr: TextIO | None = sys.stderr
    if stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (open to the end)
    if stdout is None:
        _say("There is no standard output: it is closed.\nNothing was started.\nSend it somewhere, as to /dev/null.")
        return False
    if hasattr(stdout, "reconfigure"):
        stdout.reconfigure(errors="replace")
    return True


def leave_if_told() -> None:
    """Raises SystemExit when a signal has told us to end. Who waits for ever asks this now and then: an exception that
    comes while a library is imported may be swallowed there.
    """
    if _told:
        raise SystemExit(_told[0])


def _end(number: int, _frame: FrameType | None) -> None:
    """SIGTERM ends a command the way Ctrl+C does: through its `finally` clauses."""
    _told.append(128 + number)
    raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(TERMINATED)


def _configure() -> None:
    """Validate the settings and send the log, masked, to stderr."""
    from btfeeds import settings, venues

    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    handler.addFilter(settings.Redact())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    settings.check([*venues.names(), "ibkr"])
    logging.getLogger("btfeeds").setLevel(settings.log_level())


def _run(args: Sequence[str] | None) -> int:
    # not cli.main(), which answers a broken pipe with the code of a bad verdict
    try:
        with cli.make_context("btfeeds", list(sys.argv[1:] if args is None else args)) as context:
            result: Any = cli.invoke(context)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except BtfeedsError as error:
        _say(str(error))
        return error.exit_code
    except click.ClickException as error:
        return _usage(error)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        _discard(sys.stdout)
        return BROKEN_PIPE
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _LOST and error.filename is None:
            _discard(sys.stdout)
            _say(f"The output cannot be written: {error.strerror}.\nThe command was ended; what it had done is done.\n"
                 "Make room, or send the output elsewhere.")  # fmt: skip
            return UNWRITABLE
        # The last border: a defect. The traceback is wanted, and it may quote a secret.
        _say(traceback.format_exc() + "This is a defect of btfeeds.")
        return DEFECT


def _usage(error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "btfeeds"
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        _say(error.format_message())
    else:
        _say(f"{error.format_message()}\nNothing was started.\n`{path} --help` shows what can be written.")
    return error.exit_code


def _say(text: str) -> None:
    from btfeeds.settings import mask

    try:
        click.echo(mask(text), err=True)
    except OSError:  # there is nobody left to tell
        _discard(sys.stderr)


def _discard(stream: TextIO) -> None:
    """What Python still holds for a stream would raise again at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
