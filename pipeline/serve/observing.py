"""Writing what staff say in the form: observations to Kafka, by the same verdict as those that come over HTTP.

Who said it is not kept: the source is the desk's, and no session, key or name goes with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from pipeline import metrics
from pipeline.domain.observations import DESK, observation
from pipeline.domain.reasons import Rejected
from pipeline.serve.audit import Codec
from pipeline.serve.writing import Writer
from pipeline.topics import OBSERVATIONS


class Observing:
    """Writes observations."""

    def __init__(self, writer: Writer, codec: Codec, region: str) -> None:
        """`region` reads phone numbers without country prefix, which are taken out of notes."""
        self._writer = writer
        self._codec = codec
        self._region = region

    async def take(self, said: Sequence[dict[str, Any]], at_ms: int) -> None:
        """Return once Kafka has all that was said now: observation_id, touchpoint, measure, value and note of each.

        Raises Rejected, and then has written none; Unwritten, and then may have written any: say all of it again.
        """
        both = {"source": DESK, "kind": "staff", "observed_at": at_ms}
        try:
            found = [observation({**each, **both}, at_ms, self._region) for each in said]
        except Rejected as why:
            metrics.OBSERVATIONS_REJECTED.labels("serve", why.reason).inc()
            raise
        for each in found:
            value = self._codec.encode(OBSERVATIONS.schema, msgspec.structs.asdict(each))
            await self._writer.write(OBSERVATIONS.name, each.key.encode(), value)
            metrics.OBSERVATIONS_ACCEPTED.labels("serve").inc()
