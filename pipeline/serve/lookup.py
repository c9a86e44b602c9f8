"""From keys or an id to a person's context or timeline, asked of the workers that own the profiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.domain.messages import is_erased
from pipeline.domain.scores import NO_SCORES
from pipeline.domain.view import scored
from pipeline.serve.matching import Match, match
from pipeline.serve.workers import Deadline, Freshness, Resolution, Workers, fresh

#: Of an ambiguous key at most this many candidates are shown.
CANDIDATES_MAX = 64


@dataclass(frozen=True, slots=True)
class Found:
    """An answer with what the audit wants to know about it."""

    match: Match
    answer: dict[str, Any]


def nothing_known() -> dict[str, Any]:
    """The parts of a context answer that stand empty when no one person is meant."""
    return {
        "profile": None,
        "consent": {},
        "now": {
            "searches": [],
            "viewed": [],
            "open_goals": [],
            "open_complaints": [],
            "last_order": None,
            "preferences": {},
        },
        "scores": scored(NO_SCORES, None),
        "timeline": [],
    }


def oldest(freshness: Sequence[Freshness]) -> dict[str, Any]:
    """How fresh an answer made of several is: as its oldest part."""
    if not freshness:
        return {"as_of": None, "lag_ms": 0}
    worst = max(freshness, key=lambda each: each.lag_ms)
    return {"as_of": worst.as_of, "lag_ms": worst.lag_ms}


class Lookup:
    """The questions that the API and the desk ask. All raise workers.Unavailable after the deadline."""

    def __init__(self, workers: Workers) -> None:
        self.workers = workers

    async def context(self, ids: Sequence[str], now_ms: int) -> Found:
        """The context answer for one or more identifiers that stand for whoever is meant."""
        deadline = self.workers.deadline()
        found, freshness, contexts = await self.workers.resolve(ids, deadline, now_ms)
        who = match(found[each] for each in ids if each in found)
        answer: dict[str, Any] = {"match": who.kind, "candidates": [], **nothing_known()}
        if who.person is not None:
            known = contexts.get(who.person)
            if known is None:
                question = {"id": who.person, "now_ms": now_ms}
                known = await self.workers.ask(who.person, "/internal/context", question, deadline)
                freshness.append(fresh(known))
            answer.update({part: known[part] for part in ("profile", "consent", "now", "scores", "timeline")})
        elif who.ambiguous:
            shown, more = await self._cards(who.candidates, deadline)
            answer["candidates"] = list(shown.values())
            freshness.extend(more)
        return Found(who, {**answer, **oldest(freshness)})

    async def person(self, identifier: str, deadline: Deadline) -> tuple[str, Freshness]:
        """The person an id resolves to (itself where it is nobody else's), and how fresh that is."""
        found, freshness, _ = await self.workers.resolve([identifier], deadline)
        known = found.get(identifier, Resolution(identifier))
        person = identifier if known.ambiguous else known.person or identifier
        return person, freshness[0]

    async def timeline(
        self, person: str, limit: int, before: str | None, channel: str | None, deadline: Deadline
    ) -> dict[str, Any]:
        """One page of a person's timeline as their worker has it: see the worker's `/internal/timeline`."""
        question = {"id": person, "limit": limit, "before": before, "channel": channel}
        return await self.workers.ask(person, "/internal/timeline", question, deadline)

    async def cards(self, persons: Sequence[str], deadline: Deadline) -> dict[str, dict[str, Any]]:
        """Person → enough to tell them apart, and nothing more."""
        return (await self._cards(persons, deadline))[0]

    async def masks(self, person: str, now_ms: int, deadline: Deadline) -> dict[str, str]:
        """Identifier → what people may see of it, for those that a person is known by."""
        known = await self.workers.ask(person, "/internal/context", {"id": person, "now_ms": now_ms}, deadline)
        return {each["id"]: each["value"] for each in known["profile"]["identifiers"]}

    async def _cards(
        self, persons: Sequence[str], deadline: Deadline
    ) -> tuple[dict[str, dict[str, Any]], list[Freshness]]:
        # Those who were erased are somebody, but nobody whom one may ask about.
        ids = [each for each in persons if not is_erased(each)][:CANDIDATES_MAX]
        found, freshness, _ = await self.workers.resolve(ids, deadline)
        shown = {}
        for each in ids:
            known = found.get(each, Resolution(each))
            shown[each] = {"id": each, "initials": known.initials, "last_seen": known.last_seen}
        return shown, freshness
