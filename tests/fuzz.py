"""Look for worlds in which the network and the oracle differ, for as long as you like: `python -m tests.fuzz 10`.

The argument is in minutes. Each round draws new worlds; the first difference ends it, with the smallest world that
shows it. The same machines and properties run shortly in the tests.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from itertools import cycle

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.identity_machine import Machine, Resting
from tests.identity_streaming import Streaming
from tests.unit.domain import test_convergence as convergence

STEPS = 40  # of a machine
ROUND = 300  # worlds

_settings = settings(
    max_examples=ROUND,
    stateful_step_count=STEPS,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)


def _machine(machine: type[Machine]) -> Callable[[], None]:
    return lambda: run_state_machine_as_test(machine, settings=_settings)


TARGETS: dict[str, Callable[[], None]] = {
    "at rest after each step": _machine(Resting),
    "streaming": _machine(Streaming),
    "the central promise": convergence.test_everything_ends_as_the_oracle_says,
    "any two orders": convergence.test_any_two_orders_end_the_same,
    "a small view": convergence.test_a_small_view_shows_the_newest,
}


def main(minutes: float) -> None:
    """Run all targets in turn until the time is up. Raises what the first difference raises."""
    ends_at = time.monotonic() + minutes * 60
    for n, (name, run) in enumerate(cycle(TARGETS.items()), 1):
        run()
        left_s = ends_at - time.monotonic()
        print(f"round {n}, {name}: all as the oracle says; {max(0, left_s):.0f} s left", flush=True)
        if left_s <= 0:
            return


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
