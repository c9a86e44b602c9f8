"""Partition numbers are shared out evenly, each once, and stay with their owners."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.assignor import Claim, share, stand_by

PARTITIONS = st.integers(1, 64)
CLAIMS = st.lists(st.lists(st.integers(0, 63), max_size=10), min_size=1, max_size=8).map(
    lambda owned: {f"m{number}": Claim(f"w{number}", numbers) for number, numbers in enumerate(owned)}
)


@given(PARTITIONS, CLAIMS)
def test_every_number_has_one_owner_and_sizes_differ_by_one(partitions: int, claims: dict[str, Claim]) -> None:
    shares = share(partitions, claims)
    assert sorted(number for numbers in shares.values() for number in numbers) == list(range(partitions))
    sizes = {len(numbers) for numbers in shares.values()}
    assert max(sizes) - min(sizes) <= 1


def test_owners_keep_what_they_have_when_one_joins() -> None:
    shares = share(8, {"a": Claim("w0", list(range(8))), "b": Claim("w1", [])})
    assert shares["a"] == [0, 1, 2, 3]
    assert shares["b"] == [4, 5, 6, 7]


def test_an_even_share_does_not_move() -> None:
    claims = {"a": Claim("w0", [1, 3]), "b": Claim("w1", [0, 2])}
    assert share(4, claims) == {"a": [1, 3], "b": [0, 2]}


@given(PARTITIONS, CLAIMS)
def test_every_number_has_one_copy_and_never_with_its_owner(partitions: int, claims: dict[str, Claim]) -> None:
    shares = share(partitions, claims)
    copies = stand_by(shares, claims)
    copied = sorted(number for numbers in copies.values() for number in numbers)
    assert copied == (list(range(partitions)) if len(claims) > 1 else [])
    assert all(not set(shares[member]) & set(copies[member]) for member in claims)
