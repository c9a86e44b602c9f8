"""ClickHouse's rows of somebody who was erased: deleted and looked for (`store.erasing`), and until when files stay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from clickhouse_connect.driver.client import Client

from pipeline.domain.view import time_text
from pipeline.keys import Keys, keyring
from pipeline.privacy.progress import now_ms
from pipeline.privacy.proof import Ageing, Place
from pipeline.privacy.scope import Scope
from pipeline.settings import Settings
from pipeline.store import erasing
from pipeline.store.writer import connect

_HOW = "every column that can hold a text compared with the identifiers, of every stored version of each row"
_FILES = "files in which deleted rows were, which no query reads: until ClickHouse drops them"
T = TypeVar("T")


class ClickHouseTables:
    """The real ones. Each call connects by itself, in a thread. Raises clickhouse-connect's errors."""

    def __init__(self, settings: Settings, secrets: Keys) -> None:
        self._settings = settings
        self._secrets = secrets
        self._database = settings.clickhouse_database
        self._keyring = keyring(secrets)

    async def erase(self, scope: Scope, rejected: Sequence[str]) -> dict[str, int]:
        """Delete what is from before: how many rows of each place. `rejected`: ids of their dead letters."""
        digits = self._keyring.opaque(f"rows erased by {scope.request}").rpartition("-")[2]
        wanted = replace(
            _erasure(scope, rejected),
            request=scope.request,
            hiding=(int(digits[:16], 16), int(digits[16:], 16)),
            partitions=self._settings.partitions,
        )
        found = await self._ask(lambda client: erasing.delete_erased(client, self._database, wanted))
        return {_place(table): n for table, n in found.items()}

    async def look(self, scope: Scope, rejected: Sequence[str]) -> list[Place]:
        """Look for what is from before in every table."""
        wanted = _erasure(scope, rejected)

        def look(client: Client) -> list[Place]:
            left = erasing.remaining(client, self._database, wanted)
            rows = erasing.counts(client, self._database)
            return [Place(_place(table), _HOW, rows[table], {}, {"row": n} if n else {}) for table, n in left.items()]

        return await self._ask(look)

    async def ageing(self) -> list[Ageing]:
        """Until when the files of deleted rows stay."""

        until = time_text(now_ms() + await self._ask(erasing.lingers_s) * 1000)
        return [Ageing("ClickHouse, inactive parts", _FILES, until)]

    async def _ask(self, question: Callable[[Client], T]) -> T:
        def asked() -> T:
            client = connect(self._settings, self._secrets, self._database)
            try:
                return question(client)
            finally:
                client.close()

        return await asyncio.to_thread(asked)


def _erasure(scope: Scope, rejected: Sequence[str]) -> erasing.Erasure:
    return erasing.Erasure(scope.before, scope.version, scope.whole, scope.shared, rejected)


def _place(table: str) -> str:
    return f"ClickHouse table {table}"
