"""The engine under kill -9 and freezing, against a real broker: outputs, changelog and state equal the truth.

`python -m tests.integration.engine.trial --bootstrap HOST:PORT --rounds N` runs as many more as one likes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Stack
from tests.integration.engine.trial import POINTS, Plan, Trial

EXACT = {"outputs": 0, "changelog": 0, "state": 0, "bad exits": 0}


async def test_killed_at_every_point_and_frozen_beyond_the_session_it_is_exact(stack: Stack, tmp_path: Path) -> None:
    plan = Plan(records=16_000, die_at=POINTS, kills=1, freezes=1, feed_s=12.0, seed=11)
    trial = Trial(stack.settings.bootstrap, plan, tmp_path)

    assert await trial.run() == EXACT, (tmp_path / "workers.log").read_text()[-4000:]
    assert trial.unused() == [], "these kills did not happen, so nothing was shown of them"


@pytest.mark.long
async def test_a_worker_that_writes_its_state_before_the_commit_is_found_out(stack: Stack, tmp_path: Path) -> None:
    """The control: the comparison must be able to fail."""
    points = ("sending", "committing", "sent", "begun", "sending", "committing")
    plan = Plan(records=8_000, die_at=points, feed_s=5.0, wrong=True, seed=5)
    result = await Trial(stack.settings.bootstrap, plan, tmp_path).run()

    assert result["state"] > 0
    assert result["outputs"] > 0
