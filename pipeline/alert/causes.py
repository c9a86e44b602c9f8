"""Rows of the views as causes of alerts, in words for people. Pure; only `identifier` and `person` name anybody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.domain.alerts import ASK, CONTROL, OVERDUE, SEVERE, THRESHOLD, Cause, Key
from pipeline.domain.catalogue import Catalogue

Row = Mapping[str, Any]

CONTROL_DAYS_MAX = 7  # a control chart that ends longer ago opens no alert
OVERDUE_DAYS_MAX = 90  # nor does a complaint that is older: it is history that was imported
RED_DEFAULT = "Find out what is different from before, and tell whoever it affects."
SEVERE_TO_DO = "Get in touch with them, put it right, and note what happened."
ASK_TO_DO = "Ask them how it was dealt with, by a survey about the closing."
_STEPS = {
    "acknowledged": "Tell them that it was received, and who deals with it.",
    "assessed": "Decide how grave it is, and who investigates.",
    "investigated": "Find out what happened.",
    "responded": "Tell them what was found, and what is done about it.",
    "closed": "Close it, with its root cause and a next step.",
}


def threshold(row: Row, known: Catalogue) -> Cause | tuple[Key, str]:
    """A dot of touchpoint_dots: a cause, or that there is none and why."""
    place, dot = str(row["touchpoint"]), row["dot"]
    cause = f"{place}/{row['measure']}"
    if dot in ("green", "yellow") or not row["n"]:
        said = f"its dot is {dot}" if row["n"] else "there is no evidence any more"
        return (THRESHOLD, "", cause), said
    touchpoint = known.touchpoints.get(place)
    return Cause(
        kind=THRESHOLD,
        cause=cause,
        reason=f"{_name(place, known)} is red: {row['reason']}",
        touchpoint=place,
        what_to_do=(touchpoint.when_red if touchpoint else "") or RED_DEFAULT,
        opens=dot == "red",
        **_owners(place, known),
        **_figures(row),
    )


def control(row: Row, known: Catalogue) -> Cause | tuple[Key, str]:
    """The newest day of a control chart of one dimension: a cause, or that there is none and why."""
    place, dimension, day = str(row["touchpoint"]), str(row["dimension"]), row["newest"]
    cause = f"{place}/{dimension}"
    if not row["broken"]:
        return (CONTROL, "", cause), f"it was within its limits on {day}"
    better = row["ewma"] > row["high"]
    return Cause(
        kind=CONTROL,
        cause=cause,
        reason=(
            f"The {dimension} of {_name(place, known)} has become {'better' if better else 'worse'} than chance "
            f"explains: on {day} the moving average of its days was {row['ewma']:.1f}, and expected was "
            f"{row['low']:.1f} to {row['high']:.1f}"
        ),
        touchpoint=place,
        what_to_do="Find out what has changed, and keep it." if better else "Find out what has changed, and undo it.",
        value=row["ewma"],
        low=row["low"],
        high=row["high"],
        n=row["n"],
        opens=(row["today"] - day).days <= CONTROL_DAYS_MAX,
        **_owners(place, known),
    )


def severe(row: Row, known: Catalogue) -> Cause:
    """What was severe for one identifier at one touchpoint on one day."""
    place, times = str(row["touchpoint"]), int(row["n"])
    what = str(row["type"]).replace("_", " ")
    often = "" if times == 1 else f", {times} times on that day"
    return Cause(
        kind=SEVERE,
        cause=f"{place}/{row['day']}",
        reason=f"Somebody had a severe experience at {_name(place, known)}: {what}{often}",
        touchpoint=place,
        identifier=row["identifier"],
        person=row["person"],
        since=row["since"],
        what_to_do=SEVERE_TO_DO,
        value=row["value"],
        n=times,
        **_owners(place, known),
    )


def overdue(row: Row, known: Catalogue) -> Cause:
    """A complaint that is past its time."""
    place, stage = str(row["touchpoint"]), row["overdue"]
    return Cause(
        kind=OVERDUE,
        cause=row["complaint"],
        reason=(
            f"A complaint at {_name(place, known)} should have been {stage} within {row['allowed_h']:g} hours, and has "
            f"only been {row['stage']} after {row['age_h']:.0f}"
        ),
        touchpoint=place,
        identifier=row["identifier"],
        person=row["person"],
        since=row["since"],
        what_to_do=_STEPS[stage],
        value=row["age_h"],
        high=row["allowed_h"],
        n=1,
        opens=row["age_h"] <= OVERDUE_DAYS_MAX * 24,
        **_owners(place, known),
    )


def answered(closed: Iterable[Row], answers: Iterable[Row]) -> list[bool]:
    """Of each closed complaint, whether who complained has answered since: a survey about the closing or the complaint,
    or one at the touchpoint of either."""
    given: dict[str, list[Row]] = defaultdict(list)
    for each in answers:
        given[each["person"]].append(each)

    def is_one(answer: Row, row: Row) -> bool:
        about = answer["about"] in (row["closing_event"], row["opening_event"], row["complaint"])
        place = answer["touchpoint"] in (row["touchpoint"], row["closing_touchpoint"])
        return bool(answer["at"] >= row["closed_at"]) and (about or place)

    return [any(is_one(each, row) for each in given[row["person"]]) for row in closed]


def ask(row: Row, done: bool, known: Catalogue) -> Cause | tuple[Key, str]:
    """A complaint that was closed: who complained is to be asked, or has answered."""
    place = str(row["touchpoint"])
    cause = f"{row['complaint']}#{row['reopened']}"
    if done:
        return (ASK, row["identifier"], cause), "they have answered"
    return Cause(
        kind=ASK,
        cause=cause,
        reason=f"A complaint at {_name(place, known)} was closed, and nobody knows yet whether that is right for them",
        touchpoint=place,
        identifier=row["identifier"],
        person=row["person"],
        since=row["since"],
        what_to_do=ASK_TO_DO,
        n=1,
        **_owners(place, known),
    )


def sorted_out(found: Sequence[Cause | tuple[Key, str]]) -> tuple[list[Cause], dict[Key, str]]:
    """The causes, and those that are over with why."""
    causes = [each for each in found if isinstance(each, Cause)]
    return causes, dict(each for each in found if not isinstance(each, Cause))


def _name(place: str, known: Catalogue) -> str:
    touchpoint = known.touchpoints.get(place)
    return touchpoint.name if touchpoint else place


def _owners(place: str, known: Catalogue) -> dict[str, Any]:
    touchpoint = known.touchpoints.get(place)
    return {"owner": touchpoint.owner, "deputy": touchpoint.deputy} if touchpoint else {}


def _figures(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("value", "low", "high", "n")}
