"""The example producer, run as its README says, from a folder that has nothing else of Throughline."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from pipeline.collect.event import Events
from pipeline.domain.identifiers import Keyring
from pipeline.domain.interaction import CHANNELS, Interaction
from pipeline.domain.validate import interaction
from pipeline.partition import partition_of
from pipeline.settings import REPO
from pipeline.wire import Codec, header
from tests.conftest import Stack
from tests.integration.records import read

EXAMPLES = REPO / "schemas" / "examples"
LINES = (EXAMPLES / "events.jsonl").read_text().splitlines()
RUN_S = 60


def test_it_imports_nothing_of_the_project() -> None:
    tree = ast.parse((EXAMPLES / "producer.py").read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [])
        + ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [])
    }
    assert imported - set(sys.stdlib_module_names) == {"aiokafka", "fastavro"}


def test_it_has_an_event_of_every_channel() -> None:
    assert {json.loads(line)["channel"] for line in LINES} == set(CHANNELS)


@pytest.mark.parametrize("value", ["ann@example.com", "+12025550142"])
def test_a_customers_number_that_is_personal_is_no_key(value: str) -> None:
    made = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import producer; print(producer.key_of({{'identifiers': {{'customer': {value!r}}}}}))",
        ],
        cwd=EXAMPLES,
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=True,
    )
    assert made.stdout.strip() == "None"


async def test_what_it_writes_counts_like_what_the_collector_writes(stack: Stack, tmp_path: Path) -> None:
    shutil.copytree(REPO / "schemas", tmp_path / "schemas")
    told = run_as_the_readme_says(tmp_path / "schemas" / "examples", stack.settings.bootstrap)
    assert len(told) == len(LINES)

    codec = Codec(stack.settings.schemas)
    keyring = Keyring(stack.keys.identifier_keys, stack.keys.identifier_key)
    events = Events(stack.settings.schemas)
    for line, (topic, partition, offset) in zip(LINES, told, strict=True):
        record = (await read(stack.settings, topic, partition, offset, 1))[0]
        name, event = codec.decode(record.value)
        channel = name.removeprefix("interaction_")
        assert topic == f"interactions.{channel}"
        written = interaction(event, channel, record.timestamp, keyring, "US")
        assert written == collected(line, events, keyring, record.timestamp)
        if record.key is None:
            assert written.identifier.split(":")[0] in ("email", "phone")
        else:
            assert record.key.decode() == written.identifier
            assert partition == partition_of(written.identifier, stack.settings.partitions)


def collected(line: str, events: Events, keyring: Keyring, now: int) -> Interaction:
    """The interaction of the same event, sent over HTTP."""
    channel, event = events.read(msgspec.Raw(line.encode()), now)
    return interaction(event, channel, now, keyring, "US")


def run_as_the_readme_says(folder: Path, bootstrap: str) -> list[tuple[str, int, int]]:
    """(topic, partition, offset) of each event."""
    command = re.search(r"^python (producer\.py .*)$", (folder / "README.md").read_text(), re.MULTILINE)
    assert command
    arguments, _, file = command[1].replace("localhost:9092", bootstrap).partition(" < ")
    done = subprocess.run(
        [sys.executable, "-I", *arguments.split()],  # -I: nothing is imported from here
        stdin=(folder / file).open(),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = re.findall(r"→ (\S+)/(\d+)/(\d+)$", done.stdout, re.MULTILINE)
    return [(topic, int(partition), int(offset)) for topic, partition, offset in found]


def test_a_mistake_is_loud(stack: Stack) -> None:
    wrong = json.loads(LINES[0]) | {"colour": "red"}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "producer.py"), "--bootstrap", stack.settings.bootstrap],
        input=json.dumps(wrong),
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode != 0
    assert "colour" in done.stderr


@pytest.mark.parametrize("channel", CHANNELS)
def test_its_header_is_the_codecs(channel: str) -> None:
    made = subprocess.run(
        [sys.executable, "-c", f"import producer; print(producer.Schema({channel!r}).header.hex())"],
        cwd=EXAMPLES,
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=True,
    )
    schema = json.loads((REPO / "schemas" / "avro" / f"interaction_{channel}.avsc").read_text())
    assert bytes.fromhex(made.stdout.strip()) == header(schema)
