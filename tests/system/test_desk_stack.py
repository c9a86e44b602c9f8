"""A call through the whole running product: it rings on one desk, is verified, noted, and stands in ClickHouse."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.system.product import Product, eventually
from tests.system.story import Story

ROW = """SELECT person, type, issue, touchpoint, source, session_id, details['outcome'] AS outcome,
    details['agent'] AS agent, details['extension'] AS extension, properties['text'] AS text
    FROM interactions_by_person WHERE session_id = '{session}' AND source = 'desk' ORDER BY type"""


@contextmanager
def signed_in(product: Product, extension: str) -> Iterator[httpx.Client]:
    """Somebody at a desk."""
    link = product.command("sign-in").stdout.strip()
    with httpx.Client(base_url=product.base, timeout=20, trust_env=False) as client:
        assert client.get(link).status_code == 303
        assert client.post("/desk/extension", data={"extension": extension}).status_code == 303
        yield client


@contextmanager
def listening(client: httpx.Client, last: str = "") -> Iterator[Iterator[tuple[str, dict[str, Any]]]]:
    """What a desk is told, one event after the other, each with its id."""
    with client.stream("GET", "/desk/stream", headers={"Last-Event-ID": last}) as answer:
        assert answer.status_code == 200
        yield events(answer.iter_lines())


def events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    name = resume = ""
    for line in lines:
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "id":
            resume = value
        elif field == "data":
            yield name, {"id": resume, **json.loads(value)}


def until(told: Iterator[tuple[str, dict[str, Any]]], wanted: str) -> dict[str, Any]:
    """The next event of that name; a beat comes every 10 s, so this ends."""
    beats = 0
    for name, said in told:
        if name == wanted:
            return said
        beats += name == "beat"
        assert beats < 3, f"no {wanted} in time"
    raise AssertionError("the stream has ended")


def test_a_call_from_ringing_to_clickhouse(product: Product) -> None:
    story = Story(product)
    who = {"customer": "ann", "phone": story.phone}
    now = datetime.now(UTC).isoformat()
    product.send(
        story.event("name", 5, who=who, channel="web", type="profile_updated", properties={"name": "Ann Lee"}),
        story.event(
            "look",
            2,
            who={"customer": "ann"},
            channel="web",
            type="searched",
            properties={"query": "return blue shoes"},
        ),
    )
    eventually(lambda: product.context("phone", story.phone)["match"] == "one")
    session = f"call-{story.mark}"
    call = {"who": {"phone": story.phone}, "session": "call", "occurred_at": now}
    extension = f"x{story.mark}"
    with signed_in(product, extension) as mine, signed_in(product, f"y{story.mark}") as other:
        with listening(mine) as told:
            until(told, "calls")
            product.send(
                story.event(
                    "ring", 0, **call, type="call_ringing", details={"queue": "returns", "extension": extension}
                )
            )
            rings = until(told, "rings")
        path = rings["path"]
        assert path.endswith(f"?call={session}")
        assert story.mark not in other.get("/desk").text.replace(f"y{story.mark}", "")
        with listening(mine, rings["id"]) as told:  # it goes on where it stopped
            assert next(name for name, _ in told) != "rings"

        text = mine.get(path).text
        assert "<h1>Ann Lee</h1>" in text
        assert "Matched by phone number, not verified" in text
        assert "Searched “return blue shoes”" in text
        assert 'data-part="timeline"' not in text
        identifier = path.partition("?")[0].removeprefix("/desk/customers/")
        assert mine.post("/desk/verify", data={"id": identifier, "call": session}).status_code == 303
        text = mine.get(path).text
        assert 'data-part="timeline"' in text
        form = re.search(r'name="form" value="(\w+)"', text)
        assert form
        note = {"form": form[1], "id": identifier, "call": session, "kind": "complaint", "issue": "return"}
        note |= {"outcome": "unresolved", "text": "Ring her at +1 202 555 0175."}
        for _ in range(2):  # sent twice, it says so once
            assert mine.post("/desk/note", data=note).status_code == 303
        eventually(lambda: "Open complaints" in mine.get(path).text)
        assert 'data-part="timeline"' not in other.get(path).text

    rows = eventually(lambda: len(found := product.sql(ROW.format(session=session))) == 2 and found)
    assert {row["person"] for row in rows} == {story.customer("ann")}
    assert [(row["type"], row["issue"], row["touchpoint"]) for row in rows] == [
        ("call_noted", "return", "call_queue"),
        ("complaint_opened", "return", "call_queue"),
    ]
    assert [row["outcome"] for row in rows] == ["unresolved", ""]
    assert rows[1]["text"] == "Ring her at [phone]."
    for row in rows:
        assert re.fullmatch(r"staff:[0-9a-f]{16}", row["agent"])
        assert row["agent"] == row["extension"]
    looked = product.sql("SELECT count() AS n FROM lookups WHERE action = 'verify' AND actor LIKE 'desk:%'")
    assert int(looked[0]["n"]) >= 1
