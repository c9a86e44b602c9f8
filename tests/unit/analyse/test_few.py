"""A count that is too small is not said."""

from __future__ import annotations

import pytest

from pipeline.analyse.few import few, kept


@pytest.mark.parametrize(
    ("n", "said"),
    [(0, "0"), (1, "fewer than 10"), (9, "fewer than 10"), (10, "10"), (1234, "1,234")],
)
def test_a_count_under_the_least_is_not_given_away(n: int, said: str) -> None:
    assert few(n) == said


@pytest.mark.parametrize(("n", "number"), [(0, 0), (1, 0), (9, 0), (10, 10), (1234, 1234)])
def test_a_result_has_no_count_under_the_least(n: int, number: int) -> None:
    assert kept(n) == number
