"""Strict reading of what is sent as JSON: ids, and from msgspec's errors to our reasons.

msgspec names types as Python does, and not the key of a map; whoever sent it is told the field and what it should be.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from pipeline.domain.reasons import Reason, Rejected

ID_CHARS_MAX = 256  # of an id in an answer

Said = TypeVar("Said")
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)  # msgspec raises both


@dataclass(frozen=True, slots=True)
class Shape:
    """What is read, and how it is called where it is refused."""

    kind: type[msgspec.Struct]
    what: str = "the event"
    under: str = ""  # the field that all of it is in
    within: Mapping[str, type[msgspec.Struct]] = field(default_factory=dict)  # field → what is in it
    own: str = ""  # what to do with fields of one's own


def id_of(raw: msgspec.Raw, name: str) -> str | None:
    """The id, in the field of that name, of what was rejected, as far as there is one."""
    try:
        given = msgspec.json.decode(raw)
    except (*UNREADABLE, RecursionError):
        return None
    found = given.get(name) if isinstance(given, dict) else None
    return found[:ID_CHARS_MAX] if isinstance(found, str) else None


def read_as(kind: msgspec.json.Decoder[Said], raw: msgspec.Raw, shape: Shape) -> Said:
    """What was sent, as it should be. Raises Rejected: broken_json, wrong_type, missing_field."""
    try:
        return kind.decode(raw)
    except UNREADABLE as error:
        raise rejected(error, raw, shape) from error


_WORDS = {
    "str": "text",
    "float": "a number",
    "int": "a whole number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "datetime": "a text",
    "null": "null",
}
_TIME = "a time in RFC 3339 with its offset, or whole milliseconds since 1970"
_EXPECTED = re.compile(r"Expected `([^`]+)`(?: with a timezone component)?(?:, got `([^`]+)`)?")
_MISSING = re.compile(r"Object missing required field `([^`]+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`$", re.DOTALL)
_PATH = re.compile(r" - at `\$\.?([^`]*)`\Z")


def rejected(error: Exception, raw: msgspec.Raw, shape: Shape) -> Rejected:
    """What msgspec says, in our words: which field, and what it should be."""
    under, whole = shape.under, shape.what
    if not isinstance(error, msgspec.ValidationError):
        return Rejected(Reason.BROKEN_JSON, f"{under or whole}: not JSON in UTF-8")
    said = str(error)
    found = _PATH.search(said)
    if found:
        said = said[: found.start()]
    path = ".".join(part for part in (under, found[1] if found else "") if part)
    if missing := _MISSING.search(said):
        return Rejected(Reason.MISSING_FIELD, f"{path}.{missing[1]}" if path else missing[1])
    if unknown := _UNKNOWN.search(said):
        return Rejected(Reason.WRONG_TYPE, _no_such_field(unknown[1][:64], path, shape))
    if path.endswith("[...]"):
        path = _entry(path, raw, said, under)
    if "datetime" in said or "RFC3339" in said:
        return Rejected(Reason.WRONG_TYPE, f"{path}: must be {_TIME}")
    if expected := _EXPECTED.search(said):
        words = " or ".join(_WORDS.get(each, each) for each in expected[1].split(" | "))
        got = f", not {_WORDS.get(expected[2], expected[2])}" if expected[2] else ""
        return Rejected(Reason.WRONG_TYPE, f"{path or whole}: must be {words}{got}")
    return Rejected(Reason.WRONG_TYPE, f"{path or whole}: {said}")


def _no_such_field(name: str, path: str, shape: Shape) -> str:
    place = f"{path}.{name}" if path else name
    known = shape.within.get(path.partition("[")[0], shape.kind)
    near = difflib.get_close_matches(name, known.__struct_fields__, 1)
    hint = f"is it {near[0]}?" if near else shape.own
    return f"{place}: no such field" + (f"; {hint}" if hint else "")


def _entry(path: str, raw: msgspec.Raw, said: str, under: str) -> str:
    """The path of the first entry of a map that has the wrong type."""
    name = path.removesuffix("[...]")
    given = msgspec.json.decode(raw)
    entries = given.get(name.removeprefix(f"{under}.")) if isinstance(given, dict) else None
    if not isinstance(entries, Mapping):
        return name
    fits = {
        "str": lambda v: isinstance(v, str),
        "float": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
        "bool": lambda v: isinstance(v, bool),
    }
    expected = _EXPECTED.search(said)
    fit = fits.get(expected[1]) if expected else None
    wrong = next((key for key, value in entries.items() if fit and not fit(value)), None)
    return name if wrong is None else f"{name}.{wrong[:64]}"
