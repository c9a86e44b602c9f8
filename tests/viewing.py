"""What tests of a profile's view have in common: one profile, and what it shows of some interactions."""

from __future__ import annotations

from typing import Any

from pipeline.domain import view
from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import Misfiled
from pipeline.domain.profile import advance
from pipeline.domain.rules import Rules
from pipeline.domain.state import DictState
from tests.interactions import NOON, SCORING

RULES = Rules(scoring=SCORING)
ME = "customer:1"


def context(*interactions: Interaction, now: int = NOON, rules: Rules = RULES) -> dict[str, Any]:
    """What is told of ME after these."""
    state = DictState()
    advance(state, [Misfiled(x) for x in interactions], rules)
    return view.context(state, ME, now, rules)
