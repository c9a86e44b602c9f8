"""Results on a terminal, and for programs. What a figure is made of stands beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from pipeline.analyse.result import Result, Row, analysis_id

NOBODY_KNOWS = "–"


class Column(NamedTuple):
    """A column of the table: its heading, and what it says of a row."""

    heading: str
    text: Callable[[Row], str]
    right: bool = True  # numbers are


@dataclass(frozen=True, slots=True)
class Scale:
    """How a figure is written."""

    factor: float = 1.0
    digits: int = 1
    unit: str = ""

    def text(self, value: float | None) -> str:
        """The figure; a dash where nobody knows it."""
        return NOBODY_KNOWS if value is None else f"{self.bare(value)}{self.unit}"

    def bare(self, value: float) -> str:
        """The figure without its unit."""
        return f"{value * self.factor:,.{self.digits}f}"


SCORE, PERCENT, COUNT, RATIO = Scale(), Scale(100, 0, " %"), Scale(digits=0), Scale(digits=2)


def label(heading: str) -> Column:
    """The row's name."""
    return Column(heading, lambda row: row.label, right=False)


def figure(heading: str, name: str, scale: Scale = SCORE) -> Column:
    """One figure."""
    return Column(heading, lambda row: scale.text(row.figures.get(name)))


def estimate(heading: str, name: str, scale: Scale = SCORE) -> Column:
    """A figure with its interval, `<name>_low` and `<name>_high`."""

    def text(row: Row) -> str:
        value, low, high = (row.figures.get(each) for each in (name, f"{name}_low", f"{name}_high"))
        if low is None or high is None:
            return scale.text(value)
        return f"{scale.text(value)} ({scale.bare(low)} to {scale.bare(high)})"

    return Column(heading, text)


def note(heading: str, name: str) -> Column:
    """A note, in words."""
    return Column(heading, lambda row: row.notes.get(name, ""), right=False)


def show(console: Console, result: Result, columns: Sequence[Column]) -> None:
    """Write a result: of what it is made, its table, and what to beware of."""
    console.print(f"[bold]{escape(' of '.join(each for each in (result.kind, result.of) if each)).capitalize()}[/bold]")
    console.print(
        f"{result.period_from} up to {result.period_to} (that day not counted) · n {result.n:,} · "
        f"scores by definition {result.definition} · method {result.version} · seed {result.seed}"
    )
    if result.rows:
        table = Table(box=None, pad_edge=False, header_style="")
        for column in columns:
            table.add_column(column.heading, justify="right" if column.right else "left", overflow="fold")
        for row in result.rows:
            table.add_row(*(escape(column.text(row)) for column in columns))
        console.print(table)
    if result.refused:
        console.print(f"No figures: {result.refused}", markup=False)
    for caveat in result.caveats:
        console.print(f"! {caveat}", markup=False)


def as_json(result: Result) -> str:
    """The result, for programs: its fields, and its id."""
    of = {"analysis_id": analysis_id(result), **asdict(result)}
    return json.dumps(of, indent=2, default=str, ensure_ascii=False)


@contextmanager
def progress(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr while something takes long; call what it gives with the number of steps that are done."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(description, total=total)
        yield lambda steps: bar.advance(task, steps)
