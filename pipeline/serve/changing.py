"""Writing what was changed to Kafka: by the verdict that the sink gives again."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline import metrics
from pipeline.domain.changes import Change, change
from pipeline.domain.reasons import Rejected
from pipeline.serve.audit import Codec
from pipeline.serve.writing import Writer
from pipeline.topics import CHANGES


class Changing:
    """Writes changes."""

    def __init__(self, writer: Writer, codec: Codec, region: str) -> None:
        """`region` reads phone numbers without country prefix, which are taken out of what is said."""
        self._writer = writer
        self._codec = codec
        self._region = region

    async def record(self, said: dict[str, Any], at_ms: int) -> Change:
        """Return the change once Kafka has it: `said` are the fields of `change`. Raises Rejected, Unwritten."""
        try:
            found = change({**said, "recorded_at": at_ms}, at_ms, self._region)
        except Rejected as why:
            metrics.CHANGES_REJECTED.labels("serve", why.reason).inc()
            raise
        value = self._codec.encode(CHANGES.schema, msgspec.structs.asdict(found))
        await self._writer.write(CHANGES.name, found.change_id.encode(), value, partition=0)
        metrics.CHANGES_RECORDED.inc()
        return found
