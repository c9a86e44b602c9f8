"""A person's evidence as a list that score rows are written from, kept up piece by piece or made anew.

One new piece is put in its place, and the rows from its day on are written again. Where interactions came or went in
any other way (a better copy, another assignment) the list is made anew from the interactions held.

Rows of days that have left the bounds (`Rules.evidence`) stand as they were last written.

When another definition has become live, a ledger is made anew by it at the first change (`turn`). The rows of earlier
days are those of its replay, and the rows by the former definition stand as they are.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Set as AbstractSet
from operator import attrgetter

from pipeline.domain.consent import ANALYSIS
from pipeline.domain.records import UNJUDGED, Held, Ledger
from pipeline.domain.rules import Rules
from pipeline.domain.scores import NO_SCORES, Piece, ScoreRow, piece, retraction, rows
from pipeline.domain.shelves import Shelves

PAST_DAYS = 400  # remembered days with a row but no evidence left
NEVER_DAY = 1 << 31


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
    if not held.shown:
        gone_days = sorted({p.day for p in ledger.pieces}.union(ledger.past))
        left = Ledger(scoring.version, [], [], beside=ledger.beside)
        return left, [retraction(person, day, scoring) for day in gone_days]

    days = {p.day for p in shelves.pieces}
    silent = shelves.silent(ANALYSIS)
    past = [day for day in ledger.past if day not in days]
    new = Ledger(scoring.version, shelves.pieces, past, tuple(sorted(silent)), ledger.since, ledger.beside)
    added = set(new.pieces).difference(ledger.pieces)
    gone = set(ledger.pieces).difference(new.pieces)
    lost = _lost(gone, held, taken, silent, rules) if gone else set()
    changed = {p.day for p in added}.difference(ledger.past)  # what only came back has its row
    changed.update(p.day for p in lost)
    if since is not None:
        changed.add(since)
    result = [retraction(person, day, scoring) for day in sorted({p.day for p in lost} - days)]
    if changed:
        new.since = min(new.since, *changed)
        result += rows(person, new.pieces, min(changed), scoring)
    _remember(new, {p.day for p in gone - lost} - days)
    return new, result


def turn(
    ledger: Ledger, held: Held, shelves: Shelves, since: int | None, rules: Rules, *, whole: bool
) -> tuple[Ledger, list[ScoreRow]]:
    """The ledger of a former definition made anew by the live one, and the rows that are to be written.

    `since`: the day of the first new piece, where nothing else has changed; None: all may have. `whole`: nothing was
    ever let go. Where all of a person's evidence is at hand, their rows are all told, and those of the replay without
    evidence taken back.
    """
    scoring, person = rules.scoring, held.person
    days, told = {p.day for p in shelves.pieces}, ledger.beside.get(scoring.version, [])
    beside = {version: found for version, found in ledger.beside.items() if version != scoring.version}
    if ledger.definition != UNJUDGED:
        beside[ledger.definition] = sorted({p.day for p in ledger.pieces}.union(ledger.past))
    if not held.shown:
        return Ledger(scoring.version, [], [], beside=beside), [retraction(person, day, scoring) for day in told]
    past = [day for day in told if day not in days]
    silent = tuple(sorted(shelves.silent(ANALYSIS)))
    if whole and len(shelves.pieces) < rules.evidence:
        new = Ledger(scoring.version, shelves.pieces, [], silent, beside=beside)
        return new, [*(retraction(person, day, scoring) for day in past), *rows(person, new.pieces, 0, scoring)]
    new = Ledger(scoring.version, shelves.pieces, past, silent, NEVER_DAY, beside)
    first = min(days, default=NEVER_DAY)
    if since is None:
        new.since = first
    elif since >= first:
        new.since = since  # rows of the days before would lack what has left the ledger
    return new, rows(person, new.pieces, new.since, scoring)


def wiped(ledger: Ledger, person: str, rules: Rules) -> tuple[Ledger, list[ScoreRow]]:
    """The ledger of somebody who was erased, and the rows of which no evidence is left: none of them stands."""
    days = set(ledger.past)
    if ledger.definition == rules.scoring.version:
        days.difference_update(p.day for p in ledger.pieces)  # `retell` looks after these
        left = Ledger(ledger.definition, ledger.pieces, [], since=ledger.since)
    else:
        days.update(p.day for p in ledger.pieces)
        left = Ledger(rules.scoring.version, [], [])
    every = {ledger.definition: sorted(days), **ledger.beside}
    return left, [ScoreRow(person, day, version, NO_SCORES) for version, found in every.items() for day in found]


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
