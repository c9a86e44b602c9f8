"""Superset beside the running stack: set up when it is new, the dashboards imported, then served until Ctrl-C.

It works in `.throughline/superset` of its own: its database, its secrets, its log. It reads ClickHouse through the
front as the user bi. The environment with Superset in it is `.bi-venv`, made by `make bi`.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from pipeline import keys
from pipeline.local import ports
from pipeline.local.bi import bundle
from pipeline.local.home import StackFile, attached
from pipeline.local.up import say
from pipeline.settings import REPO, Settings

SOURCES = REPO / "deploy" / "superset"
ENVIRONMENT = REPO / ".bi-venv"
SET_UP_S_MAX = 600.0
ANSWERS_S_MAX = 120.0
STOP_S_MAX = 15.0
THREADS = 8


class NoBi(RuntimeError):
    """Superset cannot be run here; says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where this Superset is kept."""

    home: Path

    @property
    def secrets(self) -> Path:
        """Its administrator's password and the key of its cookies."""
        return self.home / "secrets.json"

    @property
    def made(self) -> Path:
        """Says which version its database was made by."""
        return self.home / "made"

    @property
    def environment(self) -> dict[str, str]:
        """For its processes."""
        own = {
            "SUPERSET_HOME": str(self.home),
            "SUPERSET_CONFIG_PATH": str(SOURCES / "superset_config.py"),
            "FLASK_APP": "superset.app:create_app()",
            "PYTHONWARNINGS": "ignore",
        }
        return {name: value for name, value in os.environ.items() if not name.startswith("THROUGHLINE_")} | own


def address(settings: Settings, user: str) -> str:
    """ClickHouse as SQLAlchemy reads it, without a password."""
    return f"clickhousedb://{user}@{settings.host}:{settings.clickhouse_port}/{settings.clickhouse_database}"


def run(settings: Settings) -> None:
    """Serve the dashboards until Ctrl-C or SIGTERM. Raises NoBi, BusyPort, BrokenKeys."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    python = ENVIRONMENT / "bin" / "python"
    if not (ENVIRONMENT / "bin" / "gunicorn").exists():
        raise NoBi(f"Superset is not in {ENVIRONMENT}: `make bi` installs it there and calls this command")
    settings = attached(settings)
    if StackFile.read(settings.home) is None or not ports.answers(settings.host, settings.clickhouse_port):
        raise NoBi(
            f"no stack is running in {settings.home.resolve()}, and the dashboards show what it has stored: start "
            f"one with "
            "`make demo` (or `make up`) in another shell, wait until it is ready, and call `make bi` again"
        )
    port = ports.chosen(settings.host, settings.bi_port, "THROUGHLINE_BI_PORT")
    known = keys.load_or_create(settings)
    place = Place(settings.home.resolve() / "superset")
    admin = _secrets(place)
    _set_up(place, python, bundle.files(address(settings, known.bi_user), "assets"), known.bi_password)
    say("Starting Superset …")
    with _serving(place, settings.host, port) as server:
        if not _answers(server, settings.host, port, stop):
            return
        say("The dashboards are ready.")
        say(f"  Dashboards   http://{settings.host}:{port}/dashboard/list/")
        say(f"  Sign in as   admin, password {admin}  (kept in {place.secrets})")
        say("  Ctrl-C stops it.")
        while not stop.wait(0.5):
            if server.poll() is not None:
                raise NoBi(f"Superset has ended by itself: its log {place.home / 'superset.log'} says why")
        say("Stopping …")


def _secrets(place: Place) -> str:
    """The administrator's password; made once."""
    place.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not place.secrets.exists():
        content = {"admin": secrets.token_urlsafe(15), "secret_key": secrets.token_urlsafe(48)}
        draft = place.secrets.with_suffix(".new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(content, file)
        draft.rename(place.secrets)
    try:
        return str(json.loads(place.secrets.read_text())["admin"])
    except (ValueError, KeyError, TypeError):
        raise NoBi(
            f"{place.secrets} cannot be used: delete the folder {place.home}, and everything is made anew"
        ) from None


def _set_up(place: Place, python: Path, files: Mapping[str, str], password: str) -> None:
    version = hashlib.sha256((SOURCES / "requirements.lock").read_bytes()).hexdigest()
    first = not place.made.exists() or place.made.read_text() != version
    given = json.dumps({"bundle": dict(files), "password": password, "first": first})
    log = place.home / "set-up.log"
    with log.open("w") as errors:
        done = subprocess.Popen(  # noqa: S603 - our own program in our own environment
            [str(python), str(SOURCES / "set_up.py")],
            env=place.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        ended = threading.Timer(SET_UP_S_MAX, done.kill)
        ended.start()
        told, says = cast(IO[str], done.stdin), cast(IO[str], done.stdout)  # both are pipes
        with contextlib.suppress(BrokenPipeError), told:
            told.write(given)
        for line in says:
            if line.startswith("  Superset: "):
                say(line.rstrip())
        status = done.wait()
        ended.cancel()
    if status:
        raise NoBi(f"Superset could not be set up: {log} says why")
    place.made.write_text(version)


@contextlib.contextmanager
def _serving(place: Place, host: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    options = ["--workers", "1", "--threads", str(THREADS), "--timeout", "200", "--bind", f"{host}:{port}"]
    with (place.home / "superset.log").open("w") as log:
        server = subprocess.Popen(  # noqa: S603 - the same
            [str(ENVIRONMENT / "bin" / "gunicorn"), *options, "superset.app:create_app()"],
            env=place.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for us, who then end it
        )
        try:
            yield server
        finally:
            server.terminate()
            try:
                server.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


def _answers(server: subprocess.Popen[bytes], host: str, port: int, stop: threading.Event) -> bool:
    """Whether it serves; False: somebody wants to stop. Raises NoBi."""
    deadline = time.monotonic() + ANSWERS_S_MAX
    while not stop.wait(0.3):
        if server.poll() is not None or time.monotonic() > deadline:
            raise NoBi("Superset does not answer: .throughline/superset/superset.log says why")
        connection = http.client.HTTPConnection(host, port, timeout=30)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return True
        connection.close()
    return False
