"""One place for configuration: an argument comes before the environment, that before `.env`, that before the default.

Names that are known are validated, all of them, whenever anything is asked for; a name that starts with BTFEEDS_ and
is not known is warned about once. The value of a variable is never shown, neither in an error nor in a warning.
Reading `.env` does not change the environment. `mask` and `Redact` keep secrets out of what is shown.

    BTFEEDS_<VENUE>_REST_URL, BTFEEDS_<VENUE>_STREAM_URL      the venue's hosts, bases without path
    BTFEEDS_<VENUE>_API_KEY,  BTFEEDS_<VENUE>_API_SECRET      credentials
    BTFEEDS_WAREHOUSE   BTFEEDS_PROVIDERS   BTFEEDS_STATE   BTFEEDS_LOG_LEVEL   BTFEEDS_ENV_FILE
"""

from __future__ import annotations

import base64
import difflib
import io
import json
import logging
import os
import re
import stat
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, quote_plus, urlsplit

from btfeeds.errors import ConfigError

logger = logging.getLogger("btfeeds.settings")

PREFIX = "BTFEEDS_"
GENERAL = ("BTFEEDS_WAREHOUSE", "BTFEEDS_PROVIDERS", "BTFEEDS_STATE", "BTFEEDS_LOG_LEVEL", "BTFEEDS_ENV_FILE")
PER_VENUE = ("REST_URL", "STREAM_URL", "API_KEY", "API_SECRET")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_OF_VENUE = re.compile(r"BTFEEDS_([A-Z0-9]+(?:_[A-Z0-9]+)*)_(REST_URL|STREAM_URL|API_KEY|API_SECRET)")
_SECRET = re.compile(r"BTFEEDS_\w+_API_(?:KEY|SECRET)")
_SCHEMES = {"REST_URL": ("https", "http"), "STREAM_URL": ("wss", "ws")}


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable and where it stands: "the environment" or "<file>:<line>"."""

    name: str
    value: str = field(repr=False)
    source: str


# --- what parts of btfeeds ask for -----------------------------------------------------------------------------------


def hosts(venue: str, rest_url: str = "", stream_url: str = "") -> tuple[str, str]:
    """The REST and stream bases to use for a venue; "" where nobody says (the venue then uses its own)."""
    found = _load()
    _warn_unknown(found, _names([venue]), strict=False)
    return (_host(found, venue, "REST_URL", rest_url), _host(found, venue, "STREAM_URL", stream_url))


def secret(venue: str, name: str) -> str:
    """A venue's "API_KEY" or "API_SECRET"; "" where none is set."""
    return _value(_load(), variable(venue, name))


def warehouse(path: str | os.PathLike[str] = "") -> Path | None:
    """The folder that holds bars on disk, or None where nobody says."""
    text = os.fspath(path) or _value(_load(), "BTFEEDS_WAREHOUSE")
    return Path(text).expanduser() if text else None


def providers(rules: str = "") -> str:
    """Who is asked for which symbol, as history.rules reads it; "" where nobody says."""
    return rules or _value(_load(), "BTFEEDS_PROVIDERS")


def state() -> Path:
    """The folder for what has to outlive a process, as the system's customs have it where nobody says."""
    text = _value(_load(), "BTFEEDS_STATE")
    if text:
        return Path(text).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "btfeeds"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "btfeeds"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "btfeeds"


def log_level(level: str = "") -> str:
    """How much is told, as the name of a level of `logging`."""
    if level:
        _check(Setting("BTFEEDS_LOG_LEVEL", level, "the argument"))
    return (level or _value(_load(), "BTFEEDS_LOG_LEVEL") or "WARNING").upper()


def check(venues: Iterable[str]) -> None:
    """Read and validate everything; warn about names that are unknown, or that name a venue not among `venues`."""
    _warn_unknown(_load(), _names(venues), strict=True)


def variable(venue: str, name: str) -> str:
    """The variable that holds a venue's `name`: variable("binance", "API_KEY") is "BTFEEDS_BINANCE_API_KEY"."""
    return f"{PREFIX}{re.sub(r'[^A-Z0-9]+', '_', venue.upper())}_{name}"


# --- reading ---------------------------------------------------------------------------------------------------------


def env_file() -> Path | None:
    """The file BTFEEDS_ENV_FILE names, else the nearest `.env` from the working directory upwards, else None."""
    named = os.environ.get("BTFEEDS_ENV_FILE", "").strip()
    if named:
        path = Path(named).expanduser()
        if not path.exists() or path.is_dir():
            raise ConfigError(
                f"BTFEEDS_ENV_FILE (the environment) names no file: {path}",
                "Nothing was started.",
                "Write the path of a file of settings, or remove the variable.",
            )
        return path
    try:
        here = Path.cwd()
    except OSError:  # the working directory was deleted
        return None
    # os.path.isfile: a folder above that may not be looked into is passed over
    return next((folder / ".env" for folder in (here, *here.parents) if os.path.isfile(folder / ".env")), None)


_last: dict[str, Setting] = {}  # what the last good reading found, for `mask`, which must never raise
_warned: set[str] = set()
_lock = threading.Lock()  # guards _last and _warned


def _load() -> dict[str, Setting]:
    """Every variable that starts with BTFEEDS_ and is not empty, validated."""
    path = env_file()
    found = _read(path) if path else {}
    found.update(_environment())
    for setting in found.values():
        _check(setting)
    with _lock:
        _last.clear()
        _last.update(found)
    return found


def _environment() -> dict[str, Setting]:
    return {
        name: Setting(name, value.strip(), "the environment")
        for name, value in os.environ.items()
        if name.startswith(PREFIX) and value.strip()
    }


def _read(path: Path) -> dict[str, Setting]:
    from dotenv import dotenv_values  # here: most runs have no .env, and the command line starts quicker
    from dotenv.parser import parse_stream

    text = _text(path)
    expanded = dotenv_values(stream=io.StringIO(text)) if "${" in text else {}
    found: dict[str, Setting] = {}
    for binding in parse_stream(io.StringIO(text)):
        # a binding begins with the empty lines above it
        original = binding.original.string
        line = binding.original.line + original[: len(original) - len(original.lstrip())].count("\n")
        name = binding.key or ""
        named = name.startswith(PREFIX)
        if binding.error or (named and binding.value is None):
            raise ConfigError(
                f"Line {line} of {path} cannot be read as a setting.",
                "Nothing was started; the line is not shown, because it may hold a secret.",
                "Write NAME=value, and put quotes around a value with spaces.",
            )
        if named:
            value = binding.value or ""
            if not _SECRET.fullmatch(name):  # a secret that holds ${ means it
                value = expanded.get(name) or value
            found[name] = Setting(name, value.strip(), f"{path}:{line}")
    found = {name: setting for name, setting in found.items() if setting.value}
    if any(map(_SECRET.fullmatch, found)):
        _warn_readable(path)
    return found


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"Line {line} of {path} is not UTF-8 text.", "Nothing was started.", "Save the file as UTF-8."
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}.",
            "Nothing was started.",
            "Make it readable for you, or name another file with BTFEEDS_ENV_FILE.",
        ) from None


def _value(found: dict[str, Setting], name: str) -> str:
    return found[name].value if name in found else ""


def _host(found: dict[str, Setting], venue: str, kind: str, argument: str) -> str:
    if argument:
        _check(Setting(variable(venue, kind), argument, f"the argument {kind.lower()}"))
    return (argument or _value(found, variable(venue, kind))).rstrip("/")


# --- validating ------------------------------------------------------------------------------------------------------


def _check(setting: Setting) -> None:
    match = _OF_VENUE.fullmatch(setting.name)
    if match and match[2] in _SCHEMES:
        _check_url(setting, _SCHEMES[match[2]])
    elif match and match[2] == "API_KEY" and not re.fullmatch(r"[!-~]+", setting.value):
        raise _bad(setting, "is not a key: it holds spaces or letters that no key has", "Copy the key again.")
    elif setting.name == "BTFEEDS_LOG_LEVEL" and setting.value.upper() not in LEVELS:
        raise _bad(setting, "is not a level", f"Write one of: {', '.join(LEVELS)}.")
    elif setting.name in ("BTFEEDS_WAREHOUSE", "BTFEEDS_STATE") and Path(setting.value).expanduser().is_file():
        raise _bad(setting, "names a file", "Write the path of a folder; it is made when it does not exist.")


def _check_url(setting: Setting, schemes: tuple[str, ...]) -> None:
    advice = f"Write the base without path, as in {schemes[0]}://host or {schemes[0]}://host:port."
    try:
        parts = urlsplit(setting.value)
        good = bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or re.search(r"[^!-~]", setting.value):
        raise _bad(setting, "is not a URL", advice)
    if parts.scheme not in schemes:
        raise _bad(setting, f"has the wrong scheme: it must be {' or '.join(schemes)}", advice)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise _bad(setting, "holds more than a host", advice)


def _bad(setting: Setting, why: str, advice: str) -> ConfigError:
    return ConfigError(f"{setting.name} ({setting.source}) {why}.", "Nothing was started.", advice)


def _names(venues: Iterable[str]) -> list[str]:
    return [variable(venue, name) for venue in venues for name in PER_VENUE]


def _warn_unknown(found: dict[str, Setting], of_venues: list[str], *, strict: bool) -> None:
    known = [*GENERAL, *of_venues]
    for setting in found.values():
        if setting.name in known or (not strict and _OF_VENUE.fullmatch(setting.name)):
            continue
        close = difflib.get_close_matches(setting.name, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else "."
        _warn_once(setting.name, f"{setting.name} ({setting.source}) is not a setting of btfeeds and is ignored{hint}")


def _warn_readable(path: Path) -> None:
    if os.name == "posix" and stat.S_ISREG(path.stat().st_mode) and path.stat().st_mode & 0o077:
        _warn_once(str(path), f"{path} holds a secret and others may read it. Run: chmod 600 {path}")


def _warn_once(key: str, text: str) -> None:
    with _lock:
        if key in _warned:
            return
        _warned.add(key)
    logger.warning("%s", text)


# --- masking ---------------------------------------------------------------------------------------------------------

MASK = "***"
_CREDENTIALS = re.compile(r"(?<=://)[^\s/?#\"'<>]+@")  # user:password@ of a URL, greedy: a password may hold an @


def mask(text: str) -> str:
    """The text with every secret in it replaced by ***, in whichever of the usual spellings it stands."""
    values = {s.value for s in (*_last.copy().values(), *_environment().values()) if _SECRET.fullmatch(s.name)}
    if values:
        text = _pattern(frozenset(values)).sub(MASK, text)
    return _CREDENTIALS.sub(f"{MASK}@", text) if "://" in text else text


@lru_cache(maxsize=8)
def _pattern(values: frozenset[str]) -> re.Pattern[str]:
    spellings = {spelling for value in values for spelling in _spellings(value)}
    return re.compile("|".join(map(re.escape, sorted(spellings, key=len, reverse=True))))


def _spellings(value: str) -> set[str]:
    """The value plain, in a URL, in JSON, as a Python literal, and in base64 wherever it begins in what is encoded."""
    spellings = {value, quote(value), quote(value, safe=""), quote_plus(value)}
    spellings |= {re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), text) for text in spellings}
    spellings |= {json.dumps(value)[1:-1], repr(value)[1:-1]}
    data = value.encode()
    for shift in range(3):  # three bytes make four letters: the letters at the edges depend on the neighbours
        whole = base64.b64encode(b"\0" * shift + data).decode()
        inner = whole[(0, 2, 3)[shift] : (shift + len(data)) * 8 // 6]
        if len(inner) >= 4:
            spellings |= {inner, inner.replace("+", "-").replace("/", "_")}
    return spellings


class Redact(logging.Filter):
    """Masks a record, its traceback included. Put it on handlers: a filter of a logger does not see its children."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            text = record.getMessage()
        except (TypeError, ValueError):  # arguments that do not fit the message: show both, masked
            text = f"{record.msg} {record.args}"
        record.msg, record.args = mask(text), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = mask(record.exc_text)
        if record.stack_info:
            record.stack_info = mask(record.stack_info)
        return True
