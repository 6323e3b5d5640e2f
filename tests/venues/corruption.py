"""One thing in a message broken at a time: what the conformance suite feeds to every dialect."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LOSSES = ("missing", "null", "type", "nan")  # nothing can be known of the field any more
VALUES = ("negative", "huge", "unit")  # another value stands there, which may be a legal one


def spoiled(message: Any) -> Iterator[tuple[str, str, str]]:
    """(what was done, where, the message as JSON text), for every field, row and container of `message`."""
    for path in _paths(message):
        where = "/".join(map(str, path))
        value = _get(message, path)
        yield "missing", where, _without(message, path)
        for kind, other in _others(value):
            if type(other) is not type(value) or other != value:
                yield kind, where, _with(message, path, other)


def spoiled_file(path: Path) -> Iterator[tuple[str, str, bytes]]:
    """As `spoiled`, for a payload: JSON, a table of cells between commas, or a zip with one such table."""
    if path.suffix == ".json":
        for kind, where, text in spoiled(json.loads(path.read_bytes())):
            yield kind, where, text.encode()
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            [name] = archive.namelist()
            table = archive.read(name).decode()
        for kind, where, text in _spoiled_table(table):
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as archive:
                archive.writestr(name, text)
            yield kind, where, packed.getvalue()
    else:
        for kind, where, text in _spoiled_table(path.read_bytes().decode()):
            yield kind, where, text.encode()


def _spoiled_table(text: str) -> Iterator[tuple[str, str, str]]:
    lines = [line.split(",") for line in text.splitlines(keepends=True)]
    for row, line in enumerate(lines):
        for column, cell in enumerate(line):
            value = cell.strip()
            others = [("null", ""), ("type", "?"), *_others(value)]
            for kind, new in [(kind, new) for kind, new in others if isinstance(new, str) and new != value]:
                changed = [*line[:column], cell.replace(value, new), *line[column + 1 :]]
                yield kind, f"{row}/{column}", _table([*lines[:row], changed, *lines[row + 1 :]])
            without = [*line[:column], *line[column + 1 :]]
            yield "missing", f"{row}/{column}", _table([*lines[:row], without, *lines[row + 1 :]])


def _table(lines: list[list[str]]) -> str:
    return "".join(",".join(line) for line in lines)


def _others(value: Any) -> Iterator[tuple[str, Any]]:
    yield "null", None
    for other in ([], {}, "?", [[[]]]):
        yield "type", other
    number = _number(value)
    if isinstance(value, bool) or number is None:
        if isinstance(value, str):
            yield "type", 7
        return
    text = isinstance(value, str)
    yield "nan", "NaN" if text else float("nan")
    yield "nan", "inf" if text else float("inf")
    for kind, other in (
        ("negative", -number),
        ("huge", 10**30),
        ("huge", 1e300),
        ("unit", number * 1000 if number > 1e8 else number),
        ("unit", number * 1_000_000 if number > 1e8 else number),
        ("unit", number // 1000 if number > 1e8 and isinstance(number, int) else number),
    ):
        yield kind, str(other) if text else other


def _number(value: Any) -> int | float | None:
    if isinstance(value, int | float):
        return value
    for kind in (int, float):
        try:
            return kind(value)
        except (TypeError, ValueError):
            continue
    return None


def _paths(message: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = message.items() if isinstance(message, dict) else enumerate(message) if isinstance(message, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from _paths(value, (*path, key))


def _get(message: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        message = message[key]
    return message


def _with(message: Any, path: tuple[Any, ...], value: Any) -> str:
    changed = copy.deepcopy(message)
    _get(changed, path[:-1])[path[-1]] = value
    return json.dumps(changed)


def _without(message: Any, path: tuple[Any, ...]) -> str:
    changed = copy.deepcopy(message)
    del _get(changed, path[:-1])[path[-1]]
    return json.dumps(changed)
