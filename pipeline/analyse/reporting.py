"""What a report says, composed from results alone: in plain words, with n, intervals and what to beware of. Pure.

For people who never open a dashboard: the first part says what to do, the others why. A kind of analysis that nobody
has run, that is of another time, or that was refused is said as such, and what would help. Nothing here is a cause: the
words are those of association, but where a change was compared with what was not changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial

from pipeline.analyse import paths_drawn, quadrants_drawn, worded
from pipeline.analyse.paths_drawn import Picture
from pipeline.analyse.paths_found import ELSE, UNSAID
from pipeline.analyse.quadrants import FIRST
from pipeline.analyse.result import Result, Row
from pipeline.domain.catalogue import Catalogue
from pipeline.serve import said

ACTIONS_MAX, BARS_MAX, LINES_MAX, WAYS_MAX = 6, 12, 8, 3


@dataclass(frozen=True, slots=True)
class Dot:
    """A touchpoint that is not green, as `touchpoint_dots` says it."""

    touchpoint: str
    name: str
    dot: str  # red, yellow
    reason: str
    owner: str
    when_red: str


@dataclass(frozen=True, slots=True)
class Found:
    """All that a report is made of. `results`: the newest of each kind; `others`: those that are of another time."""

    on: date
    results: Mapping[str, Result]
    known: Catalogue
    others: Mapping[str, Result] = field(default_factory=dict)
    dots: Sequence[Dot] | None = None  # None: nobody knows
    changed: Mapping[str, str] = field(default_factory=dict)  # change's id → what was changed


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure with its interval, 0 to 1 of the axis, and its words."""

    label: str
    figure: str
    detail: str
    value: float
    low: float | None
    high: float | None
    kind: str = ""  # first, worse, better: its colour


@dataclass(frozen=True, slots=True)
class Line:
    """Something that is said, the telling part first."""

    head: str
    text: str
    kind: str = ""  # red, yellow, better, worse, grey


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the page."""

    id: str
    title: str
    lead: Sequence[str] = ()
    bars: Sequence[Bar] = ()
    axis: str = ""  # what the bars are of
    lines: Sequence[Line] = ()
    pictures: Sequence[Picture] = ()
    plane: quadrants_drawn.Picture | None = None
    beware: Sequence[str] = ()
    missing: str = ""  # why there is nothing
    made: str = ""  # of what it is made


@dataclass(frozen=True, slots=True)
class Report:
    """A page, ready to be written down."""

    title: str
    about: str
    strategy: str
    parts: Sequence[Part]


def report(found: Found) -> Report:
    """Put a report together."""
    parts = [_drivers(found), _hurts(found), _worth(found), _ways(found), _fixes(found)]
    return Report(
        title="What drives experience, and what to do first",
        about=f"Written on {day(found.on)}. Each part says of which days and of how many people it is.",
        strategy=found.known.business.strategy.sentence,
        parts=[_first(found), *parts],
    )


def day(of: date) -> str:
    """27 November 2026."""
    return f"{of.day} {of:%B} {of.year}"


def made_of(result: Result, of: str = "people") -> str:
    """Of which days and how many, and how."""
    return (
        f"{day(result.period_from)} up to {day(result.period_to)} (that day not counted), n = {result.n:,} {of}; "
        f"scores by definition {result.definition}, method {result.version}, seed {result.seed}{worded.told(result)}."
    )


def _first(found: Found) -> Part:
    """At most so many things to do: drivers that carry much and do badly, what is red, calls, losses, fixes."""
    lines = [*_improve(found), *_red(found), *_calls(found), *_losses(found), *_again(found)][:ACTIONS_MAX]
    nothing = (
        "" if lines else "Nothing stands out beyond chance in what was analysed. The parts below say what was not."
    )
    return Part("first", "What to do first", lines=lines, missing=nothing)


def _improve(found: Found) -> list[Line]:
    lines = []
    for row in _rows(found, "drivers"):
        if row.notes.get("quadrant") != FIRST or row.notes.get("found") == "no":
            continue
        share, doing = worded.between(row, "share", said.percent), worded.between(row, "performance", said.score)
        text = f"It carries {share} of what can be explained of overall experience, and scores {doing} of 100. "
        lines.append(Line(f"Improve {row.label}", text + _who(found, row.item), "red"))
    return lines


def _red(found: Found) -> list[Line]:
    told = {row.item for row in _rows(found, "drivers") if row.notes.get("quadrant") == FIRST}
    dots = [each for each in found.dots or () if each.dot == "red" and each.touchpoint not in told]
    return [
        Line(f"{each.name} is red", f"{worded.sentence(each.reason)} {worded.doing(each.owner, each.when_red)}", "red")
        for each in dots[:2]
    ]


def _calls(found: Found) -> list[Line]:
    rows = _lines_of(found, "contact")
    if not rows:
        return []
    row = max(rows, key=lambda each: (each.figures.get("cost") or 0.0, each.figures.get("times") or 0.0))
    after, issue = row.notes.get("after", ""), row.notes.get("issue", "")
    if issue in (UNSAID, ELSE):
        return [Line(f"Find out why people contact us after {after}", _contact(found, row), "yellow")]
    spare = f"{_contact(found, row)} Part of these contacts an answer there may spare."
    return [Line(f"Answer {issue} at {after}", spare, "yellow")]


def _losses(found: Found) -> list[Line]:
    rows = _lines_of(found, "dropped")
    if not rows:
        return []
    row = max(rows, key=lambda each: each.figures.get("people") or 0.0)
    journey, step = row.notes.get("journey_name", ""), row.notes.get("step_name", "")
    text = f"{worded.of(row)} ended there, {worded.between(row, 'share', said.percent)} of those who came so far."
    return [Line(f"Look at “{step}” of “{journey}”", text, "yellow")]


def _again(found: Found) -> list[Line]:
    worse = [row for row in _rows(found, "changes") if row.notes.get("verdict") == "worse"]
    return [Line(f"Look again at {row.label}", _effect(found, row), "red") for row in worse[:2]]


def _drivers(found: Found) -> Part:
    title = "What drives experience"
    result, missing = _result(found, "drivers")
    if result is None or missing:
        return _missing("drivers", title, result, missing)
    top = max((row.figures.get("share_high") or row.figures.get("share") or 0.0 for row in result.rows), default=0) or 1
    lead = []
    if result.rows and result.rows[0].figures.get("r2") is not None:
        together = worded.between(result.rows[0], "r2", said.percent)
        lead.append(
            f"These {len(result.rows)} together explain {together} of how overall experience differs from person to "
            "person; the rest lies in what is not here. The longer a bar, the more of it goes with this one."
        )
    bars = []
    for n, row in enumerate(result.rows[:BARS_MAX], 1):
        chance = ["may be chance"] if row.notes.get("found") == "no" else []
        doing = f"does {worded.between(row, 'performance', said.score)} of 100"
        detail = [doing, f"n {worded.count(row, 'n')}", *chance, row.notes.get("quadrant", "")]
        kind = "first" if row.notes.get("quadrant") == FIRST else ""
        bar = _bar(row, "share", top, said.percent, detail, kind)
        bars.append(replace(bar, label=f"{n}. {bar.label}"))
    axis = f"Share of what is explained, 0 to {said.percent(top)}; the thin line is where it lies with 95 %"
    plane = quadrants_drawn.picture(result, BARS_MAX) if result.rows else None
    return Part("drivers", title, lead, bars, axis, plane=plane, beware=result.caveats, made=made_of(result))


def _hurts(found: Found) -> Part:
    lines = [
        Line(
            f"{each.name} is {each.dot}",
            f"{worded.sentence(each.reason)} {worded.doing(each.owner, each.when_red)}",
            each.dot,
        )
        for each in (found.dots or ())[:LINES_MAX]
    ]
    lead = [] if found.dots is None else ["Touchpoints that are not green now; whose they are stands beside them."]
    if found.dots is not None and not lines:
        lead = ["No touchpoint is red or yellow now. One that is grey has too little evidence to say."]
    result, missing = _result(found, "segments")
    worse = [row for row in (result.rows if result else ()) if row.notes.get("verdict") == "worse"]
    for row in worse[:LINES_MAX]:
        by = worded.between(row, "difference", worded.points)
        text = f"{worded.between(row, 'mean', said.score)} of 100, {by} against all others; n {worded.count(row, 'n')}."
        lines.append(Line(f"Worse than others: {row.label}", text, "worse"))
    if result is not None and not missing and not worse:
        lead.append("No segment of people fares worse than the others beyond chance.")
    gone = f"Of segments: {missing}" if missing else ""
    beware = result.caveats if result is not None and not missing else ()
    made = f"Segments: {made_of(result)}" if result is not None and not missing else ""
    return Part("hurts", "Where it hurts", lead, lines=lines, beware=beware, missing=gone, made=made)


def _worth(found: Found) -> Part:
    title = "What it is worth"
    result, missing = _result(found, "link")
    if result is None or missing:
        return _missing("worth", title, result, missing)
    effects = [row for row in result.rows if row.notes.get("part") == "effect"]
    lead = ["What goes with 10 points more of experience, between customers who are alike in tenure and earlier spend."]
    lines = []
    for row in effects:
        unit, verdict = row.notes.get("unit", ""), row.notes.get("verdict", "")
        if row.notes.get("reason") or row.figures.get("effect") is None:
            lines.append(Line(row.label, worded.sentence(row.notes.get("reason") or "nobody can say"), "grey"))
            continue
        effect = worded.between(row, "effect", partial(worded.amount, unit=unit, signed=True))
        mean = worded.amount(row.figures.get("mean"), unit)
        text = f"{effect}, where the mean is {mean}: {verdict}. n {worded.count(row, 'n')}."
        if row.notes.get("control") == "fails":
            text += " The negative control fails: at most a part of this is an effect."
        kind = {"more with better experience": "better", "less with better experience": "worse"}.get(verdict, "grey")
        lines.append(Line(row.label, text, kind))
    bars, axis = _bands(result)
    return Part("worth", title, lead, bars, axis, lines, beware=result.caveats, made=made_of(result, "customers"))


def _bands(result: Result) -> tuple[list[Bar], str]:
    """The dose curve of the first outcome that has one: what customers brought, by what they had experienced."""
    bands = [row for row in result.rows if row.notes.get("part") == "band"]
    bands = [row for row in bands if row.notes.get("outcome") == bands[0].notes.get("outcome")]
    if len(bands) < 2 or any((row.figures.get("mean") or 0.0) < 0 for row in bands):
        return [], ""
    unit = bands[0].notes.get("unit", "")
    top = max(row.figures.get("mean_high") or row.figures.get("mean") or 0.0 for row in bands) or 1.0
    bars = [_bar(row, "mean", top, partial(worded.amount, unit=unit), [f"n {worded.count(row, 'n')}"]) for row in bands]
    return (
        bars,
        f"Mean per customer by their score before, 0 to {worded.amount(top, unit)}; nothing is held constant here",
    )


def _ways(found: Found) -> Part:
    title = "How people really go"
    result, missing = _result(found, "paths")
    if result is None or missing:
        return _missing("ways", title, result, missing)
    journeys = paths_drawn.journeys(result)
    lead = ["A box is a step, filled as far as people came to it. A dashed line is a way that the design does not say."]
    if not journeys:
        lead = ["Of no journey enough people were followed for long enough to tell how they went."]
    lines = []
    for journey in journeys:
        kept, ended = journey.kept, journey.completed
        parts = []
        if kept is not None:
            parts.append(f"{worded.between(kept, 'share', said.percent)} never left the design")
        if ended is not None:
            half, share = ended.figures.get("median_s"), worded.between(ended, "share", said.percent)
            soon = "" if half is None else f", half of them within {said.duration(half)}"
            parts.append(f"{share} came to the end{soon}")
        off = [row for row in journey.moves.values() if row.notes.get("design") == "no"]
        off.sort(key=lambda row: -(row.figures.get("people") or 0.0))
        parts += [f"{worded.count(row, 'people')} {worded.past(row.notes.get('what', ''))}" for row in off[:WAYS_MAX]]
        told = f"Of {journey.people:,} people {'; '.join(parts)}."
        nothing = f"{journey.people:,} people began it; to say more would tell of a few of them."
        lines.append(Line(journey.name, told if parts else nothing, ""))
    for row in _lines_of(found, "contact")[:WAYS_MAX]:
        lines.append(Line(f"{row.notes.get('issue', '')}, after {row.notes.get('after', '')}", _contact(found, row)))
    for row in _lines_of(found, "switch")[:WAYS_MAX]:
        within = said.duration(row.figures.get("median_s"))
        text = f"{worded.count(row, 'switched')} people changed so; half within {within}."
        lines.append(Line(row.label, text))
    pictures = [paths_drawn.picture(each) for each in journeys]
    return Part("ways", title, lead, lines=lines, pictures=pictures, beware=result.caveats, made=made_of(result))


def _fixes(found: Found) -> Part:
    title = "What the fixes did"
    result, missing = _result(found, "changes")
    if result is None or missing:
        return _missing("fixes", title, result, missing)
    lines = []
    for row in result.rows[: 2 * LINES_MAX]:
        verdict = row.notes.get("verdict", "")
        head = f"{row.label}: {verdict if verdict != 'grey' else 'nobody can say'}"
        lines.append(Line(head, _effect(found, row), {"better": "better", "worse": "worse"}.get(verdict, "grey")))
    return Part("fixes", title, lines=lines, beware=result.caveats, made=made_of(result, "changes"))


def _effect(found: Found, row: Row) -> str:
    """What was changed, and what came of it."""
    what = found.changed.get(row.item, "")
    parts = [worded.sentence(f"{row.notes.get('changed_on', '')}: {what}".rstrip(": "))]
    if row.figures.get("difference") is not None:
        before, after = (said.score(row.figures.get(each)) for each in ("before", "after"))
        sizes = " and ".join(f"{worded.count(row, each)}" for each in ("before_n", "after_n"))
        parts.append(
            f"Score {before} before, {after} after: {worded.between(row, 'difference', worded.points)}, n {sizes}."
        )
    if row.figures.get("effect") is not None:
        others = f"{worded.count(row, 'others')} touchpoints that were not changed"
        parts.append(f"Beyond what {others} did: {worded.between(row, 'effect', worded.points)}.")
    return " ".join(each for each in (*parts, row.notes.get("reason", ""), row.notes.get("caveats", "")) if each)


def _contact(found: Found, row: Row) -> str:
    """How many, about what, at what cost."""
    soon = found.results["paths"].parameters.get("soon_min", "60")
    within = "the hour" if soon == "60" else f"{soon} minutes"
    channels = row.notes.get("from", "").replace("_", " "), row.notes.get("to", "").replace("_", " ")
    text = (
        f"{worded.count(row, 'people')} people were at {row.notes.get('after', '')} ({channels[0]}) and contacted us "
        f"({channels[1]}) within {within}, {worded.count(row, 'times')} times, about {row.notes.get('issue', '')}"
    )
    handled, seconds, cost = (row.figures.get(each) for each in ("handled", "handle_s", "cost"))
    if handled and seconds is not None:
        text += f"; {seconds / 3600:,.1f} hours of work ({said.duration(seconds / handled)} each)"
    return text + (f"; {cost:,.0f} {row.notes.get('currency', '')}." if cost is not None else ".")


def _result(found: Found, kind: str) -> tuple[Result | None, str]:
    """The result of a kind, and why it says nothing ('' where it does)."""
    result, command = found.results.get(kind), f"`throughline analyse {kind}`"
    if result is not None:
        return result, f"No figures: {result.refused}" if result.refused else ""
    other = found.others.get(kind)
    if other is None:
        return None, f"nobody has analysed this yet; {command} does."
    days = f"{day(other.period_from)} up to {day(other.period_to)}"
    return None, f"the newest analysis is of another time ({days}); {command} with --from and --to makes one."


def _missing(id_: str, title: str, result: Result | None, why: str) -> Part:
    beware = result.caveats if result is not None else ()
    return Part(id_, title, beware=beware, missing=why[:1].upper() + why[1:], made=made_of(result) if result else "")


def _rows(found: Found, kind: str) -> Sequence[Row]:
    result, missing = _result(found, kind)
    return () if result is None or missing else result.rows


def _lines_of(found: Found, part: str) -> list[Row]:
    return [row for row in _rows(found, "paths") if row.notes.get("part") == part]


def _bar(row: Row, name: str, top: float, words: worded.Words, detail: Sequence[str], kind: str = "") -> Bar:
    value, low, high = (row.figures.get(each) for each in (name, f"{name}_low", f"{name}_high"))
    at = [None if each is None else min(max(each / top, 0.0), 1.0) for each in (value, low, high)]
    told = " · ".join(each for each in detail if each)
    return Bar(row.label, worded.between(row, name, words), told, at[0] or 0.0, at[1], at[2], kind)


def _who(found: Found, touchpoint: str) -> str:
    known = found.known.touchpoints.get(touchpoint)
    return worded.doing(known.owner, known.when_red) if known is not None else ""
