"""The schemas: one envelope for all channels, in step with the topics, and readable for ever.

`schemas/avro/released/<name>.<n>.avsc` are what producers out there may still write. They are added at a release and
never changed: `released/SHA256SUMS` says what they were.
"""

from __future__ import annotations

import hashlib
import io
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import fastavro
import pytest
from fastavro.schema import parse_schema, to_parsing_canonical_form
from fastavro.utils import generate_many

from pipeline import wire
from pipeline.domain.interaction import CHANNELS
from pipeline.topics import TOPICS

FOLDER = Path(__file__).resolve().parents[2] / "schemas" / "avro"
RELEASED = FOLDER / "released"
NAMES = sorted(path.stem for path in FOLDER.glob("*.avsc"))


def load(path: Path) -> Any:
    return json.loads(path.read_text())


def versions(name: str) -> list[Path]:
    """Its released versions, oldest first."""
    return sorted(RELEASED.glob(f"{name}.*.avsc"), key=lambda p: int(p.name.split(".")[1]))


@pytest.mark.parametrize("name", NAMES)
def test_the_newest_reads_what_every_released_version_wrote(name: str) -> None:
    assert versions(name), f"{name} has no released version: copy it to released/{name}.1.avsc"
    newest, codec = load(FOLDER / f"{name}.avsc"), wire.Codec(FOLDER.parent)
    for path in versions(name):
        old = load(path)
        for record in generate_many(parse_schema(old), 20):
            out = io.BytesIO()
            fastavro.schemaless_writer(out, old, record)
            body = out.getvalue()
            expected = fastavro.schemaless_reader(io.BytesIO(body), old, newest)
            assert codec.decode(wire.header(old) + body) == (name, expected)


@pytest.mark.parametrize("name", NAMES)
def test_the_newest_is_released(name: str) -> None:
    """Producers find a schema among the released ones: what is written is always one of them."""
    newest = to_parsing_canonical_form(parse_schema(load(FOLDER / f"{name}.avsc")))
    last = to_parsing_canonical_form(parse_schema(load(versions(name)[-1])))
    assert newest == last, f"add it as released/{name}.{len(versions(name)) + 1}.avsc, with a line in SHA256SUMS"


def test_released_versions_are_never_changed() -> None:
    said = dict(reversed(line.split("  ")) for line in (RELEASED / "SHA256SUMS").read_text().splitlines())
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in RELEASED.glob("*.avsc")}
    assert there == said


@pytest.mark.parametrize("name", NAMES)
def test_versions_are_numbered_without_gaps(name: str) -> None:
    numbers = [int(path.name.split(".")[1]) for path in versions(name)]
    assert numbers[0] == 1
    assert all(b == a + 1 for a, b in pairwise(numbers))


def test_every_topic_has_its_schema_and_every_schema_its_topic() -> None:
    assert {topic.schema for topic in TOPICS} - {"messagepack", "json"} == set(NAMES)


def test_every_channel_has_the_same_envelope() -> None:
    envelopes = []
    for channel in CHANNELS:
        schema = load(FOLDER / f"interaction_{channel}.avsc")
        assert schema["name"] == f"interaction_{channel}"
        fields = {f["name"]: f for f in schema["fields"]}
        details = fields.pop("details")
        assert details["type"][0] == "null"
        assert all(f["type"][0] == "null" and f["default"] is None for f in details["type"][1]["fields"])
        envelopes.append(fields)
    assert all(envelope == envelopes[0] for envelope in envelopes)
