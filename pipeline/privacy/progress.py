"""How far an erasure is: named steps, each with its state and times, as whoever asked for it may see them.

Holds nobody's data: counts, names of places, and what went wrong in words of ours.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from pipeline.domain.view import time_text

#: Every step of an erasure in its order: its name, and what it does in words for people.
STEPS = {
    "decided": "identify has accepted the request, and said whom it concerns",
    "profiles": "every profile concerned has erased, and everybody concerned knows whose the rest is",
    "stored": "whatever was on its way when the profiles had erased has arrived in ClickHouse",
    "taken_back": "dead letters, score rows and alerts are taken back from their topics",
    "tables": "ClickHouse's rows are deleted",
    "trimmed": "topics between the stages hold nothing older any more",
    "verified": "every place was looked through, and nothing was found",
    "kept": "the proof is kept, and whom it concerned is forgotten",
}
WAITING, RUNNING, FAILED, DONE = "waiting", "running", "failed", "done"
PROBLEM_CHARS_MAX = 300


def now_ms() -> int:
    """The clock."""
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class Step:
    """One step. A failed one is tried again."""

    name: str
    state: str = WAITING
    started: int | None = None  # ms; of the newest attempt
    ended: int | None = None
    attempts: int = 0
    problem: str = ""  # of the newest attempt that failed

    def shown(self) -> dict[str, Any]:
        """For an answer."""
        return {
            "name": self.name,
            "does": STEPS[self.name],
            "state": self.state,
            "started": time_text(self.started) if self.started is not None else None,
            "ended": time_text(self.ended) if self.ended is not None else None,
            "attempts": self.attempts,
            "problem": self.problem,
        }


@dataclass(slots=True)
class Progress:
    """The steps of one erasure."""

    steps: dict[str, Step] = field(default_factory=lambda: {name: Step(name) for name in STEPS})

    def begin(self, name: str) -> None:
        """A step starts; those behind it are to be done again, where they had been done."""
        step = self.steps[name]
        step.state, step.started, step.ended = RUNNING, now_ms(), None
        step.attempts += 1
        behind = list(STEPS)[list(STEPS).index(name) + 1 :]
        for each in behind:
            self.steps[each].state, self.steps[each].ended = WAITING, None

    def end(self, name: str) -> None:
        """A step is done."""
        step = self.steps[name]
        step.state, step.ended, step.problem = DONE, now_ms(), ""

    def fail(self, name: str, problem: str) -> None:
        """A step has failed, and will be tried again."""
        step = self.steps[name]
        step.state, step.ended, step.problem = FAILED, now_ms(), problem[:PROBLEM_CHARS_MAX]

    @property
    def state(self) -> str:
        """Of the erasure as a whole: 'running', 'retrying' or 'done'."""
        states = {step.state for step in self.steps.values()}
        if states == {DONE}:
            return "done"
        return "retrying" if FAILED in states else RUNNING

    def shown(self) -> list[dict[str, Any]]:
        """For an answer."""
        return [step.shown() for step in self.steps.values()]
