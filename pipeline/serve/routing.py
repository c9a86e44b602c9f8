"""Which worker owns which partition number, and where identify and alert answer, as they published it. The last word
counts."""

from __future__ import annotations

import msgspec

from pipeline.serve.waking import Signal

#: What identify says for a number: it owns the one partition of identity.evidence, and no profiles.
IDENTIFY = -1
ALERT = -2  # and what alert says


class Route(msgspec.Struct, frozen=True):
    """What a worker says when it is given a partition number."""

    partition: int
    url: str
    worker: int | str = 0
    generation: int = 0


_route = msgspec.json.Decoder(Route)


class Routes:
    """The table. Fed by `see` in the order of the topic; `changed` tells those who wait for a better route."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.changed = Signal()
        self._routes: dict[int, Route] = {}
        self._single: dict[int, Route] = {}

    def see(self, value: bytes | None) -> None:
        """Take one record of the topic `routes`. Raises msgspec.DecodeError where it is none."""
        if value is None:
            return
        route = _route.decode(value)
        if route.partition in (IDENTIFY, ALERT):
            if route != self._single.get(route.partition):
                self._single[route.partition] = route
                self.changed.fire()
        elif 0 <= route.partition < self.partitions and self._routes.get(route.partition) != route:
            self._routes[route.partition] = route
            self.changed.fire()

    def owner(self, partition: int) -> str | None:
        """Where the owner of a partition number answers; None where nobody has claimed it."""
        route = self._routes.get(partition)
        return None if route is None else route.url

    def others(self, partition: int) -> list[str]:
        """Where everybody else answers."""
        return sorted({each.url for each in self._routes.values()} - {self.owner(partition)})

    @property
    def everyone(self) -> list[str]:
        """Where each worker that owns any number answers."""
        return sorted({each.url for each in self._routes.values()})

    @property
    def identify(self) -> str | None:
        """Where identify answers; None where it has not said so yet."""
        return self._url(IDENTIFY)

    @property
    def alert(self) -> str | None:
        """Where alert does."""
        return self._url(ALERT)

    def _url(self, of: int) -> str | None:
        route = self._single.get(of)
        return None if route is None else route.url

    @property
    def complete(self) -> bool:
        """Whether every partition number has an owner."""
        return len(self._routes) == self.partitions
