"""Who owns what, and how it stands: what is red without anybody acting stands on top."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from pipeline.domain.catalogue import Touchpoint


class Order(IntEnum):
    """In which order touchpoints are shown."""

    UNANSWERED = 0  # red, and nobody has acted
    TAKEN = 1  # red, and somebody has
    YELLOW = 2
    GREY = 3
    GREEN = 4
    UNJUDGED = 5  # the catalogue has no thresholds


@dataclass(frozen=True, slots=True)
class State:
    """A touchpoint's dot, as the view `touchpoint_dots` says it."""

    dot: str
    reason: str


@dataclass(frozen=True, slots=True)
class Alerts:
    """Alerts of a touchpoint: those that are open, and how long they took lately."""

    open: int = 0
    taken: int = 0  # of them acknowledged
    oldest_h: float | None = None
    acted: bool = False  # somebody acknowledged, or resolved by hand, an alert whose cause holds
    acknowledged: int = 0  # lately
    acknowledged_h: float | None = None  # median
    resolved: int = 0  # lately
    resolved_h: float | None = None  # median


@dataclass(frozen=True, slots=True)
class Complaints:
    """Complaints that were received at a touchpoint."""

    open: int = 0
    overdue: int = 0
    closed: int = 0  # lately
    closed_h: float | None = None  # median


@dataclass(frozen=True, slots=True)
class Standing:
    """A touchpoint, and how it stands."""

    touchpoint: Touchpoint
    order: Order
    state: State | None
    alerts: Alerts
    complaints: Complaints


def standings(
    touchpoints: Iterable[Touchpoint],
    states: Mapping[str, State],
    alerts: Mapping[str, Alerts],
    complaints: Mapping[str, Complaints],
) -> list[Standing]:
    """All touchpoints: by their order, then those with most that is open first."""
    found = []
    for each in touchpoints:
        state, of = states.get(each.id), alerts.get(each.id, Alerts())
        found.append(Standing(each, _order(state, of), state, of, complaints.get(each.id, Complaints())))
    return sorted(found, key=_rank)


def owners(touchpoints: Iterable[Touchpoint]) -> Sequence[str]:
    """Everybody who owns something, by name."""
    return sorted({each.owner for each in touchpoints}, key=str.casefold)


def _order(state: State | None, alerts: Alerts) -> Order:
    match state.dot if state is not None else "":
        case "red":
            return Order.TAKEN if alerts.acted else Order.UNANSWERED
        case "yellow":
            return Order.YELLOW
        case "grey":
            return Order.GREY
        case "green":
            return Order.GREEN
        case _:
            return Order.UNJUDGED


def _rank(standing: Standing) -> tuple[int, int, int, int, str]:
    alerts, complaints = standing.alerts, standing.complaints
    return (standing.order, -complaints.overdue, -alerts.open, -complaints.open, standing.touchpoint.name.casefold())
