"""The running product, seen from outside: its processes, its ports, its keys. Imports nothing of it."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

READY_S_MAX = 60.0
STOP_S_MAX = 30.0


def free_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Answer:
    """What HTTP said."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Product:
    """A started stack in a folder of its own."""

    home: Path
    process: subprocess.Popen[str]
    http_port: int
    kafka_port: int
    clickhouse_port: int
    environment: dict[str, str]
    printed: list[str] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def keys(self) -> dict[str, Any]:
        return json.loads((self.home / "keys.json").read_text())  # type: ignore[no-any-return]

    def ask(
        self, method: str, path: str, body: Any = None, key: str | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """One HTTP request; `key` is the name of a key. Error answers are answers."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, method=method)
        request.add_header("Content-Type", "application/json")
        if key:
            request.add_header("Authorization", f"Bearer {self.keys[key]}")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read().decode())
        except urllib.error.HTTPError as refused:
            return Answer(refused.code, dict(refused.headers), refused.read().decode())

    def send(self, *events: dict[str, Any], key: str = "ingest") -> dict[str, Any]:
        """POST /v1/interactions; what was told."""
        answer = self.ask("POST", "/v1/interactions", {"events": list(events)}, key=key)
        assert answer.status == 202, answer
        return answer.json  # type: ignore[no-any-return]

    def context(self, namespace: str, value: str) -> dict[str, Any]:
        """POST /v1/context for one key."""
        question = {"keys": [{"namespace": namespace, "value": value}], "purpose": "test"}
        answer = self.ask("POST", "/v1/context", question, key="read")
        assert answer.status == 200, answer
        return answer.json  # type: ignore[no-any-return]

    def sql(self, query: str) -> list[dict[str, Any]]:
        """Rows from ClickHouse."""
        known = self.keys["clickhouse"]
        url = f"http://127.0.0.1:{self.clickhouse_port}/?database=throughline&default_format=JSONEachRow"
        request = urllib.request.Request(url, data=query.encode())
        token = base64.b64encode(f"{known['user']}:{known['password']}".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return [json.loads(line) for line in answer.read().decode().splitlines()]
        except urllib.error.HTTPError as refused:
            raise AssertionError(refused.read().decode()) from refused

    def command(self, *arguments: str, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
        """`throughline …` beside the running stack."""
        return subprocess.run(
            [sys.executable, "-m", "pipeline.cli", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def nothing_waits(self) -> bool:
        """Whether every stage has read all that is there."""
        lags = json.loads(self.command("status", "--json").stdout)["lags"]
        return lags is not None and not any(count for stage in lags.values() for count in stage.values())


def eventually(what: Callable[[], Any], seconds: float = 20.0) -> Any:
    """The first true answer. Fails with the last answer or assertion when there is none in time.

    Asking takes no more than half of the time: what is waited for needs the processor, too.
    """
    deadline = time.monotonic() + seconds
    last: Any = None
    while True:
        asked = time.monotonic()
        try:
            last = what()
            if last:
                return last
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s; last: {last!r}")
        time.sleep(max(0.05, time.monotonic() - asked))


@contextmanager
def running(home: Path, *arguments: str, **settings: str) -> Iterator[Product]:
    """`throughline up` until the block ends; Ctrl-C ends it."""
    chosen = {"HTTP_PORT": free_port(), "KAFKA_PORT": free_port(), "CLICKHOUSE_PORT": free_port()}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("THROUGHLINE_")}
    mine = {f"THROUGHLINE_{name}": str(value) for name, value in {**chosen, "HOME": home, **settings}.items()}
    environment = {**kept, **mine}
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", "up", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    product = Product(home, process, chosen["HTTP_PORT"], chosen["KAFKA_PORT"], chosen["CLICKHOUSE_PORT"], environment)
    try:
        _wait_until_ready(product)
        yield product
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def _wait_until_ready(product: Product) -> None:
    # It prints the addresses when everything answers; until then it prints progress.
    assert product.process.stdout is not None
    os.set_blocking(product.process.stdout.fileno(), False)
    deadline = time.monotonic() + READY_S_MAX
    while time.monotonic() < deadline:
        product.printed.extend(iter(product.process.stdout.readline, ""))
        if any("Ctrl-C" in line for line in product.printed):
            return
        if product.process.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(f"the stack did not start: {''.join(product.printed)}")
