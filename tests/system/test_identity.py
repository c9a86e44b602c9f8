"""Who is who, over HTTP, with the whole product: shared phones, explanations, joins and partings, and back again."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.system.product import Answer, Product, eventually

PURPOSE = {"Throughline-Purpose": "test"}


class Story:
    """Persons and a phone number of this test's own, and what happens to them."""

    def __init__(self, product: Product) -> None:
        self.product = product
        chosen = uuid4()
        self.mark = f"t{chosen.hex[:8]}"  # no number, whatever its digits
        self.phone = f"+1 415 55{chosen.int % 100_000:05d}"
        self._now = datetime.now(UTC)

    def customer(self, name: str) -> str:
        """The id of a customer."""
        return f"customer:{name}-{self.mark}"

    def browser(self, name: str) -> str:
        """The id of a browser."""
        return f"anonymous:{name}-{self.mark}"

    def event(self, event_id: str, minutes_ago: float, session: str = "", **fields: Any) -> dict[str, Any]:
        """An event; `who` names its identifiers."""
        who = fields.pop("who")
        at = (self._now - timedelta(minutes=minutes_ago)).isoformat()
        base = {
            "channel": "phone",
            "source": "test",
            "type": "call_ended",
            "touchpoint": "call_queue",
            "event_id": f"{event_id}-{self.mark}",
            "occurred_at": at,
            "session_id": f"{session}-{self.mark}" if session else "",
        }
        return base | fields | {"identifiers": {name: self.named(name, value) for name, value in who.items()}}

    def named(self, namespace: str, value: str) -> str:
        """A value of this test's own."""
        return value if namespace == "phone" else f"{value}-{self.mark}"

    def get(self, path: str, key: str = "read") -> Any:
        """GET, which must succeed."""
        answer = self.product.ask("GET", path, key=key, headers=PURPOSE)
        assert answer.status == 200, answer
        return answer.json

    def order(self, kind: str, **body: Any) -> Answer:
        """Give an order."""
        return self.product.ask("POST", f"/v1/identity/{kind}", {"reason": "a test", **body}, key="admin")

    def done(self, kind: str, **body: Any) -> dict[str, Any]:
        """An order that has taken effect when it is answered."""
        answer = self.order(kind, **body)
        assert answer.status == 200, answer
        assert answer.json["effect"] == "complete"
        return dict(answer.json)

    def timeline(self, identifier: str) -> set[str]:
        """The event ids on the timeline of whoever that is."""
        page = self.get(f"/v1/customers/{identifier}/timeline?limit=200")
        return {each["event_id"].removesuffix(f"-{self.mark}") for each in page["timeline"]}

    def stored(self, identifier: str) -> set[str]:
        """The event ids that ClickHouse gives a person."""
        rows = self.product.sql(f"SELECT event_id FROM interactions_by_person WHERE person = '{identifier}'")
        return {row["event_id"].removesuffix(f"-{self.mark}") for row in rows}

    def candidates(self) -> set[str]:
        """Whom the phone may be; none where it is one person's."""
        said = self.product.context("phone", self.phone)
        return {each["id"] for each in said["candidates"]}


@pytest.fixture
def story(product: Product) -> Story:
    """A story of its own for each test."""
    return Story(product)


def test_naming_the_customer_settles_that_call_and_only_that(story: Story) -> None:
    ann, bob = story.customer("ann"), story.customer("bob")
    phone = {"phone": story.phone}
    story.product.send(
        story.event("ann-known", 60, "k1", who={"customer": "ann", **phone}),
        story.event("bob-known", 50, "k2", who={"customer": "bob", **phone}),
        story.event("call-1", 20, "c1", who=phone),
        story.event("call-2", 10, "c2", who=phone),
    )
    eventually(lambda: story.candidates() == {ann, bob})
    assert story.product.context("phone", story.phone)["profile"] is None

    # The agent asks; the caller says who they are, and the call's system says it in the call's session.
    story.product.send(story.event("named", 9, "c2", type="identified", who={"customer": "bob", **phone}))
    eventually(lambda: story.timeline(bob) == {"bob-known", "named", "call-2"})
    assert story.timeline(ann) == {"ann-known"}
    assert story.candidates() == {ann, bob}
    eventually(lambda: story.stored(bob) == {"bob-known", "named", "call-2"})

    said = story.get(f"/v1/customers/{bob}/identity")
    assert said["person"] == bob
    (shared,) = (each for each in said["identifiers"] if each["namespace"] == "phone")
    assert (shared["state"], shared["id"]) == ("ambiguous", said["unresolved"][0])
    assert {each["id"] for each in shared["candidates"]} == {ann, bob}
    assert {"session_id": f"c2-{story.mark}", "person": bob} in shared["sessions"]
    told = [(each["from"], each["event_id"], each["session_id"]) for each in shared["evidence"]]
    assert (bob, f"bob-known-{story.mark}", f"k2-{story.mark}") in told
    assert story.phone.replace(" ", "") not in str(said)


def test_a_join_takes_effect_before_the_answer_and_is_taken_back_whole(story: Story) -> None:
    old, new = story.customer("old"), story.customer("new")
    web = {"channel": "web", "type": "searched", "touchpoint": "site_search"}
    story.product.send(
        story.event("searched", 100, "v0", who={"anonymous": "b"}, properties={"query": "shoes"}, **web),
        story.event("old-login", 90, "v1", who={"customer": "old", "anonymous": "b"}, **web),
        story.event("new-call", 80, "c1", who={"customer": "new"}),
    )
    before = {old: {"searched", "old-login"}, new: {"new-call"}}
    for who, events in before.items():
        eventually(lambda who=who, events=events: story.timeline(who) == events == story.stored(who))

    began = time.monotonic()
    joined = story.done("join", **{"from": old, "into": new})
    assert time.monotonic() - began < 5
    assert set(joined["changed"]) == {old, story.browser("b")}
    assert story.timeline(new) == before[old] | before[new] == story.timeline(old)
    eventually(lambda: story.stored(new) == before[old] | before[new] and story.stored(old) == set())

    # No rings, and no contradictions: the later order is refused, and says what to do.
    ring = story.order("join", **{"from": new, "into": old})
    assert (ring.status, ring.json["reason"]) == (409, "refused")
    assert joined["order_id"] in ring.json["detail"]
    part = story.order("part", identifier=story.browser("b"), person=old)
    assert part.status == 409

    story.done("withdraw", order_id=joined["order_id"])
    assert {who: story.timeline(who) for who in before} == before
    eventually(lambda: {who: story.stored(who) for who in before} == before)
    orders = story.get("/v1/identity/orders?limit=200", key="admin")["orders"]
    mine = [each for each in orders if joined["order_id"] in (each["order_id"], each["withdrawn"])]
    assert [(each["kind"], each["state"]) for each in mine] == [("withdraw", "accepted"), ("join", "withdrawn")]


def test_orders_work_while_events_stream_in(story: Story) -> None:
    old, new = story.customer("old"), story.customer("new")
    web = {"channel": "web", "type": "page_viewed", "touchpoint": "site_search"}
    names = [f"e{n}" for n in range(120)]
    ordering = threading.Event()

    def stream() -> None:
        for n, name in enumerate(names):
            if n == 40:
                ordering.wait(60)
            who = ({"customer": "old"}, {"customer": "new"}, {"customer": "old", "anonymous": "b"}, {"anonymous": "b"})
            story.product.send(story.event(name, 60 - n / 10, f"v{n % 7}", who=who[n % 4], **web))

    with ThreadPoolExecutor(1) as pool:
        streaming = pool.submit(stream)
        eventually(lambda: story.timeline(old) and story.timeline(new))
        ordering.set()
        joined = story.done("join", **{"from": old, "into": new})
        parted = story.done("part", identifier=story.browser("b"), person=new)
        streaming.result(60)
    hers = {name for n, name in enumerate(names) if n % 4 != 3}
    eventually(lambda: story.timeline(new) == hers == story.stored(new))
    assert story.timeline(story.browser("b")) == set(names) - hers
    story.done("withdraw", order_id=parted["order_id"])
    story.done("withdraw", order_id=joined["order_id"])
    for who, turns in ((new, {1}), (old, {0, 2, 3})):
        theirs = {name for n, name in enumerate(names) if n % 4 in turns}
        eventually(lambda who=who, theirs=theirs: story.timeline(who) == theirs == story.stored(who))


def test_a_parting_holds_against_later_evidence_and_is_taken_back_whole(story: Story) -> None:
    her, browser = story.customer("her"), story.browser("kiosk")
    web = {"channel": "web", "type": "searched", "touchpoint": "site_search"}
    story.product.send(
        story.event("looked", 100, "v0", who={"anonymous": "kiosk"}, **web),
        story.event("login", 90, "v1", who={"customer": "her", "anonymous": "kiosk"}, **web),
    )
    eventually(lambda: story.timeline(her) == {"looked", "login"} == story.stored(her))
    parted = story.done("part", identifier=browser, person=her)
    assert story.timeline(browser) == {"looked"}
    assert story.timeline(her) == {"login"}
    eventually(lambda: story.stored(browser) == {"looked"})

    story.product.send(story.event("again", 5, "v2", who={"customer": "her", "anonymous": "kiosk"}, **web))
    eventually(lambda: story.timeline(her) == {"login", "again"})
    (row,) = (each for each in story.get(f"/v1/customers/{browser}/identity")["identifiers"] if each["id"] == browser)
    assert (row["state"], row["orders"]) == ("person", [parted["order_id"]])
    assert not any(each["counts"] for each in row["evidence"])

    story.done("withdraw", order_id=parted["order_id"])
    assert story.timeline(her) == {"looked", "login", "again"}
    eventually(lambda: story.stored(her) == {"looked", "login", "again"})


def test_every_lookup_and_order_is_in_the_audit_table_without_names(story: Story) -> None:
    who, number = story.customer("audited"), story.phone.replace(" ", "")
    reason = f"asked {story.mark}, call back on {number}"
    story.product.send(story.event("known", 5, who={"customer": "audited", "phone": story.phone}))
    eventually(lambda: story.product.context("phone", number)["match"] == "one")
    purpose = f"test {story.mark}"
    question = {"keys": [{"namespace": "phone", "value": number}], "purpose": purpose}
    assert story.product.ask("POST", "/v1/context", question, key="read").status == 200
    body = {"from": who, "into": story.customer("other"), "reason": reason}
    order_id = story.product.ask("POST", "/v1/identity/join", body, key="admin").json["order_id"]

    rows = "SELECT * FROM audit FINAL WHERE {} LIMIT 10"
    lookup = eventually(lambda: story.product.sql(rows.format(f"purpose = '{purpose}'")))
    assert [(each["actor"], each["action"], each["outcome"]) for each in lookup] == [("key:read", "context", "one")]
    assert len(lookup[0]["subjects"]) == len(lookup[0]["shown"]) == 1
    ordered = eventually(
        lambda: story.product.sql(rows.format(f"order_id = '{order_id}' AND outcome = 'accepted'")), 30
    )
    assert [(each["actor"], each["action"]) for each in ordered] == [("key:admin", "join")]
    assert ordered[0]["reason"].startswith(f"asked {story.mark}")
    for name in (number, number[-7:], who):
        assert name not in str(lookup + ordered)
