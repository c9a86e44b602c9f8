from __future__ import annotations

import pytest

from pipeline.serve.matching import Match, match
from pipeline.serve.workers import Resolution

NOBODY = Resolution("phone:k1.0")
ADA = Resolution("phone:k1.1", known=True, person="customer:1")
ADA_TOO = Resolution("email:k1.1", known=True, person="customer:1")
BOB = Resolution("loyalty:2", known=True, person="customer:2")
SHARED = Resolution("phone:k1.9", known=True, ambiguous=True, candidates=["customer:1", "customer:2"])
OTHERS = Resolution("device:3", known=True, ambiguous=True, candidates=["customer:2", "customer:3"])
HOPELESS = Resolution("device:4", known=True, ambiguous=True)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([], Match()),
        ([NOBODY], Match()),
        ([ADA], Match("customer:1")),
        ([NOBODY, ADA], Match("customer:1")),
        ([ADA, ADA_TOO], Match("customer:1")),
        ([ADA, BOB], Match(None, ("customer:1", "customer:2"), True)),
        ([SHARED], Match(None, ("customer:1", "customer:2"), True)),
        ([SHARED, ADA], Match("customer:1")),  # who says which of the two they are
        ([OTHERS, ADA], Match(None, ("customer:1", "customer:2", "customer:3"), True)),
        ([SHARED, OTHERS], Match(None, ("customer:2", "customer:1", "customer:3"), True)),  # not guessed, but first
        ([HOPELESS], Match(None, (), True)),
        ([HOPELESS, ADA], Match(None, ("customer:1",), True)),
    ],
)
def test_what_keys_come_to(keys: list[Resolution], expected: Match) -> None:
    assert match(keys) == expected


@pytest.mark.parametrize(("keys", "kind"), [([], "none"), ([ADA], "one"), ([ADA, BOB], "ambiguous")])
def test_how_the_api_says_it(keys: list[Resolution], kind: str) -> None:
    assert match(keys).kind == kind
