"""The week in a few sentences that everyone can read: what got better and worse, what people said, what was changed.

Composed from figures alone, so it can be tested word by word. Better and worse are changes beyond chance against the
week before; what may be chance is not told. Texts of people are in it as they are kept: masked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from pipeline.domain.blueprint import SCORE, Reading
from pipeline.domain.catalogue import Touchpoint
from pipeline.domain.intervals import UNKNOWN, Interval

MOVES_MAX = 10  # of each direction
VERBATIMS_MAX = 6
NOTES_MAX = 8
CHANGES_MAX = 20
DRIVERS_MAX = 3
TEXT_CHARS_MAX = 500
_WEEK = re.compile(r"(\d{4})-W(\d{2})")


class BadWeek(ValueError):
    """No such week; says how one is written."""


@dataclass(frozen=True, slots=True)
class Week:
    """An ISO week."""

    year: int
    number: int

    @property
    def monday(self) -> date:
        """Its first day."""
        return date.fromisocalendar(self.year, self.number, 1)

    @property
    def name(self) -> str:
        """As it is written: 2026-W48."""
        return f"{self.year}-W{self.number:02}"

    @classmethod
    def of(cls, day: date) -> Week:
        """The week in which a day is."""
        year, number, _ = day.isocalendar()
        return cls(year, number)


def week(text: str, today: date) -> Week:
    """The week of that name; of '' the last one that is over. Raises BadWeek, also for one that has not begun."""
    if not text:
        return Week.of(today - timedelta(days=7))
    found = _WEEK.fullmatch(text)
    try:
        given = Week(int(found[1]), int(found[2])) if found else None
        begins = given.monday if given else None
    except ValueError:
        given = begins = None
    if given is None or begins is None:
        raise BadWeek(f"a week is written as {Week.of(today).name}, not {text[:40]!r}")
    if begins > today:
        raise BadWeek(f"{given.name} has not begun yet: it does so on {begins.isoformat()}")
    return given


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody said. `rating`: 0 to 1 where a customer gave one."""

    touchpoint: str  # its name
    text: str
    rating: float | None = None


@dataclass(frozen=True, slots=True)
class Did:
    """What a change did, as far as it is known (`throughline analyse changes`)."""

    verdict: str  # better, worse, no difference; grey
    points: Interval = UNKNOWN  # of 100
    compared: bool = False  # with touchpoints that were not changed
    days: int = 0  # on each side
    reason: str = ""  # why it is grey
    beware: str = ""  # what may mislead, in sentences


@dataclass(frozen=True, slots=True)
class Changed:
    """What was changed at a touchpoint, and since which day."""

    touchpoint: str  # its name
    on: date
    what: str
    did: Did | None = None  # None: nobody has analysed it


@dataclass(frozen=True, slots=True)
class Driver:
    """A touchpoint that carries experience: its share of what all explain (0 to 1), how it does (0 to 100)."""

    touchpoint: str  # its id
    name: str
    share: Interval
    performance: Interval
    n: int
    quadrant: str  # what follows, in words


@dataclass(frozen=True, slots=True)
class Drivers:
    """The newest analysis of drivers (`throughline analyse drivers`), the largest share first."""

    since: date
    until: date  # the first day after it
    drivers: Sequence[Driver] = ()
    refused: str = ""  # why there are none


@dataclass(frozen=True, slots=True)
class Counts:
    """What else there was in the week."""

    interactions: int = 0
    alerts_opened: int = 0
    alerts_resolved: int = 0
    complaints_received: int = 0
    complaints_closed: int = 0
    complaints_overdue: int = 0  # now


@dataclass(frozen=True, slots=True)
class Told:
    """All that a digest is made of."""

    week: Week
    until: date | None  # the day up to which it is known, where the week is not over
    readings: Sequence[tuple[Touchpoint, Reading]]
    customers: Sequence[Said]
    staff: Sequence[Said]
    counts: Counts
    drivers: Drivers | None = None  # None: nobody has analysed them
    changes: Sequence[Changed] = ()  # of this week; and earlier ones of which it is known what they did


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below: sentences, then words of people."""

    title: str
    sentences: Sequence[str]
    quotes: Sequence[tuple[str, str]] = field(default=())  # words, and where


@dataclass(frozen=True, slots=True)
class Digest:
    """A week, ready to be written down."""

    title: str
    about: str
    sections: Sequence[Section]


def digest(told: Told) -> Digest:
    """Put a week together."""
    begins = told.week.monday
    ends = told.until or begins + timedelta(days=6)
    far = f", up to {_day(ends)} so far" if told.until else ""
    about = f"{_day(begins)} to {_day(begins + timedelta(days=6))} {begins.isocalendar().year}{far}"
    return Digest(
        title=f"How it went: week {told.week.number} of {told.week.year}",
        about=f"{about}, against the week before. {_counted(told.counts)}",
        sections=[
            _moves("What got better", told.readings, better=True),
            _moves("What got worse", told.readings, better=False),
            _drives(told.drivers, told.readings),
            _open(told.readings, told.counts),
            _customers(told.customers),
            _staff(told.staff),
            _changes(told.changes, begins),
        ],
    )


def markdown(of: Digest) -> str:
    """As Markdown. Everything that somebody wrote stays text."""
    lines = [f"# {escaped(of.title)}", "", escaped(of.about)]
    for section in of.sections:
        lines += ["", f"## {escaped(section.title)}", ""]
        lines += [f"- {escaped(each)}" for each in section.sentences]
        for words, where in section.quotes:
            lines += ["", f"> {escaped(words)}", ">", f"> — {escaped(where)}"]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """A text in one line that means nothing to Markdown, nor to the HTML that it becomes."""
    line = " ".join(text.split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = re.sub(r"([\\`*_{}\[\]()#|~!$])", r"\\\1", line)
    # At the start of a line these begin a list, a heading or a rule; a scheme or an address makes a link anywhere.
    line = re.sub(r"^([+\-=:])", r"\\\1", line)
    line = re.sub(r"^(\d+)([.)])", r"\1\\\2", line)
    return re.sub(r"(?i)(https?|ftp|mailto|www)(:|\.)", r"\1\\\2", line).replace("@", "\\@")


def _counted(counts: Counts) -> str:
    parts = [
        f"{counts.interactions:,} interactions",
        f"{counts.alerts_opened:,} alerts opened and {counts.alerts_resolved:,} resolved",
        f"{counts.complaints_received:,} complaints received and {counts.complaints_closed:,} closed",
    ]
    return f"{parts[0]}; {parts[1]}; {parts[2]}."


def _moves(title: str, readings: Sequence[tuple[Touchpoint, Reading]], better: bool) -> Section:
    moved = [
        (known, reading)
        for known, reading in readings
        if reading.change is not None and reading.change.beyond_chance and reading.change.better == better
    ]
    moved.sort(key=lambda each: (-_weight(each[1]), each[0].name))
    sentences = [_move(known, reading) for known, reading in moved[:MOVES_MAX]]
    if len(moved) > MOVES_MAX:
        sentences.append(f"And {len(moved) - MOVES_MAX:,} more; the map shows all.")
    return Section(title, sentences or [f"Nothing {'better' if better else 'worse'} by more than chance."])


def _weight(reading: Reading) -> float:
    """How much it moved, as a part of what it was: scores and measures beside each other."""
    change, value = reading.change, reading.figure.value
    if change is None or value is None:
        return 0.0
    before = value - change.by
    return abs(change.by) / (100.0 if reading.measure == SCORE else max(abs(before), abs(value), 1e-9))


def _move(known: Touchpoint, reading: Reading) -> str:
    change, figure = reading.change, reading.figure
    if change is None or figure.value is None:
        return known.name
    now, before = (_number(each, reading.measure) for each in (figure.value, figure.value - change.by))
    between = ""
    if figure.low is not None and figure.high is not None:
        ends = [_number(each, reading.measure) for each in (figure.low, figure.high)]
        between = f", between {ends[0]} and {ends[1]} with 95 %"
    what = "score" if reading.measure == SCORE else reading.measure.replace("_", " ")
    pieces = f"{reading.n:,} {'piece' if reading.n == 1 else 'pieces'} of evidence"
    return f"{known.name}: {what} {now} after {before} ({pieces}{between}). Owner: {known.owner}."


def _drives(found: Drivers | None, readings: Sequence[tuple[Touchpoint, Reading]]) -> Section:
    """What carries experience by the newest analysis, and whether it moved in this week."""
    title = "What drives this"
    if found is None:
        return Section(title, ["Nobody has analysed what drives experience: throughline analyse drivers does."])
    days = f"{_day(found.since)} to {_day(found.until - timedelta(days=1))}"
    if found.refused or not found.drivers:
        return Section(title, [f"What drives experience is not known of {days}: {found.refused or 'nothing does.'}"])
    moved = {known.id: reading.change for known, reading in readings}
    sentences = []
    for each in found.drivers[:DRIVERS_MAX]:
        change = moved.get(each.touchpoint)
        this_week = ""
        if change is not None and change.beyond_chance:
            this_week = f" It got {'better' if change.better else 'worse'} this week."
        share = _ends(each.share, 100)
        text = (
            f"{each.name} carries {share} % of it and scores {_ends(each.performance)} (n {each.n:,}): {each.quadrant}."
        )
        sentences.append(text + this_week)
    sentences.append(f"Of {days}; association, not cause. throughline report says more.")
    return Section(title, sentences)


def _ends(figure: Interval, factor: int = 1) -> str:
    """41 (35 to 47)."""
    value, low, high = ("–" if each is None else f"{factor * each:.0f}" for each in figure)
    return value if figure.low is None or figure.high is None else f"{value} ({low} to {high})"


def _open(readings: Sequence[tuple[Touchpoint, Reading]], counts: Counts) -> Section:
    red = sorted((known.name, known.owner) for known, reading in readings if reading.dot == "red")
    sentences = [f"{name} is red in this week. Owner: {owner}." for name, owner in red]
    if counts.complaints_overdue:
        plural = "complaint is" if counts.complaints_overdue == 1 else "complaints are"
        sentences.append(f"{counts.complaints_overdue:,} {plural} overdue now.")
    return Section("What needs somebody", sentences or ["Nothing is red, and no complaint is overdue."])


def _customers(said: Sequence[Said]) -> Section:
    """The unhappiest words and the happiest, of different touchpoints as far as there are."""
    rated = sorted((each for each in said if each.rating is not None), key=lambda each: each.rating or 0.0)
    unhappy = _spread([each for each in rated if (each.rating or 0.0) < 0.5], VERBATIMS_MAX - 2)
    happy = _spread([each for each in reversed(rated) if (each.rating or 0.0) >= 0.5], VERBATIMS_MAX - len(unhappy))
    plain = _spread([each for each in said if each.rating is None], VERBATIMS_MAX - len(unhappy) - len(happy))
    quotes = [*unhappy, *happy, *plain]
    some = [_some("comment", len(said), len(quotes))] if quotes else ["Nobody left a comment."]
    return Section("What customers said", some, [(_short(each.text), each.touchpoint) for each in quotes])


def _staff(said: Sequence[Said]) -> Section:
    quotes = _spread(said, NOTES_MAX)
    some = [_some("note", len(said), len(quotes))] if quotes else ["Nobody left a note. /observe takes them."]
    return Section("What staff on the front line said", some, [(_short(each.text), each.touchpoint) for each in quotes])


def _changes(made: Sequence[Changed], begins: date) -> Section:
    """Those of the week, then what earlier ones did; by touchpoint, and there by day."""
    ordered = sorted(made, key=lambda each: (each.on < begins, each.touchpoint, each.on, each.what))
    sentences = [_change(each) for each in ordered[:CHANGES_MAX]]
    if len(ordered) > CHANGES_MAX:
        sentences.append(f"And {len(ordered) - CHANGES_MAX:,} more.")
    if all(each.on < begins for each in made):
        none = "Nothing is recorded of what was changed in this week, so nobody can say what it did."
        sentences.insert(0, f"{none} POST /v1/changes takes it.")
    return Section("What was changed, and what that did", sentences)


def _change(made: Changed) -> str:
    what = f"{made.touchpoint}, since {_day(made.on)}: {_short(made.what)}"
    if made.did is None:
        return what
    return f"{what}{'' if what[-1] in '.!?…' else '.'} {_did(made.did)}"


def _did(did: Did) -> str:
    """In sentences."""
    value, low, high = did.points
    if value is None or low is None or high is None:
        return f"What it did is not known: {did.reason}."
    outcome = {"better": "Better", "worse": "Worse"}.get(did.verdict, "No difference beyond chance")
    beside = "against touchpoints that were not changed" if did.compared else "compared with nothing else"
    said = (
        f"{outcome}: {value:+.1f} points, between {low:+.1f} and {high:+.1f} with 95 %, {beside}, in {did.days} days."
    )
    return f"{said} {did.beware}".rstrip()


def _some(what: str, n: int, shown: int) -> str:
    counted = f"{n:,} {what}{'' if n == 1 else 's'}"
    return f"{counted}." if shown == n else f"{counted}; these are {shown:,} of them."


def _spread(said: Sequence[Said], most: int) -> list[Said]:
    """The first of each touchpoint, then the second, and so on, in their order; at most so many."""
    rounds: dict[str, int] = {}
    ranked = []
    for n, each in enumerate(said):
        turn = rounds.get(each.touchpoint, 0)
        rounds[each.touchpoint] = turn + 1
        ranked.append((turn, n, each))
    return [each for _, _, each in sorted(ranked, key=lambda one: one[:2])][: max(most, 0)]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TEXT_CHARS_MAX else f"{line[: TEXT_CHARS_MAX - 1].rstrip()}…"


def _number(value: float, measure: str) -> str:
    if measure == SCORE:
        return f"{value:.1f}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _day(day: date) -> str:
    return f"{day.day} {day:%B}"
