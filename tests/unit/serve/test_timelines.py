"""A timeline that goes on in ClickHouse where the view ends."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interactions import NOON, made
from tests.serving import RULES
from tests.unit.serve.conftest import Serving

TIMELINE = "/v1/customers/customer:1/timeline"
TOTAL = 2 * RULES.view_size


@pytest.fixture
def long(serving: Serving) -> Serving:
    """A customer with twice as many interactions as a view holds."""
    for n in range(TOTAL):
        said: dict[str, Any] = {"at": NOON + n * 1000, "channel": "web" if n % 2 else "phone"}
        serving.world.say("customer:1", event_id=f"x{n}", **said)
        serving.history.stored.append(made("customer:1", f"x{n}", **said))
    return serving


async def pages(serving: Serving, **query: Any) -> list[list[str]]:
    """All pages, as event ids."""
    found: list[list[str]] = []
    following = None
    while True:
        more = {"before": following} if following else {}
        page = (await serving.get(TIMELINE, **query, **more)).json()
        found.append([each["event_id"] for each in page["timeline"]])
        following = page["next"]
        if following is None:
            return found


async def test_it_goes_on_without_a_seam(long: Serving) -> None:
    found = await pages(long, limit=70)
    assert [each for page in found for each in page] == [f"x{n}" for n in reversed(range(TOTAL))]
    assert all(len(page) == 70 for page in found[:-1])


async def test_of_one_channel_too(long: Serving) -> None:
    found = await pages(long, limit=200, channel="phone")
    assert [each for page in found for each in page] == [f"x{n}" for n in reversed(range(0, TOTAL, 2))]


async def test_clickhouse_is_not_asked_for_what_the_view_has(long: Serving) -> None:
    await long.get(TIMELINE, limit=50)
    assert long.history.asked == 0


async def test_what_the_view_has_is_shown_without_clickhouse(long: Serving) -> None:
    long.history.away = True
    page = (await long.get(TIMELINE, limit=150)).json()
    rest = (await long.get(TIMELINE, limit=150, before=page["next"])).json()
    assert 0 < len(rest["timeline"]) < 150
    away = await long.get(TIMELINE, limit=150, before=rest["next"])
    assert (away.status_code, away.json()["reason"]) == (503, "history_away")
    assert away.headers["retry-after"]
    long.history.away = False
    again = (await long.get(TIMELINE, limit=150, before=rest["next"])).json()
    assert len(again["timeline"]) == 150


async def test_a_short_timeline_never_asks_clickhouse(serving: Serving) -> None:
    serving.world.say("customer:1")
    assert await pages(serving, limit=1) == [["e1"]]
    assert serving.history.asked == 0
