"""Who looked at whom, when and why, and who ordered what: a record in Kafka before the answer leaves.

A lookup that Kafka has no record of is not given: `Unaudited` becomes a 503. The record itself holds nobody's data:
identifiers are sealed (16 bytes that only who holds the identifier finds again), purposes and reasons are masked. The
same facts go to the process's log, as a line.

Decisions
- 2026-11-24 One record, after the lookup, and awaited: only then is it known who was shown. Two (asked, then shown)
  would hide the broker's few milliseconds behind the lookup, and leave open who was shown when serve dies in between.
- 2026-11-24 A stream is audited when it opens, and again whenever it shows another person than before.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from pipeline.logs import Log
from pipeline.serve.access import Principal
from pipeline.serve.writing import Unwritten, Writer
from pipeline.topics import AUDIT

SUBJECTS_MAX = 200  # of each kind in one record; the outcome says how many there were


class Unaudited(Exception):
    """There is no record of it, so it must not be answered."""


class Codec(Protocol):
    """What is needed of `wire.Codec`."""

    def encode(self, name: str, record: dict[str, Any], /) -> bytes:
        """The record as Avro of that schema."""
        ...


class Audit:
    """Writes the records."""

    def __init__(
        self, log: Log, writer: Writer, codec: Codec, seal: Callable[[str], bytes], masked: Callable[[str], str]
    ) -> None:
        """`seal` makes an identifier unreadable; `masked` takes from a text what must not be kept in clear."""
        self._log = log
        self._writer = writer
        self._codec = codec
        self._seal = seal
        self._masked = masked

    async def looked_up(
        self, action: str, who: Principal, purpose: str, asked: Sequence[str], shown: Sequence[str], outcome: str
    ) -> None:
        """`asked`: identifiers in the question; `shown`: persons whose data the answer holds. Raises Unaudited."""
        await self._write("lookup", action, who, purpose, asked, shown, outcome, "", "", secrets.token_hex(16))

    async def ordered(
        self, action: str, who: Principal, subjects: Sequence[str], reason: str, order_id: str, outcome: str
    ) -> None:
        """An order about `subjects`. A later outcome of the same order takes this one's place. Raises Unaudited."""
        await self._write("order", action, who, "", subjects, (), outcome, reason, order_id, f"{action}-{order_id}")

    async def _write(
        self,
        event: str,
        action: str,
        who: Principal,
        purpose: str,
        subjects: Sequence[str],
        shown: Sequence[str],
        outcome: str,
        reason: str,
        order_id: str,
        audit_id: str,
    ) -> None:
        record = {
            "audit_id": audit_id,
            "at": time.time_ns() // 1_000_000,
            "actor": who.name,
            "action": action,
            "purpose": self._masked(purpose),
            "subjects": self._sealed(subjects),
            "shown": self._sealed(shown),
            "outcome": outcome,
            "reason": self._masked(reason),
            "order_id": order_id,
        }
        try:
            value = self._codec.encode(AUDIT.schema, record)
            await self._writer.write(AUDIT.name, audit_id.encode(), value)
        except Unwritten as error:
            self._log.warning("unaudited", action=action, actor=who.name, problem=str(error))
            raise Unaudited(str(error)) from error
        self._log.info(event, **{name: fact for name, fact in record.items() if name != "at"})

    def _sealed(self, identifiers: Iterable[str]) -> list[str]:
        """Each once, in the order given."""
        return [self._seal(each).hex() for each in list(dict.fromkeys(identifiers))[:SUBJECTS_MAX]]
