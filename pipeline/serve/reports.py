"""Questions to ClickHouse for the pages of governance: few, bounded in number and time, and no page waits for long.

Connects when first asked: serve starts without ClickHouse, and the desk works without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
import clickhouse_connect
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError

from pipeline import logs
from pipeline.settings import Settings

ASKED_AT_ONCE_MAX = 4

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Effort:
    """What a question may cost."""

    s_max: int
    threads_max: int  # 0: as many as there are


PAGE = Effort(5, 0)  # a page waits for it
LOOK = Effort(10, 0)  # a part of a page that comes later, or a page that is worth it
COUNT = Effort(300, 1)  # in the background: pages and other people want the machine, too

_log = logs.get("serve")


class ReportsAway(Exception):
    """ClickHouse did not answer, or not in time."""


class Reports(Protocol):
    """What the pages need of it."""

    async def rows(self, sql: str, parameters: Mapping[str, Any] | None = None, effort: Effort = PAGE) -> list[Row]:
        """What a query finds, within that effort. Raises ReportsAway."""
        ...


class ClickHouseReports:
    """Asks the views of ClickHouse."""

    def __init__(self, settings: Settings, user: str, password: str) -> None:
        self._settings = settings
        self._user = user
        self._password = password
        self._client: AsyncClient | None = None
        self._connecting = asyncio.Lock()
        self._places = asyncio.Semaphore(ASKED_AT_ONCE_MAX)

    async def rows(self, sql: str, parameters: Mapping[str, Any] | None = None, effort: Effort = PAGE) -> list[Row]:
        """See Reports."""
        limits = {"max_execution_time": effort.s_max, "max_threads": effort.threads_max}
        try:
            async with asyncio.timeout(effort.s_max), self._places:
                client = await self._connected()
                answer = await client.query(sql, parameters=dict(parameters or {}), settings=limits)
        except (ClickHouseError, aiohttp.ClientError, OSError, TimeoutError) as error:
            code = getattr(error, "code", None)
            _log.warning("reports_away", error=type(error).__name__, code=code)
            raise ReportsAway(f"ClickHouse: {type(error).__name__}") from error
        return [dict(row) for row in answer.named_results()]

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()

    async def _connected(self) -> AsyncClient:
        async with self._connecting:
            if self._client is None:
                self._client = await clickhouse_connect.get_async_client(
                    dsn=self._settings.clickhouse,
                    username=self._user,
                    password=self._password,
                    database=self._settings.clickhouse_database,
                    connect_timeout=2,
                    send_receive_timeout=COUNT.s_max,
                    query_limit=0,
                    autogenerate_session_id=False,
                )
        return self._client


class NoReports:
    """There is no ClickHouse to ask."""

    async def rows(self, sql: str, parameters: Mapping[str, Any] | None = None, effort: Effort = PAGE) -> list[Row]:
        """See Reports."""
        raise ReportsAway("no ClickHouse")
