"""One touchpoint more closely: what pulls it down, who said what, which alerts are open, and what to do."""

from __future__ import annotations

import asyncio
from datetime import datetime, tzinfo
from typing import Any

from pipeline.domain.blueprint import SCORE, Reading, measured
from pipeline.domain.catalogue import Touchpoint
from pipeline.domain.observations import FEELING
from pipeline.domain.periods import Window
from pipeline.domain.pulls import Evidence, pulls
from pipeline.serve import said
from pipeline.serve.asked import LAYERS, named
from pipeline.serve.card import words
from pipeline.serve.parts import Parts
from pipeline.serve.reports import LOOK, PAGE, Effort, ReportsAway, Row

VERBATIMS_MAX, NOTES_MAX, ALERTS_MAX = 8, 6, 10
LATELY_DAYS = 90
TEXT_CHARS_MAX = 600
AWAY = "This cannot be read at the moment."
LOOKING = "Looking for it."

_VERBATIMS = """SELECT toUnixTimestamp64Milli(occurred_at) AS at, question, value, max, comment FROM answers
    WHERE touchpoint = {touchpoint:String} AND comment != '' AND occurred_at >= now64(3) - toIntervalDay({days:UInt16})
    ORDER BY occurred_at DESC, source, event_id LIMIT {most:UInt16}"""
_NOTES = """SELECT toUnixTimestamp64Milli(observed_at) AS at, measure, value, note FROM observations FINAL
    WHERE touchpoint = {touchpoint:String} AND note != '' AND observed_at >= now64(3) - toIntervalDay({days:UInt16})
    ORDER BY observed_at DESC, source, observation_id LIMIT {most:UInt16}"""
_ALERTS = """SELECT kind, state, reason, assigned_to, what_to_do, toUnixTimestamp64Milli(opened_at) AS at
    FROM alerts_open WHERE touchpoint = {touchpoint:String} ORDER BY opened_at LIMIT {most:UInt16}"""


async def closely(
    parts: Parts, known: Touchpoint, reading: Reading, window: Window, zone: tzinfo, words_too: bool = True
) -> dict[str, Any]:
    """What the template shows. What cannot be read now says so in its place.

    What customers said takes longest to find where there is much: without `words_too` it is left for later.
    """
    bound = {"touchpoint": known.id, "days": LATELY_DAYS}
    verbatims, notes, alerts, evidence = await asyncio.gather(
        _rows(parts, _VERBATIMS, {**bound, "most": VERBATIMS_MAX}, LOOK) if words_too else _nothing(),
        _rows(parts, _NOTES, {**bound, "most": NOTES_MAX}),
        _rows(parts, _ALERTS, {**bound, "most": ALERTS_MAX}),
        _evidence(parts, known, window),
    )
    scored = measured(known) == SCORE
    found = pulls(evidence or ()) if scored else []
    return {
        "id": known.id,
        "name": known.name,
        "dot": reading.dot,
        "dot_words": said.DOTS[reading.dot],
        "figure": _figure(reading),
        "layer": LAYERS[known.layer],
        "owner": known.owner,
        "deputy": known.deputy,
        "theirs": said.theirs(known),
        "lines": [each for each in (_promise(known), said.kept_whole(known, reading)) if each],
        "change": said.changed(reading.change),
        "pulls": [
            {
                "what": _what(each.evidence),
                "mean": said.score(each.mean),
                "n": f"{each.evidence.n:,}",
                "share": round(each.share, 4),
                "percent": said.percent(each.share),
            }
            for each in found
        ],
        "pulls_note": _pulls_note(known, evidence),
        "what_to_do": known.when_red,
        "alerts": [
            {
                "reason": each["reason"],
                "kind": words(each["kind"]),
                "state": each["state"],
                "assigned_to": each["assigned_to"] or known.owner,
                "what_to_do": each["what_to_do"],
                "since": day(each["at"], zone),
            }
            for each in alerts or ()
        ],
        "alerts_note": AWAY if alerts is None else "",
        "verbatims": [_verbatim(each, zone) for each in verbatims or ()],
        "verbatims_note": LOOKING if not words_too else AWAY if verbatims is None else "",
        "notes": [_note(each, zone) for each in notes or ()],
        "notes_note": AWAY if notes is None else "",
    }


def day(at_ms: int, zone: tzinfo) -> str:
    """A day and its time, by the business's clock."""
    at = datetime.fromtimestamp(at_ms / 1000, zone)
    return f"{at.day} {at:%b %Y, %H:%M}"


def _what(each: Evidence) -> str:
    return f"{words(each.dimension)}, {each.kind}, {words(each.channel).lower()}"


def _promise(known: Touchpoint) -> str:
    return f"Promise: {known.promise}" if known.promise else ""


def _figure(reading: Reading) -> str:
    if reading.figure.value is None:
        return "no evidence in this period"
    what = said.unit(reading) or "score"
    interval = said.between(reading.figure, reading.measure)
    between = f", between {interval.replace('–', ' and ')} with 95 %" if interval else ""
    return f"{what} {said.value(reading)}{between}, from {said.pieces(reading.n)}"


def _pulls_note(known: Touchpoint, evidence: list[Evidence] | None) -> str:
    if measured(known) != SCORE:
        return "It is known from observations: what staff say is below."
    if evidence is None:
        return AWAY
    return "Of everybody, in this period." if any(each.n for each in evidence) else "Nothing was seen in this period."


def _verbatim(row: Row, zone: tzinfo) -> dict[str, str]:
    text = str(row["comment"])[:TEXT_CHARS_MAX]
    question = f"{words(row['question'])} " if row["question"] else ""
    answer = f"{question}{row['value']:g} of {row['max']:g}"
    return {"text": text, "about": f"{answer} · {day(row['at'], zone)}"}


def _note(row: Row, zone: tzinfo) -> dict[str, str]:
    label, measured_in = named(row["measure"])
    told = (
        f"How it goes: {row['value']:g}"
        if row["measure"] == FEELING
        else f"{label} {row['value']:g} {measured_in}".strip()
    )
    return {"text": str(row["note"])[:TEXT_CHARS_MAX], "about": f"{told} · {day(row['at'], zone)}"}


async def _nothing() -> list[Row] | None:
    return None


async def _rows(parts: Parts, sql: str, parameters: dict[str, Any], effort: Effort = PAGE) -> list[Row] | None:
    """None where it cannot be read now."""
    try:
        return await parts.reports.rows(sql, parameters, effort)
    except ReportsAway:
        return None


async def _evidence(parts: Parts, known: Touchpoint, window: Window) -> list[Evidence] | None:
    try:
        return await parts.figures.evidence(window, known.id)
    except ReportsAway:
        return None
