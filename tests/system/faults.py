"""What a storm does to the processes: kill -9, and freezing for longer than a session lasts."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.system.running import RunningStack, alive, wait_until

FREEZE_S = 9.0  # the engine's sessions last 6 s
ALIVE_S_MAX = 60.0  # the supervisor waits longer before it starts again what dies again and again


@dataclass(frozen=True)
class Fault:
    """Something that happens once so much of everything has been told."""

    share: float  # 0 to 1
    what: str  # kill, freeze
    whom: str


def plan(rng: random.Random, kills: int, freezes: int, workers: int) -> list[Fault]:
    """Faults at random moments, most of them for the stitch workers; every kind of process at least once."""
    stitch = [f"stitch-{n}" for n in range(workers)]
    once = [rng.choice(stitch), "identify", "store"]
    more = [rng.choice([*stitch, *stitch, "identify", "store"]) for _ in range(kills)]
    faults = [Fault(rng.uniform(0.02, 0.95), "kill", whom) for whom in [*once, *more][:kills]]
    faults += [Fault(rng.uniform(0.05, 0.85), "freeze", rng.choice(stitch)) for _ in range(freezes)]
    return sorted(faults, key=lambda each: each.share)


@dataclass
class Storm:
    """Does the planned faults as the feeding goes on, in a thread of its own: feeding never waits for it."""

    stack: RunningStack
    faults: Sequence[Fault]
    done: list[str] = field(default_factory=list)  # what has happened, for people
    _share: float = 0.0
    _news: threading.Condition = field(default_factory=threading.Condition)

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        return thread

    def at(self, share: float) -> None:
        """So much has been told."""
        with self._news:
            self._share = share
            self._news.notify()

    def finish(self, thread: threading.Thread, seconds: float) -> None:
        """Wait until the last fault is over. Raises AssertionError where one was not possible."""
        self.at(1.0)
        thread.join(seconds)
        assert not thread.is_alive(), f"faults are not through: {self.done}"
        assert len(self.done) == len(self.faults), f"only these were possible: {self.done}"

    def _run(self) -> None:
        frozen = []
        for fault in self.faults:
            with self._news:
                self._news.wait_for(lambda due=fault.share: self._share >= due)
                share = self._share
            pid = self._pid(fault.whom, working=fault.what == "freeze")
            self.done.append(f"{fault.what} {fault.whom} at {share:.0%}")
            if fault.what == "kill":
                os.kill(pid, signal.SIGKILL)
                wait_until(lambda dead=pid: not alive(dead), f"{fault.whom} is dead")  # or the next kill may be wasted
            else:
                os.kill(pid, signal.SIGSTOP)
                frozen.append(threading.Timer(FREEZE_S, _wake, [pid]))
                frozen[-1].start()
        for timer in frozen:
            timer.join()

    def _pid(self, name: str, working: bool) -> int:
        """The process, once it is running, or (`working`) has said that it works: only then it has what to lose."""
        deadline = time.monotonic() + ALIVE_S_MAX
        marker = self.stack.home / "run" / "ready" / name
        while True:
            pid = int(self.stack.processes()[name]["pid"])
            if alive(pid) and (marker.exists() or not working):
                return pid
            assert time.monotonic() < deadline, f"{name} is not started again"
            time.sleep(0.05)


def _wake(pid: int) -> None:
    """Let a frozen process go on, unless it was killed as it was."""
    if alive(pid):
        os.kill(pid, signal.SIGCONT)
