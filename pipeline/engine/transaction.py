"""One producer, one transaction at a time: what makes a batch happen whole or not at all."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence

import aiokafka.producer.sender
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from pipeline.engine.batch import Sent
from pipeline.engine.spec import Limits

#: How long aiokafka waits when the broker still writes the markers of the transaction before; 20 ms by default,
#: longer than the whole transaction takes here.
_BACKOFF_S = 0.002
_CLOSE_MAX_S = 1.0


class Fence:
    """A transactional producer. Starting it finishes or aborts what its predecessor left open, and shuts that out."""

    def __init__(self, bootstrap: str, transactional_id: str, limits: Limits, probe: Callable[[str], None]) -> None:
        aiokafka.producer.sender.BACKOFF_OVERRIDE = _BACKOFF_S
        self._limits = limits
        self._probe = probe
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            transactional_id=transactional_id,
            transaction_timeout_ms=limits.transaction_timeout_ms,
            acks="all",
            retry_backoff_ms=20,
            max_batch_size=limits.send_batch_bytes,
            request_timeout_ms=limits.transaction_timeout_ms,
        )

    async def start(self) -> None:
        """Fence the predecessor; from here on only this producer can write under the id."""
        await self._producer.start()

    async def commit(
        self,
        sent: Mapping[tuple[str, int], Sequence[Sent]],
        group: str,
        positions: Mapping[TopicPartition, int],
    ) -> dict[tuple[str, int], int]:
        """Send everything and commit it with the positions, in one transaction.

        Returns, per topic and partition, the offset behind the last record sent there. Raises KafkaError where
        the transaction did not happen or nobody knows (then only the next owner's fence decides).
        """
        producer = self._producer
        await producer.begin_transaction()
        self._probe("begun")
        deliveries: list[tuple[tuple[str, int], int, asyncio.Future[object]]] = []
        for (topic, partition), records in sent.items():
            for builder, count in self._built(records):
                future = await producer.send_batch(builder, topic, partition=partition)
                deliveries.append(((topic, partition), count, future))
        self._probe("sending")
        # The positions go while the records do: two of a transaction's five round trips less in a row.
        positioned = asyncio.ensure_future(self._position(group, positions))
        ends: dict[tuple[str, int], int] = {}
        try:
            for target, count, future in deliveries:
                metadata = await future
                ends[target] = metadata.offset + count  # type: ignore[attr-defined]  # RecordMetadata of the first
            self._probe("sent")
            await positioned
        finally:
            positioned.cancel()
        self._probe("committing")
        await producer.commit_transaction()
        self._probe("committed")
        return ends

    async def _position(self, group: str, positions: Mapping[TopicPartition, int]) -> None:
        if positions:
            await self._producer.send_offsets_to_transaction(dict(positions), group)

    def _built(self, records: Sequence[Sent]) -> list[tuple[object, int]]:
        built: list[tuple[object, int]] = []
        builder, count = self._producer.create_batch(), 0
        for timestamp, key, value in records:
            if builder.append(timestamp=timestamp, key=key, value=value) is None:
                built.append((builder, count))
                builder, count = self._producer.create_batch(), 0
                if builder.append(timestamp=timestamp, key=key, value=value) is None:
                    raise ValueError(f"a record of {len(value or b'')} bytes does not fit into a batch")
            count += 1
        built.append((builder, count))
        return built

    async def close(self) -> None:
        """Let go of the connections. A transaction left open is the next owner's to abort."""
        closing = asyncio.ensure_future(self._producer.stop())
        done, _ = await asyncio.wait([closing], timeout=_CLOSE_MAX_S)
        if not done:
            closing.cancel()
        with contextlib.suppress(asyncio.CancelledError, KafkaError):
            await closing
