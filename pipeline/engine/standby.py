"""Copies of partition numbers that another worker owns: a short take-over, and an answer when the owner is away."""

from __future__ import annotations

from pipeline.engine.restore import follow
from pipeline.engine.spec import Spec
from pipeline.engine.store import Store


class Standby:
    """Follows one number's changelog into the local store, in a task of its own."""

    def __init__(self, number: int, spec: Spec, store: Store) -> None:
        self.number = number
        self.store = store
        self._spec = spec

    @property
    def as_of_ms(self) -> int:
        """When the owner wrote the newest change that is here. More may have happened that it never wrote."""
        return self.store.standing.record_at

    async def run(self) -> None:
        """Follow until cancelled."""
        spec = self._spec
        await follow(self.store, spec.bootstrap, spec.changelog, self.number, spec.limits.state_idle_max_s)
