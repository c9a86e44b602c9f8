"""An export is whole, however much there is; where it is not, it says so."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.domain.messages import Evidence
from pipeline.domain.orders import Free, Part
from pipeline.identify import everything
from pipeline.privacy import export, person
from pipeline.stitch import looking
from tests.serving import KEYRING, now_ms
from tests.unit.privacy.conftest import Privacy

ANNA, BEN, DESK = "customer:anna", "customer:ben", "device:desk"
COOKIES = 1_200  # more than a customer may have who was not freed
PIECES = 150
AGENT = "Alma Kowalski"


def of(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line["value"] for line in lines if line["kind"] == kind]


def evidence(strong: str, weak: str, number: int) -> Evidence:
    return Evidence(strong, weak, now_ms() - 10_000_000 + number, f"s{number:04}", "shop", f"e{number}")


def everybody(lines: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Identifier → all evidence of it, in whatever lines."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in (*of(lines, "identifier"), *of(lines, "evidence of an identifier")):
        found.setdefault(each["id"], []).extend(each["evidence"])
    return found


async def test_all_cookies_of_a_customer_who_was_freed_are_there(privacy: Privacy) -> None:
    world = privacy.serving.world
    world.slow = True  # it is about what identify knows, and profiles in memory take their time
    cookies = [f"anonymous:c{n}" for n in range(COOKIES)]
    world.decide(*(evidence(ANNA, each, n) for n, each in enumerate(cookies)))
    world.decide(Free("f1", ANNA, "she tests", "test", now_ms()))
    lines = await privacy.export(cookies[7])
    assert lines[0]["value"]["person"] == ANNA
    assert set(everybody(lines)) == {ANNA, *cookies} == set(lines[0]["value"]["identifiers"])
    assert [each["kind"] for each in of(lines, "order")] == ["free"]
    assert lines[-1]["value"]["complete"]
    assert lines[-1]["value"]["items"] == len(lines) - 2


async def test_all_evidence_of_an_identifier_is_there(privacy: Privacy) -> None:
    world = privacy.serving.world
    world.decide(*(evidence(ANNA, DESK, n) for n in range(PIECES)), evidence(BEN, DESK, 9_000))
    lines = await privacy.export(ANNA)
    sessions = [each["session_id"] for each in everybody(lines)[DESK]]
    assert sorted(sessions) == [f"s{n:04}" for n in range(PIECES)]
    assert {each["from"] for each in everybody(lines)[DESK]} == {ANNA}
    assert BEN not in str(lines)
    assert lines[-1]["value"]["complete"]


async def test_pages_of_whatever_size_make_the_same(privacy: Privacy, monkeypatch: pytest.MonkeyPatch) -> None:
    world = privacy.serving.world
    world.decide(*(evidence(ANNA, f"anonymous:c{n % 7}", n) for n in range(20)))
    world.decide(*(evidence(f"email:e{n}", f"anonymous:c{n}", n) for n in range(3)), evidence(ANNA, "email:e1", 0))
    for n in range(9):
        world.say(ANNA, links=(f"anonymous:c{n}",), session_id=f"t{n}")
    whole = await privacy.export(ANNA)
    for module, name in (
        *((everything, each) for each in ("KEYS_MAX", "EVIDENCE_MAX", "WEIGHT_MAX")),
        *((looking, "ITEMS_MAX"), (export, "PROFILES_MAX"), (person, "ASKED_MAX")),
    ):
        monkeypatch.setattr(module, name, 2)
        paged = await privacy.export(ANNA)
        assert everybody(paged).keys() == everybody(whole).keys()
        for identifier, pieces in everybody(paged).items():
            assert sorted(map(str, pieces)) == sorted(map(str, everybody(whole)[identifier]))
        assert sorted(map(str, of(paged, "interaction"))) == sorted(map(str, of(whole, "interaction")))
        assert paged[-1]["value"]["complete"]


async def test_what_is_too_much_is_said_to_be_incomplete(privacy: Privacy, monkeypatch: pytest.MonkeyPatch) -> None:
    world = privacy.serving.world
    world.decide(*(evidence(ANNA, f"anonymous:c{n}", n) for n in range(5)))
    world.decide(evidence(ANNA, DESK, 1), evidence(BEN, DESK, 2))
    monkeypatch.setattr(export, "SESSIONS_MAX", 1)
    assert not (await privacy.export(ANNA))[-1]["value"]["complete"]
    monkeypatch.undo()
    monkeypatch.setattr(person, "IDENTIFIERS_MAX", 4)
    lines = await privacy.export(ANNA)
    assert lines[0]["value"]["truncated"]
    assert not lines[-1]["value"]["complete"]


async def test_nobody_else_is_named_where_an_order_parted_them(privacy: Privacy) -> None:
    world = privacy.serving.world
    world.decide(evidence(ANNA, DESK, 1), evidence(BEN, DESK, 2), Part("p1", DESK, BEN, "not his", "test", now_ms()))
    lines = await privacy.export(ANNA)
    assert DESK in lines[0]["value"]["identifiers"]
    assert {each["from"] for each in everybody(lines)[DESK]} == {ANNA, export.ANOTHER}
    (order,) = of(lines, "order")
    assert (order["said"]["identifier"], order["said"]["person"]) == (DESK, export.ANOTHER)
    assert BEN not in str(lines)


async def test_who_works_here_has_a_pseudonym(privacy: Privacy) -> None:
    world = privacy.serving.world
    world.say(ANNA, type="call_ended", channel="phone", details={"agent": AGENT})
    world.say("anonymous:c1", details={"agent": AGENT})
    world.say(ANNA, links=("anonymous:c1",), session_id="s1")
    lines = await privacy.export(ANNA)
    assert AGENT not in str(lines)
    assert str(lines).count(KEYRING.pseudonym("staff", AGENT)) == 3  # both, and the copy of one
