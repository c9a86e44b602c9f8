"""serve over profiles in memory, with privacy's routes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from pipeline.domain.sweeping import Shared
from pipeline.privacy import api
from pipeline.privacy.asking import Workers
from pipeline.privacy.erasing import Means, Patience
from pipeline.privacy.erasures import Erasures
from pipeline.privacy.export import Sources
from pipeline.privacy.letters import Letters, learn
from pipeline.privacy.memory import Memory
from pipeline.privacy.rows import Table
from pipeline.topics import REJECTED, Topic
from pipeline.wire import Codec
from tests.serving import ADMIN, KEYRING, TOKEN
from tests.unit.privacy.test_erasing import World as Elsewhere
from tests.unit.privacy.test_erasing import _Tables
from tests.unit.serve.conftest import Serving
from tests.unit.serve.conftest import serving as serving

CODEC = Codec(Path(__file__).resolve().parents[3] / "schemas")


@dataclass
class Rows:
    """ClickHouse's rows: (table, one of the ids) → rows."""

    kept: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)

    async def of(self, table: Table, ids: Sequence[str]) -> AsyncIterator[list[bytes]]:
        for each in ids:
            for row in self.kept.get((table.name, each), []):
                yield [msgspec.json.encode(row)]

    async def part_of(self, table: Table, shared: Shared) -> AsyncIterator[list[bytes]]:
        for row in self.kept.get((table.name, shared.identifier), []):
            if shared.has(row["session_id"], row["occurred_at"]):
                yield [msgspec.json.encode(row)]


@dataclass
class Privacy:
    """Everything that a test may touch."""

    serving: Serving
    rows: Rows
    dead: list[bytes]
    erasures: Erasures
    elsewhere: Elsewhere

    async def export(self, identifier: Any) -> list[dict[str, Any]]:
        """The lines."""
        answer = await self.serving.post("/v1/privacy/export", {"id": identifier, "reason": "she asked"})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/x-ndjson"
        return [msgspec.json.decode(line) for line in answer.content.splitlines()]


@pytest.fixture
async def privacy(serving: Serving) -> AsyncIterator[Privacy]:
    """Privacy over serve's world; topics and tables are stand-ins."""
    parts = serving.parts
    rows, dead = Rows(), list[bytes]()
    profiles = Workers(parts.routes, TOKEN)
    await profiles.open()

    async def read(topic: Topic) -> AsyncIterator[list[Any]]:
        assert topic is REJECTED
        yield [SimpleNamespace(value=value) for value in dead]

    elsewhere = Elsewhere()
    everyone: Any = elsewhere
    tables: Any = _Tables(elsewhere)
    memory = Memory(parts.calls, (parts.keyring,))
    means = Means(
        identify=parts.identities,
        orders=parts.orders,
        writer=parts.writer,
        profiles=profiles,
        kafka=everyone,
        look=elsewhere.look,
        tables=tables,
        drop=memory.drop,
        forget=memory.forget,
        patience=Patience(step_s=2, sweep_s=2, pause_s=0.01, retry_s_min=0.01, retry_s_max=0.05),
    )
    erasures = Erasures(means)
    letters = Letters(CODEC, KEYRING, "US")
    sources = Sources(
        parts.identities, profiles, rows, read, partial(learn, None, CODEC), CODEC, letters, parts.staff, KEYRING.seal
    )
    serving.app.include_router(api.router(parts, sources, erasures, profiles))
    yield Privacy(serving, rows, dead, erasures, elsewhere)
    await profiles.close()


def admin() -> dict[str, str]:
    """The admin's headers."""
    return {"Authorization": f"Bearer {ADMIN}"}
