"""Avro's binary form, compiled: one Python function per schema that reads, and one that writes.

Both are generated once from the schema's own JSON and do nothing but walk the bytes in the schema's order, which is
half the time of a library that looks at the schema again for every value; and they are strict where libraries are
lenient: a length, a count, a branch or a flag that no writer would produce ends with `Malformed`.

Understood is what the schemas in ``schemas/avro`` use: records, arrays, maps, ``["null", T]``, string, bytes, boolean,
int, long, double; references to records defined before. No logical types, enums, fixed or recursion: `Unsupported`.

Reading resolves an older writer's schema to the reader's: a field that the writer lacks gets its default, one that the
reader lacks is passed over, int and long become double, T becomes ["null", T]. Any other difference is `Unsupported`
when the function is made, so that an incompatible change is found at start and not at the first old record.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import count
from struct import Struct
from typing import Any

Schema = Any  # JSON of an Avro schema: a name, a list (union) or a dict
Reader = Callable[[bytes, int], tuple[Any, int]]
Writer = Callable[[Any, bytearray], None]

LINES_MAX = 5_000  # of a generated function: a few lines of schema can stand for millions
DEPTH_MAX = 20  # of its blocks, so that Python compiles it

PRIMITIVES = frozenset({"string", "bytes", "boolean", "int", "long", "double"})


class Unsupported(ValueError):
    """A schema uses what this module does not understand, or differs from its reader's too much."""


class Malformed(ValueError):
    """Bytes that no writer of the schema produces."""


def reader(writer: Schema, into: Schema) -> Reader:
    """A function (data, start) → (value, end), of data written with `writer`, as values of the schema `into`.

    It raises Malformed, IndexError, UnicodeDecodeError or struct.error on broken data. `end` may lie beyond the data
    where it was cut inside the last text: whoever calls compares it with the length.
    """
    body = _Source()
    body.read(_expand(writer, {}), _expand(into, {}), "value", 1)
    made: Reader = body.function("read", "data, at", ["return value, at"])
    return made


def writer(schema: Schema) -> Writer:
    """A function (value, out) that appends the value's binary form to a bytearray.

    Every record must have exactly the schema's fields: KeyError where one is missing, ValueError where there are more;
    AttributeError, TypeError, ValueError, OverflowError or struct.error where a value is not of its field's type.
    """
    body = _Source()
    body.write(_expand(schema, {}), "value", 1)
    made: Writer = body.function("write", "value, out", [])
    return made


def complete(schema: Schema, record: dict[str, Any]) -> dict[str, Any]:
    """The record with the defaults of the fields that it lacks, at the first level and in all below."""
    return _complete(_expand(schema, {}), record)  # type: ignore[no-any-return]  # a record gives a dict


def _complete(schema: Schema, value: Any) -> Any:
    if isinstance(schema, list):
        return None if value is None else _complete(schema[1], value)
    if not isinstance(schema, dict) or not isinstance(value, (dict, list, tuple)):
        return value
    if schema["type"] == "array":
        return [_complete(schema["items"], each) for each in value]
    if schema["type"] != "record" or not isinstance(value, dict):
        return value
    known = {f["name"]: f for f in schema["fields"]}
    result = {k: _complete(known[k]["type"], v) if k in known else v for k, v in value.items()}
    for name, f in known.items():
        if name not in result and "default" in f:
            result[name] = copy.copy(f["default"])
    return result


def _expand(schema: Schema, named: dict[str, Schema]) -> Schema:
    """The schema with references replaced by what they name, and primitives as plain names."""
    if isinstance(schema, list):
        if len(schema) != 2 or schema[0] != "null":
            raise Unsupported(f'a union must be ["null", T], not {schema}')
        return ["null", _expand(schema[1], named)]
    if isinstance(schema, str):
        if schema in PRIMITIVES:
            return schema
        name = schema.rpartition(".")[2]
        if name not in named:
            raise Unsupported(f"unknown type {schema!r}")
        return named[name]
    if "logicalType" in schema:
        raise Unsupported(f"logical type {schema['logicalType']!r}")
    match schema["type"]:
        case "record":
            fields = [{**f, "type": _expand(f["type"], named)} for f in schema["fields"]]
            result = {"type": "record", "name": schema["name"].rpartition(".")[2], "fields": fields}
            named[result["name"]] = result
            return result
        case "array":
            return {"type": "array", "items": _expand(schema["items"], named)}
        case "map":
            return {"type": "map", "values": _expand(schema["values"], named)}
        case other:
            return _expand(other, named)


# What generated code calls: the rarer cases, so that the frequent ones stay a few plain statements.

_double = Struct("<d")
_LONG_MAX = (1 << 63) - 1


def _read_long(data: bytes, at: int) -> tuple[int, int]:
    """A long of any length: (value, end). Times have six bytes, so those go through without a loop."""
    a = data[at]
    if a < 128:
        return (a >> 1) ^ -(a & 1), at + 1
    six = data[at : at + 6]
    if len(six) == 6 and six[5] < 128:
        a, b, c, d, e, f = six
        if b & c & d & e & 128:
            n = (a & 127) | (b & 127) << 7 | (c & 127) << 14 | (d & 127) << 21 | (e & 127) << 28 | f << 35
            return (n >> 1) ^ -(n & 1), at + 6
    n = shift = 0
    while True:
        a = data[at]
        at += 1
        n |= (a & 127) << shift
        if a < 128:
            break
        shift += 7
        if shift > 63:
            raise Malformed("a number of more than ten bytes")
    if n >> 64:
        raise Malformed("a number beyond 64 bits")
    return (n >> 1) ^ -(n & 1), at


def _read_size(data: bytes, at: int) -> tuple[int, int]:
    """A length that is not one byte: (length, end). Never beyond the data, so that nothing large is allocated."""
    n, at = _read_long(data, at)
    if not 0 <= n <= len(data) - at:
        raise Malformed("a length beyond the data")
    return n, at


def _read_count(data: bytes, at: int) -> tuple[int, int]:
    """A block's count that is not one byte, or is negative with the block's bytes after it: (count, end)."""
    n, at = _read_long(data, at)
    if n < 0:
        n = -n
        _, at = _read_size(data, at)
    if n > len(data) - at:  # every entry takes a byte at least
        raise Malformed("a count beyond the data")
    return n, at


def _write_long(n: int, out: bytearray) -> None:
    """Zig-zag and variable length."""
    if not -_LONG_MAX - 1 <= n <= _LONG_MAX:
        raise OverflowError("a number beyond 64 bits")
    n = (n << 1) ^ (n >> 63)
    if 1 << 35 <= n < 1 << 42:  # a time
        out += bytes(
            (n & 127 | 128, n >> 7 & 127 | 128, n >> 14 & 127 | 128, n >> 21 & 127 | 128, n >> 28 & 127 | 128, n >> 35)
        )
        return
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)


def _refuse(what: str) -> None:
    raise Malformed(what)


def _more(record: dict[str, Any], names: frozenset[str]) -> None:
    raise ValueError(f"unknown field {min(set(record) - names)!r}")


_GIVEN: dict[str, Any] = {
    "read_long": _read_long,
    "read_size": _read_size,
    "read_count": _read_count,
    "write_long": _write_long,
    "unpack_double": _double.unpack_from,
    "pack_double": _double.pack,
    "refuse": _refuse,
    "more": _more,
    "copy": copy.copy,
}


class _Source:
    """Lines of one generated function. `at` is where it reads; every value has a variable of its own."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.given = dict(_GIVEN)
        self.numbers = count()

    def function(self, name: str, arguments: str, end: list[str]) -> Any:
        """The lines as a function."""
        text = "\n".join([f"def {name}({arguments}):", *self.lines, *("    " + line for line in end)])
        exec(compile(text, f"<avro {name}>", "exec"), self.given)  # noqa: S102  # no text of a schema but names and defaults of ours
        return self.given[name]

    def add(self, depth: int, *lines: str) -> None:
        if depth > DEPTH_MAX:
            raise Unsupported("nested too deeply")
        if len(self.lines) + len(lines) > LINES_MAX:
            raise Unsupported("too large")
        self.lines += ["    " * depth + line for line in lines]

    def new(self, prefix: str, value: Any = None) -> str:
        """A name that is not used yet; with a value, a constant of the function."""
        name = f"{prefix}{next(self.numbers)}"
        if value is not None:
            self.given[name] = value
        return name

    def read(self, schema: Schema, into: Schema, var: str, depth: int) -> None:
        """Lines that read a value of `schema` into `var`, as one of `into`."""
        if isinstance(schema, list):
            if not isinstance(into, list):
                raise Unsupported(f"{schema} cannot be read as {into}")
            self.add(depth, "n = data[at]; at += 1", "if n == 2:")
            self.read(schema[1], into[1], var, depth + 1)
            self.add(depth, "elif n: refuse('an unknown branch')", f"else: {var} = None")
            return
        if isinstance(into, list):
            into = into[1]
        kind = schema if isinstance(schema, str) else schema["type"]
        target = into if isinstance(into, str) else into["type"]
        if kind != target and (kind, target) not in {("int", "long"), ("int", "double"), ("long", "double")}:
            raise Unsupported(f"{kind} cannot be read as {target}")
        match kind:
            case "string" | "bytes":
                self._read_text(kind, var, depth)
            case "int" | "long":
                self.add(depth, f"{var}, at = read_long(data, at)")
                if target == "double":
                    self.add(depth, f"{var} = float({var})")
            case "double":
                self.add(depth, f"({var},) = unpack_double(data, at); at += 8")
            case "boolean":
                self.add(depth, "n = data[at]; at += 1", "if n > 1: refuse('no flag')", f"{var} = n == 1")
            case "record":
                self._read_record(schema, into, var, depth)
            case _:
                self._read_blocks(schema, into, var, depth)

    def _read_text(self, kind: str, var: str, depth: int) -> None:
        decode, empty = (".decode()", "''") if kind == "string" else ("", "b''")
        self.add(
            depth,
            "n = data[at]; at += 1",
            "if n:",
            "    if n & 129: n, at = read_size(data, at - 1)",
            "    else: n >>= 1",
            f"    end = at + n; {var} = data[at:end]{decode}; at = end",
            f"else: {var} = {empty}",
        )

    def _read_record(self, schema: Schema, into: Schema, var: str, depth: int) -> None:
        if schema["name"] != into["name"]:
            raise Unsupported(f"a record {schema['name']} cannot be read as {into['name']}")
        wanted = {f["name"]: f for f in into["fields"]}
        values = {}
        for f in schema["fields"]:
            values[f["name"]] = self.new("v")
            self.read(f["type"], wanted.get(f["name"], f)["type"], values[f["name"]], depth)
        for name, f in wanted.items():
            if name in values:
                continue
            if "default" not in f:
                raise Unsupported(f"{schema['name']} had no {name}, and it has no default")
            default = f["default"]
            shared = isinstance(default, dict | list)
            values[name] = f"copy({self.new('default', default)})" if shared else repr(default)
        self.add(depth, f"{var} = {{" + ", ".join(f"{name!r}: {values[name]}" for name in wanted) + "}")

    def _read_blocks(self, schema: Schema, into: Schema, var: str, depth: int) -> None:
        left = self.new("left")
        self.add(
            depth,
            f"{var} = {'{}' if schema['type'] == 'map' else '[]'}",
            f"{left} = data[at]; at += 1",
            f"while {left}:",
            f"    if {left} & 129: {left}, at = read_count(data, at - 1)",
            f"    else: {left} >>= 1",
            f"    for _ in range({left}):",
        )
        if schema["type"] == "map":
            key = self.new("k")
            self.read("string", "string", key, depth + 2)
            self.read(schema["values"], into["values"], f"{var}[{key}]", depth + 2)
        else:
            each = self.new("e")
            self.read(schema["items"], into["items"], each, depth + 2)
            self.add(depth + 2, f"{var}.append({each})")
        self.add(depth + 1, f"{left} = data[at]; at += 1")

    def write(self, schema: Schema, var: str, depth: int) -> None:
        """Lines that append the value in `var`."""
        if isinstance(schema, list):
            self.add(depth, f"if {var} is None: out.append(0)", "else:", "    out.append(2)")
            self.write(schema[1], var, depth + 1)
            return
        match schema if isinstance(schema, str) else schema["type"]:
            case "string" | "bytes" as kind:
                encoded = f"{var}.encode()" if kind == "string" else var
                self.add(
                    depth,
                    f"b = {encoded}; n = len(b)",
                    "if n < 64: out.append(n + n)",
                    "else: write_long(n, out)",
                    "out += b",
                )
            case "int" | "long":
                self.add(depth, f"write_long({var}, out)")
            case "double":
                self.add(depth, f"out += pack_double({var})")
            case "boolean":
                self.add(depth, f"if {var} is True: out.append(1)", f"elif {var} is False: out.append(0)")
                self.add(depth, "else: raise TypeError('neither true nor false')")
            case "record":
                self._write_record(schema, var, depth)
            case _:
                self._write_blocks(schema, var, depth)

    def _write_record(self, schema: Schema, var: str, depth: int) -> None:
        names = self.new("names", frozenset(f["name"] for f in schema["fields"]))
        self.add(depth, f"if len({var}) > {len(schema['fields'])}: more({var}, {names})")
        for f in schema["fields"]:
            each = self.new("v")
            self.add(depth, f"{each} = {var}[{f['name']!r}]")
            self.write(f["type"], each, depth)

    def _write_blocks(self, schema: Schema, var: str, depth: int) -> None:
        self.add(depth, f"if len({var}):", f"    write_long(len({var}), out)")
        if schema["type"] == "map":
            key, each = self.new("k"), self.new("e")
            self.add(depth + 1, f"for {key}, {each} in {var}.items():")
            self.write("string", key, depth + 2)
            self.write(schema["values"], each, depth + 2)
        else:
            each = self.new("e")
            self.add(depth + 1, f"for {each} in {var}:")
            self.write(schema["items"], each, depth + 2)
        self.add(depth, "out.append(0)")
