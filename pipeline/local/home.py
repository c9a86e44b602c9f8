"""What a running stack leaves in its home for others: the lock, its processes, one-time sign-in links.

`run/lock` is held by the supervisor as long as it lives; the system frees it however it ends, so no lock is ever stale
for good. `run/processes.json` says what runs; a stack that ended in order removes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import signal
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO

import msgspec

from pipeline.settings import BOUNDS, Settings

LEFTOVERS_S_MAX = 15.0
PARTITIONS_BEFORE = 8  # of homes that were made before they kept their number, and of clusters
PARTITIONS_MIN, PARTITIONS_MAX = 2, 8
PARTITIONS_NAMED_MAX = BOUNDS["partitions"][1]


class BrokenHome(RuntimeError):
    """A file of the home says nothing that could be meant; says which."""


class AlreadyRunning(RuntimeError):
    """Another stack works in this home; says which."""


@dataclass(slots=True)
class ProcessRow:
    """One process as others may read it."""

    name: str
    pid: int
    ports: list[int]
    restarts: int
    since: float  # seconds since 1970


@dataclass(slots=True)
class StackFile:
    """The content of `run/processes.json`."""

    pid: int  # the supervisor's
    since: float
    http_port: int
    kafka_port: int
    clickhouse_port: int
    workers: int
    partitions: int
    processes: list[ProcessRow] = field(default_factory=list)

    def write(self, home: Path) -> None:
        """Put it in place whole."""
        path = _file(home)
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n")
        draft.rename(path)

    @classmethod
    def read(cls, home: Path) -> StackFile | None:
        """What runs in a home, or None where nothing does, or nothing can be read."""
        try:
            return msgspec.json.decode(_file(home).read_bytes(), type=cls)
        except (FileNotFoundError, msgspec.DecodeError):
            return None


def _file(home: Path) -> Path:
    return home / "run" / "processes.json"


class Lock:
    """The right to run a stack in a home."""

    def __init__(self, home: Path) -> None:
        """Take it. Raises AlreadyRunning."""
        (home / "run").mkdir(parents=True, exist_ok=True)
        self._home = home
        self._handle: IO[str] = (home / "run" / "lock").open("a+")
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._handle.seek(0)
            owner = self._handle.read(20).strip() or "unknown"
            self._handle.close()
            raise AlreadyRunning(
                f"A stack is running in {home} already (process {owner}). Stop it first, or give this one a home and "
                "ports of its own: THROUGHLINE_HOME, THROUGHLINE_HTTP_PORT, THROUGHLINE_KAFKA_PORT, "
                "THROUGHLINE_CLICKHOUSE_PORT."
            ) from None
        self._handle.seek(0)
        self.stale = self._handle.read(20).strip()  # the process that held it last, if it did not end in order
        self._handle.truncate(0)
        self._handle.write(f"{os.getpid()}\n")
        self._handle.flush()

    def release(self) -> None:
        """Give it back, in order."""
        _file(self._home).unlink(missing_ok=True)
        self._handle.truncate(0)
        self._handle.close()


def end_leftovers(home: Path) -> int:
    """End what a killed stack left running in this home; returns how many processes that were.

    They have been told to end by the system (Linux); those that are still there after a while are killed.
    """
    left = StackFile.read(home)
    pids = [row.pid for row in left.processes if _is_ours(row.pid, home)] if left else []
    deadline = time.monotonic() + LEFTOVERS_S_MAX
    remaining = pids
    while remaining and time.monotonic() < deadline:
        time.sleep(0.1)
        remaining = [pid for pid in remaining if _is_ours(pid, home)]
    for pid in remaining:
        os.kill(pid, signal.SIGKILL)
    while any(_is_ours(pid, home) for pid in remaining):
        time.sleep(0.05)
    return len(pids)


def _is_ours(pid: int, home: Path) -> bool:
    """Whether a process runs with this home. Process numbers are used again, so the number alone says nothing."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return False
    return state != "Z" and f"THROUGHLINE_HOME={home}".encode() in environment


def with_partitions(settings: Settings) -> Settings:
    """The settings with a number of partitions also where the environment names none. Raises BrokenHome.

    It is the number that the home was made with; in a new one as many as there are processors here, within bounds:
    each number has transactions of its own, and they cost the broker as much as they cost with hundreds of events in
    them. On 2 processors with 1,000 events a second the 99th percentile until an event is visible was 0.2 to 0.4 s with
    2 numbers, and 0.7 s with 8.
    """
    if settings.partitions:
        return settings
    if settings.kafka:
        number = PARTITIONS_BEFORE
    elif (settings.home / "kafka" / "data").exists():
        number = _kept_partitions(settings.home)
    else:
        number = min(max(_processors(), PARTITIONS_MIN), PARTITIONS_MAX)
    return replace(settings, partitions=number)


def keep_partitions(settings: Settings) -> None:
    """Note what a home is made with."""
    _partitions_file(settings.home).write_text(f"{settings.partitions}\n")


def _kept_partitions(home: Path) -> int:
    path = _partitions_file(home)
    try:
        text = path.read_text().strip()
    except FileNotFoundError:
        return PARTITIONS_BEFORE
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= PARTITIONS_NAMED_MAX):
        raise BrokenHome(
            f"{path} must hold the number of partitions that this home was made with, and nothing else. Write it "
            "there, or name it in THROUGHLINE_PARTITIONS."
        )
    return int(text)


def _partitions_file(home: Path) -> Path:
    return home / "kafka" / "partitions"


def _processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def attached(settings: Settings) -> Settings:
    """The settings with the ports of the stack that runs in this home, where one does (it may have chosen them)."""
    running = StackFile.read(settings.home)
    if running is None:
        return settings
    return replace(
        settings,
        http_port=running.http_port,
        kafka_port=running.kafka_port,
        clickhouse_port=running.clickhouse_port,
        partitions=running.partitions,
    )


def sign_in_link(settings: Settings) -> str:
    """A new one-time link to the desk: the token is only in it, its hash in `run/sign-in` until serve used it up."""
    folder = settings.home / "run" / "sign-in"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    token = secrets.token_urlsafe(32)
    path = folder / hashlib.sha256(token.encode()).hexdigest()
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    return f"http://{settings.host}:{settings.http_port}/desk/sign-in?token={token}"


def clear_old_state(home: Path, workers: int) -> None:
    """Delete the state of workers that there are not any more: nobody would take out of it what is erased."""
    for path in (home / "state").glob("stitch-*"):
        if not (number := path.name.removeprefix("stitch-")).isdecimal() or int(number) >= workers:
            shutil.rmtree(path)


def clear_run_files(home: Path) -> None:
    """Forget what only a running stack means: readiness, sign-in links."""
    for name in ("ready", "sign-in"):
        shutil.rmtree(home / "run" / name, ignore_errors=True)
        (home / "run" / name).mkdir(parents=True)
