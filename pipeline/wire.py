"""How events and results stand in Kafka: Avro, with the schemas of ``schemas/avro``, in one of two frames.

``C3 01``, the writer schema's CRC-64-AVRO fingerprint (8 bytes, little-endian), the body. The fingerprint finds the
schema among the files, so no server is needed. ``schemas/avro/<name>.avsc`` is a schema as it is written now;
``schemas/avro/released/<name>.<n>.avsc`` are its earlier versions, which stay readable as the newest one.

Where a schema registry is configured (see `pipeline/registry.py`), also ``00``, the schema's id there (4 bytes,
big-endian), the body: the Confluent format. That is then what is written; both are read, side by side.

Decoding gives a dict with exactly the newest schema's fields. The input may be anybody's: it is bounded, strict, and
fails with one of the errors below and no other.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from fastavro.schema import SchemaParseException, fingerprint, parse_schema, to_parsing_canonical_form

from pipeline import avro

MAGIC = b"\xc3\x01"
HEADER = 10  # bytes: magic and fingerprint
ID_MAGIC = b"\x00"
ID_HEADER = 5  # bytes: magic and id
SAID_CHARS_MAX = 200  # of why a schema from outside cannot be read
ID_MAX = (1 << 31) - 1  # registries count in Java's int
EVENT_BYTES = 32 * 1024  # of one interaction, header included
RECORD_BYTES = 1024 * 1024  # of any other record: what a broker takes by default


class WireError(ValueError):
    """A record cannot be read or written."""


class UnknownSchema(WireError):
    """A well-formed header names a schema that none of the files can stand for; or there is none of that name."""


class BrokenAvro(WireError):
    """The bytes are no Avro of ours: wrong magic, cut, trailing bytes, or not what the schema writes."""


class Oversize(WireError):
    """The record is larger than its schema's limit (EVENT_BYTES or RECORD_BYTES)."""


class Unfit(WireError):
    """The dict does not fit the schema: a field is missing, unknown, or of another type."""


class Unlearnt(LookupError):
    """A record names a registry's id that nobody asked the registry for: a fault of ours, and none of the record."""


class Read(NamedTuple):
    """How records of one writer's schema become records of one of ours."""

    name: str
    read: avro.Reader
    limit: int


class _Write(NamedTuple):
    schema: avro.Schema
    header: bytes
    write: avro.Writer
    limit: int


Ids = Mapping[int, Read | str]  # a registry's: how to read them, or why not

_BROKEN = (avro.Malformed, IndexError, UnicodeDecodeError, struct.error)
_NO_SCHEMA = (SchemaParseException, ValueError, LookupError, TypeError, AttributeError, RecursionError)
_UNFIT = (AttributeError, TypeError, ValueError, OverflowError, struct.error)


class Codec:
    """Encodes and decodes by the schemas under one folder; make it once (it compiles them, some 20 ms)."""

    def __init__(self, schemas: Path) -> None:
        """Read ``schemas/avro``. Raises avro.Unsupported where a schema cannot be compiled, or where the newest
        version of one cannot read a released one."""
        self._reads: dict[bytes, Read] = {}
        self._ids: Ids | None = None
        self._full_names: dict[str, str] = {}  # as Avro has them → the file's
        self._writes: dict[str, _Write] = {}
        for path in sorted((schemas / "avro").glob("*.avsc")):
            schema = json.loads(path.read_text())
            limit = EVENT_BYTES if path.stem.startswith("interaction_") else RECORD_BYTES
            self._writes[path.stem] = _Write(schema, header(schema), avro.writer(schema), limit)
            self._full_names[".".join(filter(None, (schema.get("namespace"), schema["name"])))] = path.stem
            older = sorted((schemas / "avro" / "released").glob(f"{path.stem}.*.avsc"))
            for each in (schema, *(json.loads(p.read_text()) for p in older)):
                # The newest comes first: a released one with the same fingerprint reads the same bytes.
                self._reads.setdefault(header(each), Read(path.stem, avro.reader(each, schema), limit))
        if not self._writes:
            raise FileNotFoundError(f"no Avro schemas in {schemas / 'avro'}")

    @property
    def names(self) -> tuple[str, ...]:
        """The schemas that it knows."""
        return tuple(self._writes)

    def decode(self, data: bytes) -> tuple[str, dict[str, Any]]:
        """(schema's name, record). Raises UnknownSchema, BrokenAvro or Oversize; Unlearnt, see `read_ids`."""
        known, start = self._reads.get(data[:HEADER]), HEADER
        if known is None:
            known, start = self._by_id(data), ID_HEADER
        name, read, limit = known
        if len(data) > limit:
            raise Oversize(f"{len(data)} bytes, at most {limit} are allowed")
        try:
            record, end = read(data, start)
        except _BROKEN as e:
            raise BrokenAvro(f"not a record of {name}: {_said(e)}") from e
        if end != len(data):
            raise BrokenAvro(f"not a record of {name}: {'cut' if end > len(data) else 'bytes after its end'}")
        return name, record

    def encode(self, name: str, record: dict[str, Any]) -> bytes:
        """The record as bytes; fields that have a default may be missing (all given is faster).

        Raises UnknownSchema for the name, Unfit or Oversize for the record.
        """
        known = self._writes.get(name)
        if known is None:
            raise UnknownSchema(f"there is no schema {name!r}")
        try:
            data = _written(known, record)
        except KeyError:
            try:
                data = _written(known, avro.complete(known.schema, record))
            except KeyError as e:
                raise Unfit(f"not a record of {name}: no {e.args[0]!r}") from e
            except _UNFIT as e:
                raise Unfit(f"not a record of {name}: {_said(e)}") from e
        except _UNFIT as e:
            raise Unfit(f"not a record of {name}: {_said(e)}") from e
        if len(data) > known.limit:
            raise Oversize(f"{len(data)} bytes, at most {known.limit} are allowed")
        return data

    def read_ids(self, ids: Ids) -> None:
        """From now on read the Confluent format too. `ids` may grow; decoding an id that is not in it is Unlearnt."""
        self._ids = ids

    def write_id(self, name: str, schema_id: int) -> None:
        """From now on write the records of one of `names` in the Confluent format, with this id."""
        self._writes[name] = self._writes[name]._replace(header=ID_MAGIC + schema_id.to_bytes(4))

    def schema(self, name: str) -> avro.Schema:
        """The JSON of one of `names`."""
        return self._writes[name].schema

    def reading(self, schema: Any) -> Read:
        """How to read what was written with a schema from outside: one of ours, or a version that ours can read.

        Raises UnknownSchema where it is neither.
        """
        try:
            found = self._reads.get(header(schema)) or self._version(schema)
        except _NO_SCHEMA as e:
            raise UnknownSchema(f"it cannot be read as one of ours: {_said(e)[:SAID_CHARS_MAX]}") from e
        if found is None:
            raise UnknownSchema("none of ours has its name")
        return found

    def _version(self, schema: avro.Schema) -> Read | None:
        """How to read another version of one of ours; None where none has its name."""
        name = self._full_names.get(parse_schema(schema)["name"])
        if name is None:
            return None
        known = self._writes[name]
        return Read(name, avro.reader(schema, known.schema), known.limit)

    def _by_id(self, data: bytes) -> Read:
        if data[:1] != ID_MAGIC:
            self._refuse(data)
        if len(data) < ID_HEADER:
            raise BrokenAvro("cut within the schema's id")
        if self._ids is None:
            raise UnknownSchema("it names its schema by a registry's id, and no schema registry is configured")
        schema_id = int.from_bytes(data[1:ID_HEADER])
        if schema_id > ID_MAX:
            raise UnknownSchema(f"no registry has a schema {schema_id}")
        known = self._ids.get(schema_id)
        if known is None:
            raise Unlearnt(f"schema {schema_id} of the registry")
        if isinstance(known, str):
            raise UnknownSchema(f"schema {schema_id} of the registry: {known}")
        return known

    def _refuse(self, data: bytes) -> NoReturn:
        if data[:2] != MAGIC:
            raise BrokenAvro("no Avro of ours: it begins neither with C3 01 nor with 00")
        if len(data) < HEADER:
            raise BrokenAvro("cut within the schema's fingerprint")
        raise UnknownSchema(f"no schema has the fingerprint {data[2:HEADER].hex()}")


def header(schema: avro.Schema) -> bytes:
    """The ten bytes before every record of a schema."""
    canonical = to_parsing_canonical_form(parse_schema(schema))
    return MAGIC + bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO"))


def _written(known: _Write, record: dict[str, Any]) -> bytes:
    out = bytearray(known.header)
    known.write(record, out)
    return bytes(out)


def _said(e: Exception) -> str:
    """Why, without the data: texts of other libraries may quote it."""
    if isinstance(e, avro.Malformed):
        return str(e)
    if isinstance(e, IndexError):
        return "cut"
    if isinstance(e, UnicodeError):
        return "text that is not UTF-8"
    return str(e) or type(e).__name__
