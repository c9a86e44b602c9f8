"""Whose things are in every view that shows people: links found later, partings, shared devices, erasure, consent.

On the real engine, embedded in this process; rows come from the sink's own writer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import catalogue
from pipeline.domain.messages import Assignment, is_erased
from pipeline.domain.scoring import DAY_MS
from pipeline.settings import Settings
from pipeline.store import catalogued, migrations, rows
from tests.examples import examples

from ..unit.store.records import entry
from .stored import START, asked, cell, identity, put, score
from .stored import alert as alerted

names = count()  # so that tests do not meet
EVERYTHING = "before_at = 9223372036854775807, before_source = '', before_event_id = ''"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with clickhouse_connect.get_client(interface="chdb") as client:
        migrations.migrate(client, Settings())
        catalogued.load(client, catalogue.load(Settings().catalogue_folder), 1)
        put(client, rows.TOUCHPOINT_SCORES, cell(START, 0, 1, [50.0], 3))
        yield client


@pytest.fixture
def world(client: Client) -> Iterator[World]:
    """One test's people; no sums of touchpoints may change by who is who."""
    world = World(client, str(next(names)))
    sums = {view: asked(client, f"SELECT * FROM {view}") for view in TOUCHPOINTS}
    yield world
    assert {view: asked(client, f"SELECT * FROM {view}") for view in TOUCHPOINTS} == sums


TOUCHPOINTS = ("touchpoint_quarters", "touchpoint_hourly", "touchpoint_daily")


@dataclass
class World:
    """Identifiers of one test: `device:d` stands for one that no other test has."""

    client: Client
    name: str

    def id(self, short: str) -> str:
        return short if short == "" or short.startswith("erased:") else f"{short}.{self.name}"

    def short(self, identifier: str) -> str:
        return identifier.removesuffix(f".{self.name}")

    def happened(self, short: str, event: str, at: int = 0, session: str = "", **changes: Any) -> None:
        moment = START + at
        times = {"occurred_at": moment, "occurred_at_sent": moment, "received_at": moment}
        made = entry(identifier=self.id(short), event_id=event, session_id=session, links=[], **times)
        put(self.client, rows.INTERACTIONS, made | changes)

    def scored(self, short: str) -> None:
        put(self.client, rows.CUSTOMER_SCORES, score(self.id(short), START // DAY_MS, ease=50.0))

    def allowed(
        self, short: str, event: str, at: int, session: str = "", public: bool = False, **purposes: bool
    ) -> None:
        self.happened(short, event, at, session, type="consent_changed", consent=purposes, public=public)

    def assigned(self, short: str, *owners: str, until: int | None = None, **sessions: str) -> None:
        """The newest word on whose an identifier is."""
        whose = {session: self.id(person) for session, person in sessions.items()}
        owned = tuple(map(self.id, owners))
        time = None if until is None else START + until
        candidates = tuple(person for person in owned if not is_erased(person)) if len(owned) > 1 else ()
        assignment = Assignment(1, owned, time, whose, candidates, len(owned) > 1)
        put(self.client, rows.IDENTITIES, identity(self.id(short), assignment))

    def by_person(self) -> dict[str, set[str]]:
        """Person → events, as four views have it, which must agree."""
        mine = "endsWith(identifier, {end:String})"
        end = f".{self.name}"
        found: dict[str, set[str]] = {}
        sql = f"SELECT person, event_id FROM interactions_by_person WHERE {mine}"
        for person, event in asked(self.client, sql, end=end):
            found.setdefault(self.short(person), set()).add(event)
        persons = asked(
            self.client,
            "SELECT person, interactions, identifiers FROM persons WHERE endsWith(person, {end:String})",
            end=end,
        )
        assert {self.short(person): n for person, n, _ in persons} == {who: len(has) for who, has in found.items()}
        stored = f"SELECT identifier FROM interactions WHERE {mine}"
        for who in found.keys() | {self.short(row[0]) for row in asked(self.client, stored, end=end)}:
            events = asked(
                self.client,
                f"SELECT event_id FROM person_timeline(person = {{person:String}}, {EVERYTHING})",
                person=self.id(who),
            )
            assert {row[0] for row in events} == found.get(who, set()), who
        return found

    def in_views(self) -> dict[str, set[str]]:
        """View → the persons of whom it says something, for every view of the schema that says whose something is."""
        end = f".{self.name}"
        found = {}
        for view in person_views(self.client):
            sql = f"SELECT DISTINCT person FROM {view} WHERE endsWith(person, {{end:String}})"
            found[view] = {self.short(row[0]) for row in asked(self.client, sql, end=end)}
        return found

    def current(self) -> set[str]:
        """Persons with scores."""
        sql = "SELECT person FROM customer_current WHERE endsWith(person, {end:String})"
        return {self.short(row[0]) for row in asked(self.client, sql, end=f".{self.name}")}

    def identities(self) -> dict[str, str]:
        sql = "SELECT identifier, person FROM identities_current WHERE endsWith(identifier, {end:String})"
        found = asked(self.client, sql, end=f".{self.name}")
        return {self.short(identifier): self.short(person) for identifier, person in found}


#: Views that say whatever people allow, with the reason. All others must honour what they refuse.
INSIDE = {
    "interactions_attributed": "what other views are made of",
    "consents_attributed": "what other views are made of",
    "identities_assigned": "what other views are made of",
    "analysis_refusals": "who refuses",
    "analysis_refused": "who refuses",
    "person_timeline": "takes parameters: by_person asks it",
}


def person_views(client: Client) -> list[str]:
    """Every view that has a person, as ClickHouse itself lists them: a new one is held to the same."""
    found = asked(
        client,
        "SELECT DISTINCT table FROM system.columns WHERE database = currentDatabase() AND name = 'person' AND table IN"
        " (SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View')",
    )
    return sorted({name for (name,) in found} - INSIDE.keys())


def lately(world: World, who: str) -> None:
    """Of which every view that has persons says something: a contact, an answer, an order, a complaint, a score."""
    ago = int(time.time() * 1000) - START - 3_600_000
    seen = {"evidence": {"effectiveness": 0.0, "ease": 50.0, "emotion": 25.0}, "evidence_kind": "observed"}
    contact = {"contact": "contact", "queue_outcome": "answered", "issue": "parcel", "details": {"queue": "q"}}
    answer = {"question": "csat", "value": 2.0, "min": 1.0, "max": 5.0}
    world.happened(who, "call", ago, "c", type="call_ended", channel="phone", **seen, **contact)
    world.happened(who, "step", ago, "c", touchpoint="site_search")
    world.happened(who, "answer", ago + 1, "c", type="survey_answered", answer=answer, **seen)
    world.happened(who, "order", ago + 1, "c", type="order_placed")
    world.happened(who, "complaint", ago + 2, "c", type="complaint_opened", issue="parcel")
    world.scored(who)


def test_every_view_of_persons_moves_with_whose_it_is_and_says_nothing_of_who_refuses(world: World) -> None:
    def everywhere(*persons: str) -> dict[str, set[str]]:
        return {view: set(persons) for view in person_views(world.client)}

    assert len(everywhere()) >= 8
    lately(world, "anonymous:a")
    world.assigned("anonymous:a")
    assert world.in_views() == everywhere("anonymous:a")
    world.scored("customer:c")
    world.assigned("anonymous:a", "customer:c")
    assert world.in_views() == everywhere("customer:c")
    world.allowed("customer:c", "no", at=1, analysis=False)
    assert world.in_views() == everywhere()
    world.allowed("customer:c", "yes", at=2, analysis=True)
    assert world.in_views() == everywhere("customer:c")
    world.allowed("anonymous:a", "browser's no", at=3, public=True, analysis=False)
    told = world.in_views()
    scores = ("customer_current", "customer_by_definition")
    for view in ("identities_current", *scores, "interactions_by_person", "persons"):
        assert told.pop(view) == {"customer:c"}  # there the customer is, by what is not of that browser
    assert set().union(*told.values()) == set()
    world.assigned("anonymous:a")
    told = world.in_views()
    assert told.pop("interactions_by_person") == told.pop("persons") == {"customer:c"}  # their own words on consent
    assert told.pop("customer_current") == told.pop("customer_by_definition") == {"customer:c"}
    assert set().union(*told.values()) == set()


def test_a_public_complaint_is_none_of_a_customers(world: World) -> None:
    opened = {"type": "complaint_opened", "issue": "parcel"}
    world.happened("customer:c", "opened", at=1, **opened)
    world.happened("customer:c", "forged", at=2, public=True, type="complaint_closed", issue="parcel")
    world.happened("customer:d", "forged too", at=2, public=True, **opened)
    world.happened("anonymous:a", "form", at=2, public=True, **opened)
    sql = "SELECT person, closed_at FROM complaint_times WHERE endsWith(person, {end:String}) ORDER BY person"
    found = asked(world.client, sql, end=f".{world.name}")
    assert [(world.short(who), at) for who, at in found] == [("anonymous:a", None), ("customer:c", None)]


def test_a_link_moves_last_weeks_visits_at_the_next_query_and_a_parting_moves_them_back(world: World) -> None:
    world.happened("anonymous:a", "visit", at=-7 * DAY_MS)
    world.happened("customer:c", "order")
    world.scored("anonymous:a")
    world.scored("customer:c")
    apart = {"anonymous:a": {"visit"}, "customer:c": {"order"}}
    assert (world.by_person(), world.current()) == (apart, {"anonymous:a", "customer:c"})
    world.assigned("anonymous:a", "customer:c")
    assert (world.by_person(), world.current()) == ({"customer:c": {"visit", "order"}}, {"customer:c"})
    assert world.identities() == {"anonymous:a": "customer:c"}
    world.assigned("anonymous:a")
    assert (world.by_person(), world.current()) == (apart, {"anonymous:a", "customer:c"})


def test_a_shared_device_goes_by_session_where_one_decided_else_by_interval(world: World) -> None:
    for event, at, session in (
        ("first", -2, ""),
        ("shared", 2, ""),
        ("late", -1, "s"),
        ("early", 1, "t"),
        ("own", 3, "u"),
    ):
        world.happened("device:d", event, at, session)
    world.assigned("device:d", "customer:a", "customer:b", until=0, s="customer:b", t="customer:a", u="")
    assert world.by_person() == {
        "customer:a": {"first", "early"},
        "customer:b": {"late"},
        "device:d": {"shared", "own"},
    }
    world.assigned("device:d", "customer:b")  # a was parted from it
    assert world.by_person() == {"customer:b": {"first", "shared", "late", "early", "own"}}
    world.assigned("device:d", "customer:a", "customer:b", until=0, s="customer:b")
    assert world.by_person() == {
        "customer:a": {"first"},
        "customer:b": {"late"},
        "device:d": {"shared", "early", "own"},
    }


def test_a_join_brings_everything_that_was_theirs_and_its_end_takes_it_back(world: World) -> None:
    world.happened("customer:old", "order", at=1)
    world.happened("anonymous:a", "visit", at=2)
    world.happened("customer:new", "call", at=3)
    world.scored("customer:old")
    world.assigned("anonymous:a", "customer:old")
    apart = {"customer:old": {"order", "visit"}, "customer:new": {"call"}}
    assert (world.by_person(), world.current()) == (apart, {"customer:old"})
    world.assigned("customer:old", "customer:new")
    world.assigned("anonymous:a", "customer:new")
    assert (world.by_person(), world.current()) == ({"customer:new": {"order", "visit", "call"}}, set())
    world.assigned("customer:old")
    world.assigned("anonymous:a", "customer:old")
    assert (world.by_person(), world.current()) == (apart, {"customer:old"})


def test_who_was_erased_is_nobody(world: World) -> None:
    erased = f"erased:{START}.o"
    for event, at, session in (("new", 1, ""), ("theirs", 1, "s"), ("other", 2, "t")):
        world.happened("device:d", event, at, session)
    world.happened("anonymous:a", "alone", at=1)
    world.scored("anonymous:a")
    world.assigned("device:d", erased, "customer:b", until=5, s=erased, t="customer:b")
    world.assigned("anonymous:a", erased)
    assert world.by_person() == {
        "device:d": {"new", "theirs"},
        "customer:b": {"other"},
        "anonymous:a": {"alone"},
    }
    assert world.current() == {"anonymous:a"}
    assert world.identities() == {"device:d": "device:d", "anonymous:a": "anonymous:a"}
    shown = "SELECT toString(tuple(*)) FROM identities_current WHERE endsWith(identifier, {end:String})"
    assert not [row for row in asked(world.client, shown, end=world.name) if "erased:" in row[0]]


def test_an_interaction_that_refuses_analysis_is_in_no_view_and_the_others_are(world: World) -> None:
    world.happened("customer:c", "yes", at=1, consent={"analysis": True})
    world.happened("customer:c", "no", at=2, consent={"analysis": False})
    world.happened("customer:c", "unsaid", at=3, consent={})
    assert world.by_person() == {"customer:c": {"yes", "unsaid"}}


def test_a_person_who_refuses_analysis_is_in_no_view_until_they_allow_it(world: World) -> None:
    world.happened("customer:c", "order", at=1)
    world.happened("anonymous:a", "visit", at=2)
    world.assigned("anonymous:a", "customer:c")
    world.scored("customer:c")
    world.allowed("customer:c", "no", at=3, analysis=False)
    assert (world.by_person(), world.current(), world.identities()) == ({}, set(), {})
    world.allowed("customer:c", "late yes", at=2, analysis=True)  # comes later, and is older
    world.allowed("customer:c", "of service", at=4, service=True)
    assert (world.by_person(), world.current()) == ({}, set())
    world.allowed("customer:c", "yes", at=5, analysis=True)
    assert world.by_person() == {"customer:c": {"order", "visit", "late yes", "of service", "yes"}}
    assert world.current() == {"customer:c"}


def test_what_was_said_of_consent_follows_whose_it_is(world: World) -> None:
    world.happened("customer:c", "order", at=1)
    world.happened("anonymous:a", "visit", at=2)
    world.allowed("anonymous:a", "no", at=3, analysis=False)
    assert world.by_person() == {"customer:c": {"order"}}
    world.assigned("anonymous:a", "customer:c")  # now it is the customer who said no
    assert world.by_person() == {}
    world.assigned("anonymous:a")
    assert world.by_person() == {"customer:c": {"order"}}


def test_of_a_shared_device_who_said_it_counts(world: World) -> None:
    for event, at, session in (("a", 1, "s"), ("b", 2, "t"), ("nobody", 3, "")):
        world.happened("device:d", event, at, session)
    world.allowed("device:d", "no", at=4, session="s", analysis=False)
    world.assigned("device:d", "customer:a", "customer:b", s="customer:a", t="customer:b")
    assert world.by_person() == {"customer:b": {"b"}, "device:d": {"nobody"}}


def test_what_refuses_service_is_not_in_the_timeline_of_a_person(world: World) -> None:
    world.happened("customer:c", "no", at=1, consent={"service": False})
    world.happened("customer:c", "yes", at=2)
    world.allowed("customer:d", "nothing", at=1, service=False)
    sql = f"SELECT event_id FROM person_timeline(person = {{person:String}}, {EVERYTHING})"
    assert asked(world.client, sql, person=world.id("customer:c")) == [("yes",)]
    assert asked(world.client, sql, person=world.id("customer:d")) == []


def test_a_public_word_does_not_speak_for_a_customer(world: World) -> None:
    world.happened("customer:c", "order", at=1)
    world.happened("anonymous:a", "visit", at=2)
    world.assigned("anonymous:a", "customer:c")
    world.scored("customer:c")
    world.allowed("customer:c", "forged no", at=3, public=True, analysis=False, service=False)
    assert world.by_person() == {"customer:c": {"order", "visit"}}  # for itself it may speak
    assert world.current() == {"customer:c"}
    world.allowed("customer:c", "no", at=4, analysis=False, service=False)
    world.allowed("customer:c", "forged yes", at=5, public=True, analysis=True, service=True)
    world.allowed("anonymous:a", "forged too", at=6, public=True, analysis=True, service=True)
    assert (world.by_person(), world.current()) == ({}, set())
    world.allowed("customer:c", "yes", at=7, analysis=True, service=True)
    assert world.by_person() == {"customer:c": {"order", "visit", "forged yes", "forged too", "yes"}}
    assert world.current() == {"customer:c"}


def test_a_visitor_who_says_no_is_heard_and_so_is_their_browser_after_the_login(world: World) -> None:
    world.happened("customer:c", "order", at=1)
    world.happened("anonymous:a", "visit", at=2)
    world.happened("device:d", "opened", at=2)
    world.assigned("device:d", "anonymous:a")
    world.scored("anonymous:a")
    world.allowed("anonymous:a", "no", at=3, public=True, analysis=False)
    assert (world.by_person(), world.current()) == ({"customer:c": {"order"}}, set())
    world.assigned("anonymous:a", "customer:c")
    world.assigned("device:d", "customer:c")
    world.scored("customer:c")
    assert world.by_person() == {"customer:c": {"order", "opened"}}  # of that browser nothing, of the customer all
    assert world.current() == {"customer:c"}
    world.allowed("customer:c", "yes", at=2, analysis=True)  # older: what is newer holds
    assert world.by_person() == {"customer:c": {"order", "opened", "yes"}}
    world.allowed("customer:c", "later yes", at=4, analysis=True)
    assert world.by_person() == {"customer:c": {"order", "opened", "yes", "visit", "later yes"}}
    world.allowed("anonymous:a", "no again", at=5, public=True, analysis=False)
    assert world.by_person() == {"customer:c": {"order", "opened", "yes", "later yes"}}
    world.allowed("anonymous:a", "all right", at=6, public=True, analysis=True)
    assert world.by_person() == {"customer:c": {"order", "opened", "yes", "visit", "later yes", "all right"}}
    world.assigned("anonymous:a")
    world.assigned("device:d", "anonymous:a")
    assert world.by_person() == {
        "customer:c": {"order", "yes", "later yes"},
        "anonymous:a": {"visit", "opened", "all right"},
    }


def test_what_a_browser_refuses_for_service_is_not_in_the_timeline(world: World) -> None:
    world.happened("customer:c", "order", at=1)
    world.happened("anonymous:a", "visit", at=2)
    world.assigned("anonymous:a", "customer:c")
    world.allowed("anonymous:a", "no", at=3, public=True, service=False)
    sql = f"SELECT event_id FROM person_timeline(person = {{person:String}}, {EVERYTHING})"
    assert asked(world.client, sql, person=world.id("customer:c")) == [("order",)]
    world.allowed("customer:c", "yes", at=4, service=True)
    assert {row[0] for row in asked(world.client, sql, person=world.id("customer:c"))} == {"order", "visit", "yes"}


identifiers = st.sampled_from(["customer:a", "customer:b", "anonymous:x", "device:y"])
owners = st.lists(st.sampled_from(["customer:a", "customer:b"]), unique=True, max_size=2)


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            identifiers,
            st.integers(0, 3),
            st.sampled_from(["", "s"]),
            st.none() | st.booleans(),
            st.sampled_from(["searched", "consent_changed", "profile_updated"]),
            st.booleans(),
        ),
        min_size=1,
        max_size=10,
    ),
    st.dictionaries(st.sampled_from(["anonymous:x", "device:y"]), st.lists(owners, min_size=1, max_size=3)),
    st.booleans(),
)
def test_whatever_is_said_the_newest_word_of_each_person_counts(
    client: Client,
    happened: Sequence[tuple[str, int, str, bool | None, str, bool]],
    links: dict[str, list[list[str]]],
    first: bool,
) -> None:
    """Against the rule itself, applied to the owners that assignments say."""
    world = World(client, str(next(names)))
    stored = {}  # the last copy of an event counts
    for who, at, session, word, kind, public in happened:
        consent = {} if word is None else {"analysis": word}
        event = f"{who} {at}{session}{kind}{public}"
        world.happened(who, event, at, session, type=kind, consent=consent, public=public)
        stored[who, event] = (at, session, word, kind, public)
    newest = {}
    for who, history in links.items():
        for owned in history:
            world.assigned(who, *owned, until=2 if len(owned) > 1 else None)
            newest[who] = Assignment(1, tuple(owned), 2 if len(owned) > 1 else None)

    def owner(who: str, session: str, at: int) -> str:
        return newest[who].owner(who, session, at) if who in newest else who

    words: dict[str, tuple[tuple[int, str], bool]] = {}  # of persons
    heard: dict[tuple[str, str], tuple[tuple[int, str], bool]] = {}  # of what came with a public key
    for (who, event), (at, session, word, kind, public) in stored.items():
        if word is not None and kind != "searched":
            person, said = owner(who, session, at), ((at, event), word)
            if not public:
                words[person] = max(words.get(person, said), said)
            elif not who.startswith("customer:"):
                place = (person, who if person.startswith("customer:") else "")
                heard[place] = max(heard.get(place, said), said)
    expected: dict[str, set[str]] = {}
    for (who, event), (at, session, word, _, _) in stored.items():
        person = owner(who, session, at)
        own = words.get(person, ((-1, ""), True))
        said = heard.get((person, who if person.startswith("customer:") else ""), ((-1, ""), True))
        if word is not False and own[1] and (said[1] or said[0] < own[0]):
            expected.setdefault(person, set()).add(event)
    sql = "SELECT person, event_id FROM interactions_by_person WHERE endsWith(identifier, {end:String})"
    found: dict[str, set[str]] = {}
    for person, event in asked(client, sql, end=f".{world.name}"):
        found.setdefault(world.short(person), set()).add(event)
    assert found == expected


def test_alerts_that_stand_and_lookups_can_be_read(client: Client) -> None:
    alert = alerted(kind="stands_alone", subject="device:kiosk", reason="more than 64 owners", opened_at=START)
    put(
        client,
        rows.ALERTS,
        {**alert, "alert_id": "1", "closed_at": None},
        {**alert, "alert_id": "2", "closed_at": START},
    )
    put(client, rows.ALERTS, {**alert, "alert_id": "3", "closed_at": None})
    put(client, rows.ALERTS, {**alert, "alert_id": "3", "closed_at": START + 1})
    assert asked(client, "SELECT alert_id, subject FROM alerts_open") == [("1", "device:kiosk")]
    said = {"at": 4_000_000_000_000, "actor": "desk", "subjects": ["ab" * 16], "shown": ["cd" * 16], "outcome": "found"}
    lookup = {"audit_id": "l", "action": "context", "purpose": "call", "reason": "", "order_id": ""}
    order = {"audit_id": "o", "action": "join", "purpose": "", "reason": "same person", "order_id": "7"}
    put(client, rows.AUDIT, said | lookup, said | order)
    assert asked(client, "SELECT actor, action, purpose, subjects, shown, outcome FROM lookups") == [
        ("desk", "context", "call", ["ab" * 16], ["cd" * 16], "found")
    ]
    put(client, rows.AUDIT, said | order | {"outcome": "accepted"})
    assert asked(client, "SELECT outcome FROM audit FINAL WHERE order_id = '7'") == [("accepted",)]
