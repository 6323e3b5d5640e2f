"""Errors say three things, and carry facts."""

from __future__ import annotations

import inspect
import pickle

import pytest

from btfeeds import errors
from btfeeds.errors import BtfeedsError

CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, BtfeedsError)]


def test_an_error_is_three_lines() -> None:
    assert str(BtfeedsError("It broke.", "We stopped.", "Mend it.")) == "It broke.\nWe stopped.\nMend it."


def test_a_line_that_says_nothing_is_left_out() -> None:
    assert str(BtfeedsError("It broke.", "", "Mend it.")) == "It broke.\nMend it."


def test_an_error_fits_into_one_line_of_a_log() -> None:
    assert BtfeedsError("It  broke.", "We\nstopped.").line() == "It broke. We stopped."


def test_a_missing_package_names_the_command_that_installs_it() -> None:
    error = errors.MissingExtra("websockets", "sim", "The simulator")
    assert 'pip install "btfeeds[sim]"' in str(error)
    assert len(str(error).splitlines()) == 3


@pytest.mark.parametrize("cls", CLASSES)
def test_every_class_of_error_is_in_the_drawn_tree_below_its_parent(cls: type[BtfeedsError]) -> None:
    lines = (errors.__doc__ or "").splitlines()
    depth = {line.lstrip(" │├└─").split(" ")[0]: len(line) - len(line.lstrip(" │├└─")) for line in lines}
    assert cls.__name__ in depth
    if cls is not BtfeedsError:
        assert depth[cls.__name__] > depth[cls.__bases__[0].__name__]


@pytest.mark.parametrize("cls", CLASSES)
def test_every_class_of_error_ends_a_command_with_a_failure(cls: type[BtfeedsError]) -> None:
    assert 1 <= cls.exit_code <= 6


@pytest.mark.parametrize("cls", [errors.RateLimited, errors.Banned, errors.NetworkError, errors.VenueUnavailable])
def test_asking_again_can_help(cls: type[BtfeedsError]) -> None:
    assert not cls.fatal


@pytest.mark.parametrize(
    "cls", [errors.UnknownSymbol, errors.RegionBlocked, errors.BadRequest, errors.ConfigError, errors.ProxyRefused]
)
def test_asking_again_cannot_help(cls: type[BtfeedsError]) -> None:
    assert cls.fatal


def test_errors_carry_facts() -> None:
    assert errors.Banned("No.", retry_after=120).retry_after == 120
    assert errors.BadFrame("What?", reason="schema").reason == "schema"
    assert errors.HistoryIncomplete("Pages failed.", missing=((1, 2),)).missing == ((1, 2),)


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if cls is not errors.MissingExtra])
def test_an_error_survives_the_way_between_processes(cls: type[BtfeedsError]) -> None:
    error = cls("It broke.", "We stopped.", "Mend it.")
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), str(back), vars(back)) == (cls, str(error), vars(error))


@pytest.mark.parametrize(
    ("said", "seconds"), [(-5.0, 0.0), (float("nan"), 0.0), (float("inf"), 604_800.0), (8e5, 604_800.0)]
)
def test_no_wait_is_negative_or_longer_than_a_week(said: float, seconds: float) -> None:
    assert errors.RateLimited("No.", retry_after=said).retry_after == seconds
