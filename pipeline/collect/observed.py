"""One observation as JSON → what the domain judges, or the reason why not; as strict as events (see `event`)."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.collect.strict import Shape, read_as
from pipeline.domain.validate import Time, ms


class Observed(msgspec.Struct, forbid_unknown_fields=True):
    """An observation as it is sent."""

    observation_id: str
    source: str
    touchpoint: str
    observed_at: Time
    kind: str
    measure: str
    value: float
    note: str | None = None


_SHAPE = Shape(Observed, "the observation")
_DECODER = msgspec.json.Decoder(Observed)


def read(raw: msgspec.Raw, received_at: int) -> dict[str, Any]:
    """The fields of the Avro schema. `received_at` in ms. Raises Rejected: broken_json, wrong_type, missing_field."""
    said = read_as(_DECODER, raw, _SHAPE)
    return {**msgspec.structs.asdict(said), "observed_at": ms(said.observed_at), "received_at": received_at}
