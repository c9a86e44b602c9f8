"""Journeys as people really go, as pictures: places of boxes and lines (SVG), and a flowchart (Mermaid). Pure.

Both are drawn from a result alone, so that a report draws what was found last week. Steps stand below each other, as
wide filled as people came to them; ways that skip or go back are lines at the right, the wider the more people take
them, in another colour and dashed where the design does not say them. Lengths are in pixels; texts are cut to their
boxes by an estimate of their width, and whole in the title.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.analyse import TEMPLATES
from pipeline.analyse.paths_found import NEARLY_ALL
from pipeline.analyse.result import Result, Row
from pipeline.serve import said
from pipeline.serve.drawing import BOLD_W, Text, cut, lanes
from pipeline.serve.mermaid import escaped
from pipeline.templating import environment

BOX_W, BOX_H, STEP_H, PAD = 272, 54, 90, 10
LANE_W, LANES_X = 34, 14
WAYS_MAX = 7  # of those that skip or go back; all are in the table
LABEL_W = 44


@dataclass(frozen=True, slots=True)
class Step:
    """A step, as many as came there, ended there, came again."""

    id: str
    name: str
    here: Row
    dropped: Row | None
    again: Row | None


@dataclass(frozen=True, slots=True)
class Journey:
    """What a result says of one journey. `moves`: the ways from step to step, '' is the beginning."""

    id: str
    name: str
    people: int
    kept: Row | None
    completed: Row | None
    steps: Sequence[Step]
    moves: Mapping[tuple[str, str], Row]


@dataclass(frozen=True, slots=True)
class Box:
    """A step. `filled`: as wide as people came there."""

    y: int
    filled: float
    title: str
    texts: Sequence[Text]


@dataclass(frozen=True, slots=True)
class Way:
    """A way between two steps; `points`: of its line; `arrow`: of its head; `text`: how many, or ''."""

    points: str
    arrow: str
    width: float
    designed: bool
    text: str
    x: float
    y: float
    title: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A journey, with its places."""

    name: str
    about: str
    width: int
    height: int
    boxes: Sequence[Box]
    ways: Sequence[Way]


def journeys(found: Result) -> list[Journey]:
    """The journeys of a result of `paths`, with at least one step."""
    of: dict[str, list[Row]] = {}
    for row in found.rows:
        if row.notes.get("journey"):
            of.setdefault(row.notes["journey"], []).append(row)
    return [made for rows in of.values() if (made := _journey(rows)).steps]


def picture(journey: Journey) -> Picture:
    """Give everything of a journey its place."""
    at = {step.id: n for n, step in enumerate(journey.steps)}
    straight = {(a.id, b.id) for a, b in zip(journey.steps, journey.steps[1:], strict=False)}
    aside = [each for each in journey.moves if each[0] in at and each[1] in at and each not in straight]
    aside = sorted(aside, key=lambda each: -_people(journey.moves[each]))[:WAYS_MAX]
    taken = lanes([(at[start], at[to]) for start, to in aside])
    ways = [_down(journey, pair, at) for pair in sorted(straight & journey.moves.keys(), key=lambda pair: at[pair[0]])]
    ways += [_aside(journey, pair, at, lane) for pair, lane in zip(aside, taken, strict=True)]
    width = BOX_W + (LANES_X + LANE_W * (max(taken) + 1) + LABEL_W if taken else 0)
    return Picture(
        name=journey.name,
        about=f"{journey.people:,} people on “{journey.name}”, and the ways they took",
        width=width,
        height=STEP_H * len(journey.steps) - (STEP_H - BOX_H) + 22,
        boxes=[_box(journey, step, n) for n, step in enumerate(journey.steps)],
        ways=ways,
    )


def svg(found: Result) -> str:
    """All journeys below each other, as a file of its own. Everything that somebody named stays text."""
    pictures = [picture(each) for each in journeys(found)]
    period = f"{found.period_from} up to {found.period_to}, that day not counted"
    return environment(TEMPLATES).get_template("paths.svg").render(pictures=pictures, period=period)


def mermaid(found: Result) -> str:
    """A flowchart with a subgraph for each journey; what the design does not say is dotted."""
    lines = ["flowchart TD", f"  %% {escaped(f'{found.period_from} up to {found.period_to}, n {found.n:,}')}"]
    for n, journey in enumerate(journeys(found)):
        lines += [f'  subgraph j{n}["{escaped(f"{journey.name}: {journey.people:,} people")}"]']
        number = {"": f"j{n}s0", **{step.id: f"j{n}s{m}" for m, step in enumerate(journey.steps, 1)}}
        lines += [f'    j{n}s0(["begins"])']
        lines += [f'    {number[step.id]}["{"<br>".join(map(escaped, _told(step)))}"]' for step in journey.steps]
        for (start, to), row in journey.moves.items():
            if start in number and to in number:
                line = "-->" if row.notes.get("design") == "yes" else "-.->"
                lines.append(f'    {number[start]} {line}|"{escaped(_way(row)[1] or NEARLY_ALL)}"| {number[to]}')
        lines.append("  end")
    return "\n".join(lines) + "\n"


def _journey(rows: Sequence[Row]) -> Journey:
    of: dict[str, list[Row]] = {}
    for row in rows:
        of.setdefault(row.notes.get("part", ""), []).append(row)
    by_step = {kind: {row.notes.get("step", ""): row for row in of.get(kind, [])} for kind in ("dropped", "again")}
    untold = of.get("untold", [])  # steps and ways of nearly all, without their number
    steps = [*of.get("step", []), *(row for row in untold if "step" in row.notes)]
    steps.sort(key=lambda row: int(row.notes.get("step_number") or 0))
    moves = [*of.get("move", []), *(row for row in untold if "step" not in row.notes)]
    named = rows[0].notes
    return Journey(
        id=named["journey"],
        name=named.get("journey_name", ""),
        people=max((int(row.figures.get("of") or 0) for row in steps), default=0),
        kept=next(iter(of.get("kept", [])), None),
        completed=next(iter(of.get("completed", [])), None),
        steps=[_step(row, by_step) for row in steps],
        moves={(row.notes.get("from", ""), row.notes.get("to", "")): row for row in moves},
    )


def _step(row: Row, by_step: Mapping[str, Mapping[str, Row]]) -> Step:
    of = row.notes.get("step", "")
    return Step(of, row.notes.get("step_name", of), row, by_step["dropped"].get(of), by_step["again"].get(of))


def _told(step: Step) -> list[str]:
    """A step's name, who came, who ended there, who came again."""
    share = step.here.figures.get("share")
    found = [step.name, NEARLY_ALL if share is None else f"{_people(step.here):,} people, {said.percent(share)}"]
    if step.dropped is not None:
        found.append(f"{said.percent(step.dropped.figures.get('share'))} end here")
    if step.again is not None:
        found.append(f"{said.percent(step.again.figures.get('share'))} again")
    return found


def _box(journey: Journey, step: Step, n: int) -> Box:
    y, told = n * STEP_H + 1, _told(step)
    began = journey.moves.get(("", step.id))
    texts = [
        Text(PAD, y + 21, cut(f"{n + 1}  {step.name}", BOX_W - 2 * PAD, 14, BOLD_W), "name"),
        Text(PAD, y + 40, told[1].replace(" people, ", " · "), "small"),
    ]
    if began is not None and began.notes.get("design") == "no":
        texts.append(Text(BOX_W - PAD, y + 40, f"{_people(began):,} began here", "off"))
        told.append(f"{_people(began):,} began here, which the design does not say")
    below = " · ".join(told[2 : 2 + (step.dropped is not None) + (step.again is not None)])
    if below:
        texts.append(Text(BOX_W - PAD, y + BOX_H + 17, below, "lost"))
    return Box(y, round(BOX_W * _share(step.here), 1), "\n".join(told), texts)


def _down(journey: Journey, pair: tuple[str, str], at: Mapping[str, int]) -> Way:
    row = journey.moves[pair]
    x, y, to = 26, at[pair[0]] * STEP_H + BOX_H + 2, at[pair[1]] * STEP_H
    points, arrow = f"{x},{y} {x},{to - 7}", f"{x},{to} {x - 5},{to - 8} {x + 5},{to - 8}"
    return Way(points, arrow, _width(row), *_way(row), x + 12, y + 18, row.label)


def _aside(journey: Journey, pair: tuple[str, str], at: Mapping[str, int], lane: int) -> Way:
    row = journey.moves[pair]
    start, to = (at[each] * STEP_H + BOX_H // 2 for each in pair)
    start, to = (start + 9, to - 9) if to > start else (start - 9, to + 9)
    x = BOX_W + LANES_X + LANE_W * (lane + 1)
    points = f"{BOX_W + 2},{start} {x},{start} {x},{to} {BOX_W + 9},{to}"
    arrow = f"{BOX_W + 2},{to} {BOX_W + 10},{to - 5} {BOX_W + 10},{to + 5}"
    return Way(points, arrow, _width(row), *_way(row), x + 5, (start + to) / 2 + 4, row.label)


def _way(row: Row) -> tuple[bool, str]:
    return row.notes.get("design") == "yes", "" if row.notes.get("part") == "untold" else f"{_people(row):,}"


def _width(row: Row) -> float:
    return round(1 + 5 * _share(row), 1)


def _share(row: Row) -> float:
    """Of all people; all of them where nearly all are, whose number is not told."""
    share = row.figures.get("share")
    return 1.0 if share is None else share


def _people(row: Row) -> int:
    return int(row.figures.get("people") or 0)
