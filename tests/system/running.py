"""A whole stack as a user runs it: `throughline up` in a home of its own, driven from outside only."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
READY_S_MAX = 120.0  # on a machine that does other things too
END_S_MAX = 60.0


def command(*arguments: str) -> list[str]:
    """The `throughline` command of this environment."""
    return [sys.executable, "-m", "pipeline.cli", *arguments]


def environment(home: Path, **settings: object) -> dict[str, str]:
    """This environment for a stack in `home` on free ports. `settings` without their prefix, in small letters."""
    given = {"home": home, "http_port": 0, "kafka_port": 0, "clickhouse_port": 0, **settings}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("THROUGHLINE_")}
    cache = {"THROUGHLINE_CACHE": os.environ["THROUGHLINE_CACHE"]} if "THROUGHLINE_CACHE" in os.environ else {}
    return kept | cache | {f"THROUGHLINE_{name.upper()}": str(value) for name, value in given.items()}


class RunningStack:
    """A started stack. A context manager: leaving it stops what still runs."""

    def __init__(self, home: Path, *arguments: str, **settings: object) -> None:
        self.home = home
        self.environment = environment(home, **settings)
        self.process = subprocess.Popen(
            command("up", *arguments),
            cwd=REPO,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self._lines.append(line)
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    @property
    def output(self) -> str:
        """All it has said so far."""
        with self._news:
            return "".join(self._lines)

    def wait_for(self, pattern: str, timeout_s: float = READY_S_MAX) -> re.Match[str]:
        """Return once its output matches; fail when it ends or the time is over before."""
        deadline = time.monotonic() + timeout_s
        with self._news:
            while not (found := re.search(pattern, "".join(self._lines))):
                ended = not self._reader.is_alive()
                left = deadline - time.monotonic()
                assert not ended, f"it ended before it said {pattern!r}: {''.join(self._lines)}"
                assert left > 0, f"it did not say {pattern!r} within {timeout_s} s: {''.join(self._lines)}"
                self._news.wait(min(left, 0.5))
            return found

    def ready(self) -> RunningStack:
        """Wait until it says that it is ready."""
        self.wait_for(r"Throughline is ready")
        return self

    def processes(self) -> dict[str, dict[str, Any]]:
        """Name → what `run/processes.json` says of it."""
        rows = json.loads((self.home / "run" / "processes.json").read_text())["processes"]
        return {row["name"]: row for row in rows}

    def port(self, name: str) -> int:
        """'http', 'kafka' or 'clickhouse'."""
        return int(json.loads((self.home / "run" / "processes.json").read_text())[f"{name}_port"])

    @property
    def keys(self) -> dict[str, Any]:
        """The content of keys.json."""
        return dict(json.loads((self.home / "keys.json").read_text()))

    @property
    def url(self) -> str:
        """Where HTTP is answered."""
        return f"http://127.0.0.1:{self.port('http')}"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Call `throughline` for this stack."""
        return subprocess.run(
            command(*arguments),
            cwd=REPO,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """Stop it, wait, and return its status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.wait()

    def wait(self) -> int:
        """Wait until it has ended, and return its status."""
        status = self.process.wait(END_S_MAX)
        self._reader.join(5)
        return status

    def __enter__(self) -> RunningStack:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def alive(pid: int) -> bool:
    """Whether a process runs (a dead one that nobody has waited for does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: Any, what: str, timeout_s: float = 60.0) -> None:
    """Return once the condition holds; fail after the time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.05)
