"""What the views give alerts to look at, on the real engine (embedded in this process)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

from pipeline import catalogue
from pipeline.alert.looking import Looking
from pipeline.domain.alerts import ASK, CONTROL, KINDS, OVERDUE, SEVERE, THRESHOLD, Cause, Look
from pipeline.domain.messages import Assignment
from pipeline.settings import Settings
from pipeline.store import catalogued, migrations, rows

from ..unit.store.records import entry
from .stored import alert as alerted
from .stored import cell, identity, put

HOUR, DAY = 3_600_000, 86_400_000
NOW = time.time_ns() // 1_000_000
SHOP = catalogue.load(Settings().catalogue_folder)
names = count()


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with clickhouse_connect.get_client(interface="chdb") as client:
        migrations.migrate(client, Settings())
        catalogued.load(client, SHOP, NOW)
        yield client


class Kept:
    """A client that is not closed by whoever looks."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def query(self, *given: Any, **more: Any) -> Any:
        return self._client.query(*given, **more)

    def close(self) -> None:
        pass


def looking(client: Client, known: Any = SHOP) -> Looking:
    kept: Any = Kept(client)
    return Looking(known, "UTC", lambda: kept)


def look(client: Client) -> Look:
    return looking(client).look().look


def only(found: Look, kind: str, **fields: Any) -> list[Cause]:
    """The causes of a kind with these fields."""
    return [c for c in found.causes if c.kind == kind and all(getattr(c, n) == v for n, v in fields.items())]


def happened(client: Client, who: str, hours_ago: float, **changes: Any) -> None:
    at = NOW - int(hours_ago * HOUR)
    times = dict.fromkeys(("occurred_at", "occurred_at_sent", "received_at"), at)
    put(
        client,
        rows.INTERACTIONS,
        entry(identifier=who, **{"event_id": f"e{next(names)}", "links": [], **times, **changes}),
    )


def scored(client: Client, touchpoint: str, hours_ago: float, values: list[float]) -> None:
    start = (NOW - int(hours_ago * HOUR)) // 900_000 * 900_000
    put(client, rows.TOUCHPOINT_SCORES, cell(start, 0, 1, values, len(values)) | {"touchpoint": touchpoint})


def test_with_nothing_stored_there_is_no_cause(client: Client) -> None:
    found = look(client)
    assert (found.causes, found.unseen) == ([], frozenset())


def test_a_red_dot_is_a_cause_a_grey_one_keeps_and_a_green_one_is_over(client: Client) -> None:
    place = "checkout"
    scored(client, place, 1, [50.0, 51.0, 52.0] * 20)
    (red,) = only(look(client), THRESHOLD, touchpoint=place)
    assert red.opens
    assert red.reason.startswith("Checkout is red: score 51 from 60 pieces of evidence")
    assert (red.owner, red.deputy, red.n) == ("lead of checkout", "head of online shop", 60)
    assert red.low is not None
    assert red.high is not None
    assert red.low < 51.0 < red.high < 60.0
    assert red.what_to_do == SHOP.touchpoints[place].when_red
    scored(client, place, 1, [0.0, 100.0] * 20)
    (grey,) = only(look(client), THRESHOLD, touchpoint=place)
    assert (grey.key, grey.opens) == (red.key, False)
    scored(client, place, 1, [95.0, 96.0] * 30)
    found = look(client)
    assert only(found, THRESHOLD, touchpoint=place) == []
    assert found.over[red.key] == "its dot is green"


def test_a_severe_experience_is_a_cause_of_its_identifier_touchpoint_and_day(client: Client) -> None:
    put(client, rows.IDENTITIES, identity("anonymous:s", Assignment(1, ("customer:s",))))
    worst = {"effectiveness": 0.0, "ease": None, "emotion": 40.0}
    given = {"touchpoint": "doorstep", "type": "delivery_failed", "evidence": worst, "consent": {}}
    happened(client, "anonymous:s", 1, severe=True, received_at=NOW - 2 * HOUR, **given)
    happened(client, "anonymous:s", 1, severe=True, **given)
    happened(client, "anonymous:s", 1, severe=False, **given)
    happened(client, "customer:old", 49, severe=True, **given)
    happened(client, "customer:no", 1, severe=True, **{**given, "consent": {"analysis": False}})
    found = only(look(client), SEVERE, touchpoint="doorstep")
    assert {each.identifier for each in found} == {"anonymous:s"}
    first = found[0]
    assert (first.person, sum(each.n for each in found), first.value) == ("customer:s", 2, 0.0)
    assert min(each.since or 0 for each in found) == NOW - 2 * HOUR
    assert first.cause == f"doorstep/{time.strftime('%Y-%m-%d', time.gmtime((NOW - HOUR) / 1000))}"
    assert "customer" not in first.reason
    assert first.owner


def test_complaints_past_their_time_and_closed_ones_are_causes(client: Client) -> None:
    said = {"complaint_id": "C-1", "root_cause": "r", "next_step": "n"}
    told = {"touchpoint": "call_queue", "properties": said, "consent": {}}
    happened(client, "customer:late", 30, type="complaint_opened", **told)
    happened(client, "customer:closed", 60, type="complaint_opened", **told)
    happened(client, "customer:closed", 20, type="complaint_closed", **{**told, "touchpoint": "email"})
    happened(client, "customer:ancient", 24 * 100, type="complaint_opened", **told)
    found = look(client)
    (late,) = only(found, OVERDUE, identifier="customer:late")
    assert (late.cause, late.person, late.high, late.opens) == ("C-1", "customer:late", 24.0, True)
    assert "should have been acknowledged within 24 hours" in late.reason
    (ancient,) = only(found, OVERDUE, identifier="customer:ancient")
    assert not ancient.opens
    (ask,) = only(found, ASK)
    assert (ask.identifier, ask.cause, ask.since) == ("customer:closed", "C-1#0", NOW - 60 * HOUR)
    happened(client, "customer:closed", 1, type="survey_answered", touchpoint="email", consent={})
    found = look(client)
    assert only(found, ASK) == []
    assert found.over[ask.key] == "they have answered"


@pytest.mark.parametrize(
    ("answer", "answered"),
    [
        (None, False),
        ({"about": "closing"}, True),
        ({"about": "opening"}, True),
        ({"about": "c"}, True),
        ({"about": "something else"}, False),
        ({"touchpoint": "call_queue"}, True),  # where they had complained
        ({"touchpoint": "email"}, True),  # where it was closed
        ({"about": "closing", "hours_ago": 50}, False),  # before it was closed
        ({"about": "closing", "type": "searched"}, False),
        ({"about": "closing", "by": "anonymous"}, True),
        ({"about": "closing", "by": "customer:other"}, False),
    ],
)
def test_who_complained_is_to_be_asked_until_they_answer(
    client: Client, answer: dict[str, Any] | None, answered: bool
) -> None:
    n = next(names)
    who, weak = f"customer:a{n}", f"anonymous:a{n}"
    put(client, rows.IDENTITIES, identity(weak, Assignment(1, (who,))))
    said = {"properties": {"complaint_id": "c", "root_cause": "r", "next_step": "n"}, "consent": {}}
    happened(client, who, 60, type="complaint_opened", event_id="opening", touchpoint="call_queue", **said)
    happened(client, who, 30, type="complaint_closed", event_id="closing", touchpoint="email", **said)
    if answer is not None:
        given = {"type": "survey_answered", "touchpoint": "site", "consent": {}, "hours_ago": 5} | answer
        by = {"customer": who, "anonymous": weak}.get(str(given.get("by", "customer")), str(given.get("by")))
        given.pop("by", None)
        happened(client, by, given.pop("hours_ago"), **given)
    found = look(client)
    assert bool(only(found, ASK, identifier=who)) is not answered
    assert ((ASK, who, "c#0") in found.over) is answered


def test_what_changes_slowly_is_asked_for_now_and_then(client: Client) -> None:
    again = looking(client)
    unseen = [again.look().look.unseen for _ in range(4)]
    assert unseen == [frozenset(), {ASK, OVERDUE, CONTROL}, {ASK, OVERDUE, CONTROL}, {CONTROL}]


def test_a_broken_control_limit_is_a_cause_and_charts_are_read_now_and_then(client: Client) -> None:
    for day in range(2, 20):
        values = [30.0, 32.0] * 20 if day == 2 else [79.0 + day % 3, 81.0] * 20
        scored(client, "store_counter", day * 24, values)
    again = looking(client)
    first = again.look().look
    (broken,) = only(first, CONTROL)
    assert broken.touchpoint == "store_counter"
    assert "has become worse than chance explains" in broken.reason
    second = again.look().look
    assert CONTROL in second.unseen
    assert only(second, CONTROL) == []


def test_each_dimension_has_a_chart_and_an_alert_of_its_own(client: Client) -> None:
    """One that is as ever hides nothing of another one at the same place."""
    for place, broken in (("pickup_point", "ease"), ("installer_visit", "emotion")):
        for day in range(2, 20):
            start = (NOW - day * 24 * HOUR) // 900_000 * 900_000
            found = {"touchpoint": place, "ease_asked_n": 0, "ease_asked_sum": 0.0, "ease_asked_sum2": 0.0}
            for dimension in ("ease", "emotion"):
                mean = 30.0 if day == 2 and dimension == broken else 79.0 + day % 3
                sums = {"n": 40, "sum": 40 * mean, "sum2": 40 * mean * mean}
                found |= {f"{dimension}_asked_{name}": value for name, value in sums.items()}
            put(client, rows.TOUCHPOINT_SCORES, cell(start, 0, 1, [], 40) | found)
    again = looking(client).look().look
    causes = {
        each.cause: each for each in only(again, CONTROL) if each.touchpoint in ("pickup_point", "installer_visit")
    }
    assert set(causes) == {"pickup_point/ease", "installer_visit/emotion"}
    assert causes["pickup_point/ease"].reason.startswith(
        "The ease of Pick-up point has become worse than chance explains"
    )
    steady = {key for key in again.over if key[0] == CONTROL}
    assert steady >= {(CONTROL, "", "pickup_point/emotion"), (CONTROL, "", "installer_visit/ease")}


def test_who_refuses_analysis_and_has_an_alert_is_named(client: Client) -> None:
    alert = alerted(alert_id="severe-1", kind="severe", opened_at=NOW, updated_at=NOW, n=1)
    put(client, rows.ALERTS, alert | {"person": "customer:r", "identifier": "customer:r"})
    put(client, rows.ALERTS, alert | {"alert_id": "severe-2", "person": "customer:t", "identifier": "customer:t"})
    assert looking(client).look().refusing == frozenset()
    happened(client, "customer:r", 1, type="consent_changed", consent={"analysis": False})
    assert looking(client).look().refusing == {"severe-1"}
    shown = client.query("SELECT alert_id FROM alerts_open ORDER BY alert_id").result_rows
    assert shown == [("severe-2",)]


def test_the_bank_has_its_own_times(client: Client) -> None:
    bank = catalogue.load(Settings().catalogue_folder / "bank")
    catalogued.load(client, bank, NOW + 1)
    found = looking(client, bank).look().look
    assert {each.kind for each in found.causes} <= set(KINDS)
    (late,) = only(found, OVERDUE, identifier="customer:late")
    assert (late.high, late.owner) == (24.0, bank.touchpoints["call_queue"].owner)
    catalogued.load(client, SHOP, NOW + 2)
