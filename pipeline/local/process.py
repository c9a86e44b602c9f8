"""Child processes of the local stack: each in a session of its own, ended in order, and never left behind.

A child dies with its parent even when that is killed (Linux tells it; elsewhere the next start ends what is left over,
from `$HOME/run/processes.json`).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.settings import REPO, Settings

STDERR_BYTES_MAX = 20 * 1024 * 1024
#: They work in large blocks, and on many threads at once; a call that rings is answered from what stitch holds.
PATIENT = frozenset({"clickhouse", "store", "alert", "shop"})
PATIENT_NICE = 10
_PR_SET_PDEATHSIG = 1


class DidNotStart(RuntimeError):
    """A process ended or stayed silent before it was ready; says where its last words are."""


@dataclass(slots=True)
class Child:
    """A running process and its name."""

    name: str
    process: subprocess.Popen[bytes]
    since: float  # seconds since 1970


def spawn(name: str, settings: Settings) -> Child:
    """Start `throughline run <name>` with these settings; what it prints goes to `$HOME/logs/<name>.err`."""
    logs = settings.home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / f"{name}.err").open("ab") as err:
        process = subprocess.Popen(  # noqa: S603 - this program itself
            [sys.executable, "-m", "pipeline.cli", "run", name, "--parent", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=err,
            stderr=err,
            env=settings.environment(),
            cwd=REPO,  # so that this very program is found, installed or not; paths in the settings are absolute
            start_new_session=True,
        )
    return Child(name, process, time.time())


def die_with(parent: int, how: signal.Signals) -> None:
    """Get this signal when the parent ends, whatever ends it. Linux only; elsewhere nothing is promised."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(how), 0, 0, 0)
        if os.getppid() != parent:  # it ended before we asked
            sys.exit(f"The stack that started this process ({parent}) has ended.")


def give_way(kind: str) -> None:
    """Where the machine has more to do than it can, what nobody waits for within the second comes last."""
    if kind not in PATIENT:
        return
    os.nice(PATIENT_NICE)
    # Linux shares the processor out among sessions first, and each of our processes has one of its own.
    group = Path("/proc/self/autogroup")
    with contextlib.suppress(OSError):  # there is none everywhere: then the line above is enough
        group.write_text(str(PATIENT_NICE))


def wait_until(condition: Callable[[], bool], child: Child, settings: Settings, timeout_s: float) -> None:
    """Return once the condition holds. Raises DidNotStart when the child ends first, or the time is over."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        status = child.process.poll()
        if status is not None:
            raise DidNotStart(f"{child.name} ended with status {status}{last_words(child.name, settings)}")
        if time.monotonic() > deadline:
            raise DidNotStart(f"{child.name} was not ready after {timeout_s:.0f} s{last_words(child.name, settings)}")
        time.sleep(0.05)


def last_words(name: str, settings: Settings) -> str:
    """What a process printed last, for people: ': …' with its last line and where the rest is."""
    path = settings.home / "logs" / f"{name}.err"
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except FileNotFoundError:
        lines = []
    return f": {lines[-1].strip() if lines else 'it said nothing'} (see {path})"


def trim_outputs(settings: Settings) -> None:
    """Empty what processes have printed where it has grown too large; they go on printing into the same files."""
    for path in (settings.home / "logs").glob("*.err"):
        if path.stat().st_size > STDERR_BYTES_MAX:
            os.truncate(path, 0)


def end(children: Iterable[Child], grace_s: float = 10.0) -> list[str]:
    """Ask them to end, all at once; kill what has not after the grace. Returns the names of those killed."""
    running = [child for child in children if child.process.poll() is None]
    for child in running:
        child.process.terminate()
    deadline = time.monotonic() + grace_s
    killed = []
    for child in running:
        try:
            child.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
            killed.append(child.name)
    return killed
