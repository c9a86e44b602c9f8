"""One outcome as JSON → what the domain judges, or the reason why not; as strict as events (see `event`)."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.collect.strict import Shape, read_as
from pipeline.domain.outcomes import Sent

_SHAPE = Shape(Sent, "the outcome")
_DECODER = msgspec.json.Decoder(Sent)


def read(raw: msgspec.Raw, received_at: int) -> dict[str, Any]:
    """The fields of the Avro schema. `received_at` in ms. Raises Rejected: broken_json, wrong_type, missing_field."""
    said = read_as(_DECODER, raw, _SHAPE)
    return said.given(received_at)
