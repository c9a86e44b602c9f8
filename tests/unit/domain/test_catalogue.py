"""The catalogue: what ships can be read, and every mistake is said with its file, line and place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline import check
from pipeline.catalogue import json_schemas, load
from pipeline.domain.catalogue import BadCatalogue, policy
from pipeline.domain.catalogue_files import IdentityFile
from pipeline.domain.interaction import NAMESPACES
from pipeline.domain.policy import Placeholders
from pipeline.domain.scoring import CONTACT, NO_CONTACT
from pipeline.settings import Settings
from tests.interactions import made

SHIPPED = Path(__file__).parents[3] / "schemas" / "catalogue"
Edit = Callable[[str, str, str], Path]


@pytest.fixture
def edited(tmp_path: Path) -> Edit:
    """The shop's catalogue with one text of one file replaced."""

    def edit(name: str, old: str, new: str) -> Path:
        folder = tmp_path / "catalogue"
        if not folder.exists():
            shutil.copytree(SHIPPED, folder)
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))
        return folder

    return edit


def line_of(name: str, text: str) -> int:
    """The line of a text in a file as it ships."""
    return next(n for n, line in enumerate((SHIPPED / name).read_text().splitlines(), 1) if text in line)


def test_the_shops_catalogue_is_whole() -> None:
    known = load(SHIPPED)
    assert known.scoring.version == 1
    assert {"site_search", "call_queue", "store_counter", "doorstep", "chat"} <= set(known.touchpoints)
    assert {each.layer for each in known.touchpoints.values()} == {
        *("evidence", "customer", "frontstage", "backstage", "support")
    }
    assert known.stages("checkout") == [("buy", "pay")]
    assert known.business.strategy.sentence
    said = known.scoring.experience(made(type="call_ended", channel="phone", measures={"wait_s": 1200.0}))
    assert said is not None
    assert (said.asked, said.values, said.severe, said.contact) == (False, (None, 0.0, None), True, CONTACT)


def test_the_bank_has_its_own() -> None:
    known = load(SHIPPED / "bank")
    assert known.business.time_zone == "Asia/Jerusalem"
    answered, phantom = (
        known.scoring.experience(made(type="call_ended", touchpoint="call_queue", details={"outcome": outcome}))
        for outcome in ("AGENT", "PHANTOM")
    )
    assert answered is not None
    assert (answered.contact, answered.queue) == (CONTACT, "answered")
    assert phantom is None or phantom.contact == NO_CONTACT


def test_a_search_with_the_words_of_an_issue_is_about_it() -> None:
    scoring = load(SHIPPED).scoring
    for query, issue in (
        ("Where is my espresso machine", "delivery"),
        ("headphones not charging", "product"),
        ("shoes", ""),
        ("returned", ""),
        ("how to return shoes", "return"),
    ):
        assert scoring.with_issue(made(type="searched", properties={"query": query})).issue == issue
    assert scoring.with_issue(made(type="searched", issue="x", properties={"query": "refund"})).issue == "x"
    assert scoring.with_issue(made(type="page_viewed", properties={"query": "refund"})).issue == ""


def test_the_schemas_for_editors_are_those_of_the_files() -> None:
    written = {path.name.removesuffix(".schema.json"): path.read_text() for path in (SHIPPED / "schema").iterdir()}
    assert written == json_schemas(), "write them anew: python -m pipeline.catalogue"
    for folder in (SHIPPED, SHIPPED / "bank"):
        for path in folder.glob("*.yaml"):
            named = path.read_text().splitlines()[0].removeprefix("# yaml-language-server: $schema=")
            assert json.loads((folder / named).read_text())["title"].startswith(path.stem)


@pytest.mark.parametrize(
    ("name", "old", "new", "line", "said"),
    [
        ("touchpoints.yaml", "    owner: lead of checkout\n", "", "id: cart", "touchpoints[4]: owner is missing"),
        (
            "touchpoints.yaml",
            "owner: lead of checkout",
            "owner: ' '",
            "owner: lead of checkout",
            "touchpoints[4].owner: cart has no owner",
        ),
        (
            "touchpoints.yaml",
            "id: cart",
            "id: site_home",
            "id: cart",
            "touchpoints[4].id: site_home stands there twice",
        ),
        ("touchpoints.yaml", "layer: frontstage", "layer: middle", "layer: frontstage", "invalid enum value 'middle'"),
        ("touchpoints.yaml", "n_min: 3", "n_mim: 3", "n_min: 3", "n_mim: nothing of that name belongs here"),
        ("touchpoints.yaml", "name: Cart", "name: 5", "name: Cart", "expected str, got int: a text that YAML reads"),
        ("touchpoints.yaml", "green: 85", "green: 15", "green: 85", "of a score green must be above yellow"),
        ("touchpoints.yaml", "    partner: couriers\n", "", "control: partner", "partner: name the partner"),
        ("touchpoints.yaml", "    visible: false\n", "", "layer: backstage", "is behind the line of visibility"),
        (
            "journeys.yaml",
            "[returns_desk, pickup_point]",
            "[returns_dsk]",
            "[returns_desk,",
            "no touchpoint returns_dsk",
        ),
        ("journeys.yaml", "[pay, wait]", "[pay, weight]", "[pay, wait]", "the journey has no step weight"),
        (
            "business.yaml",
            "time_zone: UTC",
            "time_zone: Mars",
            "time_zone: UTC",
            "must be a zone such as Europe/Berlin",
        ),
        ("business.yaml", "at_most: 0.15", "at_mots: 0.15", "at_most: 0.15", "at_mots: nothing of that name"),
        ("business.yaml", "closed_h: 336", "closed_h: 1", "closed_h: 336", "each stage must be at the one before"),
        ("business.yaml", "[invoice, receipt]", "[tracking]", "id: invoice", "tracking is a word of delivery already"),
        ("scores.yaml", "\nversion: 1", "\nversion: 2", "version: 1", "version 2 belongs into scores-2.yaml"),
        ("scores.yaml", "delivered: {effectiveness: 100}", "delivered: {effectiveness: 101}", "delivered: {", "<= 100"),
        ("scores.yaml", "csat: {dimension: emotion", "csat: {dimension: joy", "csat: {dimension", "questions.csat"),
        (
            "scores.yaml",
            "[[0, 100], [20, 95]",
            "[[0, 100], [0, 95]",
            "measure: wait_s",
            "the points' measures must rise",
        ),
        ("scores.yaml", "[[0, 100], [20, 95]", "[[.nan, 100], [20, 95]", "wait_s", "must be a number"),
        ("scores.yaml", "repeat_days: 7", "repeat_days: 0", "repeat_days: 7", "repeat_days"),
        ("scores.yaml", "mild: [", "version: 1\nmild: [", "mild: [", "version stands there twice"),
        ("identity.yaml", "nil, nan", "nil, Nan", "nil, nan", "'Nan' must be in lower case"),
        ("identity.yaml", "purposes: [service, analysis]", "purposes: [service]", "purposes:", "analysis is missing"),
        ("identity.yaml", "public: [anonymous", "public: [phone", "public:", "invalid enum value 'phone'"),
        ("identity.yaml", "  - comment\n", "  - comment\n  - comment\n", "- comment", "comment stands there twice"),
        ("identity.yaml", "  - comment\n", "  - true\n", "- comment", "expected str, got bool: a text that YAML reads"),
        ("identity.yaml", "sources: {}", "sources: {till: loyalty}", "sources: {}", "may_link.sources.till"),
        ("business.yaml", "time_zone: UTC", "time_zone: [", None, "no YAML"),
    ],
)
def test_a_mistake_is_said_with_its_file_line_and_place(
    edited: Edit, name: str, old: str, new: str, line: str | None, said: str
) -> None:
    folder = edited(name, old, new)
    with pytest.raises(BadCatalogue) as caught:
        load(folder)
    lines = str(caught.value).splitlines()
    assert any(said in each for each in lines), lines
    found = next(each for each in lines if said in each)
    assert found.startswith(f"{folder / name}:")
    if line is not None:
        at = int(found.removeprefix(f"{folder / name}:").split(":")[0])
        assert abs(at - line_of(name, line)) <= 3


def test_all_that_contradicts_is_said_at_once(edited: Edit) -> None:
    edited("touchpoints.yaml", "owner: lead of checkout", "owner: ' '")
    folder = edited("journeys.yaml", "[pay, wait]", "[pay, weight]")
    with pytest.raises(BadCatalogue) as caught:
        load(folder)
    assert len(str(caught.value).splitlines()) == 2


def test_a_missing_file_is_named(edited: Edit) -> None:
    folder = edited("business.yaml", "UTC", "UTC")
    (folder / "business.yaml").unlink()
    with pytest.raises(BadCatalogue, match=r"business\.yaml: cannot be read"):
        load(folder)


def test_further_versions_of_the_scores_stand_beside_the_first(edited: Edit) -> None:
    folder = edited("scores.yaml", "half_life_days: 30", "half_life_days: 31")
    text = (folder / "scores.yaml").read_text()
    (folder / "scores-2.yaml").write_text(text.replace("version: 1", "version: 2"))
    known = load(folder)
    assert sorted(known.scorings) == [1, 2]
    (folder / "scores-3.yaml").write_text(text)
    with pytest.raises(BadCatalogue, match="the same version"):
        load(folder)


def test_what_is_stored_at_unknown_touchpoints_is_listed() -> None:
    known = load(SHIPPED)
    assert check.unknown(known, [("cart", "cart_updated", 5), ("kiosk", "searched", 1234)]) == [
        "searched at kiosk: 1,234 interactions, and no touchpoint kiosk in the catalogue"
    ]


def test_the_check_says_what_there_is(tmp_path: Path) -> None:
    said: list[str] = []
    assert not check.run(Settings(home=tmp_path), said.append)
    assert "37 touchpoints, all with an owner" in said[0]
    assert said[-1].startswith("No stack runs in")


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
    found = load(SHIPPED).policy
    assert {"null", "undefined", "guest", "true", "-1", "[object object]"} <= found.placeholders.values
    assert all(word == word.strip().lower() for word in found.placeholders.values | found.placeholders.before_at)
    assert found.linkable("anything", False) == frozenset(NAMESPACES) - {"customer"}
    assert found.linkable("anything", True) == {"anonymous", "device"}
    assert found.purposes == {"service", "analysis"}
    assert found.texts - found.properties == {"url", "referrer", "campaign", "screen"}, "the others are details"


def test_a_source_has_its_own_list_or_the_default() -> None:
    found = policy(msgspec.convert(IDENTITY, IdentityFile))
    assert found.linkable("shop", False) == {"phone", "device"}
    assert found.linkable("till", False) == {"loyalty"}
    assert found.linkable("mute", False) == frozenset()
    assert found.linkable("till", True) == {"device"}
    assert found.placeholders == Placeholders(frozenset({"guest"}), frozenset({"nobody"}))
    assert (found.properties, found.traits, found.staff) == ({"query"}, {"name"}, {"agent"})
