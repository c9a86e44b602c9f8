"""The blueprint as a Mermaid flowchart. Pure.

Everything that somebody named becomes a quoted text in which each character that could mean something to Mermaid, or to
the HTML that it makes, is written as its number (`#60;`); ids are made here. So no name can end its text, add a node,
link or directive.
"""

from __future__ import annotations

import unicodedata

from pipeline.domain.blueprint import HIDDEN, LAYERS, Blueprint, Node
from pipeline.serve import said
from pipeline.serve.drawing import ROW_NAMES

TEXT_CHARS_MAX = 200
_PLAIN = frozenset(" .,:-–−…·%+/×≤≥")
_COLOURS = {
    "green": "fill:#e3f3e8,stroke:#2c7a4b,color:#1d2126",
    "yellow": "fill:#fcf0dd,stroke:#7d4600,color:#1d2126",
    "red": "fill:#fcecec,stroke:#a02029,color:#1d2126",
    "grey": "fill:#f4f3ef,stroke:#8d9299,color:#1d2126",
}


def escaped(text: str) -> str:
    """A text that is nothing but text, in one line."""
    short = " ".join(text.split())[:TEXT_CHARS_MAX]
    return "".join(each if each in _PLAIN or _is_word(each) else f"#{ord(each)};" for each in short)


def mermaid(blueprint: Blueprint, about: str) -> str:
    """The flowchart: a subgraph for each stage, its touchpoints in it, the ways between stages. `about`: a comment."""
    lines = ["flowchart LR", f"  %% {escaped(blueprint.journey.name)}, {escaped(about)}"]
    for n, stage in enumerate(blueprint.stages):
        head = f"{escaped(stage.step.name)}<br>{escaped(said.gone(stage.passage))}"
        lines += [f'  subgraph s{n}["{head}"]', "    direction TB"]
        at = 0
        for layer in LAYERS:
            for node in stage.rows[layer]:
                lines.append(f"    s{n}n{at}{_shape(layer, _node(node, layer))}:::{node.reading.dot or 'grey'}")
                at += 1
        lines.append("  end")
    for way in blueprint.ways:
        lines.append(f'  s{way.start} -->|"{escaped(said.way(way.passage))}"| s{way.to}')
    lines += [f"  classDef {name} {colours}" for name, colours in _COLOURS.items()]
    return "\n".join(lines) + "\n"


def _is_word(each: str) -> bool:
    return unicodedata.category(each)[0] in "LN"


def _node(node: Node, layer: str) -> str:
    reading, known = node.reading, node.touchpoint
    interval = said.between(reading.figure, reading.measure)
    figure = " · ".join(
        each for each in (said.value(reading), said.unit(reading), interval, f"n {reading.n:,}") if each
    )
    parts = [known.name, figure, f"{ROW_NAMES[layer]} · {known.owner}", said.theirs(known)]
    return "<br>".join(escaped(each) for each in parts if each)


def _shape(layer: str, text: str) -> str:
    """Behind the line of visibility a box with double sides."""
    return f'[["{text}"]]' if layer in HIDDEN else f'["{text}"]'
