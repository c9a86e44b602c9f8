"""What people allow and refuse, with the whole product: what is told of them, and what is in the reports."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.system import product
from tests.system.product import Product
from tests.system.story import Story

ACCOUNT = {"channel": "web", "type": "consent_changed", "touchpoint": "account"}
WEB = {"channel": "web", "type": "searched", "touchpoint": "site_search", "issue": "return"}
CALL = {"details": {"outcome": "unresolved", "wait_s": 900, "queue": "returns"}, "issue": "return"}
ANSWER = {"type": "survey_answered", "answer": {"question": "csat", "value": 2, "min": 1, "max": 5}}
COMPLAINT = {"type": "complaint_opened", "issue": "return"}
ORDER = {"channel": "web", "type": "order_placed", "touchpoint": "checkout", "measures": {"amount": 20.0}}
TOLD = {"search", "order", "call", "answer", "complaint"}
#: Views that say whatever people allow: what others are made of, and who refuses.
INSIDE = {
    "interactions_attributed",
    "consents_attributed",
    "identities_assigned",
    "analysis_refusals",
    "analysis_refused",
}


eventually = partial(product.eventually, seconds=60)  # the views of everybody's journeys take a while


@pytest.fixture
def story(product: Product) -> Story:
    """A story of its own for each test."""
    return Story(product)


def said(story: Story, event: str, who: str = "her", namespace: str = "customer", **purposes: bool) -> dict[str, Any]:
    """What somebody allows and refuses, now."""
    return story.event(event, 0, who={namespace: who}, **ACCOUNT, consent=purposes)


def told(story: Story, who: str) -> tuple[dict[str, bool], set[str]]:
    """What the context says that they allow, and the events in it and in their timeline, which must agree."""
    namespace, _, value = who.partition(":")
    context = story.product.context(namespace, value)
    shown = {each["event_id"].removesuffix(f"-{story.mark}") for each in context["timeline"]}
    assert story.timeline(who) == shown
    return context["consent"], shown


def person_views(story: Story) -> list[str]:
    """Every view of ClickHouse that says whose something is, and is meant for people."""
    rows = story.product.sql(
        "SELECT DISTINCT table FROM system.columns WHERE database = currentDatabase() AND name = 'person' AND table IN "
        "(SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View')"
    )
    return sorted({row["table"] for row in rows} - INSIDE - {"person_timeline"})


def in_views(story: Story, who: str) -> set[str]:
    """Those of them that say something of a person."""
    said = (
        f"SELECT '{view}' AS view FROM (SELECT 1 FROM {view} WHERE person = '{who}' LIMIT 1)"
        for view in person_views(story)
    )
    return {row["view"] for row in story.product.sql(" UNION ALL ".join(said))}


def arrived(story: Story, event: str) -> bool:
    """Whether an event is stored, whatever is said of it."""
    return bool(story.product.sql(f"SELECT 1 FROM interactions WHERE event_id = '{event}-{story.mark}'"))


def known(story: Story) -> str:
    """A customer of whom every view says something."""
    story.product.send(
        story.event("search", 60, "v1", who={"anonymous": "her"}, **WEB),
        story.event("order", 55, "v1", who={"customer": "her"}, **ORDER, properties={"currency": "EUR"}),
        story.event("call", 50, "c1", who={"customer": "her"}, **CALL),
        story.event("answer", 40, "c1", who={"customer": "her"}, **ANSWER),
        story.event("complaint", 30, "c1", who={"customer": "her", "anonymous": "her"}, **COMPLAINT),
    )
    her = story.customer("her")
    eventually(lambda: in_views(story, her) == set(person_views(story)))
    assert len(person_views(story)) >= 8
    return her


def test_who_refuses_service_is_told_of_to_nobody_until_they_allow_it(story: Story) -> None:
    her = known(story)
    assert told(story, her) == ({}, TOLD)
    story.product.send(said(story, "no", service=False))
    eventually(lambda: told(story, her) == ({"service": False}, set()))
    context = story.product.context(*her.split(":", 1))
    assert (context["profile"]["identifiers"], context["now"]["open_complaints"]) == ([], [])
    assert context["scores"]["overall"]["n"] == 0
    assert in_views(story, her) == set(person_views(story))  # that is another purpose
    story.product.send(said(story, "yes", service=True))
    eventually(lambda: told(story, her) == ({"service": True}, TOLD | {"yes"}))


@pytest.mark.long
def test_who_refuses_analysis_is_in_no_report_until_they_allow_it(story: Story) -> None:
    her = known(story)
    story.product.send(said(story, "no", analysis=False))
    eventually(lambda: in_views(story, her) == set())
    assert in_views(story, story.browser("her")) == set()
    assert told(story, her) == ({"analysis": False}, TOLD | {"no"})
    story.product.send(said(story, "yes", analysis=True))
    eventually(lambda: in_views(story, her) == set(person_views(story)))
    eventually(lambda: story.stored(her) == TOLD | {"yes"})


@pytest.mark.long
def test_a_public_key_neither_refuses_for_a_customer_nor_takes_a_refusal_back(story: Story) -> None:
    her = known(story)
    rename = story.event("rename", 0, who={"customer": "her"}, **ACCOUNT | {"type": "profile_updated"})
    rename |= {"properties": {"name": "Eve"}, "consent": {"service": False}}
    forged = [said(story, "forged", service=False, analysis=False), rename]
    mark = story.event("mark", 0, who={"customer": "her"}, **WEB)
    story.product.send(*forged, mark, key="public")
    everything = TOLD | {"mark"}
    eventually(lambda: told(story, her) == ({}, everything))
    assert story.product.context(*her.split(":", 1))["profile"]["traits"] == {}
    eventually(lambda: story.stored(her) == everything | {"rename"})

    story.product.send(said(story, "no", service=False, analysis=False))
    eventually(lambda: told(story, her)[1] == set() == in_views(story, her))
    again = story.event("again", 0, who={"customer": "her"}, **WEB)
    story.product.send(said(story, "forged-yes", service=True, analysis=True), key="public")
    story.product.send(said(story, "her-yes", "her", "anonymous", service=True, analysis=True), again, key="public")
    eventually(lambda: arrived(story, "forged-yes") and arrived(story, "her-yes") and arrived(story, "again"))
    assert told(story, her) == ({"service": False, "analysis": False}, set())
    assert in_views(story, her) == set()


@pytest.mark.long
def test_the_no_of_a_visitor_holds_and_stays_with_their_browser(story: Story) -> None:
    browser, her = story.browser("her"), story.customer("her")
    visit = story.event("visit", 10, who={"anonymous": "her"}, **WEB)
    story.product.send(visit, key="public")
    eventually(lambda: told(story, browser) == ({}, {"visit"}) and story.stored(browser) == {"visit"})
    story.product.send(said(story, "no", "her", "anonymous", service=False, analysis=False), key="public")
    eventually(lambda: told(story, browser)[1] == set() == in_views(story, browser))
    login = story.event("login", 0, who={"customer": "her", "anonymous": "her"}, **ACCOUNT | {"type": "identified"})
    story.product.send(login, key="public")
    eventually(lambda: told(story, her) == ({}, {"login"}))
    eventually(lambda: story.stored(her) == {"login"})
    story.product.send(said(story, "yes", service=True, analysis=True))
    eventually(lambda: told(story, her) == ({"service": True, "analysis": True}, {"visit", "login", "yes"}))
    eventually(lambda: story.stored(her) == {"visit", "login", "yes"})
