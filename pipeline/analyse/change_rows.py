"""What `changes` found, as rows and words: a row for each change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from pipeline.analyse.before_after import Compared
from pipeline.analyse.result import Row
from pipeline.analyse.shown import COUNT, Column, estimate, figure, label, note
from pipeline.domain.intervals import Interval

MANY = 5  # from so many changes on, some look as if they did something by chance alone
NOT_PROVEN = (
    "Touchpoints are compared with themselves and with others that were not changed. Nobody drew lots: what else "
    "happened at one and not at the others is in its effect too, and a change may have moved the others as well."
)


def rows(found: Sequence[Compared], names: Mapping[str, str], days: int) -> tuple[Row, ...]:
    """One for each change. `names`: of touchpoints; `days`: of each window, as asked for."""
    return tuple(_row(each, names.get(each.change.touchpoint, each.change.touchpoint), days) for each in found)


def caveats(found: Sequence[Compared]) -> tuple[str, ...]:
    """What to beware of in all of them."""
    judged = sum(each.verdict != "grey" for each in found)
    said = [NOT_PROVEN] if judged else []
    if judged >= MANY:
        said.append(f"{judged:,} changes were compared: of 20 that do nothing, one looks by chance as if it did.")
    return tuple(said)


def nothing(since: date, until: date) -> str:
    """Why there are no figures."""
    return (
        f"no change is recorded from {since} up to {until}. POST /v1/changes records what was changed, where and on "
        "which day"
    )


def _row(of: Compared, name: str, days: int) -> Row:
    return Row(
        item=of.change.change_id,
        label=name,
        figures={
            "days": float(of.days),
            "before_n": float(of.before_n),
            "after_n": float(of.after_n),
            "others": float(of.others),
            **_interval("before", of.before),
            **_interval("after", of.after),
            **_interval("difference", of.difference),
            **_interval("others_difference", of.others_difference),
            **_interval("effect", of.effect),
            **_interval("earlier", of.earlier),
        },
        notes={
            "touchpoint": of.change.touchpoint,
            "changed_on": of.change.on.isoformat(),
            "verdict": of.verdict,
            "reason": of.reason,
            "caveats": " ".join(_beware(of, days)),
        },
    )


def _beware(of: Compared, days: int) -> list[str]:
    """What may mislead in one of them."""
    if of.reason:
        return []
    said = []
    if of.alone:
        said.append(f"It stands alone ({of.alone}): the season, and whatever else changed then, is in the difference.")
    if of.also:
        others = "Another change was" if of.also == 1 else f"{of.also} other changes were"
        said.append(f"{others} made there in the same weeks: which of them did it nobody can tell.")
    if of.mix:
        said.append(
            "Another part of the evidence comes from surveys than before: they may have changed, not the touchpoint."
        )
    if of.earlier.high is not None and of.earlier.high < 0:
        said.append(
            f"It had fallen behind the others before ({of.earlier.value:+.1f} points): some of what followed may be a "
            "return to what is usual."
        )
    if of.earlier.low is not None and of.earlier.low > 0:
        said.append(
            f"It was gaining on the others before ({of.earlier.value:+.1f} points): some would have come anyway."
        )
    if of.days < days:
        said.append(f"Only {of.days} days after it are over, of {days}.")
    return said


def _interval(name: str, of: Interval) -> dict[str, float | None]:
    return {name: of.value, f"{name}_low": of.low, f"{name}_high": of.high}


def _verdict(row: Row) -> str:
    return ". ".join(each for each in (row.notes["verdict"], row.notes["reason"], row.notes["caveats"]) if each)


COLUMNS: Sequence[Column] = (
    label("touchpoint"),
    note("changed on", "changed_on"),
    figure("before", "before"),
    figure("after", "after"),
    estimate("difference", "difference"),
    figure("others", "others", COUNT),
    estimate("less the others", "effect"),
    Column("verdict", _verdict, right=False),
)
