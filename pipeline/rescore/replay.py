"""What a definition says of stored interactions: verdicts for the profiles that hold them, rows of persons. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.domain.consent import ANALYSIS
from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import Judged, Rescored, Verdict
from pipeline.domain.records import UNCOUNTED, event_name
from pipeline.domain.scores import Piece, ScoreRow, is_retraction, piece, retraction, scores
from pipeline.domain.scoring import DIMENSIONS, Scoring
from pipeline.domain.shelves import silent
from pipeline.stitch.outputs import score as record

VERDICTS_MAX = 100  # of a message
ROWS_MAX = 50


class Stored(NamedTuple):
    """An interaction as far as a definition reads it, whose it is, and the definition that its evidence is by."""

    person: str
    interaction: Interaction
    definition: int


Records = Mapping[tuple[str, int], Mapping[str, Any]]  # person and day → a row as the table customer_scores has it


def replay(
    stored: Iterable[Stored], scoring: Scoring, evidence: int, known: Records, read_at: int
) -> Iterator[Judged | Rescored]:
    """The messages that follow from interactions of whole persons, person by person, in the order of their timelines.

    Whoever's own word on analysis says no is not asked, so all words on consent must be among them.
    `evidence`: pieces that a row rests on. `known`: the rows by this definition that these persons (and others who
    have no interactions any more) have already; equal ones are not told again. `read_at`: ms, before all was read.
    """
    left = dict(known)
    theirs: list[Stored] = []
    for each in stored:
        if theirs and theirs[0].person != each.person:
            yield from _person(theirs, scoring, evidence, left, read_at)
            theirs = []
        theirs.append(each)
    if theirs:
        yield from _person(theirs, scoring, evidence, left, read_at)
    gone: dict[str, list[ScoreRow]] = {}
    for (person, day), row in left.items():
        if not is_empty(row):
            gone.setdefault(person, []).append(retraction(person, day, scoring))
    for person, found in gone.items():
        yield from _told(person, found, read_at)


def rows(person: str, pieces: Sequence[Piece], scoring: Scoring, evidence: int) -> Iterator[ScoreRow]:
    """A row for each day that has evidence, over the newest pieces up to its end. `pieces` in rising order."""
    for end, each in enumerate(pieces, 1):
        if end == len(pieces) or pieces[end].day != each.day:
            yield ScoreRow(person, each.day, scoring.version, scores(pieces[max(0, end - evidence) : end], scoring))


def is_empty(row: Mapping[str, Any]) -> bool:
    """Whether a row of the table takes an earlier one back."""
    return not any(row[name] for name in _COUNTS)


_COUNTS = (*(f"{name}_n" for name in DIMENSIONS), "gap_n", "trend_n", "repeat_contacts", "at_risk")


def _person(
    theirs: Sequence[Stored],
    scoring: Scoring,
    evidence: int,
    known: dict[tuple[str, int], Mapping[str, Any]],
    read_at: int,
) -> Iterator[Judged | Rescored]:
    person = theirs[0].person
    unheard = silent((each.interaction for each in theirs), person, ANALYSIS)
    verdicts: dict[str, list[Verdict]] = {}
    pieces: list[Piece] = []
    for each in theirs:
        x = each.interaction
        said = scoring.experience(x)
        if each.definition not in (scoring.version, UNCOUNTED):
            verdict = Verdict(event_name(x.source, x.event_id), x.precedence[0], said)
            verdicts.setdefault(x.identifier, []).append(verdict)
        if said is not None and x.identifier not in unheard and (new := piece(x, said)) is not None:
            pieces.append(new)
    for identifier, found in verdicts.items():
        for start in range(0, len(found), VERDICTS_MAX):
            yield Judged(identifier, scoring.version, tuple(found[start : start + VERDICTS_MAX]))
    told = []
    for row in rows(person, pieces, scoring, evidence):
        before = known.pop((person, row.day), None)
        if record(row) != before and not (is_retraction(row) and (before is None or is_empty(before))):
            told.append(row)
    yield from _told(person, told, read_at)


def _told(person: str, found: Sequence[ScoreRow], read_at: int) -> Iterator[Rescored]:
    for start in range(0, len(found), ROWS_MAX):
        yield Rescored(person, read_at, tuple(found[start : start + ROWS_MAX]))
