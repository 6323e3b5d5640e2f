from __future__ import annotations

import copy
import datetime as dt
import pickle
import zoneinfo

import backtrader as bt
import pytest
from dateutil import tz as dateutil_tz

from btfeeds.cerebro.zones import fits, zone
from btfeeds.errors import ConfigError

SUMMER = dt.datetime(2023, 7, 1, 12)
SPELLINGS = [
    "Europe/Berlin",
    zoneinfo.ZoneInfo("Europe/Berlin"),
    dateutil_tz.gettz("Europe/Berlin"),
    dt.timezone(dt.timedelta(hours=2)),
]


@pytest.mark.parametrize("spelling", SPELLINGS, ids=["name", "zoneinfo", "dateutil", "timezone"])
def test_every_spelling_of_a_zone_shows_local_time(spelling: object) -> None:
    assert bt.num2date(bt.date2num(SUMMER), tz=zone(spelling)) == dt.datetime(2023, 7, 1, 14)


@pytest.mark.parametrize("spelling", SPELLINGS, ids=["name", "zoneinfo", "dateutil", "timezone"])
def test_every_spelling_of_a_zone_can_localize(spelling: object) -> None:
    assert bt.date2num(zone(spelling).localize(dt.datetime(2023, 7, 1, 14))) == bt.date2num(SUMMER)


def test_winter_time_differs_from_summer_time() -> None:
    winter = dt.datetime(2023, 1, 1, 12)
    assert bt.num2date(bt.date2num(winter), tz=zone("Europe/Berlin")) == dt.datetime(2023, 1, 1, 13)


def test_utc_of_the_standard_library_works() -> None:
    assert bt.num2date(bt.date2num(SUMMER), tz=zone(dt.UTC)) == SUMMER


def test_an_aware_moment_is_not_moved() -> None:
    moment = SUMMER.replace(tzinfo=dt.UTC)
    assert zone("Europe/Berlin").localize(moment) is moment


def test_no_zone_and_a_zone_that_can_localize_stay_as_they_are() -> None:
    assert zone(None) is None
    assert zone(bt.utils.date.UTC) is bt.utils.date.UTC


@pytest.mark.parametrize("wrong", ["Mars/Olympus", "", 3])
def test_what_is_no_zone_is_refused(wrong: object) -> None:
    with pytest.raises(ConfigError, match="is not a time zone"):
        zone(wrong)


def test_a_zone_survives_pickling_and_copying() -> None:
    for twin in (pickle.loads(pickle.dumps(zone("Europe/Berlin"))), copy.deepcopy(zone("Europe/Berlin"))):
        assert bt.num2date(bt.date2num(SUMMER), tz=twin) == dt.datetime(2023, 7, 1, 14)


@pytest.mark.parametrize(
    ("name", "minutes", "expected"),
    [
        ("UTC", 240, True),
        ("Europe/Berlin", 60, True),
        ("Europe/Berlin", 240, False),
        ("America/New_York", 240, False),  # summer time would fit
        ("Asia/Kolkata", 60, False),
        ("Asia/Kolkata", 30, True),
        ("Asia/Kathmandu", 30, False),
        ("Asia/Kathmandu", 15, True),
    ],
)
def test_midnight_of_a_zone_may_lie_within_a_bar(name: str, minutes: int, expected: bool) -> None:
    assert fits(zone(name), minutes * 60_000) is expected


def test_a_zone_is_written_as_its_name() -> None:
    assert str(zone("Europe/Berlin")) == "Europe/Berlin"
