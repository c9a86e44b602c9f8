"""Whom an erasure concerns, and what of theirs is from before: the same for every place that is looked through."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.domain.sweeping import Concern, Shared


class Scope(msgspec.Struct, frozen=True):
    """An erasure that identify has accepted."""

    request: str  # its order_id
    number: int  # of the order
    before: int  # ms: what occurred or arrived before is erased
    blocked: bool
    version: int  # the first that identify gave in the erasure: an assignment with a smaller one is from before
    whole: frozenset[str]  # identifiers that were the person's alone
    shared: list[Shared]  # what of identifiers that others have a part in was theirs

    @property
    def concern(self) -> Concern:
        """As profiles are looked through for it."""
        return Concern(self.whole, self.before, self.shared, self.version)


def scope_of(request: str, erasure: dict[str, Any], ordered: dict[str, Any]) -> Scope:
    """From identify's answers to /internal/erasure and /internal/order."""
    versions = [int(each["version"]) for each in ordered["changed"]]
    return Scope(
        request=request,
        number=int(ordered["number"]),
        before=int(erasure["before"]),
        blocked=bool(erasure["blocked"]),
        version=min(versions, default=1),
        whole=frozenset(erasure["whole"]),
        shared=[msgspec.convert(each, Shared) for each in erasure["shared"]],
    )
