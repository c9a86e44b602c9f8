"""What ClickHouse and the API must say in the end, reckoned from everything that was ever sent.

The batch oracle says who is who; scores and cells are reckoned here once more, in the plainest way there is. Only the
verdict on each event (`domain.validate`) and the catalogue's own reading of it are the product's.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pipeline.catalogue import load
from pipeline.domain import validate
from pipeline.domain.identifiers import Keyring
from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import Assignment
from pipeline.domain.reasons import Rejected
from pipeline.domain.scoring import Scoring
from pipeline.partition import partition_of
from pipeline.settings import Settings
from tests.oracle import truth
from tests.policies import POLICY
from tests.system.generator import Delivery

DAY_MS, WINDOW_MS = 86_400_000, 15 * 60_000
DIMENSIONS = ("effectiveness", "ease", "emotion")
EVIDENCE_MAX = 50  # above that, a person's scores depend on what is forgotten: no world may get there
VIEW_SIZE = 200

Scores = dict[str, tuple[float | None, int, str]]  # dimension → value, n, kind
Sums = tuple[int, ...]  # interactions, then n, sum, sum of squares (in millionths) per dimension, asked and observed


class Stored(NamedTuple):
    """An interaction, whose it is, and what it says."""

    person: str
    interaction: Interaction
    values: tuple[float | None, ...]
    kind: str
    told: bool  # whether it is evidence of the person: of a dimension, an expectation, or a contact with an issue
    contact: str


@dataclass(frozen=True)
class Expected:
    """The whole truth about one storm."""

    stored: dict[tuple[str, str, str], Stored]  # by identifier, source, event id
    identities: dict[str, Assignment]  # of those that have an owner or are ambiguous
    persons: dict[str, list[Interaction]]  # newest first
    scores: dict[str, dict[int, Scores]]  # by person and day; only those with evidence
    cells: dict[tuple[int, str, str, int], Sums]  # by window, touchpoint, channel, partition
    rejected: Counter[str]  # in Kafka, by reason
    keys: dict[tuple[str, str], str]  # what may be asked for: (namespace, value as sent) → identifier


class Answer(NamedTuple):
    """What the context answer must say."""

    match: str
    candidates: list[str]
    person: str | None
    timeline: list[tuple[str, str, int]]  # source, event id, time; newest first
    scores: Scores
    last_order: str | None
    traits: dict[str, str]


def expected_of(
    home: Path, deliveries: Iterable[Delivery], now_ms: int, partitions: int, scoring: Scoring | None = None
) -> Expected:
    """The truth for a stack with its home there: with its keys and, where no scoring is given, its catalogue."""
    secrets = json.loads((home / "secrets.json").read_text())
    keyring = Keyring(
        {k: bytes.fromhex(v) for k, v in secrets["identifier_keys"].items()},
        secrets["identifier_key"],
        placeholders=POLICY.placeholders,
    )
    return expected(deliveries, keyring, scoring or load(Settings().catalogue_folder).scoring, now_ms, partitions)


def expected(
    deliveries: Iterable[Delivery], keyring: Keyring, scoring: Scoring, now_ms: int, partitions: int
) -> Expected:
    """The truth. `now_ms` is the generator's; whatever came through HTTP was received later.

    Raises AssertionError where an event is judged otherwise than its generator says.
    """
    copies: list[Interaction] = []
    keys: dict[tuple[str, str], str] = {}
    rejected: Counter[str] = Counter()
    for each in deliveries:
        if each.event is None:
            rejected[each.reason] += 1
            continue
        event = each.event if each.via == "kafka" else each.event | {"received_at": now_ms + 1}
        try:
            copy = validate.interaction(event, each.channel, now_ms + DAY_MS, keyring, "US", POLICY)
        except Rejected as problem:
            if problem.reason != each.reason:
                raise AssertionError(f"the generator expects {each.reason!r} of {each.event}") from problem
            if each.via == "kafka":
                rejected[each.reason] += 1
            continue
        assert not each.reason, each
        copies.append(scoring.with_issue(copy))
        for namespace, value in event["identifiers"].items():
            keys[namespace, value] = keyring.resolve(namespace, value, "US").identifier
    return _expected(copies, scoring, partitions, rejected, keys)


def _expected(
    copies: list[Interaction],
    scoring: Scoring,
    partitions: int,
    rejected: Counter[str],
    keys: dict[tuple[str, str], str],
) -> Expected:
    told = truth(copies)
    stored: dict[tuple[str, str, str], Stored] = {}
    scores: dict[str, dict[int, Scores]] = {}
    cells: dict[tuple[int, str, str, int], list[int]] = defaultdict(lambda: [0] * 19)
    for person, interactions in told.persons.items():
        found = [_read(person, x, scoring) for x in interactions]
        stored |= {(each.interaction.identifier, *each.interaction.event): each for each in found}
        if days := _days(found, scoring.half_life_ms):
            scores[person] = days
        for each in found:
            x = each.interaction
            place = (x.occurred_at // WINDOW_MS * WINDOW_MS, x.touchpoint, x.channel)
            _add(cells[*place, partition_of(x.identifier, partitions)], each)
    return Expected(
        stored=stored,
        identities={name: who for name, who in told.assignments.items() if who.owners or who.ambiguous},
        persons=told.persons,
        scores=scores,
        cells={place: tuple(sums) for place, sums in cells.items()},
        rejected=rejected,
        keys=keys,
    )


def _read(person: str, x: Interaction, scoring: Scoring) -> Stored:
    said = scoring.experience(x)
    if said is None:
        return Stored(person, x, (None, None, None), "", False, "")
    values = (said.effectiveness, said.ease, said.emotion)
    felt = values != (None, None, None)
    kind = ("asked" if said.asked else "observed") if felt else ""
    contact = ("", "contact", "look")[said.contact] if x.issue else ""
    return Stored(person, x, values, kind, felt or said.gap is not None or contact != "", contact)


def _add(sums: list[int], each: Stored) -> None:
    sums[0] += 1
    for n, value in enumerate(each.values):
        if value is not None:
            at = 1 + 6 * n + (0 if each.kind == "asked" else 3)
            sums[at] += 1
            sums[at + 1] += round(value * 1_000_000)
            sums[at + 2] += round(value * value * 1_000_000)


def _days(found: list[Stored], half_life_ms: int) -> dict[int, Scores]:
    """A person's scores at the end of each day that has evidence."""
    pieces = sorted((each for each in found if each.told), key=lambda each: each.interaction.position)
    assert len(pieces) <= EVIDENCE_MAX, "the world has too much evidence of one person"
    days = {each.interaction.occurred_at // DAY_MS for each in pieces}
    rows = {
        day: _scores([each for each in pieces if each.interaction.occurred_at // DAY_MS <= day], half_life_ms)
        for day in days
    }
    return {day: row for day, row in rows.items() if any(n for _, n, _ in row.values())}


def _scores(pieces: list[Stored], half_life_ms: int) -> Scores:
    """Σ w·x / Σ w, w = 2^(−age / half-life); an answer about an event outranks what was observed of it."""
    result: Scores = {}
    for n, dimension in enumerate(DIMENSIONS):
        those = [each for each in pieces if each.values[n] is not None]
        if dimension == "effectiveness":  # a contact that another one followed has not helped
            those = [
                each._replace(values=(0.0, *each.values[1:]))
                if _came_back(each, pieces) and each.kind == "observed"
                else each
                for each in those
            ]
        outranked = {each.interaction.about for each in those if each.kind == "asked"} - {""}
        those = [each for each in those if each.kind == "asked" or each.interaction.event_id not in outranked]
        weights = [
            2 ** ((each.interaction.occurred_at - pieces[-1].interaction.occurred_at) / half_life_ms) for each in those
        ]
        total = sum(w * (each.values[n] or 0.0) for w, each in zip(weights, those, strict=True))
        kinds = {each.kind for each in those}
        kind = "mixed" if len(kinds) == 2 else "".join(kinds)
        result[dimension] = (total / sum(weights) if those else None, len(those), kind)
    return result


def _came_back(contact: Stored, pieces: list[Stored]) -> bool:
    """Whether the person contacted us again about the issue of a contact, within seven days of it."""
    x = contact.interaction
    return contact.contact == "contact" and any(
        each.contact == "contact"
        and each.interaction.issue == x.issue
        and each.interaction.position > x.position
        and each.interaction.occurred_at <= x.occurred_at + 7 * DAY_MS
        and (not x.session_id or each.interaction.session_id != x.session_id)
        for each in pieces
    )


def answer(told: Expected, identifier: str) -> Answer:
    """What the context answer must say of one identifier."""
    who = told.identities.get(identifier, Assignment(0))
    if who.ambiguous:
        return Answer("ambiguous", list(who.candidates), None, [], {}, None, {})
    person = who.owners[0] if who.owners else identifier
    mine = told.persons.get(person, [])
    days = told.scores.get(person)
    return Answer(
        match="one",
        candidates=[],
        person=person,
        timeline=[(*x.event, x.occurred_at) for x in mine[:VIEW_SIZE]],
        scores=days[max(days)] if days else dict.fromkeys(DIMENSIONS, (None, 0, "")),
        last_order=next((x.properties["order_id"] for x in mine if x.type == "order_placed"), None),
        traits=_traits(mine),
    )


def _traits(newest_first: list[Interaction]) -> dict[str, str]:
    result: dict[str, str] = {}
    for x in newest_first:
        if x.type == "profile_updated":
            result = x.properties | result
    return result
