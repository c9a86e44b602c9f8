"""Start the processes of a stack, keep them running, stop all of them.

One thread looks after everything: it starts what can start side by side, waits for conditions and never for luck,
restarts what dies (sooner at first, then later and later), and ends the stages before what they need.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from pipeline import logs, prepare
from pipeline.local import home, process
from pipeline.local.stages import Stage, services
from pipeline.settings import Settings

LOOK_S = 0.1
START_S_MAX = 90.0
DEATHS_BEFORE_READY_MAX = 3
BACK_OFF_FIRST_S, BACK_OFF_MAX_S = 0.5, 30.0
HEALTHY_AFTER_S = 60.0  # a process that lived so long starts its back-off anew
TRIM_EVERY_S = 60.0


class Stopped(Exception):
    """Somebody asked the stack to stop while it was starting."""


@dataclass(slots=True)
class Kept:
    """A stage that is kept running."""

    stage: Stage
    child: process.Child
    restarts: int = 0
    failures: int = 0  # in a row: what the back-off grows with
    again_at: float | None = None  # when it is started again (monotonic seconds), if it is down
    was_ready: bool = False


def back_off_s(failures: int) -> float:
    """How long to wait before a process that ended for the n-th time in a row is started again."""
    return min(BACK_OFF_MAX_S, BACK_OFF_FIRST_S * 2.0 ** min(failures - 1, 10))


class Supervisor:
    """The processes of one stack. `say` gets one line for people at each event."""

    def __init__(self, settings: Settings, say: Callable[[str], None], stop: threading.Event) -> None:
        self.settings = settings
        self._say = say
        self._stop = stop
        self._kept: list[Kept] = []
        self._began = time.time()
        self._trimmed = time.monotonic()
        self._log = logs.get("supervisor")

    def start_services(self) -> None:
        """Start the broker and ClickHouse and make their topics and tables.

        Raises DidNotStart, Stopped, and what prepare raises.
        """
        broker, clickhouse = (self._start(stage) for stage in services(self.settings))
        with ThreadPoolExecutor(1) as pool:
            self._await_service(clickhouse)
            tables: Future[None] = pool.submit(prepare.prepare_clickhouse, self.settings)
            self._await_service(broker)
            prepare.prepare_kafka(self.settings)
            tables.result()
        prepare.prepare_definitions(self.settings)

    def start_stages(self, chosen: Sequence[Stage]) -> None:
        """Start the stages side by side and return once all are ready. Raises DidNotStart, Stopped."""
        started = [self._start(stage) for stage in chosen]
        deadline = time.monotonic() + START_S_MAX
        while not all(kept.was_ready for kept in started):
            self._pause()
            self._look()
            for kept in started:
                if kept.failures >= DEATHS_BEFORE_READY_MAX and not kept.was_ready:
                    name = kept.stage.name
                    raise process.DidNotStart(f"{name} cannot start{process.last_words(name, self.settings)}")
                kept.was_ready = kept.was_ready or (kept.again_at is None and kept.stage.ready())
            if time.monotonic() > deadline:
                silent = [kept.stage.name for kept in started if not kept.was_ready]
                raise process.DidNotStart(
                    f"Not ready after {START_S_MAX:.0f} s: {', '.join(silent)}"
                    f"{process.last_words(silent[0], self.settings)}"
                )

    def watch(self) -> None:
        """Keep everything running until somebody asks to stop."""
        while not self._stop.wait(LOOK_S):
            self._look()

    def end(self) -> None:
        """Stop all processes: the stages first, then what they need."""
        down = {"broker", "clickhouse"}
        for group in (
            [kept for kept in self._kept if kept.stage.name not in down],
            [kept for kept in self._kept if kept.stage.name in down],
        ):
            for name in process.end([kept.child for kept in group]):
                self._say(f"{name} did not end in time and was killed.")

    def _start(self, stage: Stage) -> Kept:
        kept = Kept(stage, process.spawn(stage.name, stage.settings))
        self._kept.append(kept)
        self._publish()
        return kept

    def _await_service(self, kept: Kept) -> None:
        def ready() -> bool:
            if self._stop.is_set():
                raise Stopped
            return kept.stage.ready()

        process.wait_until(ready, kept.child, self.settings, START_S_MAX)
        kept.was_ready = True

    def _pause(self) -> None:
        if self._stop.wait(LOOK_S):
            raise Stopped

    def _look(self) -> None:
        """See who has ended, and start again whose time has come."""
        now = time.monotonic()
        for kept in self._kept:
            if kept.again_at is None:
                status = kept.child.process.poll()
                if status is not None:
                    self._note_end(kept, status, now)
            elif now >= kept.again_at:
                kept.again_at = None
                kept.restarts += 1
                (self.settings.home / "run" / "ready" / kept.stage.name).unlink(missing_ok=True)
                kept.child = process.spawn(kept.stage.name, kept.stage.settings)
                self._publish()
        if now - self._trimmed > TRIM_EVERY_S:
            self._trimmed = now
            process.trim_outputs(self.settings)

    def _note_end(self, kept: Kept, status: int, now: float) -> None:
        if time.time() - kept.child.since > HEALTHY_AFTER_S:
            kept.failures = 0
        kept.failures += 1
        wait_s = back_off_s(kept.failures)
        kept.again_at = now + wait_s
        name = kept.stage.name
        how = _how(status)
        words = "" if status < 0 else process.last_words(name, self.settings)
        self._say(f"{name} {how}; starting it again in {wait_s:g} s{words}")
        self._log.warning("process_ended", name=name, status=status, restarts=kept.restarts, back_off_s=wait_s)

    def _publish(self) -> None:
        settings = self.settings
        home.StackFile(
            os.getpid(),
            self._began,
            settings.http_port,
            settings.kafka_port,
            settings.clickhouse_port,
            settings.workers,
            settings.partitions,
            [
                home.ProcessRow(k.stage.name, k.child.process.pid, list(k.stage.ports), k.restarts, k.child.since)
                for k in self._kept
            ],
        ).write(settings.home)


def _how(status: int) -> str:
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
