"""ClickHouse's rows about a person, for an export: every table that may hold some, page by page in key order.

A page continues behind the last row's key, so memory is bounded however many rows there are. Rows are found without
FINAL: of those of one key the newest is taken.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import msgspec

from pipeline.clickhouse import WhenAsked
from pipeline.domain.sweeping import Shared
from pipeline.keys import Keys
from pipeline.settings import Settings

PAGE_ROWS = 2_000
IDS_MAX = 200  # in one query: they travel in its address
CONNECT_S_MAX = 5
QUERY_S_MAX = 30
_FORMAT = {
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_named_tuples_as_objects": 1,
    "date_time_output_format": "iso",
    "max_execution_time": QUERY_S_MAX,
}


@dataclass(frozen=True, slots=True)
class Table:
    """One table: whose rows are a person's, and the key by which they are paged (column → type)."""

    name: str
    kind: str
    whose: str  # a condition on {ids:Array(String)}
    key: dict[str, str]
    columns: str = "* EXCEPT (version)"
    by_seal: bool = False  # it knows people by their seals


INTERACTIONS = Table(
    "interactions",
    "interaction",
    "identifier IN {ids:Array(String)}",
    {"occurred_day": "Date", "identifier": "String", "source": "String", "event_id": "String"},
)
CONSENTS = Table(
    "consents",
    "consent",
    "identifier IN {ids:Array(String)}",
    {"identifier": "String", "source": "String", "event_id": "String"},
)
CONTACTS = replace(INTERACTIONS, name="contacts", kind="contact")  # copies, with the same key
COMPLAINTS = replace(INTERACTIONS, name="complaints", kind="complaint")  # copies, with the same key
ORDERS = replace(INTERACTIONS, name="orders", kind="order")  # copies, with the same key
OUTCOMES = Table(
    "outcomes",
    "business result",
    "identifier IN {ids:Array(String)}",
    {"source": "String", "outcome_id": "String"},
    "* EXCEPT (session_id, version)",
)
#: Interactions, tables that hold copies of them, outcomes: of a shared identifier some of the rows are a person's.
PARTLY = (INTERACTIONS, CONSENTS, CONTACTS, COMPLAINTS, ORDERS, OUTCOMES)
TABLES = (
    INTERACTIONS,
    Table(
        "identities",
        "assignment",
        "identifier IN {ids:Array(String)} OR person IN {ids:Array(String)} OR earlier_person IN {ids:Array(String)}",
        {"identifier": "String", "session_id": "String"},
        "identifier, session_id, person, until, ambiguous",  # the other owners of what is shared are not theirs
    ),
    Table(
        "customer_scores",
        "score",
        "person IN {ids:Array(String)}",
        {"person": "String", "day": "Date", "definition": "UInt32"},
    ),
    CONSENTS,
    CONTACTS,
    COMPLAINTS,
    ORDERS,
    OUTCOMES,
    Table(
        "alerts",
        "alert",
        "hasAny([subject, person, identifier], {ids:Array(String)})",
        {"alert_id": "String"},
    ),
    Table(
        "audit",
        "audit entry",
        "hasAny(subjects, {ids:Array(String)}) OR hasAny(shown, {ids:Array(String)})",
        {"audit_id": "String"},
        "audit_id, at, actor, action, purpose, outcome, reason, order_id",
        by_seal=True,
    ),
)
#: Tables that say nothing of any one person. Every table stands here or in TABLES; a test holds that.
IMPERSONAL = frozenset(
    {
        "analyses",
        "analysis_rows",
        "catalogue_settings",
        "catalogue_steps",
        "catalogue_touchpoints",
        "changes",
        "contact_types",
        "definitions",
        "erased_rows",
        "observations",
        "rejected",
        "tallies",
        "tallies_carried",
        "touchpoint_changes",
        "touchpoint_hours",
        "touchpoint_hours_made",
        "touchpoint_scores",
    }
)


class Rows(Protocol):
    """Where an export finds rows. Raises clickhouse-connect's errors, OSError, TimeoutError."""

    def of(self, table: Table, ids: Sequence[str]) -> AsyncIterator[list[bytes]]:
        """The rows of these identifiers (or seals) as JSON objects, in pages."""
        ...

    def part_of(self, table: Table, shared: Shared) -> AsyncIterator[list[bytes]]:
        """The rows of a shared identifier, in one of PARTLY, that are the person's."""
        ...


class ClickHouseRows:
    """The real one. Connects when first asked."""

    def __init__(self, settings: Settings, secrets: Keys) -> None:
        user, password = secrets.clickhouse_user, secrets.clickhouse_password
        self._clickhouse = WhenAsked(settings, user, password, connect_s_max=CONNECT_S_MAX, answer_s_max=QUERY_S_MAX)

    async def close(self) -> None:
        """Close the connections."""
        await self._clickhouse.close()

    async def of(self, table: Table, ids: Sequence[str]) -> AsyncIterator[list[bytes]]:
        """See Rows."""
        for start in range(0, len(ids), IDS_MAX):
            async for page in self._pages(table, table.whose, {"ids": list(ids[start : start + IDS_MAX])}):
                yield page

    async def part_of(self, table: Table, shared: Shared) -> AsyncIterator[list[bytes]]:
        """See Rows."""
        one = {"identifier": shared.identifier}
        for start in range(0, len(shared.owned), IDS_MAX):
            sessions = {**one, "sessions": shared.owned[start : start + IDS_MAX]}
            whose = "identifier = {identifier:String} AND session_id IN {sessions:Array(String)}"
            async for page in self._pages(table, whose, sessions):
                yield page
        if shared.until is None:
            return
        # Sessions that are settled apart are told by the same row of who is who as everywhere else.
        whose = (
            "identifier = {identifier:String} AND toUnixTimestamp64Milli(occurred_at) < {until:Int64} AND "
            "session_id NOT IN (SELECT session_id FROM identities FINAL WHERE identifier = {identifier:String} AND "
            "session_id != '' AND version = (SELECT max(version) FROM identities FINAL WHERE "
            "identifier = {identifier:String} AND session_id = ''))"
        )
        async for page in self._pages(table, whose, {**one, "until": shared.until}):
            yield page

    async def _pages(self, table: Table, whose: str, parameters: dict[str, Any]) -> AsyncIterator[list[bytes]]:
        key = ", ".join(table.key)
        behind = ""
        place: dict[str, Any] = {}
        while True:
            query = (
                f"SELECT {table.columns} FROM {table.name} WHERE ({whose}){behind} "  # noqa: S608  # names of ours, values are parameters
                f"ORDER BY {key}, version DESC LIMIT 1 BY {key} LIMIT {PAGE_ROWS}"
            )
            client = await self._clickhouse.client()
            answer = await client.raw_query(query, {**parameters, **place}, _FORMAT, "JSONEachRow")
            rows = answer.splitlines()
            if rows:
                yield rows
            if len(rows) < PAGE_ROWS:
                return
            last = msgspec.json.decode(rows[-1])
            place = {f"after_{name}": last[name] for name in table.key}
            named = ", ".join(f"{{after_{name}:{kind}}}" for name, kind in table.key.items())
            behind = f" AND ({key}) > ({named})"
