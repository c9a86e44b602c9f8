"""Older interactions than a profile's view holds, from ClickHouse."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Protocol

import aiohttp
from clickhouse_connect.driver.exceptions import ClickHouseError

from pipeline.clickhouse import WhenAsked
from pipeline.domain.interaction import Answer, Interaction, Item
from pipeline.domain.view import Position
from pipeline.settings import Settings

CONNECT_S_MAX, QUERY_S_MAX = 2, 5
#: After a failure ClickHouse is not asked again for this long: a page of the timeline is not worth a queue.
REST_S = 2.0

_COLUMNS = (
    "identifier",
    "source",
    "event_id",
    "channel",
    "type",
    "touchpoint",
    "toUnixTimestamp64Milli(occurred_at)",
    "toUnixTimestamp64Milli(occurred_at_sent)",
    "toUnixTimestamp64Milli(received_at)",
    "session_id",
    "goal",
    "issue",
    "about",
    "links",
    "masks",
    "items",
    "answer_question",
    "answer_value",
    "answer_min",
    "answer_max",
    "measures",
    "properties",
    "details",
    "consent",
    "public",
)


class HistoryAway(Exception):
    """ClickHouse did not answer."""


class History(Protocol):
    """What the timeline needs of it."""

    async def before(self, person: str, position: Position, channel: str | None, limit: int) -> list[Interaction]:
        """A person's interactions before a position, newest first. Raises HistoryAway."""
        ...


class ClickHouseHistory:
    """Asks the view `person_timeline`. Connects when first asked: serve starts without ClickHouse."""

    def __init__(self, settings: Settings, user: str, password: str) -> None:
        self._clickhouse = WhenAsked(
            settings,
            user,
            password,
            connect_s_max=CONNECT_S_MAX,
            answer_s_max=QUERY_S_MAX,
            limits={"max_execution_time": QUERY_S_MAX},
        )
        self._rests_until = 0.0

    async def before(self, person: str, position: Position, channel: str | None, limit: int) -> list[Interaction]:
        """See History."""
        where = "WHERE channel = {channel:String}" if channel else ""
        query = (
            f"SELECT {', '.join(_COLUMNS)} FROM person_timeline(person={{person:String}}, before_at={{at:Int64}}, "  # noqa: S608  # names of ours, values are parameters
            "before_source={source:String}, before_event_id={event:String}) "
            f"{where} ORDER BY occurred_at DESC, source DESC, event_id DESC LIMIT {{limit:UInt32}}"
        )
        at, source, event = position
        values = {"person": person, "at": at, "source": source, "event": event, "limit": limit, "channel": channel}
        if time.monotonic() < self._rests_until:
            raise HistoryAway("ClickHouse did not answer a moment ago")
        try:
            client = await self._clickhouse.client()
            answer = await client.query(query, parameters={k: v for k, v in values.items() if v is not None})
        except (ClickHouseError, aiohttp.ClientError, OSError, TimeoutError) as error:
            self._rests_until = time.monotonic() + REST_S
            raise HistoryAway(f"ClickHouse: {type(error).__name__}") from error
        return [_interaction(row) for row in answer.result_rows]

    async def close(self) -> None:
        """Close the connections."""
        await self._clickhouse.close()


def _interaction(row: Sequence[Any]) -> Interaction:
    """A row of _COLUMNS as the interaction it was stored from. What only decides between copies is left empty."""
    value = dict(zip(_COLUMNS, row, strict=True))
    answer = None
    if value["answer_value"] is not None:
        answer = Answer(value["answer_question"], value["answer_value"], value["answer_min"], value["answer_max"])
    return Interaction(
        identifier=value["identifier"],
        source=value["source"],
        event_id=value["event_id"],
        channel=value["channel"],
        type=value["type"],
        touchpoint=value["touchpoint"],
        occurred_at=value["toUnixTimestamp64Milli(occurred_at)"],
        occurred_at_sent=value["toUnixTimestamp64Milli(occurred_at_sent)"],
        received_at=value["toUnixTimestamp64Milli(received_at)"],
        digest=0,
        session_id=value["session_id"],
        goal=value["goal"],
        issue=value["issue"],
        about=value["about"],
        links=tuple(value["links"]),
        masks=dict(value["masks"]),
        items=tuple(_item(each) for each in value["items"]),
        answer=answer,
        measures=dict(value["measures"]),
        properties=dict(value["properties"]),
        details=dict(value["details"]),
        consent=dict(value["consent"]),
        public=value["public"],
    )


def _item(value: Any) -> Item:
    if isinstance(value, dict):
        return Item(value["product"], value["quantity"], value["price"], value["name"])
    return Item(*value)
