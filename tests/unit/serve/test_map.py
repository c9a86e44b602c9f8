"""The map and its touchpoints as pages and files; tests/system/test_map.py looks at them in a browser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import cast
from urllib.parse import urlencode

import pytest

from pipeline.domain.blueprint import CHANNELS, EVERYBODY
from tests.mapping import HOSTILE, Told
from tests.serving import CATALOGUE, until
from tests.unit.serve.conftest import Serving

PATHS = ("/map", "/map.svg", "/map.mmd", "/map/touchpoints/chat", "/touchpoints")


@pytest.fixture
async def counting(serving: Serving) -> AsyncIterator[Serving]:
    """Signed in, and what is counted is being counted."""
    serving.sign_in()
    task = asyncio.create_task(serving.parts.counting.run())
    yield serving
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def told(serving: Serving) -> Told:
    return cast(Told, serving.parts.reports)


async def text(serving: Serving, path: str, status: int = 200, **query: str) -> str:
    answer = await serving.client.get(path, params=query)
    assert answer.status_code == status
    assert answer.headers["cache-control"] == "no-store"
    return answer.text


async def ready(serving: Serving) -> None:
    await until(lambda: serving.parts.counting.get(("30", EVERYBODY)).kept is not None)


@pytest.mark.parametrize("path", PATHS)
async def test_who_is_not_signed_in_sees_nothing(serving: Serving, path: str) -> None:
    for headers in ({}, serving.headers):
        answer = await serving.client.get(path, headers=headers)
        assert answer.status_code == 401
        assert "You are not signed in" in answer.text
    assert not told(serving).asked


async def test_the_map_shows_every_touchpoint_of_a_journey_and_says_as_of_when(counting: Serving) -> None:
    await ready(counting)
    page = await text(counting, "/map")
    journey = CATALOGUE.journeys["buy"]
    nodes = re.findall(r'data-node="([^"]+)"', page)
    drawn_and_listed = [each for step in journey.steps for each in step.touchpoints] * 2
    assert sorted(nodes) == sorted(drawn_and_listed)
    assert re.search(r"Touchpoints as of \d\d:\d\d:\d\d\. Shares and times as of \d\d:\d\d\.", page)
    assert 'data-coming="no"' in page
    assert "style=" not in page
    assert "onload=" not in page
    assert not re.search(r"<script(?! type=\"module\" src=\"/static/)", page)


async def test_a_page_does_not_wait_for_what_is_counted(counting: Serving) -> None:
    told(counting).go_on.clear()
    segment = {"segment": "channels:one channel"}
    page = await text(counting, "/map", **segment)
    assert "Figures of one channel are being counted." in page
    assert 'data-coming="yes"' in page
    assert "Show it again" in page
    assert ">…<" in page
    told(counting).go_on.set()
    await until(lambda: counting.parts.counting.get(("30", CHANNELS[1])).kept is not None)
    done = await text(counting, "/map", **segment)
    assert 'data-coming="no"' in done
    assert re.search(r"Figures of one channel as of \d\d:\d\d\.", done)


async def test_some_people_are_counted_whole_and_nothing_of_everybody_is_shown_for_them(counting: Serving) -> None:
    await ready(counting)
    told(counting).go_on.clear()
    waiting = await text(counting, "/map", segment="known:known customer")
    assert "Figures of known customer are being counted." in waiting
    assert 'aria-label="Site search, nobody can say, no evidence"' in waiting
    told(counting).go_on.set()


async def test_segments_that_there_were_are_offered_as_texts(counting: Serving) -> None:
    await ready(counting)
    await until(lambda: counting.parts.counting.get(("", EVERYBODY)).kept is not None)
    page = await text(counting, "/map", segment=f"store:{HOSTILE}")
    assert "<script>document" not in page
    assert "Store: Main street" in page
    assert page.count(" selected") == 3


@pytest.mark.parametrize(
    "query",
    [
        {"journey": "nowhere"},
        {"period": "365"},
        {"segment": "known:everybody"},
        {"segment": "secret:x"},
        {"segment": "store:"},
        {"segment": "store:" + "x" * 201},
        {"segment": "store:a\x00b"},
    ],
)
async def test_what_is_not_there_is_said_with_what_there_is(counting: Serving, query: dict[str, str]) -> None:
    for path in ("/map", "/map.svg", "/map.mmd", "/map/touchpoints/chat"):
        page = await text(counting, path, 404, **query)
        assert "Choose one of these." in page
        assert "<h1>Buying</h1>" in page


async def test_the_files_are_whole_and_have_no_links(counting: Serving) -> None:
    await ready(counting)
    query = {"journey": "get_help", "period": "7"}
    drawn = await counting.client.get(f"/map.svg?{urlencode(query)}")
    assert drawn.headers["content-type"] == "image/svg+xml"
    assert drawn.headers["content-disposition"] == 'attachment; filename="map-get_help.svg"'
    assert drawn.text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<svg xmlns="http://www.w3.org/2000/svg"')
    assert "<a " not in drawn.text
    assert "Everybody, 7 days. Touchpoints as of" in drawn.text
    chart = await counting.client.get(f"/map.mmd?{urlencode(query)}")
    assert chart.headers["content-disposition"] == 'attachment; filename="map-get_help.mmd"'
    assert chart.text.startswith("flowchart LR\n  %% Getting help, Everybody, 7 days. Touchpoints as of ")


async def test_a_closer_look_is_a_page_and_a_part_of_one(counting: Serving) -> None:
    page = await text(counting, "/map/touchpoints/call_queue", journey="get_help")
    part = await text(counting, "/map/touchpoints/call_queue", journey="get_help", fragment="1")
    assert "<html" in page
    assert "<html" not in part
    for found in (page, part):
        assert "What pulls it down" in found
        assert "Move agents from chat; play the announcement with the call-back; tell the planner of shifts." in found
        assert "I waited for an hour." in found
        assert "Csat 2 of 5" in found
        assert "Agents missing 2" in found
        assert "<script>document" not in found
        assert "style=" not in found
    assert "Looking for it." in await text(counting, "/map/touchpoints/chat", fragment="1", words="0")
    hidden = await text(counting, "/map/touchpoints/shift_planning", fragment="1")
    assert "It is known from observations" in hidden
    assert "<meter" not in hidden
    assert "The catalogue has no such touchpoint" in await text(counting, "/map/touchpoints/nowhere", 404)


async def test_without_clickhouse_the_catalogue_is_shown_and_says_why(counting: Serving) -> None:
    told(counting).away = True
    page = await text(counting, "/map", segment="channels:one channel")
    assert "ClickHouse, which has the figures, does not answer at the moment." in page
    assert 'data-node="site_search"' in page
    part = await text(counting, "/map/touchpoints/chat", fragment="1")
    assert part.count("This cannot be read at the moment.") == 4
    await until(lambda: counting.parts.counting.get(("30", CHANNELS[1])).failed)
    failed = await text(counting, "/map", segment="channels:one channel")
    assert "Figures of one channel could not be counted just now." in failed


async def test_governance_puts_red_that_nobody_acts_on_on_top(counting: Serving) -> None:
    page = await text(counting, "/touchpoints")
    titles = re.findall(r'<h2 class="big" id="(\w+)">', page)
    assert titles == ["unanswered", "taken", "yellow", "grey", "green", "unjudged", "unowned"]
    assert re.findall(r'data-touchpoint="(\w+)"', page)[:3] == ["call_queue", "checkout", "doorstep"]
    assert sorted(re.findall(r'data-touchpoint="(\w+)"', page)) == sorted(CATALOGUE.touchpoints)
    for words in (
        "3 open, 0 taken on",
        "the oldest for 30.5 h",
        "taken on after 2.0 h (n 4)",
        "over after 2.1 days (n 3)",
        "5 open, 2 overdue",
        "closed after 4.2 days (n 7)",
        "Four of five callers wait at most twenty seconds.",
        "2 open alerts belong to no touchpoint",
        "12,345 times",
        "Changed on 24 November 2026: Two more agents.",
    ):
        assert words in page
    assert "<script>document" not in page


async def test_governance_of_one_owner_and_of_nobody(counting: Serving) -> None:
    page = await text(counting, "/touchpoints", owner="head of stores")
    found = re.findall(r'data-touchpoint="(\w+)"', page)
    assert set(found) == {each.id for each in CATALOGUE.touchpoints.values() if each.owner == "head of stores"}
    assert "Nobody of that name" in await text(counting, "/touchpoints", 404, owner="nobody")
    told(counting).away = True
    assert "the catalogue without figures" in await text(counting, "/touchpoints", 503)


async def test_pages_lead_to_each_other(counting: Serving) -> None:
    page = await text(counting, "/touchpoints")
    for path in ("/desk", "/map", "/touchpoints", "/observe"):
        assert f'<li><a href="{path}"' in page
    assert page.count("aria-current") == 1
    assert '<a href="/touchpoints" aria-current="page">' in page
