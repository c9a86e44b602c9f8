"""What the worker answers about the profiles that it owns: HTTP with JSON, for `serve` alone.

Answers come from committed state and say how far behind it is. A worker that does not own a profile, or cannot be
sure that it still does, answers 421: whoever asks looks up the owner again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from pipeline.domain import view
from pipeline.domain.recalled import Seal
from pipeline.domain.records import Erasure, name
from pipeline.domain.rules import Rules
from pipeline.engine import Engine, NotMine, Store
from pipeline.internal import Answering, Freshness
from pipeline.partition import partition_of
from pipeline.stitch.definitions import Definitions
from pipeline.stitch.looking import Erased, Export, Forget, Looking, Swept, Tell, Tidy, Told, nothing, to_nobody
from pipeline.stitch.watch import Watch

IDS_MAX = 64
WAIT_MAX_S = 30.0


class Question(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    copy: bool = False  # a standby copy's answer will do, since the owner is away


class Resolve(Question):
    ids: list[str]
    now_ms: int | None = None  # given: where all ids are one person's whom this worker owns too, their context as well


class Context(Question):
    id: str
    now_ms: int


class Timeline(Question):
    id: str
    limit: int = 50
    before: str | None = None
    channel: str | None = None


class Wait(Question):
    id: str
    seen: int
    timeout_s: float


class Queries(Answering):
    """The HTTP server beside the agent, on the same loop."""

    def __init__(
        self,
        engine: Engine,
        watch: Watch,
        rules: Rules | Definitions,
        partitions: int,
        token: str,
        host: str,
        port: int,
        seal: Seal = name,
        recalled: Mapping[bytes, Erasure] = MappingProxyType({}),
        tell: Tell = to_nobody,
        forget: Forget = nothing,
    ) -> None:
        """`seal`, `recalled`, `tell` and `forget` as for `Looking`."""
        self._engine = engine
        self._watch = watch
        self._rules = (rules if isinstance(rules, Definitions) else Definitions(rules)).rules
        self._partitions = partitions
        looking = Looking(engine, partitions, seal, recalled, tell, forget)
        questions: dict[str, Any] = {
            "/internal/resolve": (Resolve, self.resolve),
            "/internal/context": (Context, self.context),
            "/internal/timeline": (Timeline, self.timeline),
            "/internal/wait": (Wait, self.wait),
            "/internal/told": (Told, looking.told),
            "/internal/erased": (Erased, looking.erased),
            "/internal/export": (Export, looking.export),
            "/internal/sweep": (Swept, looking.sweep),
            "/internal/tidy": (Tidy, looking.tidy),
        }
        super().__init__(questions, token, host, port)

    def _state(self, identifier: str, freshness: Freshness) -> Store:
        number = partition_of(identifier, self._partitions)
        try:
            store, as_of_ms = self._engine.state(number)
        except NotMine:
            if not freshness.copy_will_do:
                raise
            store, as_of_ms = self._engine.copy(number)
        freshness.saw(as_of_ms)
        return store

    async def resolve(self, asked: Resolve) -> dict[str, Any]:
        """Whose each identifier is."""
        if len(asked.ids) > IDS_MAX:
            raise ValueError(f"at most {IDS_MAX} ids at once")
        freshness = Freshness(asked.copy)
        results = {each: view.resolve(self._state(each, freshness), each) for each in asked.ids}
        persons = {told["person"] for told in results.values() if told["known"] or told["ambiguous"]}
        contexts: dict[str, Any] = {}
        if asked.now_ms is not None and len(persons) == 1 and (person := persons.pop()) is not None:
            with contextlib.suppress(NotMine):  # then whoever owns the person is asked
                state = self._state(person, freshness)
                contexts[person] = view.context(state, person, asked.now_ms, self._rules(state))
        return {"results": results, "contexts": contexts, **freshness.told()}

    async def context(self, asked: Context) -> dict[str, Any]:
        """The whole view of one person."""
        freshness = Freshness(asked.copy)
        state = self._state(asked.id, freshness)
        told = view.context(state, asked.id, asked.now_ms, self._rules(state))
        return {**told, **freshness.told()}

    async def timeline(self, asked: Timeline) -> dict[str, Any]:
        """A stretch of one person's timeline."""
        freshness = Freshness(asked.copy)
        state = self._state(asked.id, freshness)
        told = view.timeline(state, asked.id, self._rules(state), asked.limit, asked.before, asked.channel)
        return {**told, **freshness.told()}

    async def wait(self, asked: Wait) -> dict[str, Any]:
        """Wait until a profile changes."""
        self._state(asked.id, Freshness())
        return {"changed": await self._watch.wait(asked.id, asked.seen, min(asked.timeout_s, WAIT_MAX_S))}
