"""Who was erased, as identity.orders has it: by seals, so that nobody's name is kept.

An erasure takes alerts back from the topic, and rows from ClickHouse, while this process may be in the middle of a look
that still saw them. So it hears of erasures itself, before they are proven: what is from before one opens no alert any
more, and alerts that there are go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

import msgspec

from pipeline.domain.alerts import STANDS_ALONE, Alert, Cause

ERASE = "erase"
SEALS_KEPT = 65_536  # of identifiers that were asked about


class Record(msgspec.Struct):
    """A record of the topic, as far as it matters here."""

    kind: str
    before: int = 0  # ms
    seals: list[str] = []  # in hex


_decode = msgspec.json.Decoder(Record).decode


class Erased:
    """All of them. `seal` makes what an identifier is known by once it must not be known."""

    def __init__(self, seal: Callable[[str], bytes]) -> None:
        self._before: dict[str, int] = {}
        self._seal = lru_cache(SEALS_KEPT)(lambda identifier: seal(identifier).hex())

    def hear(self, value: bytes | None) -> bool:
        """Take one record of the topic; whether it tells of an erasure. Raises msgspec.DecodeError where it is none."""
        if value is None:
            return False
        said = _decode(value)
        if said.kind != ERASE:
            return False
        for seal in said.seals:
            self._before[seal] = max(said.before, self._before.get(seal, 0))
        return bool(said.seals)

    def alert(self, alert: Alert) -> bool:
        """Whether an alert names somebody, and is from before they were erased. identify sees to its own."""
        if alert.kind == STANDS_ALONE:
            return False
        first = alert.opened_at if alert.since is None else min(alert.opened_at, alert.since)
        return self._names((alert.identifier, alert.person), first)

    def cause(self, cause: Cause) -> bool:
        """The same of a cause."""
        return self._names((cause.identifier, cause.person), cause.since or 0)

    def _names(self, names: Iterable[str], since: int) -> bool:
        if not self._before:
            return False
        return any(name and since < self._before.get(self._seal(name), 0) for name in names)
