"""Write interactions to Kafka without Throughline's code: a backend needs this much, in whatever language.

    python producer.py --bootstrap localhost:9092 < events.jsonl

reads one event a line, as JSON with the fields of the Avro schemas and `channel` (events.jsonl beside this file has
some), and says which record each became. It needs only aiokafka, fastavro and the schema files.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import sys
from pathlib import Path

import fastavro
from aiokafka import AIOKafkaProducer
from fastavro.schema import fingerprint, to_parsing_canonical_form

SCHEMAS = Path(__file__).resolve().parent.parent / "avro"

# Strongest first. E-mail and phone stand between loyalty and anonymous, but never in a key: keys are seen by too many.
NAMESPACES = ("customer", "loyalty", "email", "phone", "anonymous", "device")
PERSONAL = ("email", "phone")


class Schema:
    """A channel's schema, and the ten bytes that stand before each of its events."""

    def __init__(self, channel: str) -> None:
        self.parsed = fastavro.parse_schema(json.loads((SCHEMAS / f"interaction_{channel}.avsc").read_text()))
        # Avro's single-object encoding: C3 01, and the fingerprint of the schema's canonical form, little-endian.
        canonical = to_parsing_canonical_form(self.parsed)
        self.header = b"\xc3\x01" + bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO"))

    def encode(self, event: dict) -> bytes:
        out = io.BytesIO()
        out.write(self.header)
        fastavro.schemaless_writer(out, self.parsed, event, strict_allow_default=True)
        return out.getvalue()


def key_of(event: dict) -> bytes | None:
    """The strongest identifier. Without a key a record may land anywhere: Throughline takes it home."""
    namespace = next((name for name in NAMESPACES if name in event["identifiers"]), None)
    if namespace is None or namespace in PERSONAL:
        return None
    value = event["identifiers"][namespace]
    if "@" in value or value.startswith("+"):  # a customer's number that is an e-mail address or phone number
        return None
    return f"{namespace}:{value}".encode()


async def main(bootstrap: str) -> None:
    # The default partitioner (murmur2 of the key) is the one that Throughline expects.
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    schemas: dict[str, Schema] = {}
    await producer.start()
    try:
        for line in sys.stdin:
            event = json.loads(line)
            channel = event.pop("channel")
            if channel not in schemas:
                schemas[channel] = Schema(channel)
            value = schemas[channel].encode(event)
            record = await producer.send_and_wait(f"interactions.{channel}", value, key=key_of(event))
            print(f"{event['source']} {event['event_id']} → {record.topic}/{record.partition}/{record.offset}")
    finally:
        await producer.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write interactions to Kafka, one JSON event a line of the input.")
    parser.add_argument("--bootstrap", default="localhost:9092", help="where Kafka is")
    asyncio.run(main(parser.parse_args().bootstrap))
