"""The compacted output topics under another identifier key: each old key gets a tombstone, and the new one its record.

Topics that forget by age are left alone: what they still hold is read as if it were renamed (`store`). Tombstones come
with the records in one transaction, so that nobody who reads them finds neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from pipeline.domain.identifiers import Keyring
from pipeline.domain.renaming import Renaming
from pipeline.partition import partition_of
from pipeline.registry import Registry
from pipeline.rotate.rewriting import Commits, Copy, Tell, Transactions
from pipeline.topics import ALERTS, CUSTOMER_SCORES, IDENTITIES, IDENTITY_ORDERS, Topic
from pipeline.wire import Codec

_order = msgspec.json.Decoder(dict[str, Any])
_json = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Output:
    """A topic, and the field of its records by whose identifier they are partitioned ('': it is JSON, of orders)."""

    topic: Topic
    who: str


#: All compacted topics whose records name somebody.
OUTPUTS = (
    Output(IDENTITIES, "identifier"),
    Output(CUSTOMER_SCORES, "person"),
    Output(ALERTS, "subject"),
    Output(IDENTITY_ORDERS, ""),
)


@dataclass(frozen=True, slots=True)
class _Fetched:
    """A record as the registry wants it."""

    value: bytes


async def rename_output(
    copy: Copy, who: str, fence: Commits, keyring: Keyring, codec: Codec, registry: Registry, tell: Tell
) -> None:
    """Rename one topic. Raises KafkaError, wire.WireError."""
    renaming = Renaming(keyring)
    transactions = Transactions(copy, fence)
    for number, store in enumerate(copy.stores):
        for looked, (key, value) in enumerate(store.everything(), 1):
            tell(f"{copy.topic.name}, partition {number + 1} of {copy.partitions}", looked)
            if not who:
                after = order(value, renaming)
                if after != value:
                    transactions.put(number, key, after)
            elif renaming.concerns(key) or renaming.concerns(value):
                await registry.learn([_Fetched(value)])
                schema, record = codec.decode(value)
                record = renaming.value(record)
                new = renaming.text(key.decode()).encode()
                if new != key:
                    transactions.put(number, key, None)
                # What is not renamed itself stays where it is.
                place = partition_of(str(record[who]), copy.partitions) if new != key else number
                transactions.put(place, new, codec.encode(schema, record))
            if transactions.full:
                await transactions.flush()
    await transactions.flush()


def order(value: bytes, renaming: Renaming) -> bytes:
    """A record of identity.orders: identifiers in what was ordered, seals of who was erased."""
    record = _order.decode(value)
    after = renaming.value(record)
    for name in ("seals", "by"):
        if name in after:
            after[name] = [renaming.sealed(seal) for seal in after[name]]
    return _json.encode(after) if after != record else value
