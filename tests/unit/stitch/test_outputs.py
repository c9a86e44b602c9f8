"""What ClickHouse may hold of an interaction: listed, cleaned, and nobody who works here by name."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pipeline.domain.identifiers import Keyring
from pipeline.domain.interaction import Item
from pipeline.settings import Settings
from pipeline.stitch.outputs import Outputs
from pipeline.wire import Codec
from tests.interactions import made
from tests.policies import POLICY

CODEC = Codec(Settings().schemas)
KEYRING = Keyring({"k1": bytes(32)}, "k1", bytes(range(32)))
OUTPUTS = Outputs(KEYRING, POLICY, "US")


def entry(**fields: Any) -> dict[str, Any]:
    """The record as whoever reads the topic gets it."""
    return CODEC.decode(CODEC.encode("timeline_entry", OUTPUTS.entry(made(**fields), None, 1)))[1]


def test_only_the_listed_properties_are_stored_and_cleaned() -> None:
    said = {
        "query": "do you have ann@example.com or 2025550142",
        "order_id": "2025550142",
        "diary": "dear diary",
        "+12025550142": "x",
    }
    assert entry(properties=said)["properties"] == {
        "query": "do you have [e-mail] or [phone]",
        "order_id": "2025550142",
    }


def test_of_a_profile_update_only_listed_names_are_stored() -> None:
    said = {"name": "Ada King", "language": "en", "born": "1815-12-10", "ann@example.com": ""}
    assert entry(type="profile_updated", properties=said)["properties"] == {"name": "", "language": ""}


def test_a_trait_is_no_property_of_other_events() -> None:
    assert entry(type="identified", properties={"name": "Ada King"})["properties"] == {}


@pytest.mark.parametrize("field", sorted(POLICY.staff))
def test_staff_have_pseudonyms_that_stay_the_same(field: str) -> None:
    first, again, other = (entry(details={field: who})["details"][field] for who in ("Alma", "Alma", "Bo"))
    assert first == again == KEYRING.pseudonym("staff", "Alma")
    assert first != other


def test_details_are_text_and_cleaned() -> None:
    said = {"queue": "returns", "wait_s": 30.0, "transfers": 2, "bot": True, "handle_s": 4.25, "url": "/?q=2025550142"}
    assert entry(details=said)["details"] == {
        "queue": "returns",
        "wait_s": "30",
        "transfers": "2",
        "bot": "true",
        "handle_s": "4.25",
        "url": "/?q=[phone]",
    }


def test_every_text_is_cleaned() -> None:
    found = entry(
        goal="reach 2025550142",
        issue="write to ann@example.com",
        items=(Item("p-+12025550142", 1.0, None, "for ann@example.com"),),
        answer=("nps of ann@example.com", 1.0, 0.0, 10.0),
        measures={"results": 3.0, "ann@example.com": 1.0},
    )
    assert (found["goal"], found["issue"]) == ("reach [phone]", "write to [e-mail]")
    assert [(item["product"], item["name"]) for item in found["items"]] == [("p-[phone]", "for [e-mail]")]
    assert found["answer"]["question"] == "nps of [e-mail]"
    assert found["measures"] == {"results": 3.0}


def test_the_interaction_itself_stays_as_it_is() -> None:
    x = made(
        properties={"query": "ann@example.com", "diary": "x"}, details={"agent": "Alma"}, measures={"a@b.com": 1.0}
    )
    before = json.dumps([x.properties, x.details, x.measures])
    OUTPUTS.entry(x, None, 1)
    assert json.dumps([x.properties, x.details, x.measures]) == before, "who serves the person sees it"


def test_without_a_list_nothing_is_stored() -> None:
    record = Outputs(KEYRING, replace(POLICY, properties=frozenset(), traits=frozenset()), "US").entry
    assert record(made(properties={"query": "shoes"}), None, 1)["properties"] == {}
