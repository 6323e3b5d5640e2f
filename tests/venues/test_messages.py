"""Values that travel: how long an answer says that one should wait."""

from __future__ import annotations

import pytest

from btfeeds.venues import base, messages
from btfeeds.venues.messages import HttpResponse, retry_after

NOW = "Fri, 01 Mar 2024 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "17"}, 17.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "Fri, 01 Mar 2024 12:02:00 GMT", "date": NOW}, 120.0),
        ({"retry-after": "Fri, 01 Mar 2024 11:00:00 GMT", "date": NOW}, 0.0),
        ({"retry-after": "Fri, 01 Mar 2024 12:02:00 GMT"}, None),
        ({"retry-after": "soon", "date": NOW}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "²"}, None),
        ({"retry-after": "999999999"}, 604_800.0),
        ({"retry-after": "Fri, 01 Mar 2099 12:02:00 GMT", "date": NOW}, 604_800.0),
    ],
)
def test_a_wait_is_a_number_or_a_date_that_the_answers_own_date_explains(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(HttpResponse(429, b"", headers)) == seconds


def test_dialects_find_them_under_base_as_well() -> None:
    for name in ("HttpRequest", "HttpResponse", "BarUpdate", "TurnedAway", "Event", "retry_after"):
        assert getattr(base, name) is getattr(messages, name)
