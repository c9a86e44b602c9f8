"""What customers brought and cost: of events and outcomes, each once, under whose it is, and nobody's who refuses."""

from __future__ import annotations

from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from pipeline.domain.messages import Assignment
from pipeline.store import rows
from tests.collecting import NOON
from tests.integration.stored import asked, identity, put
from tests.outcomes import sent
from tests.unit.store.records import entry


def happened(client: Client, who: str, event: str, kind: str, **changes: Any) -> None:
    """An event at the shop."""
    at = dict.fromkeys(("occurred_at", "occurred_at_sent", "received_at"), changes.pop("at", NOON))
    made = entry(identifier=who, source="shop", event_id=event, type=kind, session_id="", links=[], items=[], **at)
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
