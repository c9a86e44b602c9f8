"""Figures of results in the words of a report. Pure."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.analyse.result import OF, Result, Row

Words = Callable[[float | None], str]
_PAST = {"begins": "began", "goes": "went"}


def between(row: Row, name: str, words: Words) -> str:
    """A figure and its interval, the unit once in each: 34 % (28 to 40 %)."""
    value, low, high = (row.figures.get(each) for each in (name, f"{name}_low", f"{name}_high"))
    if low is None or high is None:
        return words(value)
    begins, _, unit = words(low).partition(" ")
    ends = words(high)
    return f"{words(value)} ({begins if ends.endswith(unit) else words(low)} to {ends})"


def told(result: Result) -> str:
    """What the analysis was told, to end a sentence with: a run with other wishes takes the place of the one before."""
    wishes = [f"{name.replace('_', ' ')} {value}" for name, value in sorted(result.parameters.items()) if name != OF]
    return f"; told: {'; '.join(wishes)}" if wishes else ""


def sentence(text: str) -> str:
    """It begins and ends as one does."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?", "…")) else ".")


def count(row: Row, name: str) -> str:
    """A figure that counts; 0 where it is not known."""
    return f"{row.figures.get(name) or 0:,.0f}"


def of(row: Row) -> str:
    """How many people, of how many."""
    return f"{count(row, 'people')} of {count(row, 'of')} people"


def points(value: float | None) -> str:
    """A difference of scores."""
    return "–" if value is None else f"{value:+.1f} points"


def amount(value: float | None, unit: str, signed: bool = False) -> str:
    """A result or an effect in its unit: a share in percent or points of it, else an amount."""
    if value is None:
        return "–"
    sign = "+" if signed else ""
    if unit == "share":
        return f"{100 * value:{sign}.1f} {'percentage points' if signed else '%'}"
    text = f"{value:{sign},.0f}" if abs(value) >= 1000 else f"{value:{sign},.2f}"
    return text if unit in ("", "amount") else f"{text} {unit}"


def past(what: str) -> str:
    """Of several people: begins → began, goes → went."""
    first, _, rest = what.partition(" ")
    return f"{_PAST.get(first, first)} {rest}"


def doing(owner: str, when_red: str) -> str:
    """Whose it is, and what to do."""
    return " ".join(each for each in (f"Owner: {owner}." if owner else "", when_red) if each)
