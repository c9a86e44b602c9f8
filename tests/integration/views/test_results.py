"""What customers brought and cost: of events and outcomes, each once, under whose it is, and nobody's who refuses."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from pipeline.domain.messages import Assignment
from pipeline.settings import Settings
from pipeline.store import migrations, rows
from tests.collecting import NOON
from tests.integration.stored import asked, identity, put
from tests.outcomes import sent
from tests.unit.store.records import entry


def happened(client: Client, who: str, event: str, kind: str, **changes: Any) -> None:
    """An event at the shop."""
    at = dict.fromkeys(("occurred_at", "occurred_at_sent", "received_at"), changes.pop("at", NOON))
    made = entry(identifier=who, source="shop", event_id=event, type=kind, session_id="", links=[], items=[]) | at
    put(client, rows.INTERACTIONS, made | {"measures": {}, "properties": {}} | changes)


def came(client: Client, who: str, **changes: Any) -> None:
    """An outcome."""
    said = sent(identifier=who, received_at=NOON, session_id="", **changes)
    del said["identifiers"]
    put(client, rows.OUTCOMES, said)


def results(client: Client) -> dict[tuple[str, str], tuple[Any, ...]]:
    """(source, id) → person, kind, amount, currency."""
    found = asked(client, "SELECT source, outcome_id, person, kind, amount, currency FROM business_results")
    told = {(row[0], row[1]): row[2:] for row in found}
    assert len(told) == len(found), "each counts once"
    return told


ORDER = {"order_id": "O-1", "currency": "USD"}


def item(price: float | None, quantity: float = 1.0) -> dict[str, Any]:
    return {"product": "p", "quantity": quantity, "price": price, "name": ""}


def test_events_are_results_by_themselves_and_outcomes_stand_beside_them(client: Client) -> None:
    happened(client, "customer:a", "1", "order_placed", measures={"amount": 50.0}, properties=ORDER)
    happened(client, "customer:a", "2", "page_viewed", measures={"amount": 7.0})
    came(client, "customer:a", outcome_id="3", kind="renewal", amount=9.5)
    came(client, "customer:b", outcome_id="4", kind="churn", amount=None, currency="")
    assert results(client) == {
        ("shop", "1"): ("customer:a", "order", 50.0, "USD"),
        ("billing", "3"): ("customer:a", "renewal", 9.5, "USD"),
        ("billing", "4"): ("customer:b", "churn", None, ""),
    }


@pytest.mark.parametrize(
    ("told", "amount"),
    [
        ({"items": [item(7.1, 2.0), item(0.1)]}, -14.3),
        ({"items": [item(7.1), item(None)]}, -50.0),  # not all of it has a price: as if it said nothing
        ({"measures": {"amount": 12.0}, "items": [item(7.1)]}, -12.0),
        ({"measures": {"amount": -12.0}}, -12.0),
        ({}, -50.0),
        ({"properties": {"order_id": "O-2"}}, None),
        ({"properties": {}}, None),
    ],
)
@pytest.mark.parametrize(("kind", "shown"), [("order_returned", "return"), ("order_cancelled", "cancellation")])
def test_what_goes_back_costs_what_it_says_or_its_order(
    client: Client, kind: str, shown: str, told: dict[str, Any], amount: float | None
) -> None:
    happened(client, "customer:a", "1", "order_placed", measures={"amount": 50.0}, properties=ORDER)
    happened(client, "customer:a", "back", kind, **{"properties": {"order_id": "O-1"}} | told)
    currency = "" if amount is None else "USD"
    assert results(client)["shop", "back"] == ("customer:a", shown, amount, currency)


def test_nothing_counts_twice(client: Client) -> None:
    happened(client, "customer:a", "1", "order_placed", measures={"amount": 50.0}, properties=ORDER)
    happened(client, "customer:a", "1", "order_placed", measures={"amount": 50.0}, properties=ORDER)
    happened(client, "loyalty:a", "1", "order_placed", at=NOON + 1, measures={"amount": 60.0})  # a copy that came later
    happened(client, "customer:a", "2", "order_returned", properties={"order_id": "O-1"})
    for source in ("shop", "billing"):
        came(client, "customer:a", outcome_id="2", source=source, amount=-50.0)
    came(client, "customer:a", outcome_id="3", amount=-1.0)
    came(client, "customer:b", outcome_id="3", amount=-2.0)  # corrected: whose it was, and how much
    assert results(client) == {
        ("shop", "1"): ("customer:a", "order", 50.0, "USD"),
        ("shop", "2"): ("customer:a", "return", -50.0, "USD"),
        ("billing", "2"): ("customer:a", "refund", -50.0, "USD"),  # another system's own number
        ("billing", "3"): ("customer:b", "refund", -2.0, "USD"),
    }


def order(client: Client, who: str, event: str, amount: float | None, **changes: Any) -> None:
    """An order, O-1 unless it says another."""
    measures = {} if amount is None else {"amount": amount}
    happened(client, who, event, "order_placed", measures=measures, **{"properties": ORDER} | changes)


def test_an_order_counts_once_however_often_it_is_told(client: Client) -> None:
    order(client, "customer:a", "1", 50.0, source="web")
    order(client, "customer:a", "other", 7.0, properties={"order_id": "O-2"})
    order(client, "customer:b", "1", 9.0)  # somebody else's O-1 is another one
    order(client, "customer:a", "erp-1", 50.0, at=NOON + 1, source="erp")
    order(client, "customer:a", "updated", 60.0, at=NOON + 2)
    order(client, "customer:a", "sent", None, at=NOON + 3)  # and what says no amount changes none
    assert results(client) == {
        ("shop", "updated"): ("customer:a", "order", 60.0, "USD"),
        ("shop", "other"): ("customer:a", "order", 7.0, ""),
        ("shop", "1"): ("customer:b", "order", 9.0, "USD"),
    }


def test_an_order_was_when_it_was_told_first(client: Client) -> None:
    """What is told of it later does not bring it into a later window."""
    order(client, "customer:a", "2", 60.0, at=NOON + 5)
    order(client, "customer:a", "1", 50.0)
    happened(client, "customer:a", "back", "order_returned", at=NOON + 9, properties=ORDER)
    said = "SELECT outcome_id, toUnixTimestamp64Milli(occurred_at), amount FROM business_results ORDER BY outcome_id"
    assert asked(client, said) == [("2", NOON, 60.0), ("back", NOON + 9, -60.0)]


def test_orders_of_several_identifiers_are_one_as_soon_as_these_are_one_person(client: Client) -> None:
    order(client, "phone:k1.1", "1", 50.0)
    order(client, "customer:a", "2", 50.0, source="erp", at=NOON + 1)
    assert len(results(client)) == 2
    put(client, rows.IDENTITIES, identity("phone:k1.1", Assignment(1, ("customer:a",))))
    assert results(client) == {("erp", "2"): ("customer:a", "order", 50.0, "USD")}


def test_orders_without_a_number_are_each_one(client: Client) -> None:
    for event in ("1", "2"):
        order(client, "customer:a", event, 50.0, properties={})
        order(client, "customer:a", event, 50.0, properties={}, source="till")
    assert len(results(client)) == 4


def test_what_a_public_key_says_of_an_order_changes_none_that_a_system_told(client: Client) -> None:
    order(client, "anonymous:x", "1", 50.0)
    order(client, "anonymous:x", "2", 1e6, public=True, at=NOON + 1)
    assert results(client) == {("shop", "1"): ("anonymous:x", "order", 50.0, "USD")}


@pytest.mark.parametrize(
    ("told", "net"),
    [
        ((("order_returned", None), ("order_returned", None)), 0.0),  # two parcels
        ((("order_returned", 20.0), ("order_cancelled", None)), 0.0),
        ((("order_returned", 20.0), ("order_returned", 30.0), ("order_returned", None)), 0.0),
        ((("order_returned", 70.0), ("order_cancelled", None)), -20.0),  # what they say themselves counts
        ((("order_returned", 20.0), ("order_returned", 5.0)), 25.0),
    ],
)
def test_what_says_no_amount_takes_back_what_is_left(
    client: Client, told: tuple[tuple[str, float | None], ...], net: float
) -> None:
    """In whatever order they are told."""
    for turn, each in enumerate(permutations(told)):
        who = f"customer:{turn}"
        order(client, who, f"{turn}", 50.0)
        for n, (kind, amount) in enumerate(each):
            measures = {} if amount is None else {"amount": amount}
            happened(client, who, f"{turn}-{n}", kind, at=NOON + 2 + n, measures=measures, properties=ORDER)
    sums = asked(client, "SELECT person, sum(amount), min(currency), max(amount) FROM business_results GROUP BY person")
    assert {row[1:] for row in sums} == {(net, "USD", 50.0)}
    silent = asked(
        client, "SELECT count() FROM business_results WHERE kind != 'order' AND (amount IS NULL OR amount > 0)"
    )
    assert silent == [(0,)]


def test_the_first_that_says_no_amount_takes_it(client: Client) -> None:
    order(client, "customer:a", "1", 50.0)
    for event, late in (("second", 2), ("first", 1)):
        happened(client, "customer:a", event, "order_returned", at=NOON + late, properties={"order_id": "O-1"})
    assert results(client)["shop", "first"] == ("customer:a", "return", -50.0, "USD")
    assert results(client)["shop", "second"] == ("customer:a", "return", 0.0, "USD")


@pytest.mark.parametrize("told", [{"details": {"order": "O-1"}}, {"properties": {"order_id": "O-1"}}])
def test_a_return_names_its_order_as_the_stream_understands_it(client: Client, told: dict[str, Any]) -> None:
    order(client, "customer:a", "1", 50.0)
    happened(client, "customer:a", "back", "order_returned", at=NOON + 1, **told)
    assert results(client)["shop", "back"] == ("customer:a", "return", -50.0, "USD")


def test_orders_that_were_stored_before_are_copied_with_their_names(client: Client) -> None:
    """As `0018_order_names.sql` does, which may be cut off and run again."""
    order(client, "customer:a", "1", 50.0)
    happened(client, "customer:a", "back", "order_returned", at=NOON + 1, details={"order": "O-1"})
    right = results(client)
    stored = asked(client, "SELECT * FROM orders FINAL ORDER BY event_id")
    nameless = "SELECT * REPLACE (0 AS order_number) FROM orders FINAL WHERE event_id = 'back'"
    client.command(f"INSERT INTO orders {nameless}")  # of the same version: the last one stays
    assert results(client)["shop", "back"] == ("customer:a", "return", None, "")
    (migration,) = (
        each
        for each in migrations.read_tables(Settings().schemas / "clickhouse")
        if each.name.endswith("_order_names.sql")
    )
    for statement in migration.statements * 2:
        client.command(statement)
    assert results(client) == right
    assert asked(client, "SELECT * FROM orders FINAL ORDER BY event_id") == stored


def test_whose_it_is_moves_with_its_identifier(client: Client) -> None:
    came(client, "phone:k1.1", outcome_id="1")
    came(client, "device:d", outcome_id="early", occurred_at=NOON - 1)
    came(client, "device:d", outcome_id="late", occurred_at=NOON)
    put(client, rows.IDENTITIES, identity("phone:k1.1", Assignment(1, ("customer:a",))))
    shared = Assignment(1, ("customer:a", "customer:b"), NOON, {}, ("customer:a", "customer:b"), True)
    put(client, rows.IDENTITIES, identity("device:d", shared))
    assert {name: found[0] for (_, name), found in results(client).items()} == {
        "1": "customer:a",
        "early": "customer:a",
        "late": "device:d",
    }
    put(client, rows.IDENTITIES, identity("phone:k1.1", Assignment(2, ())))
    assert results(client)["billing", "1"][0] == "phone:k1.1"


def test_who_refuses_analysis_has_none(client: Client) -> None:
    came(client, "anonymous:x", outcome_id="1")
    came(client, "customer:a", outcome_id="2")
    happened(client, "customer:a", "3", "order_placed", consent={"analysis": False})
    came(client, "customer:a", outcome_id="3", source="shop")  # it says no itself
    put(client, rows.IDENTITIES, identity("anonymous:x", Assignment(1, ("customer:a",))))
    assert results(client).keys() == {("billing", "1"), ("billing", "2")}
    word = {"type": "consent_changed", "consent": {"analysis": False}}
    put(client, rows.INTERACTIONS, entry(identifier="anonymous:x", event_id="no", public=True, links=[]) | word)
    assert results(client).keys() == {("billing", "2")}, "what is filed under that browser is not used"
    put(client, rows.INTERACTIONS, entry(identifier="customer:a", event_id="no", links=[]) | word)
    assert results(client) == {}


def test_what_a_public_key_forges_is_nobodys_result_and_hides_none(client: Client) -> None:
    happened(client, "customer:a", "1", "order_placed", public=True, measures={"amount": 1e6})
    happened(client, "anonymous:x", "2", "order_placed", public=True, measures={"amount": 1e6})
    happened(client, "anonymous:x", "visitor", "order_placed", public=True, measures={"amount": 5.0})
    came(client, "customer:a", outcome_id="1", source="shop", amount=-1.0)
    happened(client, "customer:a", "2", "order_placed", at=NOON + 9, measures={"amount": 20.0}, properties=ORDER)
    assert results(client) == {
        ("shop", "1"): ("customer:a", "refund", -1.0, "USD"),
        ("shop", "2"): ("customer:a", "order", 20.0, "USD"),
        ("shop", "visitor"): ("anonymous:x", "order", 5.0, ""),
    }


def test_changes_are_shown_as_they_were_recorded_last(client: Client) -> None:
    said = {"change_id": "c-1", "touchpoint": "call_queue", "changed_on": 20_414, "what": "Two more agents."}
    who = {"recorded_at": NOON, "recorded_by": "staff:0123456789abcdef"}
    put(client, rows.CHANGES, said | who, said | who | {"what": "Three more agents.", "changed_on": 20_415})
    found = asked(client, "SELECT change_id, touchpoint, toString(changed_on), what, recorded_by FROM changes_current")
    assert found == [("c-1", "call_queue", "2025-11-23", "Three more agents.", "staff:0123456789abcdef")]
