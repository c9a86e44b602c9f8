"""`make storm`: the whole product under kill -9 and freezing, and every row of it held against the truth.

    python -m tests.system.storm [--events 200000] [--seed 1] [--kills 10] [--freezes 2] [--rate 5000]

Starts a stack of its own in a temporary folder, tells it of a made-up population through HTTP and Kafka while its
processes are killed and frozen, waits until nothing is on its way, and compares ClickHouse (interactions and whose
they are, identities, scores, cells, what was rejected) and contexts with what a batch oracle reckons from the same
list, and asks `throughline ledger` whether it adds up. Ends with status 1 where anything differs.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.comparison import answer_differences, differences
from tests.system import faults, reading
from tests.system.feeding import feed
from tests.system.generator import storm
from tests.system.running import RunningStack
from tests.truth import Expected, answer, expected_of

WORKERS = 2
QUIET_S_MAX = 600.0
FAULTS_S_MAX = 180.0
EARLIER_MS = 60_000  # the population's now is before ours, whatever the clocks of the processes say


@dataclass(frozen=True)
class Plan:
    """How large a storm is."""

    events: int = 200_000
    seed: int = 1
    kills: int = 10
    freezes: int = 2
    rate: float = 5_000.0  # deliveries a second, at most
    contexts: int = 2_000  # asked for, at random
    partitions: int = 8


def run(plan: Plan, home: Path, say: Callable[[str], None]) -> list[str]:
    """One storm; what differs from the truth in the end."""
    now_ms = time.time_ns() // 1_000_000 - EARLIER_MS
    rng = random.Random(f"faults {plan.seed}")
    with RunningStack(home, workers=WORKERS, partitions=plan.partitions) as stack:
        stack.ready()
        deliveries = storm(plan.events, plan.seed, now_ms)
        told = expected_of(home, deliveries, now_ms, plan.partitions)
        say(
            f"{len(deliveries):,} deliveries of {len(told.stored):,} interactions under {len(told.keys):,} identifiers "
            f"({sum(who.ambiguous for who in told.identities.values()):,} ambiguous; seed {plan.seed})"
        )
        weather = faults.Storm(stack, faults.plan(rng, plan.kills, plan.freezes, WORKERS))
        thread = weather.start()
        began = time.monotonic()
        asyncio.run(feed(stack, deliveries, plan.rate, lambda count: weather.at(count / len(deliveries))))
        fed_s = time.monotonic() - began
        weather.finish(thread, FAULTS_S_MAX)
        for each in weather.done:
            say(f"  {each}")
        quiet_s = reading.wait_until_quiet(stack, QUIET_S_MAX)
        restarts = {name: row["restarts"] for name, row in stack.processes().items() if row["restarts"]}
        say(f"fed in {fed_s:.0f} s, nothing on its way {quiet_s:.0f} s after the last fault; restarts: {restarts}")
        found = differences(told, reading.seen(stack), now_ms) + reading.ledger(stack)
        say(stack.run("ledger").stdout)
        return found + _contexts(stack, told, rng, plan.contexts, say)


def _contexts(
    stack: RunningStack, told: Expected, rng: random.Random, count: int, say: Callable[[str], None]
) -> list[str]:
    keys = sorted(told.keys)
    asked = rng.sample(keys, min(count, len(keys)))
    answers = asyncio.run(reading.contexts(stack, asked))
    wrong = {key: answer_differences(answer(told, told.keys[key]), answers[key]) for key in asked}
    wrong = {key: lines for key, lines in wrong.items() if lines}
    say(f"compared: every row in ClickHouse, and {len(asked):,} contexts")
    if not wrong:
        return []
    shown = [f"    {told.keys[key]}: {line[:500]}" for key, lines in list(wrong.items())[:5] for line in lines]
    return [f"contexts: {len(wrong)} of {len(asked)} different", *shown]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="A storm, and the truth.")
    for name, kind in (
        ("events", int),
        ("seed", int),
        ("kills", int),
        ("freezes", int),
        ("rate", float),
        ("contexts", int),
        ("partitions", int),
    ):
        parser.add_argument(f"--{name}", type=kind, default=getattr(Plan, name))
    parser.add_argument("--home", type=Path, help="keep the stack's folder here, to look at it afterwards")
    options = vars(parser.parse_args())
    home = options.pop("home")
    with tempfile.TemporaryDirectory(prefix="storm-") as folder:
        found = run(Plan(**options), home or Path(folder), lambda line: print(line, flush=True))
    print("\n".join(found) if found else "Exact: nothing is missing, nothing is too much, nothing is different.")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
