"""The desk's pages as HTML; tests/system/test_desk.py looks at them in a browser."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, date, datetime, timedelta, timezone
from html.parser import HTMLParser
from typing import Any

import pytest

from pipeline.domain import view
from pipeline.domain.interaction import Item
from pipeline.serve.card import Names, day, days, entry, shown_id, words
from pipeline.serve.desk_stream import Resume, desk_events
from pipeline.serve.pages import Pages, zone_of
from tests.serving import keyed, now_ms
from tests.unit.serve.conftest import Serving, seat

PHONE, MASKS = keyed("phone", "+14155550142")
HOSTILE = "<img src=x onerror=alert(1)> \"'&"


class Markup(HTMLParser):
    """What a page is made of, as a browser reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.attributes: set[str] = set()
        self.sources: set[str | None] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes |= {name for name, _ in attrs}
        self.sources |= {value for name, value in attrs if name == "src"}


@pytest.fixture
def desk(serving: Serving) -> Serving:
    """Somebody signed in, who has verified the caller of these tests."""
    serving.sign_in("customer:1")
    return serving


async def page(desk: Serving, identifier: str, status: int = 200) -> str:
    """The card's page."""
    answer = await desk.client.get(f"/desk/customers/{identifier}")
    assert answer.status_code == status
    assert answer.headers["cache-control"] == "no-store"
    return answer.text


async def test_the_card_shows_what_is_going_on(desk: Serving) -> None:
    say = desk.world.say
    say("anonymous:a1", type="searched", touchpoint="site_search", properties={"query": "blue shoes"}, ago_s=60)
    say("customer:1", type="profile_updated", properties={"name": "Ada Lovelace", "language": "English"})
    say("customer:1", type="identified", links=(PHONE, "anonymous:a1"), masks=MASKS)
    say("customer:1", type="goal_started", goal="return an order", ago_s=30)
    say("customer:1", type="complaint_opened", issue="Broken zip", ago_s=3 * 86400)
    say("customer:1", type="preference_set", properties={"contact": "e-mail"})
    items = (Item("p1", 2, 10.0, "Sock"), *(Item(f"q{n}", 1, 1.0) for n in range(6)))
    say("customer:1", type="order_placed", items=items, properties={"order_id": "W-1", "currency": "EUR"})
    text = await page(desk, PHONE)
    for expected in (
        "<h1>Ada Lovelace</h1>",
        "Verified",
        "Matched by phone number",
        "Language English",
        "+1 ••• ••42",
        "blue shoes",
        "Site search",
        "Return an order",
        "Broken zip",
        "W-1",
        "26.00 EUR",
        "2 × Sock",
        "and 2 more",
        "Searched for “blue shoes”",
        "n 1, observed",
    ):
        assert expected in text, expected
    assert text.count("no evidence yet") == 2  # and no number in its place
    assert PHONE in text  # only as the opaque id of the stream
    assert "Matched by" not in await page(desk, "customer:1")


async def test_a_hostile_name_is_text(desk: Serving) -> None:
    desk.world.say("customer:1", type="profile_updated", properties={"name": HOSTILE, HOSTILE: HOSTILE})
    desk.world.say("customer:1", type=HOSTILE, touchpoint=HOSTILE, channel="web", event_id=HOSTILE)
    desk.world.say("customer:1", type="searched", properties={"query": "<script>alert(1)</script>"})
    text = await page(desk, "customer:1")
    assert "<img src=x" not in text
    assert "<script>alert" not in text
    assert "&lt;img src=x onerror=alert(1)&gt; &#34;&#39;&amp;" in text
    seen = Markup()
    seen.feed(text)
    assets = Pages(desk.parts).assets
    assert seen.sources == {assets.path("mark.svg"), assets.path("desk.js")}
    assert not {each for each in seen.attributes if each.startswith("on") or each == "style"}


async def test_an_unknown_and_an_empty_one(desk: Serving) -> None:
    assert "Nobody is known by this phone number yet" in await page(desk, PHONE)
    desk.world.say("customer:1", links=(PHONE,), masks=MASKS, session_id="s")
    desk.world.say("customer:2", links=(PHONE,), masks=MASKS, session_id="t")
    text = await page(desk, PHONE)
    assert "Several people share this phone number" in text
    assert "Customer number 1" in text
    assert "Customer number 2" in text
    assert 'data-part="timeline"' not in text


@pytest.mark.parametrize(
    ("text", "status", "location"),
    [
        ("+1 (415) 555-0142", 303, f"/desk/customers/{PHONE}"),
        ("phone:4155550142", 303, f"/desk/customers/{PHONE}"),
        ("1", 303, "/desk/customers/customer:1"),
        ("customer:1", 303, "/desk/customers/customer:1"),
        ("  ", 303, "/desk"),
        ("", 303, "/desk"),
        ("nobody@example.com", 404, None),
        ("+14155550199", 404, None),
        ("null", 422, None),
        ("@", 422, None),
        ("x" * 300, 404, None),
    ],
)
async def test_search(desk: Serving, text: str, status: int, location: str | None) -> None:
    desk.world.say("customer:1", links=(PHONE,), masks=MASKS)
    answer = await desk.client.post("/desk/search", data={"q": text})
    assert answer.status_code == status
    assert answer.headers.get("location") == location
    if location is None:
        assert f'value="{text[:256]}"' in answer.text  # to correct it


async def test_one_text_may_mean_several(desk: Serving) -> None:
    desk.world.say("customer:4155550142")
    desk.world.say("customer:1", links=(PHONE,), masks=MASKS)
    text = (await desk.client.post("/desk/search", data={"q": "4155550142"})).text
    assert f"/desk/customers/{PHONE}" in text
    assert "/desk/customers/customer:4155550142" in text


async def test_without_a_session_nothing_is_shown(serving: Serving) -> None:
    serving.world.say("customer:1", type="profile_updated", properties={"name": "Ada"})
    for answer in (
        await serving.client.get("/desk/customers/customer:1"),
        await serving.client.post("/desk/search", data={"q": "1"}),
        await serving.client.get("/desk/older", params={"id": "customer:1", "before": "x"}),
    ):
        assert answer.status_code == 401
        assert "Ada" not in answer.text
        assert "throughline sign-in" in answer.text
    assert (await serving.client.get("/desk/stream")).status_code == 401


async def test_bad_addresses_and_absent_workers(desk: Serving) -> None:
    assert "only its keyed form" in await page(desk, "phone:+14155550142", 400)
    await desk.worker.stop()
    assert "cannot be reached" in await page(desk, "customer:1", 503)
    assert "cannot be reached" in (await desk.client.post("/desk/search", data={"q": "1"})).text


async def test_older_pages(desk: Serving) -> None:
    at = now_ms()
    for n in range(110):
        desk.world.say("customer:1", at=at - n * 60_000, event_id=f"x{n}", properties={"page": f"page {n}."})
    first = await page(desk, "customer:1")
    assert "page 11." in first
    assert "page 12." not in first
    link = re.search(r'href="(/desk/older[^"]+)" data-more', first)
    assert link
    second = (await desk.client.get(link[1].replace("&amp;", "&"))).text
    assert "page 12." in second
    assert "page 61." in second
    link = re.search(r'href="(/desk/older[^"]+)" data-more', second)
    assert link
    third = (await desk.client.get(link[1].replace("&amp;", "&"))).text
    assert "page 109." in third
    assert "data-more" not in third


async def heard(stream: Any, name: str) -> dict[str, Any]:
    """The next event of a name."""
    async with asyncio.timeout(5):
        while True:
            lines = (await anext(stream)).decode().splitlines()
            if lines[0] == f"event: {name}":
                return {"id": lines[1].removeprefix("id: "), **json.loads(lines[2].removeprefix("data: "))}


async def test_the_stream_sends_the_card_when_it_differs(desk: Serving) -> None:
    pages = Pages(desk.parts)
    desk.world.say("customer:1", type="profile_updated", properties={"name": "Ada"})
    shown = re.search(r'data-shown="(\w+)"', await page(desk, "customer:1"))
    assert shown
    stream = desk_events(desk.parts, pages, seat("customer:1"), "customer:1", "", Resume(shown[1]))
    assert (await heard(stream, "beat"))["away"] is False  # the page has this card already
    desk.world.say("customer:1", type="searched", properties={"query": "shoes"})
    assert "shoes" in (await heard(stream, "card"))["html"]
    await desk.worker.stop()
    while not (await heard(stream, "beat"))["away"]:
        pass
    desk.world.say("customer:1", type="searched", properties={"query": "boots"})
    await desk.worker.move()
    desk.worker.publish(desk.parts.routes)
    assert "boots" in (await heard(stream, "card"))["html"]
    await stream.aclose()


async def test_the_stream_sends_ringing_calls(desk: Serving) -> None:
    stream = desk_events(desk.parts, Pages(desk.parts), seat(), None)
    assert "No call is ringing" in (await heard(stream, "calls"))["html"]
    entry = {"type": "call_ringing", "session_id": "c", "event_id": "e", "identifier": PHONE, "masks": MASKS}
    desk.parts.calls.see({**entry, "occurred_at": now_ms(), "touchpoint": "call_queue"}, now_ms())
    html = (await heard(stream, "calls"))["html"]
    assert f'href="/desk/customers/{PHONE}?call=c"' in html
    assert "+1 ••• ••42" in html
    assert "Call queue" in html
    desk.parts.calls.see({**entry, "type": "call_ended", "occurred_at": now_ms(), "touchpoint": ""}, now_ms())
    assert "No call is ringing" in (await heard(stream, "calls"))["html"]
    await stream.aclose()


async def test_nothing_is_left_behind_when_a_stream_ends(desk: Serving) -> None:
    stream = desk_events(desk.parts, Pages(desk.parts), seat(), "customer:1")
    await heard(stream, "card")
    await stream.aclose()
    assert not [each for each in asyncio.all_tasks() if "desk_stream" in repr(each) or "Queue" in repr(each)]


def test_days_begin_where_the_reader_is() -> None:
    at = datetime(2025, 11, 22, 23, 30, tzinfo=UTC)
    said = {
        "identifier": "customer:1",
        "source": "shop",
        "event_id": "e",
        "summary": "Called",
        "type": "call_ended",
        "channel": "phone",
        "touchpoint": "a_place",
        "occurred_at": view.time_text(int(at.timestamp() * 1000)),
    }
    berlin = timezone(timedelta(hours=1))

    def of(names: Names) -> list[dict[str, Any]]:
        return days([said], names, lambda each: entry(each, names))

    (there,) = of(Names({}, berlin, date(2025, 11, 23)))
    assert (there["label"], there["entries"][0]["at"]["clock"]) == ("Today", "00:30")
    assert there["entries"][0]["touchpoint"] == "A place"
    (here,) = of(Names({}, UTC, date(2025, 11, 23)))
    assert (here["label"], here["entries"][0]["at"]["clock"]) == ("Yesterday", "23:30")
    (later,) = of(Names({}, UTC, date(2026, 1, 2)))
    assert later["label"] == "Saturday, 22 November 2025"
    assert later["entries"][0]["at"]["short"] == "22 Nov 2025"


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "Nowhere/Land", "x" * 99, "Europe/", "<b>"])
def test_a_zone_that_is_none_is_utc(name: str) -> None:
    assert zone_of(name) is UTC


def test_words() -> None:
    assert words("call_queue") == "Call queue"
    assert words("") == ""
    assert day(date(2025, 3, 1)) == "Saturday, 1 March 2025"
    assert shown_id("customer:4711") == "customer number 4711"
    assert shown_id("phone:k1.00") == "phone number"
    assert shown_id(f"customer:k1.{'0' * 32}") == "customer number"  # somebody's address, as a customer number
