"""The README's commands, run as they stand, each the way a reader would."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.product import Product, eventually

README = Path(__file__).parents[2] / "README.md"

#: Where curl is missing: the options that the README uses, in Python.
CURL = f"""#!{sys.executable}
import base64, sys, urllib.error, urllib.request
url, headers, data, rest = None, {{}}, None, sys.argv[1:]
while rest:
    word = rest.pop(0)
    if word == "-H":
        name, _, value = rest.pop(0).partition(":")
        headers[name.strip()] = value.strip()
    elif word == "-d":
        data = rest.pop(0).encode()
    elif word == "-u":
        headers["Authorization"] = "Basic " + base64.b64encode(rest.pop(0).encode()).decode()
    elif not word.startswith("-"):
        url = word
try:
    answer = urllib.request.urlopen(urllib.request.Request(url, data=data, headers=headers))
except urllib.error.HTTPError as refused:
    answer = refused
sys.stdout.write(answer.read().decode())
"""


def blocks() -> list[str]:
    """The README's shell blocks of the walk, in order."""
    walk = README.read_text().split("## Send the first event, and see it")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", walk, flags=re.DOTALL)


class Reader:
    """Somebody who follows the README in a folder, block after block."""

    def __init__(self, product: Product, folder: Path) -> None:
        self._folder = folder
        (folder / ".throughline").symlink_to(product.home)
        self._ports = {"8080": product.http_port, "8123": product.clickhouse_port}
        self._defined = ""
        self._path = product.environment.get("PATH", "")
        if shutil.which("curl") is None:
            (folder / "curl").write_text(CURL)
            (folder / "curl").chmod(0o755)
            self._path = f"{folder}:{self._path}"

    def run(self, block: str) -> str:
        """What the block prints; functions that it defines stay."""
        for port, mine in self._ports.items():
            block = block.replace(f"127.0.0.1:{port}", f"127.0.0.1:{mine}")
        done = subprocess.run(
            ["sh", "-eu", "-c", self._defined + block],
            cwd=self._folder,
            env={"PATH": self._path},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        if "() {" in block:
            self._defined += block
        return done.stdout


@pytest.mark.parametrize("with_curl", [True, False], ids=["curl", "python"])
def test_the_walk(product: Product, tmp_path: Path, with_curl: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not with_curl:
        monkeypatch.setattr(shutil, "which", lambda name: None)
    reader = Reader(product, tmp_path)
    define, search, login, ask, query, observe, dot = blocks()

    assert reader.run(define) == ""
    assert json.loads(reader.run(search)) == {"accepted": 1, "rejected": []}
    assert json.loads(reader.run(login)) == {"accepted": 2, "rejected": []}

    def seen() -> dict[str, object] | None:
        told = json.loads(reader.run(ask))
        return told if told["now"]["searches"] else None

    told = eventually(seen, seconds=5)
    assert told["match"] == "one"
    assert told["profile"]["id"] == "customer:4711"
    assert told["profile"]["traits"]["name"] == "Ann Lee"
    assert told["now"]["searches"][0]["text"] == "return blue shoes"

    table = eventually(lambda: _containing("return blue shoes", reader.run(query)), seconds=10)
    assert "anonymous:cookie-7f3a" in table

    assert json.loads(reader.run(observe)) == {"accepted": 1, "rejected": []}
    shown = eventually(lambda: _containing("evidence", _without("no evidence", reader.run(dot))), seconds=10)
    assert "Planning of shifts" in shown


def _without(words: str, text: str) -> str:
    return text.replace(words, "")


def _containing(words: str, text: str) -> str | None:
    return text if words in text else None
