"""What the definition that is counted beside the live one says otherwise: for people, before they agree to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from clickhouse_connect.driver.client import Client
from rich.console import Console
from rich.table import Table

from pipeline.domain.catalogue import Catalogue, Touchpoint
from pipeline.domain.intervals import score
from pipeline.domain.scoring import DIMENSIONS

ROWS_MAX = 200  # shown

_TOUCHPOINTS = "SELECT * FROM definition_differences ORDER BY abs(change) DESC NULLS LAST, touchpoint, dimension"
_CUSTOMERS = "SELECT * FROM definition_customers"
_SUMS = ", ".join(
    f"sum(q.{d}_asked_{each} + q.{d}_observed_{each}) AS {d}_{each}"
    for d in DIMENSIONS
    for each in ("n", "sum", "sum2")
)
_LATELY = f"""SELECT definition, {_SUMS} FROM touchpoint_quarters_summed AS q
WHERE touchpoint = {{touchpoint:String}} AND hour > now() - toIntervalHour({{hours:UInt32}})
GROUP BY definition"""  # noqa: S608  # names of ours, values are bound

Sums = Sequence[tuple[int, float, float]]  # of each dimension: n, sum, sum of squares


class Dot(NamedTuple):
    """How a touchpoint is doing lately by the live definition, and by the one beside it."""

    touchpoint: str
    live: str
    beside: str


def show(client: Client, known: Catalogue, console: Console) -> None:
    """Print it. Raises the driver's Error."""
    live, beside = client.query("SELECT definition, beside FROM definition_live").result_rows[0]
    found = list(client.query(_TOUCHPOINTS).named_results())
    console.print(_touchpoints(found[:ROWS_MAX], live, beside))
    if len(found) > ROWS_MAX:
        console.print(f"… and {len(found) - ROWS_MAX} more in the view definition_differences.")
    for line in customers(next(iter(client.query(_CUSTOMERS).named_results()))):
        console.print(line)
    changed = [each for each in dots(client, known, live, beside) if each.live != each.beside]
    console.print(f"Dots that change: {len(changed) or 'none'}.")
    for each in changed:
        console.print(f"  {each.touchpoint}: {each.live} → {each.beside}")


def customers(row: Mapping[str, Any]) -> list[str]:
    """What is different for how many customers, in words."""
    return [
        f"Customers with scores by version {row['definition_live']}: {row['live']:,}; "
        f"by version {row['definition_beside']}: {row['beside']:,}; by both: {row['both']:,}.",
        f"Overall better by more than 5 of 100: {row['better']:,}; worse: {row['worse']:,}.",
        f"At risk now, and not before: {row['risk_gained']:,}; not any more: {row['risk_lost']:,}.",
    ]


def dots(client: Client, known: Catalogue, live: int, beside: int) -> Iterator[Dot]:
    """Of every touchpoint whose dot is made of scores. Raises the driver's Error."""
    for each in known.touchpoints.values():
        if each.thresholds is None or each.thresholds.measure != "score":
            continue
        bound = {"touchpoint": each.id, "hours": each.thresholds.hours}
        sums = {row[0]: _sums(row[1:]) for row in client.query(_LATELY, bound).result_rows}
        yield Dot(each.id, dot(sums.get(live, ()), each), dot(sums.get(beside, ()), each))


def _sums(row: Sequence[Any]) -> Sums:
    return [(row[at], row[at + 1], row[at + 2]) for at in range(0, len(row), 3)]


def dot(sums: Sums, touchpoint: Touchpoint) -> str:
    """The dot of a touchpoint that has thresholds of its score, as the view touchpoint_dots has it."""
    limits, ((_, low, high), n) = touchpoint.thresholds, score(sums, touchpoint.n_min)
    if limits is None or low is None or high is None or n < max(touchpoint.n_min, 2):
        return "grey"
    bands = ["green" if x >= limits.green else "yellow" if x >= limits.yellow else "red" for x in (low, high)]
    return bands[0] if bands[0] == bands[1] else "grey"


def _touchpoints(found: Sequence[Mapping[str, Any]], live: int, beside: int) -> Table:
    # In a terminal of 80 columns, and where the output goes into a file, figures stay whole, and names if they can.
    table = Table(title=f"Version {beside} beside version {live}", title_justify="left", header_style="bold")
    table.box, table.pad_edge, table.padding = None, False, (0, 1, 0, 0)
    table.add_column("touchpoint", overflow="fold")
    table.add_column("dimension", no_wrap=True)
    for name in (f"n ({live})", f"n ({beside})", f"mean ({live})", f"({beside})", "change", "95 %"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in found:
        span = "" if row["change_low"] is None else f"{row['change_low']:+.1f} to {row['change_high']:+.1f}"
        numbers = (_text(row["live_mean"]), _text(row["beside_mean"]), _text(row["change"], sign="+"), span)
        table.add_row(row["touchpoint"], row["dimension"], f"{row['live_n']:,}", f"{row['beside_n']:,}", *numbers)
    return table


def _text(value: float | None, sign: str = "") -> str:
    return "" if value is None else f"{value:{sign}.1f}"
