"""Who is who, over HTTP, with the whole product: shared phones, explanations, joins and partings, and back again."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.system.product import Product, eventually
from tests.system.story import Story


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


#: Of a call that went badly, and one that went well.
BAD = {"details": {"outcome": "unresolved", "wait_s": 900}, "issue": "parcel"}
GOOD = {"details": {"outcome": "resolved", "wait_s": 20}, "issue": "invoice"}
ANSWER = {
    "channel": "web",
    "type": "survey_answered",
    "touchpoint": "site_search",
    "answer": {"question": "csat", "value": 2, "min": 1, "max": 5},
}


def test_parting_gives_scores_and_reports_back_as_if_the_link_had_never_been(story: Story) -> None:
    """Beside each person is another one, to whom the same happened and who was never linked."""
    her, browser = story.customer("her"), story.browser("kiosk")
    hers, alone = story.customer("control"), story.browser("control")
    for who, kiosk, linked in (("her", "kiosk", {"anonymous": "kiosk"}), ("control", "control", {})):
        story.product.send(
            story.event(f"{who}-answer", 3000, "v0", who={"anonymous": kiosk}, **ANSWER),
            story.event(f"{who}-call", 2000, "c0", who={"customer": who}, **GOOD),
            story.event(f"{who}-login", 90, "v1", who={"customer": who, **linked}, **BAD),
            story.event(f"{who}-later", 80, "v2", who={"anonymous": kiosk}, **ANSWER),
        )
    eventually(lambda: story.stored(her) == {"her-answer", "her-call", "her-login", "her-later"})
    eventually(lambda: all(story.figures(hers)) and all(story.figures(alone)))
    eventually(lambda: story.figures(her)[0] and story.figures(her)[0] != story.figures(hers)[0])  # they differ
    assert story.figures(browser)[0] == []

    story.done("part", identifier=browser, person=her)
    eventually(lambda: story.figures(her) == story.figures(hers))
    eventually(lambda: story.figures(browser) == story.figures(alone))


@pytest.mark.long
def test_withdrawing_a_join_gives_scores_and_reports_back_as_if_it_had_never_been(story: Story) -> None:
    for old, new in (("old", "new"), ("old-control", "new-control")):
        story.product.send(
            story.event(f"{old}-answer", 3000, "v0", who={"anonymous": old}, **ANSWER),
            story.event(f"{old}-login", 2900, "v1", who={"customer": old, "anonymous": old}, **BAD),
            story.event(f"{new}-call", 2000, "c0", who={"customer": new}, **GOOD),
            story.event(f"{new}-again", 1000, "c1", who={"customer": new}, **BAD),
        )
    old, new = story.customer("old"), story.customer("new")
    never = story.customer("old-control"), story.customer("new-control")
    eventually(lambda: all(all(story.figures(each)) for each in never))
    eventually(lambda: (story.figures(old), story.figures(new)) == tuple(map(story.figures, never)))

    joined = story.done("join", **{"from": old, "into": new})
    eventually(lambda: story.figures(old) == [[], [], []])
    # The earlier call of the one makes that of the other a repeat contact.
    eventually(lambda: story.figures(new)[0][0]["repeat_contacts"] == 1)
    assert story.figures(never[1])[0][0]["repeat_contacts"] == 0

    story.done("withdraw", order_id=joined["order_id"])
    eventually(lambda: (story.figures(old), story.figures(new)) == tuple(map(story.figures, never)))


def test_a_forged_claim_gets_nothing_and_a_login_with_the_same_key_works(story: Story) -> None:
    """Whoever reads a page's source has its key, and may send whatever they like."""
    victim, number = story.customer("victim"), story.phone
    story.product.send(
        story.event("account", 60, who={"customer": "victim", "phone": number}, **GOOD),
        story.event("call", 50, "c1", who={"phone": number}, **GOOD),
    )
    eventually(lambda: story.timeline(victim) == {"account", "call"})
    web = {"channel": "web", "type": "identified", "touchpoint": "account"}
    forged = story.event("forged", 0, "c1", who={"customer": "attacker", "phone": number}, **web)
    forged["occurred_at"] = "2001-01-01T00:00:00Z"
    ring = story.event("rings", 0, "c9", who={"phone": number}, channel="phone", type="call_ringing", touchpoint="q")
    search = story.event("search", 5, who={"anonymous": "visitor"}, channel="web", type="searched", touchpoint="s")
    login = story.event("login", 4, who={"customer": "visitor", "anonymous": "visitor"}, **web)
    story.product.send(forged, ring, search, login, key="public")

    visitor, attacker = story.customer("visitor"), story.customer("attacker")
    eventually(lambda: story.timeline(visitor) == {"search", "login"})  # the anonymous history is the customer's
    eventually(lambda: story.timeline(attacker) == {"forged"})
    eventually(lambda: story.stored(visitor) == {"search", "login"})
    said = story.product.context("phone", number)
    assert (said["match"], said["profile"]["id"]) == ("one", victim)
    assert story.timeline(victim) == {"account", "call", "rings"}
    told = story.get(f"/v1/customers/{victim}/identity")
    (phone,) = (each for each in told["identifiers"] if each["namespace"] == "phone")
    assert (phone["state"], phone["person"]) == ("resolved", victim)
    assert {each["event_id"] for each in phone["evidence"]} == {f"account-{story.mark}"}
    assert [each["id"] for each in story.get(f"/v1/customers/{attacker}/identity")["identifiers"]] == [attacker]
    assert all(each["session_id"] != ring["session_id"] for each in story.get("/v1/calls/ringing")["calls"])


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
