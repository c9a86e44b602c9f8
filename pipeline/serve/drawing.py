"""The blueprint as boxes and lines: a pure function from figures to places. The template only writes them down.

Columns are stages, rows are layers; below the stages' heads run the ways, each in a lane in which nothing overlaps, so
that a way back is as legible as one ahead. Lengths are in pixels. Texts are cut to their boxes by an estimate of their
width, which is on the safe side; whole they are in the box's title.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.domain.blueprint import HIDDEN, LAYERS, Blueprint, Node, Stage, Way
from pipeline.serve import said

LABEL_W = 84  # of the rows' names
COLUMN_W, BOX_W = 224, 210
HEAD_H, LANE_H, GAP = 62, 26, 10
PAD = 10
LINE_H = 15
TREND_W, TREND_H = 112, 22
LINE_OF_VISIBILITY_H = 30
EMPTY_ROW_H = 34
ROW_NAMES = {
    "evidence": "Evidence",
    "customer": "Customer actions",
    "frontstage": "Frontstage",
    "backstage": "Backstage",
    "support": "Support",
}
CHAR_W, BOLD_W = 0.54, 0.63  # of a letter, as a part of the font's size


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text; `kind` is its class in the sheet."""

    x: float
    y: float
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Box:
    """A node."""

    id: str
    x: int
    y: int
    width: int
    height: int
    dot: str
    label: str  # for who does not see it
    title: str  # all that was cut
    theirs: bool
    alerts: int
    texts: Sequence[Text]
    trend: str  # points of a line; '' with fewer than two
    trend_end: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a column."""

    x: int
    y: int
    width: int
    height: int
    texts: Sequence[Text]


@dataclass(frozen=True, slots=True)
class Line:
    """A way from a stage to another one."""

    x1: int
    x2: int
    y: int
    width: float  # the wider, the more people take it
    text: str
    text_width: int
    title: str
    counted: bool

    @property
    def middle(self) -> float:
        """Where its text is."""
        return (self.x1 + self.x2) / 2

    @property
    def arrow(self) -> str:
        """The points of its head."""
        back = 7 if self.x2 > self.x1 else -7
        return f"{self.x2},{self.y} {self.x2 - back},{self.y - 4} {self.x2 - back},{self.y + 4}"


@dataclass(frozen=True, slots=True)
class Row:
    """A layer."""

    name: Sequence[str]  # in lines
    y: int
    height: int
    hidden: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything, with its places."""

    width: int
    height: int
    heads: Sequence[Head]
    lines: Sequence[Line]
    rows: Sequence[Row]
    boxes: Sequence[Box]
    visibility_y: int  # of the line of visibility


def drawing(blueprint: Blueprint) -> Drawing:
    """Give everything its place."""
    names = [stage.step.name for stage in blueprint.stages]
    taken = lanes([(way.start, way.to) for way in blueprint.ways])
    top = HEAD_H + (max(taken) + 1 if taken else 0) * LANE_H + GAP
    rows, boxes, y, visibility_y = [], [], top, top
    for layer in LAYERS:
        if layer == HIDDEN[0]:
            visibility_y = y + LINE_OF_VISIBILITY_H // 2
            y += LINE_OF_VISIBILITY_H
        row_height = max([EMPTY_ROW_H, *(_stack_height(stage.rows[layer]) for stage in blueprint.stages)])
        rows.append(Row(_lines(ROW_NAMES[layer], LABEL_W - 8, 12), y, row_height, layer in HIDDEN))
        for n, stage in enumerate(blueprint.stages):
            boxes += _stack(stage, n, layer, y)
        y += row_height + GAP
    return Drawing(
        width=LABEL_W + COLUMN_W * len(names),
        height=y,
        heads=[_head(n, stage) for n, stage in enumerate(blueprint.stages)],
        lines=[_line(way, lane, names) for way, lane in zip(blueprint.ways, taken, strict=True)],
        rows=rows,
        boxes=boxes,
        visibility_y=visibility_y,
    )


def lanes(ways: Sequence[tuple[int, int]]) -> list[int]:
    """The lane of each way: the first in which it overlaps no other one. They may meet at a stage."""
    ends: list[list[tuple[int, int]]] = []
    found = []
    for start, to in ways:
        low, high = min(start, to), max(start, to)
        lane = next((n for n, used in enumerate(ends) if all(high <= a or b <= low for a, b in used)), len(ends))
        if lane == len(ends):
            ends.append([])
        ends[lane].append((low, high))
        found.append(lane)
    return found


def cut(text: str, width: float, size: float, char_w: float = CHAR_W) -> str:
    """The text, or as much of it as fits, with an ellipsis."""
    chars = max(int(width / (size * char_w)), 1)
    clean = " ".join(text.split())
    return clean if len(clean) <= chars else clean[: chars - 1].rstrip() + "…"


def _lines(text: str, width: float, size: float) -> list[str]:
    """A text in lines that fit, two at most."""
    found: list[str] = []
    for word in text.split():
        if found and len(found[-1]) + 1 + len(word) <= width / (size * CHAR_W):
            found[-1] += f" {word}"
        else:
            found.append(word)
    return [cut(each, width, size) for each in (found if len(found) <= 2 else [found[0], " ".join(found[1:])])]


def _left(column: int) -> int:
    return LABEL_W + column * COLUMN_W + (COLUMN_W - BOX_W) // 2


def _head(column: int, stage: Stage) -> Head:
    x, inner = _left(column), BOX_W - 2 * PAD
    passage = stage.passage
    before = "" if stage.before is None or not stage.before.persons else f"before: {said.gone(stage.before)}"
    texts = [
        Text(x + PAD, 21, cut(f"{column + 1}  {stage.step.name}", inner, 14, BOLD_W), "stage"),
        Text(x + PAD, 38, cut(said.gone(passage), inner, 11), "small"),
        Text(x + PAD, 53, cut(before, inner, 11), "quiet"),
    ]
    return Head(x, 0, BOX_W, HEAD_H, [each for each in texts if each.text])


def _line(way: Way, lane: int, names: Sequence[str]) -> Line:
    ahead = way.to > way.start
    centre = BOX_W // 2
    x1, x2 = _left(way.start) + centre, _left(way.to) + centre
    if way.to == way.start:
        x1, x2 = x1 - 60, x2 + 60
    share = way.passage.share.value if way.passage else None
    text = said.way(way.passage)
    title = said.way_whole(names[way.start], names[way.to], way.passage, way.before)
    y = HEAD_H + lane * LANE_H + LANE_H // 2 + 4
    ends = (x1 + 8, x2 - 8) if ahead or way.to == way.start else (x1 - 8, x2 + 8)
    return Line(*ends, y, round(1 + 5 * (share or 0), 1), text, 14 + round(len(text) * 6.4), title, bool(way.passage))


def _stack_height(nodes: Sequence[Node]) -> int:
    return sum(_height(node) for node in nodes) + GAP * max(len(nodes) - 1, 0)


def _stack(stage: Stage, column: int, layer: str, y: int) -> list[Box]:
    boxes = []
    for node in stage.rows[layer]:
        boxes.append(_box(node, column, y))
        y += boxes[-1].height + GAP
    return boxes


def _details(node: Node) -> list[tuple[str, str]]:
    """What stands between a node's figure and its trend: kind and text."""
    known = node.touchpoint
    promise = f"Promise: {known.promise}" if known.promise else ""
    texts = [
        ("quiet", said.unit(node.reading)),
        *(("small", line) for line in _lines(promise, BOX_W - 2 * PAD, 11)),
        ("small", said.kept(known, node.reading)),
        ("quiet", known.owner),
        ("partner", said.theirs(known)),
    ]
    return [(kind, text) for kind, text in texts if text]


def _height(node: Node) -> int:
    return 44 + LINE_H * len(_details(node)) + TREND_H + 10


def _box(node: Node, column: int, y: int) -> Box:
    known, reading = node.touchpoint, node.reading
    x, inner = _left(column), BOX_W - 2 * PAD
    badge = 34 if node.alerts else 0
    texts = [Text(x + 28, y + 19, cut(known.name, inner - 18 - badge, 13, BOLD_W), "name")]
    figure = said.value(reading)
    texts.append(Text(x + PAD, y + 39, figure, "figure"))
    interval = said.between(reading.figure, reading.measure)
    evidence = " · ".join(each for each in (interval, f"n {reading.n:,}") if each)
    offset = PAD + 8 + 9.5 * len(figure)
    texts.append(Text(x + offset, y + 39, cut(evidence, BOX_W - PAD - offset, 11), "small"))
    details = _details(node)
    for n, (kind, text) in enumerate(details):
        texts.append(
            Text(x + PAD, y + 56 + n * LINE_H, cut(text, inner, 11, BOLD_W if kind == "partner" else CHAR_W), kind)
        )
    height = _height(node)
    low = y + height - 10
    texts.append(Text(x + BOX_W - PAD, low - 12, f"{reading.volume:,} ×", "volume"))
    change = reading.change
    if change is not None:
        kind = "change" if not change.beyond_chance else "better" if change.better else "worse"
        texts.append(Text(x + BOX_W - PAD, low + 1, said.change(change), kind))
    points = _trend(reading.trend, x + PAD, low - TREND_H)
    promised = f"Promise: {known.promise}" if known.promise else ""
    told = (promised, said.kept_whole(known, reading), known.owner, said.theirs(known))
    title = [said.node(known.name, reading, node.alerts), *(each for each in told if each)]
    title += [f"{reading.volume:,} times in the period", f"before: {said.changed(change)}"]
    return Box(
        id=known.id,
        x=x,
        y=y,
        width=BOX_W,
        height=height,
        dot=reading.dot,
        label=said.node(known.name, reading, node.alerts),
        title="\n".join(title),
        theirs=known.control == "partner",
        alerts=node.alerts,
        texts=texts,
        trend=" ".join(f"{a:g},{b:g}" for a, b in points) if len(points) > 1 else "",
        trend_end=points[-1] if points else None,
    )


def _trend(values: Sequence[float | None], x: int, y: int) -> list[tuple[float, float]]:
    """Where the buckets' values are: what is missing is passed over."""
    known = [each for each in values if each is not None]
    if not known:
        return []
    low, high = min(known), max(known)
    spread = (high - low) or 1.0
    step = TREND_W / max(len(values) - 1, 1)
    return [
        (round(x + n * step, 1), round(y + TREND_H - 3 - (each - low) / spread * (TREND_H - 6), 1))
        for n, each in enumerate(values)
        if each is not None
    ]
