"""In which order touchpoints are shown, and what counts as somebody having acted."""

from __future__ import annotations

import msgspec

from pipeline.domain.governance import Alerts, Complaints, Order, State, owners, standings
from tests.serving import CATALOGUE

LIKE = CATALOGUE.touchpoints["chat"]
PLACES = [msgspec.structs.replace(LIKE, id=each, name=each, owner=each.upper()) for each in "abcdefgh"]


def test_red_without_an_action_is_first_then_by_colour_and_what_is_open() -> None:
    dots = {"a": "green", "b": "red", "c": "red", "d": "yellow", "e": "grey", "f": "red", "g": "red"}
    found = standings(
        PLACES,
        {name: State(dot, "") for name, dot in dots.items()},
        {"c": Alerts(open=1, acted=True), "f": Alerts(open=2), "d": Alerts(open=9), "b": Alerts(open=1, taken=1)},
        {"g": Complaints(open=1, overdue=1)},
    )
    assert [(each.touchpoint.id, each.order) for each in found] == [
        ("g", Order.UNANSWERED),
        ("f", Order.UNANSWERED),
        ("b", Order.UNANSWERED),  # what was taken there is another alert than that it is red
        ("c", Order.TAKEN),
        ("d", Order.YELLOW),
        ("e", Order.GREY),
        ("a", Order.GREEN),
        ("h", Order.UNJUDGED),
    ]


def test_owners_are_named_once() -> None:
    assert owners([*PLACES[:2], PLACES[0]]) == ["A", "B"]
