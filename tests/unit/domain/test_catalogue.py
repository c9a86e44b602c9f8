"""The catalogue: what ships can be read, and every mistake is said with its place."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.catalogue import load
from pipeline.domain.catalogue import BadCatalogue, policy, scoring, touchpoints
from pipeline.domain.interaction import NAMESPACES
from pipeline.domain.policy import Placeholders
from tests.interactions import made

SCHEMAS = Path(__file__).parents[3] / "schemas"
GOOD: dict[str, Any] = {"version": 1, "half_life_days": 30}
SPOT: dict[str, Any] = {"id": "cart", "name": "Cart", "channels": ["web"], "owner": "shop", "layer": "front"}
CURVE: dict[str, Any] = {
    "measure": "wait_s",
    "types": ["call_ended"],
    "dimension": "ease",
    "points": [[0, 100], [9, 0]],
}


def test_the_catalogue_that_ships_can_be_used() -> None:
    catalogue = load(SCHEMAS)
    assert catalogue.scoring.version >= 1
    assert {"site_search", "call_queue", "store_counter", "doorstep", "chat"} <= set(catalogue.touchpoints)
    long_wait = made(type="call_ended", channel="phone", measures={"wait_s": 1200.0})
    said = catalogue.scoring.experience(long_wait)
    assert said is not None
    assert (said.asked, said.values, said.severe) == (False, (None, 0.0, None), True)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "the file: must be a mapping"),
        ({**GOOD, "version": 0}, "version"),
        ({**GOOD, "version": True}, "version"),
        ({**GOOD, "half_life_days": 0}, "half_life_days"),
        ({**GOOD, "half_life_days": float("nan")}, "half_life_days"),
        ({**GOOD, "curve": []}, "curve is none of"),
        ({**GOOD, "questions": {"nps": "joy"}}, "question nps: dimension must be one of"),
        ({**GOOD, "constants": {"x": {"ease": 101}}}, "constants of x: a score must be between 0 and 100"),
        ({**GOOD, "curves": [{**CURVE, "points": [[1, 5], [1, 6]]}]}, "curve 1: the points' measures must rise"),
        ({**GOOD, "curves": [{**CURVE, "points": [[1]]}]}, r"curve 1: a point must be \[measure, score\]"),
        ({**GOOD, "curves": [{**CURVE, "points": []}]}, "curve 1: needs at least"),
        ({**GOOD, "curves": [{**CURVE, "measure": 3}]}, "curve 1: measure must be a text"),
    ],
)
def test_a_mistake_in_the_scores_says_where_it_is(data: Any, said: str) -> None:
    with pytest.raises(BadCatalogue, match=said):
        scoring(data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "touchpoints must be a list"),
        ({"touchpoints": [{**SPOT, "channels": ["fax"]}]}, "touchpoint 1: a channel must be one of"),
        ({"touchpoints": [{**SPOT, "layer": "middle"}]}, "touchpoint 1: layer must be one of"),
        ({"touchpoints": [{**SPOT, "owner": ""}]}, "touchpoint 1: owner must be a text"),
        ({"touchpoints": [SPOT, SPOT]}, "touchpoint 2: cart stands there twice"),
    ],
)
def test_a_mistake_in_the_touchpoints_says_where_it_is(data: Any, said: str) -> None:
    with pytest.raises(BadCatalogue, match=said):
        touchpoints(data)


IDENTITY: dict[str, Any] = {
    "placeholders": {"values": ["guest"], "before_at": ["nobody"]},
    "may_link": {"default": ["phone", "device"], "public": ["device"], "sources": {"till": ["loyalty"], "mute": []}},
    "purposes": ["service", "analysis", "marketing"],
    "properties": ["query"],
    "traits": ["name"],
    "texts": ["query"],
    "staff": ["agent"],
}


def test_the_policy_that_ships_can_be_used() -> None:
    found = load(SCHEMAS).policy
    assert {"null", "undefined", "guest", "true", "-1", "[object object]"} <= found.placeholders.values
    assert all(word == word.strip().lower() for word in found.placeholders.values | found.placeholders.before_at)
    assert found.linkable("anything", False) == frozenset(NAMESPACES) - {"customer"}
    assert found.linkable("anything", True) == {"anonymous", "device"}
    assert found.purposes == {"service", "analysis"}
    assert found.texts - found.properties == {"url", "referrer", "campaign", "screen"}, "the others are details"


def test_a_source_has_its_own_list_or_the_default() -> None:
    found = policy(IDENTITY)
    assert found.linkable("shop", False) == {"phone", "device"}
    assert found.linkable("till", False) == {"loyalty"}
    assert found.linkable("mute", False) == frozenset()
    assert found.linkable("till", True) == {"device"}
    assert found.placeholders == Placeholders(frozenset({"guest"}), frozenset({"nobody"}))
    assert (found.properties, found.traits, found.staff) == ({"query"}, {"name"}, {"agent"})


LINKS = IDENTITY["may_link"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"propreties": []}, "the file: propreties is none of"),
        ({"properties": None}, "the file: properties must be a list"),
        ({"properties": ["a", "a"]}, "properties: a stands there twice"),
        ({"properties": [True]}, "properties must hold texts, not True: put it in quotes"),
        ({"purposes": ["service"]}, "purposes: analysis is missing"),
        ({"placeholders": None}, "placeholders: must be a mapping"),
        ({"placeholders": {"values": ["null", None], "before_at": []}}, "values must hold texts, not None"),
        ({"placeholders": {"values": ["Guest"], "before_at": []}}, "'Guest' must be in lower case"),
        ({"placeholders": {"values": []}}, "placeholders: before_at must be a list"),
        ({"may_link": {**LINKS, "default": ["shoe"]}}, "may_link: default: a namespace must be one of customer"),
        (
            {"may_link": {**LINKS, "public": ["phone"]}},
            "public: a namespace must be one of anonymous, device, not 'phone'",
        ),
        ({"may_link": {**LINKS, "sources": {"till": "loyalty"}}}, "sources: till must be a list"),
        ({"may_link": {**LINKS, "sources": {5: []}}}, "sources: a source must be a text, not 5"),
    ],
)
def test_a_mistake_in_the_policy_says_where_it_is(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadCatalogue, match=said):
        policy(IDENTITY | changes)


def test_a_mistake_names_its_file(tmp_path: Path) -> None:
    shutil.copytree(SCHEMAS / "catalogue", tmp_path / "catalogue")
    (tmp_path / "catalogue" / "identity.yaml").write_text("purposes: [service]")
    with pytest.raises(BadCatalogue, match=r"identity\.yaml: placeholders: must be a mapping"):
        load(tmp_path)


def test_broken_yaml_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "catalogue").mkdir()
    (tmp_path / "catalogue" / "touchpoints.yaml").write_text("touchpoints: [")
    with pytest.raises(BadCatalogue, match=r"touchpoints\.yaml"):
        load(tmp_path)
