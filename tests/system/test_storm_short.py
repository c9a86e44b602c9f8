"""A short storm in every test run; the long one is `make storm`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.examples import whole
from tests.system.storm import Plan, run


@pytest.mark.sized
@pytest.mark.timeout(240)
def test_kills_and_a_freeze_change_nothing(tmp_path: Path) -> None:
    """Every row in ClickHouse and every context is what the batch oracle says, whoever died meanwhile."""
    said: list[str] = []
    plan = Plan(events=2_000, seed=3, kills=2, freezes=1, rate=500.0, contexts=100, partitions=2)
    if whole():
        plan = replace(plan, events=8_000, rate=800.0, contexts=500, partitions=8)
    found = run(plan, tmp_path, said.append)
    assert found == [], "\n".join([*said, *found])
