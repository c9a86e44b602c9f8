"""A person's evidence as a list that score rows are written from, kept up piece by piece or made anew.

One new piece is put in its place, and the rows from its day on are written again. Where interactions came or went in
any other way (a better copy, another assignment) the list is made anew from the interactions held.

Rows of days that have left the bounds (`Rules.evidence`) stand as they were last written.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Set as AbstractSet
from operator import attrgetter

from pipeline.domain.consent import ANALYSIS
from pipeline.domain.records import Held, Ledger
from pipeline.domain.rules import Rules
from pipeline.domain.scores import NO_SCORES, Piece, ScoreRow, piece, retraction, rows
from pipeline.domain.shelves import Shelves

PAST_DAYS = 400  # remembered days with a row but no evidence left


_PLACE = attrgetter("occurred_at", "source", "event_id", "identifier")  # what follows may be None, without an order


def learn(ledger: Ledger, new: Piece, rules: Rules) -> bool:
    """Put a piece that is not in it yet into its place. False: it is older than all that may be in."""
    insort(ledger.pieces, new, key=_PLACE)
    if len(ledger.pieces) <= rules.evidence:
        return True
    oldest = ledger.pieces.pop(0)
    if not ledger.pieces or oldest.day != ledger.pieces[0].day:
        _remember(ledger, {oldest.day})
    return oldest is not new


def retell(
    ledger: Ledger,
    held: Held,
    shelves: Shelves,
    since: int | None,
    rules: Rules,
    taken: AbstractSet[tuple[str, str, str]] = frozenset(),
) -> tuple[Ledger, list[ScoreRow]]:
    """The ledger made anew from what is held (`shelves` arranges what is shown of it), and the rows that change.

    `since`: the first day whose row is still to be written for pieces that are in the ledger, None where there is none.
    `taken`: events (identifier, source, event_id) that were held, and were taken away.
    A day that has lost all its evidence, because it is somebody else's now, a better copy says otherwise, or a browser
    refuses, gets a row that takes its figures back; one whose evidence has only become too old keeps its row.
    """
    scoring, person = rules.scoring, held.person
    if ledger.definition != scoring.version:  # rows of the former definition stand
        ledger, since = Ledger(scoring.version, [], []), None
    if not held.shown:
        days = {p.day for p in ledger.pieces}.union(ledger.past)
        return Ledger(scoring.version, [], []), [retraction(person, day, scoring) for day in sorted(days)]

    days = {p.day for p in shelves.pieces}
    silent = shelves.silent(ANALYSIS)
    past = [day for day in ledger.past if day not in days]
    new = Ledger(scoring.version, shelves.pieces, past, tuple(sorted(silent)))
    added = set(new.pieces).difference(ledger.pieces)
    gone = set(ledger.pieces).difference(new.pieces)
    lost = _lost(gone, held, taken, silent, rules) if gone else set()
    changed = {p.day for p in added}.difference(ledger.past)  # what only came back has its row
    changed.update(p.day for p in lost)
    if since is not None:
        changed.add(since)
    result = [retraction(person, day, scoring) for day in sorted({p.day for p in lost} - days)]
    if changed:
        result += rows(person, new.pieces, min(changed), scoring)
    _remember(new, {p.day for p in gone - lost} - days)
    return new, result


def wiped(ledger: Ledger, person: str, rules: Rules) -> tuple[Ledger, list[ScoreRow]]:
    """The ledger of somebody who was erased, and the rows of which no evidence is left: none of them stands."""
    days = set(ledger.past)
    if ledger.definition == rules.scoring.version:
        days.difference_update(p.day for p in ledger.pieces)  # `retell` looks after these
        left = Ledger(ledger.definition, ledger.pieces, [])
    else:
        days.update(p.day for p in ledger.pieces)
        left = Ledger(rules.scoring.version, [], [])
    return left, [ScoreRow(person, day, ledger.definition, NO_SCORES) for day in sorted(days)]


def _lost(
    gone: set[Piece], held: Held, taken: AbstractSet[tuple[str, str, str]], silent: AbstractSet[str], rules: Rules
) -> set[Piece]:
    """Of the pieces that are no longer in, those that no longer are so, and not merely too old to be kept."""
    heard = (x for x in held.shown if x.identifier not in silent)
    shown = {piece(x, said) for x in heard if (said := rules.scoring.experience(x)) is not None}
    events = held.events() | taken
    return {p for p in gone if p.event in events and p not in shown}


def _remember(ledger: Ledger, days: set[int]) -> None:
    for day in days.difference(ledger.past):
        insort(ledger.past, day)
    del ledger.past[:-PAST_DAYS]
