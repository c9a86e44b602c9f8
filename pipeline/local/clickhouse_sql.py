"""Just enough of SQL to route a request: where an INSERT's data begins, which format is asked, is it one statement.

Pure. It reads words, quotes, comments and brackets, nothing more; whether the SQL is right is the engine's to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    rb"""(?P<space>\s+|--[^\n]*|\#[ !][^\n]*|/\*.*?\*/)
       | (?P<quoted>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`(?:[^`\\]|\\.|``)*`)
       | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
       | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_READS = frozenset({"select", "with", "show", "describe", "desc", "exists", "explain", "use", "set", "from"})
_OPENING, _CLOSING = (b"(", b"[", b"{"), (b")", b"]", b"}")


class Statement(NamedTuple):
    """What a request's SQL is. `data` belongs to an INSERT with a FORMAT, and is None for everything else."""

    sql: bytes
    insert_format: str
    data: bytes | None
    output_format: str  # '' when the SQL names none
    reads_only: bool


class TwoStatements(ValueError):
    """More than one statement in a request."""


def parse(text: bytes) -> Statement:
    """Take a request's text apart. Raises TwoStatements."""
    first = ""
    previous = ""
    depth = 0
    output_format = ""
    for token in _tokens(text):
        word = token.text.lower().decode() if token.kind == "word" else ""
        first = first or word
        if previous == "format" and word and word != "format" and depth == 0:
            if first != "insert":
                output_format = token.text.decode()  # unless something else than SETTINGS follows
            elif word != "values":
                head = text[: token.start].rstrip()[: -len("format")].rstrip()
                return Statement(head, token.text.decode(), _data(text[token.end :]), "", False)
        elif depth == 0 and first == "insert" and word in ("values", "select"):
            break  # the rest is the engine's: values, or a query whose FORMAT means nothing
        elif token.text == b";" and depth == 0:
            if any(True for _ in _tokens(text[token.end :])):
                raise TwoStatements("Multi-statements are not allowed")
            break
        elif output_format and word == "settings":
            previous = "settings"
            continue
        elif previous != "settings":
            output_format = ""
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        previous = previous if previous == "settings" and output_format else word
    return Statement(text, "", None, output_format, first in _READS)


def names(text: bytes) -> Iterator[str]:
    """All names and words in a text, whatever they mean there: everything but numbers, signs and quoted texts."""
    for token in _tokens(text):
        if token.kind == "word":
            yield token.text.decode()
        elif token.kind == "quoted" and token.text[:1] != b"'":
            yield token.text[1:-1].decode(errors="replace")


class _Token(NamedTuple):
    kind: str
    text: bytes
    start: int
    end: int


def _tokens(text: bytes) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        if match.lastgroup != "space":
            yield _Token(match.lastgroup or "", match.group(), match.start(), match.end())


def _data(rest: bytes) -> bytes:
    """An INSERT's data: what follows the format's name, its line's end (or `;`) left out."""
    line = 0
    while line < len(rest) and rest[line : line + 1] in (b" ", b"\t", b"\r", b";"):
        line += 1
    return rest[line + 1 :] if rest[line : line + 1] == b"\n" else rest[line:]
