"""How long a dead process waits before it is started again."""

from __future__ import annotations

from itertools import pairwise

from pipeline.local.supervisor import BACK_OFF_MAX_S, back_off_s


def test_the_wait_grows_and_is_bounded() -> None:
    waits = [back_off_s(failures) for failures in range(1, 200)]
    assert waits[0] < 1
    assert all(later >= sooner for sooner, later in pairwise(waits))
    assert waits[-1] == BACK_OFF_MAX_S
