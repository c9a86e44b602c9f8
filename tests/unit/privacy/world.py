"""A world of profiles and of who is who, whose changes can be read as the changelogs would tell them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.domain.orders import Erase
from pipeline.domain.state import DictState
from pipeline.identify import erasing, explain, orders
from pipeline.privacy.known import Known
from pipeline.privacy.remains import Judge, Profiles
from pipeline.privacy.scope import Scope, scope_of
from tests.serving import World

ORDER = "0f3a"


class Changelog:
    """The changes of a state since they were last read: as a compacted topic has them, in order."""

    def __init__(self, state: DictState) -> None:
        self._state = state
        self._told: dict[bytes, bytes] = {}
        self.records: list[tuple[bytes, bytes | None]] = []

    def read(self) -> Changelog:
        """Take what has changed."""
        now = dict(self._state.data)
        self.records += [(key, value) for key, value in now.items() if self._told.get(key) != value]
        self.records += [(key, None) for key in self._told if key not in now]
        self._told = now
        return self

    def shown_to(self, judge: Judge) -> Judge:
        """Let somebody look at all records."""
        for key, value in self.records:
            judge.see(0, key, value, 0)
        return judge


class Watched(World):
    """A world that keeps its changelogs."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.profiles = Changelog(self.state)
        self.decisions = Changelog(self.known)

    def read(self) -> None:
        """Take what has changed."""
        self.profiles.read()
        self.decisions.read()

    def erase(self, person: str, at: int, block: bool = False, order_id: str = ORDER) -> Scope:
        """Erase somebody, and whom it concerns."""
        self.read()
        self.decide(Erase(order_id, person, block, "asked for it", "test", at))
        self.read()
        return self.scope(order_id)

    def scope(self, order_id: str = ORDER) -> Scope:
        """Whom an erasure concerns, as the coordinator is told."""
        scope = erasing.scope(self.known, order_id)
        ordered = orders.find(self.known, order_id)
        assert scope is not None
        assert ordered is not None
        erasure = {
            "before": scope.before,
            "blocked": scope.blocked,
            "whole": scope.whole,
            "shared": explain.shared(self.known, scope),
        }
        return scope_of(order_id, erasure, explain.order_json(ordered))

    def remaining(self, scope: Scope) -> dict[str, dict[str, int]]:
        """What both changelogs still hold, by topic."""
        self.read()
        judges: Iterable[tuple[Changelog, Judge]] = ((self.profiles, Profiles(scope)), (self.decisions, Known(scope)))
        return {judge.topic: _seen(log, judge) for log, judge in judges}


def _seen(log: Changelog, judge: Judge) -> dict[str, int]:
    log.shown_to(judge)
    assert judge.unread == 0
    return judge.remaining()


def nothing(found: dict[str, dict[str, int]]) -> bool:
    """Whether nothing was found anywhere."""
    return not any(found.values())


def kinds(found: Iterable[dict[str, int]]) -> Iterator[str]:
    """Every kind that was found."""
    for each in found:
        yield from each
