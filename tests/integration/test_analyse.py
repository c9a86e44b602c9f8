"""`throughline analyse` as it is called, against a real ClickHouse: planted worlds are stored, read, found and kept."""

from __future__ import annotations

import json
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clickhouse_connect.driver.client import Client

from pipeline import cli
from pipeline.clickhouse import connect
from pipeline.store import rows
from tests.conftest import Stack
from tests.integration.conftest import Called
from tests.integration.stored import asked, put, score

from ..unit.store.records import entry

DAY = 86_400_000
START = datetime(2024, 3, 1, tzinfo=UTC)  # in a month of their own each, so that worlds do not meet
_months = count()
PLACES = {"call_queue": 0.9, "checkout": 0.3, "site_search": 0.0}  # touchpoint → points of the outcome per point there


@dataclass(frozen=True)
class Month:
    """Of one world."""

    start: datetime

    @property
    def arguments(self) -> list[str]:
        end = (self.start + timedelta(days=28)).date()
        return ["--from", self.start.date().isoformat(), "--to", end.isoformat()]

    def at(self, day: float) -> int:
        return round(self.start.timestamp() * 1000 + day * DAY)


@pytest.fixture
def month() -> Month:
    return Month(START + timedelta(days=28 * next(_months)))


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    with connect(stack.settings, stack.keys, "throughline") as made:
        yield made


@pytest.fixture
def analyse(throughline: Called) -> Any:
    """Calls the command; gives its status and what it printed."""

    def call(*arguments: str) -> tuple[int, str]:
        status, printed = throughline("analyse", *arguments)
        assert status is not None, "it says by its status what came of it"
        return status, printed

    return call


def evidence(person: str, at: int, touchpoint: str, ease: float, **changes: Any) -> dict[str, Any]:
    """What was seen of somebody somewhere."""
    return entry(
        identifier=person,
        event_id=f"{person}-{touchpoint}-{at}",
        touchpoint=touchpoint,
        occurred_at=at,
        occurred_at_sent=at,
        received_at=at,
        links=[],
        session_id="",
        **{"evidence": {"effectiveness": None, "ease": ease, "emotion": None}, "evidence_kind": "observed"} | changes,
    )


def recommendation(person: str, at: int, score: float) -> dict[str, Any]:
    """What somebody answered, 0 to 10 in the finest steps."""
    return evidence(
        *(person, at, "survey", 0),
        answer={"question": "nps", "value": score / 10, "min": 0, "max": 10},
        evidence={"effectiveness": None, "ease": None, "emotion": score},
        evidence_kind="asked",
    )


def drivers_world(
    month: Month, name: str, effects: dict[str, float], people: int = 300, seed: int = 1
) -> list[dict[str, Any]]:
    """People who were at three of four touchpoints, and were asked two days later."""
    rng = np.random.default_rng(seed)
    found = []
    for n in range(people):
        person = f"customer:{name}-{n}"
        scores = {each: float(np.clip(60 + 12 * rng.normal(), 0, 100)) for each in effects}
        overall = 40 + sum(effect * (scores[each] - 60) for each, effect in effects.items()) + 8 * rng.normal()
        missed = rng.integers(len(effects) + 1)
        for at, (touchpoint, ease) in enumerate(scores.items()):
            if at != missed:
                found.append(evidence(person, month.at(1 + at), touchpoint, ease))
        found.append(recommendation(person, month.at(6), float(np.clip(overall, 0, 100))))
    return found


class TestDrivers:
    def test_planted_drivers_are_found_kept_and_shown(
        self, client: Client, analyse: Any, month: Month, tmp_path: Path
    ) -> None:
        put(client, rows.INTERACTIONS, *drivers_world(month, f"d{month.start:%m%d}", PLACES))
        picture = tmp_path / "drivers.svg"
        status, printed = analyse("drivers", *month.arguments, "--svg", str(picture))
        assert status == 0, printed
        for said in ("n 300", "Call queue", "> chance", "these answers count in no driver", "seed 1"):
            assert said in printed
        assert "1. " in (ET.parse(picture).getroot().findtext("{http://www.w3.org/2000/svg}desc") or "")
        sql = """SELECT driver, name, n > 150, share_low < share AND share < share_high, people, period_from
            FROM drivers WHERE of = 'touchpoints' ORDER BY position"""
        kept = asked(client, sql)
        assert [row[0] for row in kept] == ["call_queue", "checkout", "site_search"]
        assert {row[2:5] for row in kept} == {(1, 1, 300)}
        assert kept[0][1] == "Call queue"
        assert kept[0][5] == month.start.date()

    def test_the_same_again_is_the_same_and_takes_its_place(self, client: Client, analyse: Any, month: Month) -> None:
        put(client, rows.INTERACTIONS, *drivers_world(month, f"s{month.start:%m%d}", PLACES))
        (_, one), (_, two) = (analyse("drivers", *month.arguments, "--json") for _ in range(2))
        found, again = (json.loads(text[text.index("{") : text.rindex("}") + 1]) for text in (one, two))
        assert found == again
        assert [row["notes"]["found"] for row in found["rows"]] == ["yes", "yes", "no"]
        sql = "SELECT count() FROM analyses FINAL WHERE analysis_id = {id:String}"
        assert asked(client, sql, id=found["analysis_id"]) == [(1,)]
        other = analyse("drivers", *month.arguments, "--json", "--seed", "2")[1]
        other = json.loads(other[other.index("{") : other.rindex("}") + 1])
        assert other["analysis_id"] != found["analysis_id"]
        assert other["rows"][0]["figures"]["share"] == found["rows"][0]["figures"]["share"]
        assert other["rows"][0]["figures"]["share_low"] != found["rows"][0]["figures"]["share_low"]

    def test_what_came_after_the_answer_does_not_drive_it(self, client: Client, analyse: Any, month: Month) -> None:
        name = f"l{month.start:%m%d}"
        world = drivers_world(month, name, PLACES)
        put(client, rows.INTERACTIONS, *world)
        before = figures(analyse("drivers", *month.arguments, "--json"))
        rng = np.random.default_rng(5)
        later = [
            evidence(f"customer:{name}-{n}", month.at(12), place, float(100 * rng.integers(2)))
            for n in range(300)
            for place in PLACES
        ]
        put(client, rows.INTERACTIONS, *later)
        assert figures(analyse("drivers", *month.arguments, "--json")) == before

    def test_where_nothing_drives_nothing_is_found(self, client: Client, analyse: Any, month: Month) -> None:
        nothing = drivers_world(month, f"n{month.start:%m%d}", dict.fromkeys(PLACES, 0.0), seed=2)  # one in 20 has some
        put(client, rows.INTERACTIONS, *nothing)
        status, printed = analyse("drivers", *month.arguments, "--outcome", "recommendation")
        assert status == 1
        assert "explain no more of recommendation than chance does" in printed
        assert asked(client, "SELECT count() FROM drivers WHERE of = 'touchpoints'") == [(0,)]

    def test_too_few_are_refused_and_that_is_kept(self, client: Client, analyse: Any, month: Month) -> None:
        put(client, rows.INTERACTIONS, *drivers_world(month, f"f{month.start:%m%d}", PLACES, people=20))
        status, printed = analyse(
            *("drivers", *month.arguments, "--outcome", "recommendation", "--drivers", ",".join(PLACES))
        )
        assert status == 1
        assert "10 people for each driver are needed, 30 for these 3" in printed
        kept = asked(client, "SELECT refused FROM analyses_newest WHERE kind = 'drivers' AND of = 'touchpoints'")
        assert "30 for these 3" in kept[0][0]

    def test_who_refuses_analysis_is_in_none(self, client: Client, analyse: Any, month: Month) -> None:
        name = f"r{month.start:%m%d}"
        put(client, rows.INTERACTIONS, *drivers_world(month, name, PLACES))
        no = [
            entry(
                identifier=f"customer:{name}-{n}",
                event_id=f"{name}-no-{n}",
                type="consent_changed",
                occurred_at=month.at(20),
                occurred_at_sent=month.at(20),
                links=[],
                consent={"analysis": False},
            )
            for n in range(40)
        ]
        put(client, rows.INTERACTIONS, *no)
        _, printed = analyse("drivers", *month.arguments)
        assert "n 260" in printed

    def test_one_survey_is_warned_of(self, client: Client, analyse: Any, month: Month) -> None:
        """All asked on the day of the outcome."""
        world = drivers_world(month, f"h{month.start:%m%d}", PLACES)
        for each in world:
            each |= {"evidence_kind": "asked", "occurred_at": month.at(6), "occurred_at_sent": month.at(6)}
        put(client, rows.INTERACTIONS, *world)
        _, printed = analyse("drivers", *month.arguments)
        assert "100% of the evidence on the drivers was answered on the same day" in printed

    def test_dimensions_drive_too(self, client: Client, analyse: Any, month: Month) -> None:
        rng = np.random.default_rng(2)
        world = []
        for n in range(200):
            person = f"customer:m{month.start:%m%d}-{n}"
            e, s, f = (float(np.clip(60 + 12 * rng.normal(), 0, 100)) for _ in range(3))
            said = {"effectiveness": e, "ease": s, "emotion": f}
            world.append(evidence(person, month.at(1), "checkout", 0, evidence=said))
            world.append(recommendation(person, month.at(3), float(np.clip(0.9 * f + 5 * rng.normal(), 0, 100))))
        put(client, rows.INTERACTIONS, *world)
        status, printed = analyse("drivers", *month.arguments, "--of", "dimensions")
        assert status == 0, printed
        sql = "SELECT driver, share > 0.8 FROM drivers WHERE of = 'dimensions' ORDER BY position LIMIT 1"
        assert asked(client, sql) == [("emotion", 1)]

    def test_without_answers_the_score_is_taken_and_that_is_said(
        self, client: Client, analyse: Any, month: Month
    ) -> None:
        rng = np.random.default_rng(3)
        world, scores = [], []
        for n in range(60):
            person = f"customer:c{month.start:%m%d}-{n}"
            a, b = (float(np.clip(60 + 12 * rng.normal(), 0, 100)) for _ in range(2))
            world += [
                evidence(person, month.at(1), "checkout", a),
                evidence(person, month.at(2), "call_queue", b),
            ]
            scores.append(scored(person, month.at(2), 0.7 * a + 0.3 * b))
        put(client, rows.INTERACTIONS, *world)
        put(client, rows.CUSTOMER_SCORES, *scores)
        status, printed = analyse("drivers", *month.arguments)
        assert status == 0, printed
        assert "computed from the same evidence as the drivers" in printed
        assert asked(client, "SELECT driver FROM drivers WHERE of = 'touchpoints' ORDER BY position LIMIT 1") == [
            ("checkout",)
        ]

    def test_the_score_is_that_of_the_end_of_the_period(self, client: Client, analyse: Any, month: Month) -> None:
        rng = np.random.default_rng(3)
        world, scores, since = [], [], []
        for n in range(60):
            person = f"customer:e{month.start:%m%d}-{n}"
            a, b = (float(np.clip(60 + 12 * rng.normal(), 0, 100)) for _ in range(2))
            world += [evidence(person, month.at(1), "checkout", a), evidence(person, month.at(2), "call_queue", b)]
            scores.append(scored(person, month.at(2), 0.7 * a + 0.3 * b))
            since.append(scored(person, month.at(29), 100 - a))
        put(client, rows.INTERACTIONS, *world)
        put(client, rows.CUSTOMER_SCORES, *scores)
        wished = ("drivers", *month.arguments, "--outcome", "score", "--json")
        before = figures(analyse(*wished))
        assert before["checkout"]["coefficient"] > 0
        put(client, rows.CUSTOMER_SCORES, *since)
        assert figures(analyse(*wished)) == before


def figures(called: tuple[int, str]) -> dict[str, dict[str, float]]:
    """Item → its figures, of what was printed as JSON."""
    status, text = called
    assert status == 0, text
    found = json.loads(text[text.index("{") : text.rindex("}") + 1])
    return {row["item"]: row["figures"] for row in found["rows"]}


class TestSegments:
    def test_a_planted_segment_is_found_and_the_small_one_is_not_shown(
        self, client: Client, analyse: Any, month: Month
    ) -> None:
        rng = np.random.default_rng(4)
        name, world = f"g{month.start:%m%d}", []
        for n in range(209):
            store = "Bern" if n < 100 else "Basel" if n < 200 else "Chur"  # 9 people
            person = f"customer:{name}-{n}"
            ease = float(np.clip((50 if store == "Bern" else 65) + 10 * rng.normal(), 0, 100))
            world.append(evidence(person, month.at(1), "checkout", ease, details={"store": store}))
            if n % 2:
                world.append(entry_without_evidence(person, month.at(2), "phone"))
        put(client, rows.INTERACTIONS, *world)
        status, printed = analyse("segments", *month.arguments)
        assert status == 0, printed
        assert "Chur" not in printed
        assert "fewer than 10 people: store 1." in printed
        sql = (
            "SELECT segment, n, verdict FROM segments WHERE of = 'overall' AND trait = {trait:String} ORDER BY segment"
        )
        assert asked(client, sql, trait="store") == [("Basel", 100, "better"), ("Bern", 100, "worse")]
        mixes = asked(client, sql, trait="channels")
        assert [(segment, n) for segment, n, _ in mixes] == [("phone + web", 104), ("web", 105)]
        assert {verdict for *_, verdict in mixes} == {"no difference beyond chance"}
        found = asked(client, "SELECT mean, difference FROM segments WHERE segment = 'Bern'")
        eases = np.array([(w["evidence"]["ease"], w["details"].get("store", "")) for w in world if w["details"]])
        own = eases[:, 0][eases[:, 1] == "Bern"].astype(float)
        others = eases[:, 0][eases[:, 1] != "Bern"].astype(float)
        assert found == [(pytest.approx(own.mean(), abs=1e-5), pytest.approx(own.mean() - others.mean(), abs=1e-5))]

    def test_nobody_is_refused_and_words_of_people_too(self, analyse: Any, month: Month) -> None:
        status, printed = analyse("segments", *month.arguments)
        assert status == 1
        assert "No segment by known, channels, store" in printed
        status, printed = analyse("segments", *month.arguments, "--by", "comment")
        assert status == 1
        assert "what people wrote" in printed


def entry_without_evidence(person: str, at: int, channel: str) -> dict[str, Any]:
    """Something that says nothing of how it was."""
    nothing = {"effectiveness": None, "ease": None, "emotion": None}
    return evidence(person, at, "call_queue", 0, channel=channel, evidence=nothing, evidence_kind="")


def scored(person: str, at: int, overall: float) -> dict[str, Any]:
    """A person's scores on the day."""
    return score(person, at // DAY, ease=overall) | {"overall": overall, "overall_n": 2}


def test_without_clickhouse_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("THROUGHLINE_HOME", str(tmp_path))
    monkeypatch.delenv("THROUGHLINE_CLICKHOUSE_URL", raising=False)
    with pytest.raises(SystemExit) as ended:
        cli.main(["analyse", "drivers"])
    assert ended.value.code == 1
    assert "no stack runs in" in capsys.readouterr().err
    monkeypatch.setenv("THROUGHLINE_CLICKHOUSE_URL", "http://127.0.0.1:9")
    began = time.monotonic()
    with pytest.raises(SystemExit) as ended:
        cli.main(["analyse", "drivers"])
    assert ended.value.code == 1
    assert "Does it run?" in capsys.readouterr().err
    assert time.monotonic() - began < 60
