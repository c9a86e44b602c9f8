"""ClickHouse as the stages reach it: a client of the settings' database, and which of its failures pass by waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error, InterfaceError, OperationalError

from pipeline.keys import Keys
from pipeline.settings import Settings

CONNECT_S = 5
ANSWER_S = 60

#: What passes, by ClickHouse's names and codes: time-outs, too much at once, no memory or space just now, a replica or
#: a keeper away.
_PASSING = {
    "UNEXPECTED_END_OF_FILE": 3,
    "TIMEOUT_EXCEEDED": 159,
    "DNS_ERROR": 198,
    "TOO_MANY_SIMULTANEOUS_QUERIES": 202,
    "NO_FREE_CONNECTION": 203,
    "SOCKET_TIMEOUT": 209,
    "NETWORK_ERROR": 210,
    "NO_ZOOKEEPER": 225,
    "ABORTED": 236,
    "MEMORY_LIMIT_EXCEEDED": 241,
    "TABLE_IS_READ_ONLY": 242,
    "NOT_ENOUGH_SPACE": 243,
    "TOO_MANY_PARTS": 252,
    "ALL_CONNECTION_TRIES_FAILED": 279,
    "TOO_FEW_LIVE_REPLICAS": 285,
    "UNKNOWN_STATUS_OF_INSERT": 319,
    "QUERY_WAS_CANCELLED": 394,
    "SYSTEM_ERROR": 425,
    "KEEPER_EXCEPTION": 999,
}
TRANSIENT = frozenset(_PASSING.values())


def is_transient(error: Error) -> bool:
    """Whether waiting helps: nobody answered, or ClickHouse said so by its code. What it refuses is a bug."""
    if error.code is None:
        return isinstance(error, OperationalError | InterfaceError)
    return error.code in TRANSIENT


def connect(settings: Settings, keys: Keys, database: str | None = None, answer_s: int = ANSWER_S) -> Client:
    """A client of the settings' ClickHouse; it has asked for the version. Close it. Raises the driver's Error.

    `answer_s`: how long it waits for an answer.
    """
    url = urlsplit(settings.clickhouse)
    return clickhouse_connect.get_client(
        interface=url.scheme or "http",
        host=url.hostname or settings.host,
        port=url.port or (8443 if url.scheme == "https" else 8123),
        username=keys.clickhouse_user,
        password=keys.clickhouse_password,
        database=database,
        connect_timeout=CONNECT_S,
        send_receive_timeout=answer_s,
        compress=False,
        autogenerate_session_id=False,  # sessions would let only one query run at a time
        client_name="throughline",
    )


class WhenAsked:
    """A client for asyncio that connects when it is first asked for: who has one starts without ClickHouse."""

    def __init__(
        self,
        settings: Settings,
        user: str,
        password: str,
        *,
        connect_s_max: int,
        answer_s_max: int,
        limits: Mapping[str, Any] | None = None,
    ) -> None:
        """`limits` are ClickHouse's settings for every query."""
        self._options: dict[str, Any] = {
            "dsn": settings.clickhouse,
            "username": user,
            "password": password,
            "database": settings.clickhouse_database,
            "connect_timeout": connect_s_max,
            "send_receive_timeout": answer_s_max,
            "query_limit": 0,
            "autogenerate_session_id": False,
            "settings": dict(limits or {}),
        }
        self._client: AsyncClient | None = None
        self._connecting = asyncio.Lock()

    async def client(self) -> AsyncClient:
        """The client. Raises what the driver and aiohttp raise where nobody answers; the next call tries again."""
        async with self._connecting:
            if self._client is None:
                self._client = await clickhouse_connect.get_async_client(**self._options)
        return self._client

    async def close(self) -> None:
        """Close the connections, if there are any."""
        if self._client is not None:
            await self._client.close()
