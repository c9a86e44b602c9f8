"""The work of `identify`: evidence in, changed assignments out.

One partition and one writer, so one counter gives every assignment a version above all before it. A batch first
learns all its evidence, then settles what that may have changed, each identifier once; so a burst of evidence about
one device costs one assignment. Evidence that is known already changes nothing and publishes nothing.

An assignment goes to the profile it is about, through the inbox, and to the topic `identities` for the store.
Broken evidence ends the process: nobody but Throughline writes this topic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from pipeline.domain.identity import check, ranks, reassign, same
from pipeline.domain.interaction import NAMESPACES
from pipeline.domain.messages import Assigned, Assignment, decode_said, encode
from pipeline.engine.batch import Batch
from pipeline.identify.known import Cache, Known
from pipeline.partition import partition_of
from pipeline.topics import IDENTITIES, INBOX

PAUSE_EVERY = 64  # records between two chances to give the loop back


class Codec(Protocol):
    """What is needed of `wire.Codec`."""

    def encode(self, name: str, record: dict[str, Any], /) -> bytes:
        """The record as Avro of that schema."""
        ...


class Identify:
    """Handles the batches of the topic identity.evidence. Holds nothing itself: all state is the batch's."""

    def __init__(self, codec: Codec, partitions: int, namespaces: Sequence[str] = NAMESPACES) -> None:
        """`partitions` is the number that profiles are spread over."""
        self._codec = codec
        self._partitions = partitions
        self._order = ranks(namespaces)

    def process(self, batch: Batch) -> Iterator[None]:
        """Handle one batch; yields whenever the loop may be given back. Done when exhausted.

        Raises ValueError and msgspec.DecodeError on evidence that is none.
        """
        cache = batch.cache.get("identify")
        if not isinstance(cache, Cache):
            cache = batch.cache["identify"] = Cache()
        known = Known(batch, cache)
        changed: set[str] = set()
        for count, record in enumerate(batch.sources, 1):
            if record.value is None:
                raise ValueError(f"evidence without a value: {record.topic}/{record.partition}/{record.offset}")
            evidence = decode_said(record.value)
            check(evidence.strong, evidence.weak, self._order)
            if known.learn(evidence.strong, evidence.weak, evidence.occurred_at, evidence.session_id):
                changed.add(evidence.weak)
            if count % PAUSE_EVERY == 0:
                yield
        for identifier, before, after in reassign(changed, known, self._order):
            if not same(before, after):
                self._publish(batch, identifier, known.accept(identifier, after))
            yield
        known.write()

    def _publish(self, batch: Batch, identifier: str, assignment: Assignment) -> None:
        key = identifier.encode()
        partition = partition_of(identifier, self._partitions)
        batch.send(INBOX.name, partition, key, encode(Assigned(identifier, assignment)))
        batch.send(IDENTITIES.name, partition, key, self._codec.encode(IDENTITIES.schema, row(identifier, assignment)))


def row(identifier: str, assignment: Assignment) -> dict[str, Any]:
    """The assignment as a record of the schema `identity`.

    `person` is whose the interactions are that neither a session nor `until` gives to somebody else.
    """
    return {
        "identifier": identifier,
        "version": assignment.version,
        "person": assignment.owners[0] if len(assignment.owners) == 1 else identifier,
        "until": assignment.until,
        "ambiguous": assignment.ambiguous,
        "owners": list(assignment.owners),
        "candidates": list(assignment.candidates),
        "sessions": assignment.sessions,
    }
