"""One outcome as JSON → what the domain judges, or the reason why not; as strict as events (see `event`)."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.collect.strict import UNREADABLE, Shape, rejected
from pipeline.domain.outcomes import Sent

_SHAPE = Shape(Sent, "the outcome")
_decode = msgspec.json.Decoder(Sent).decode


def read(raw: msgspec.Raw, received_at: int) -> dict[str, Any]:
    """The fields of the Avro schema. `received_at` in ms. Raises Rejected: broken_json, wrong_type, missing_field."""
    try:
        said = _decode(raw)
    except UNREADABLE as error:
        raise rejected(error, raw, _SHAPE) from error
    return said.given(received_at)
