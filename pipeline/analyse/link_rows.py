"""What `link` found, as rows and words: a row for each outcome, and one for each band of its dose curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pipeline.analyse import PEOPLE_MIN
from pipeline.analyse.few import few
from pipeline.analyse.linking import PER_POINTS, Link
from pipeline.analyse.result import Row
from pipeline.analyse.shown import COUNT, NOBODY_KNOWS, RATIO, Column, estimate, figure
from pipeline.domain.intervals import Interval

EFFECT, BAND = "effect", "band"  # parts: a row is one of these
SHARE = "share"  # the unit of what happens or not, 0 to 1; an amount has that of its currency
AMOUNT = "amount"  # the unit of amounts whose currency nobody says
ASSOCIATION = (
    "Association, not cause: who has the better experience may differ in more than that, and only tenure and earlier "
    "spend are held constant."
)


@dataclass(frozen=True, slots=True)
class Known:
    """Of what an analysis was made, and what it could not use."""

    landmark: date
    days: int  # of results
    recent_days: int  # of the experience that the negative control is about
    currency: str
    without_score: int = 0  # customers who were active
    gone: int = 0  # who had left by the landmark
    other_currency: int = 0  # customers who have amounts in another one
    no_currency: int = 0  # people with amounts of which none is said
    results_since: date | None = None  # when results began, where they do not cover the window of earlier spend
    control_unknown: Sequence[str] = ()  # outcomes of which they do not cover that of the negative control


def rows(found: Sequence[Link], known: Known) -> tuple[Row, ...]:
    """Each outcome, followed by its bands."""
    return tuple(row for each in found for row in (_effect(each, known), *_bands(each, known)))


def caveats(found: Sequence[Link], known: Known) -> tuple[str, ...]:
    """What to beware of, in words; that it is association comes first."""
    said = [ASSOCIATION, *(_control_fails(each, known) for each in found if each.control_holds is False)]
    said += _no_control([each for each in found if each.outcome.controlled and not each.reason], known)
    if known.results_since:
        said.append(f"Business results begin on {known.results_since}, so earlier spend is not whole.")
    if known.gone:
        said.append(f"Left out: {few(known.gone)} customers who had left by then.")
    if known.without_score:
        said.append(f"Left out: {few(known.without_score)} customers who were active, without a score by then.")
    if known.other_currency:
        others = f"amounts in other currencies than {known.currency}"
        said.append(f"Left out: {few(known.other_currency)} customers with {others}.")
    if known.no_currency:
        said.append(f"Amounts without a currency do not count; {few(known.no_currency)} people have some.")
    return tuple(said)


def text(value: float, unit: str) -> str:
    """A result or an effect in its unit, for people."""
    if unit == SHARE:
        return f"{100 * value:.1f} %"
    size = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.2f}"
    return size if unit == AMOUNT else f"{size} {unit}"


def unit(link: Link, known: Known) -> str:
    """Of its figures."""
    return (known.currency or AMOUNT) if link.outcome.amount else SHARE


def _effect(link: Link, known: Known) -> Row:
    few_controls = 0 < link.control_n < PEOPLE_MIN
    figures = {"n": float(link.n), "control_n": None if few_controls else float(link.control_n)}
    return Row(
        item=link.outcome.name,
        label=link.outcome.label,
        figures={
            **figures,
            **_interval("mean", link.mean),
            **_interval("spearman", link.spearman),
            **_interval("effect", link.effect),
            **_interval("control", link.control),
        },
        notes={
            "part": EFFECT,
            "outcome": link.outcome.name,
            "unit": unit(link, known),
            "verdict": _verdict(link),
            "control": {True: "holds", False: "fails", None: "says nothing"}[link.control_holds],
            "reason": link.reason,
        },
    )


def _bands(link: Link, known: Known) -> list[Row]:
    return [
        Row(
            item=f"{link.outcome.name}:{each.low:g}",
            label=f"{link.outcome.label}, score {each.low:g} to {each.high:g}",
            figures={"n": float(each.n), "from": each.low, "to": each.high, **_interval("mean", each.mean)},
            notes={"part": BAND, "outcome": link.outcome.name, "unit": unit(link, known)},
        )
        for each in link.bands
    ]


def _interval(name: str, of: Interval) -> dict[str, float | None]:
    return {name: of.value, f"{name}_low": of.low, f"{name}_high": of.high}


def _verdict(link: Link) -> str:
    low, high = link.effect.low, link.effect.high
    if low is None or high is None:
        return "unknown"
    if low <= 0 <= high:
        return "no difference beyond chance"
    return "more with better experience" if low > 0 else "less with better experience"


def _no_control(found: Sequence[Link], known: Known) -> list[str]:
    """Why there is no negative control of those that could have one."""
    unknown = [each.outcome.label for each in found if each.outcome.name in known.control_unknown]
    silent = [
        each.outcome.label
        for each in found
        if each.outcome.name not in known.control_unknown and each.control_holds is None
    ]
    said = []
    if unknown:
        of = f" for {_list(unknown)}" if len(unknown) < len(found) else ""
        said.append(f"There is no negative control{of}: business results do not reach back to its window.")
    if silent:
        said.append(f"There is no negative control for {_list(silent)}: too few have what it takes.")
    return said


def _control_fails(link: Link, known: Known) -> str:
    of = unit(link, known)
    value, low, high = (text(each or 0.0, of) for each in link.control)
    return (
        f"The negative control of {link.outcome.label} is not null: {PER_POINTS:g} points of experience in the "
        f"{known.recent_days} days before {known.landmark} go with {value} ({low} to {high}) of the {known.days} days "
        "before those, which they cannot have caused. These customers differ in other ways too, or their results led "
        "to their experience: at most a part of the effect is one."
    )


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _scaled(heading: str, name: str) -> Column:
    """A figure with its interval, in the unit of the row: a share in percent."""

    def short(value: float) -> str:
        return f"{value:,.{0 if abs(value) >= 1000 else 1 if abs(value) >= 10 else 2}f}"

    def said(row: Row) -> str:
        factor = 100 if row.notes["unit"] == SHARE else 1
        found = [row.figures.get(each) for each in (name, f"{name}_low", f"{name}_high")]
        known = [short(each * factor) for each in found if each is not None]
        return f"{known[0]} ({known[1]} to {known[2]})" if len(known) == 3 else NOBODY_KNOWS

    return Column(heading, said)


def _only_effects(column: Column) -> Column:
    """Empty in the rows of bands."""
    return Column(column.heading, lambda row: column.text(row) if row.notes["part"] == EFFECT else "", column.right)


def _name(row: Row) -> str:
    if row.notes["part"] == BAND:
        return f"  score {row.figures['from']:g} to {row.figures['to']:g}"
    unit = {SHARE: " (%)", AMOUNT: ""}.get(row.notes["unit"], f" ({row.notes['unit']})")
    name = f"{row.label}{unit}"
    return f"{name}: {row.notes['reason']}" if row.notes["reason"] else name


COLUMNS: Sequence[Column] = (
    Column("result", _name, right=False),
    figure("n", "n", COUNT),
    _scaled("mean, or share", "mean"),
    _only_effects(estimate("rank correlation", "spearman", RATIO)),
    _only_effects(_scaled("per 10 points", "effect")),
    _only_effects(_scaled("negative control", "control")),
)
