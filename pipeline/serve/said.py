"""Figures of the map and of governance in words. Pure."""

from __future__ import annotations

from pipeline.domain.blueprint import SCORE, Change, Passage, Reading, Segment
from pipeline.domain.catalogue import Touchpoint
from pipeline.domain.intervals import Interval
from pipeline.serve.asked import named

DOTS = {"green": "green", "yellow": "yellow", "red": "red", "grey": "nobody can say", "": "no thresholds"}
PERIODS = {"today": "Today", "7": "7 days", "30": "30 days", "90": "90 days"}
BEFORE = {
    "today": "the same hours of yesterday",
    "7": "the 7 days before",
    "30": "the 30 days before",
    "90": "the 90 days before",
}
_SHORT = {"seconds": "s", "minutes": "min", "hours": "h"}
_KINDS = {"store": "Store", "partner": "Partner", "queue": "Queue", "medium": "Medium", "app": "App"}


def number(value: float) -> str:
    """A figure in as many digits as say something: 12,304; 82.4; 0.36."""
    if abs(value) >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}"


def score(value: float | None) -> str:
    """A score, or a dash where there is none."""
    return "–" if value is None else f"{value:.0f}"


def percent(share: float | None) -> str:
    """A share of 0 to 1: 62 %, below 10 with a digit more; a dash where nobody knows."""
    if share is None:
        return "–"
    points = share * 100
    return f"{points:.1f} %" if 0 < points < 9.95 else f"{points:.0f} %"


def duration(seconds: float | None) -> str:
    """A time in its largest unit: 45 s, 4 min, 3.2 h, 2 days."""
    if seconds is None:
        return "–"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    if seconds < 3_570:
        return f"{seconds / 60:.0f} min"
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.1f} days"


def between(figure: Interval, measure: str = SCORE) -> str:
    """The interval: 78–85; empty where it is not known."""
    if figure.low is None or figure.high is None:
        return ""
    ends = [score(each) if measure == SCORE else number(each) for each in (figure.low, figure.high)]
    return f"{ends[0]}–{ends[1]}"


def value(reading: Reading) -> str:
    """The figure itself; a dash where there is none."""
    if reading.figure.value is None:
        return "–"
    return score(reading.figure.value) if reading.measure == SCORE else number(reading.figure.value)


def unit(reading: Reading) -> str:
    """What the figure is of, where that is no score: agents missing; open orders, hours."""
    if reading.measure in ("", SCORE):
        return ""
    label, measured_in = named(reading.measure)
    return f"{label.lower()}, {measured_in}" if measured_in else label.lower()


def pieces(n: int) -> str:
    """n in words."""
    return f"{n:,} piece of evidence" if n == 1 else f"{n:,} pieces of evidence"


def change(by: Change | None) -> str:
    """Against the period before: +3.1; empty where that is not known."""
    if by is None:
        return ""
    size = f"{abs(by.by):.1f}" if abs(by.by) >= 0.05 or not by.by else f"{abs(by.by):.1g}"
    return "±0" if not by.by or float(size) == 0 else f"{'+' if by.by > 0 else '−'}{size}"


def changed(by: Change | None) -> str:
    """The same for who cannot see colours and arrows."""
    if by is None:
        return "nothing to compare with"
    word = "better" if by.better else "worse" if by.by else "unchanged"
    return f"{change(by)} ({word}{'' if by.beyond_chance else ', within chance'})"


def expectation(touchpoint: Touchpoint) -> str:
    """What customers expect; empty where the catalogue says nothing."""
    if touchpoint.expects is None:
        return ""
    label, measured_in = named(touchpoint.expects.measure)
    bound = "≤" if touchpoint.expects.better == "lower" else "≥"
    short = _SHORT.get(measured_in, measured_in)
    return f"Expects {label.lower()} {bound} {touchpoint.expects.target:g} {short}".rstrip()


def kept(touchpoint: Touchpoint, reading: Reading) -> str:
    """The same, with how often it was so."""
    said = expectation(touchpoint)
    return f"{said}: met {percent(reading.met.value)}" if said and reading.met.value is not None else said


def kept_whole(touchpoint: Touchpoint, reading: Reading) -> str:
    """The same, with what it is made of."""
    met = reading.met
    if met.value is None or met.low is None or met.high is None:
        return expectation(touchpoint)
    between = f"between {percent(met.low)} and {percent(met.high)} with 95 %"
    return f"{kept(touchpoint, reading)} of {reading.expected:,} times ({between})"


def theirs(touchpoint: Touchpoint) -> str:
    """Whose it is, where it is not ours."""
    if touchpoint.control != "partner":
        return ""
    return f"By {touchpoint.partner or 'a partner'}, seen as ours"


def node(name: str, reading: Reading, alerts: int) -> str:
    """A node for who does not see it."""
    parts = [name, DOTS[reading.dot]]
    if reading.figure.value is None:
        parts.append("no evidence")
    else:
        parts.append(f"{unit(reading) or 'score'} {value(reading)}")
        if interval := between(reading.figure, reading.measure):
            parts.append(f"between {interval.replace('–', ' and ')} with 95 %")
        parts.append(pieces(reading.n))
    if alerts:
        parts.append(f"{alerts:,} open alert{'' if alerts == 1 else 's'}")
    return ", ".join(parts)


def way(passage: Passage | None) -> str:
    """On a line between stages: 62 % · 4 min."""
    if passage is None:
        return "…"
    share = percent(passage.share.value)
    return share if passage.median_s is None else f"{share} · {duration(passage.median_s)}"


def way_whole(start: str, to: str, passage: Passage | None, before: Passage | None) -> str:
    """The same in a sentence, with what it is made of."""
    if passage is None:
        return f"{start} → {to}: not counted yet"
    share = passage.share
    said = f"{start} → {to}: {passage.went_on or 0:,} of {passage.persons:,} people"
    if share.value is not None and share.low is not None and share.high is not None:
        said += f" ({percent(share.value)}, between {percent(share.low)} and {percent(share.high)} with 95 %)"
    if passage.median_s is not None:
        said += f", half of them within {duration(passage.median_s)}"
    if before is not None and before.share.value is not None:
        said += f"; before: {percent(before.share.value)}"
    return said


def gone(passage: Passage | None) -> str:
    """Under a stage: how many were there, and who did not go on, or not yet."""
    if passage is None:
        return "being counted"
    people = f"{passage.persons:,} {'person' if passage.persons == 1 else 'people'}"
    if passage.dropped_off is None or not passage.persons:
        return people
    return f"{people} · {percent(passage.dropped_off / passage.persons)} drop off"


def segment(given: Segment) -> str:
    """A segment as people choose it."""
    if not given.kind:
        return "Everybody"
    if given.kind in ("known", "channels"):
        return given.value[:1].upper() + given.value[1:]
    label = _KINDS.get(given.kind) or given.kind[:1].upper() + given.kind[1:].replace("_", " ")
    return f"{label}: {given.value}"
