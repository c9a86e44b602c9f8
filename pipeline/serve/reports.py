"""Questions to ClickHouse for the pages of governance: few, bounded in number and time, and no page waits for long.

Connects when first asked: serve starts without ClickHouse, and the desk works without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
from clickhouse_connect.driver.exceptions import ClickHouseError

from pipeline import logs
from pipeline.clickhouse import WhenAsked
from pipeline.settings import Settings

ASKED_AT_ONCE_MAX = 4
CONNECT_S_MAX = 2

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
        self._clickhouse = WhenAsked(settings, user, password, connect_s_max=CONNECT_S_MAX, answer_s_max=COUNT.s_max)
        self._places = asyncio.Semaphore(ASKED_AT_ONCE_MAX)

    async def rows(self, sql: str, parameters: Mapping[str, Any] | None = None, effort: Effort = PAGE) -> list[Row]:
        """See Reports."""
        limits = {"max_execution_time": effort.s_max, "max_threads": effort.threads_max}
        try:
            async with asyncio.timeout(effort.s_max), self._places:
                client = await self._clickhouse.client()
                answer = await client.query(sql, parameters=dict(parameters or {}), settings=limits)
        except (ClickHouseError, aiohttp.ClientError, OSError, TimeoutError) as error:
            code = getattr(error, "code", None)
            _log.warning("reports_away", error=type(error).__name__, code=code)
            raise ReportsAway(f"ClickHouse: {type(error).__name__}") from error
        return [dict(row) for row in answer.named_results()]

    async def close(self) -> None:
        """Close the connections."""
        await self._clickhouse.close()


class NoReports:
    """There is no ClickHouse to ask."""

    async def rows(self, sql: str, parameters: Mapping[str, Any] | None = None, effort: Effort = PAGE) -> list[Row]:
        """See Reports."""
        raise ReportsAway("no ClickHouse")
