"""What the form for staff asks about a touchpoint, from the catalogue. Pure; the templates only lay it out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.domain.catalogue import Touchpoint
from pipeline.domain.observations import FEELING
from pipeline.serve.card import words

#: Layers of the service blueprint in the order of the form: what no customer sees comes first, since only staff do.
LAYERS = {
    "backstage": "Backstage",
    "support": "Support",
    "frontstage": "Frontstage",
    "customer": "What customers do themselves",
    "evidence": "What customers are left with",
}
UNITS = {"_s": "seconds", "_min": "minutes", "_h": "hours", "_days": "days"}  # as names of measures end
SCORE = "score"  # of thresholds: made of customers' evidence, nothing that staff could say


@dataclass(frozen=True, slots=True)
class Asked:
    """One touchpoint in the form."""

    id: str
    name: str
    layer: str  # in words
    unit: str  # of the organisation
    promise: str
    measure: str = ""  # what a number is asked of; '' where only a feeling is
    label: str = ""
    measured_in: str = ""
    hint: str = ""  # which numbers are good

    @property
    def asks(self) -> str:
        """In short, for the list."""
        return (f"{self.label}, {self.measured_in}" if self.measured_in else self.label) or "How it goes"


@dataclass(frozen=True, slots=True)
class Group:
    """The touchpoints of one layer."""

    title: str
    touchpoints: Sequence[Asked]


def groups(touchpoints: Iterable[Touchpoint]) -> list[Group]:
    """All of them under their layers, each in the catalogue's order; layers without any are left out."""
    known = list(touchpoints)
    found = [Group(title, [asked(each) for each in known if each.layer == layer]) for layer, title in LAYERS.items()]
    return [group for group in found if group.touchpoints]


def asked(touchpoint: Touchpoint) -> Asked:
    """What is asked of one: a feeling, and the measure of its dot, else that of which customers expect something."""
    measure, hint = _measure(touchpoint)
    label, measured_in = named(measure)
    who = touchpoint.id, touchpoint.name, LAYERS[touchpoint.layer], touchpoint.unit, touchpoint.promise
    return Asked(*who, measure, label, measured_in, hint)


def named(measure: str) -> tuple[str, str]:
    """A measure in words, and the unit in which it is, '' where its name says none: `wait_s` is Wait, in seconds."""
    for end, unit in UNITS.items():
        if measure.endswith(end) and measure != end:
            return words(measure.removesuffix(end)), unit
    return words(measure), ""


def _measure(touchpoint: Touchpoint) -> tuple[str, str]:
    limits, expects = touchpoint.thresholds, touchpoint.expects
    if limits is not None and limits.measure == FEELING:  # the scale asks for that anyway
        return "", ""
    if limits is not None and limits.measure != SCORE:
        at, beyond = ("up to", "red beyond") if limits.green < limits.yellow else ("from", "red below")
        return limits.measure, f"Green {at} {limits.green:g}, yellow {at} {limits.yellow:g}, {beyond}."
    if expects is not None:
        bound = "at most" if expects.better == "lower" else "at least"
        return expects.measure, f"Customers expect {bound} {expects.target:g}."
    return "", ""
