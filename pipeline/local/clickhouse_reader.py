"""What the user for reports may ask of ClickHouse here: the server's GRANTs, held by the front and the engine.

Two walls. The engine runs every request of a reader under `readonly = 1`: nothing is stored, no setting changes, no
table function reaches out. Even so it reads files (`file()`), writes them (INTO OUTFILE), and knows no users, so that
every table is open to it. The front therefore looks at each statement first: it has the engine print it in its own
words, looks at these words and at their syntax tree, and executes these words, not the ones that were sent. What was
looked at is what runs, whatever comments, quotes and escapes the text was made of. What is not understood is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from pipeline.local.clickhouse_sql import names, parse

SQL_BYTES_MAX = 256 * 1024
#: The engine's wall.
READER_SETTINGS = {
    "max_execution_time": "60",
    "max_memory_usage": str(2 * 1024**3),
    "max_result_bytes": str(128 * 1024**2),
    "allow_ddl": "0",
    "readonly": "1",
}
Grants = frozenset[tuple[str, str]]  # (database, table or view)
_GRANT = re.compile(r"^GRANT SELECT ON throughline\.([a-z_]+) TO bi;", re.MULTILINE)
#: What clients read before they begin.
_SYSTEM = ("one", "databases", "tables", "columns", "settings", "functions", "formats", "data_type_families")
_MAKERS = frozenset(
    {"numbers", "numbers_mt", "zeros", "zeros_mt", "generateseries", "generate_series", "values", "view"}
)
_STATEMENTS = frozenset(
    {
        *("SelectWithUnionQuery", "Explain", "DescribeQuery", "ShowTables", "ExistsDatabaseQuery"),
        *("ExistsTableQuery", "ExistsViewQuery", "ShowCreateTableQuery", "ShowCreateViewQuery"),
    }
)
# What reaches files, tables, other machines or this one from where an expression stands. A function's name may stand
# without brackets too (`arrayMap(file, …)`), so these are names that nothing may have.
_REFUSED = re.compile(
    r"(outfile|file|logtrace|fqdn|(full)?hostname|catboost\w*|getclienthttpheader|showcertificate|hascolumnintable"
    r"|dict(get|has|isin)\w*|joinget\w*|filesystem\w*|getserver\w*|getmacro|getoskernel\w*|addressto\w*"
    r"|ai(similarity|filter|embed|classify|generate|extract|redact|translate))\Z",
    re.IGNORECASE,
)
_IN = re.compile(r"(global)?(not)?(null)?in(ignoreset)?\Z", re.IGNORECASE)
_NODE = re.compile(r"( *)(\w+)(?: (.*?))?(?: \(children \d+\))?\Z")
_REFERENCE = re.compile(r"([A-Za-z_]\w*)(?:\.([A-Za-z_]\w*))?(?: \(alias .*\))?\Z")
_COMMON = re.compile(r"([A-Za-z_]\w*) AS (?:MATERIALIZED )?\(")


class Refused(Exception):
    """A reader asked for what a reader may not have; says what that is."""


class Node(NamedTuple):
    """A line of a syntax tree: how deep, which kind, and what it is called."""

    depth: int
    kind: str
    said: str


def granted(script: str, database: str) -> Grants:
    """What the server's script grants to `bi`, in a database of this name. Raises ValueError where that is nothing."""
    views = _GRANT.findall(script)
    if not views:
        raise ValueError("deploy/clickhouse/bi_user.sql grants nothing to bi: restore it")
    return frozenset({*((database, view) for view in views), *(("system", table) for table in _SYSTEM)})


def admitted(sql: str, database: str, grants: Grants, ask: Callable[[str], str]) -> str:
    """The statement to execute in place of the one that was sent, in the engine's words.

    `ask` gives the engine's answer to a query, as plain text. Raises Refused, and what `ask` raises (syntax errors).
    """
    if len(sql.encode()) > SQL_BYTES_MAX:
        raise Refused(f"A reader's query has at most {SQL_BYTES_MAX} bytes")
    text = ask(f"SELECT formatQuerySingleLine({_literal(sql)})").removesuffix("\n")
    for name in names(text.encode()):
        if _REFUSED.match(name) or "\\" in name:
            raise Refused(f"A reader may not use the name `{name[:60]}`")
        if name == "Identifier":
            raise Refused("A reader's parameters are values: {name:Identifier} is not among them")
    # The suffix is the statement's own format where it has none, and else that of the tree.
    tree = list(_nodes(ask(f"EXPLAIN AST {text}\nFORMAT TSVRaw")))
    if not tree or tree[0].kind not in _STATEMENTS:
        raise Refused("A reader may only SELECT, SHOW TABLES, SHOW CREATE VIEW, DESCRIBE, EXPLAIN and ask EXISTS")
    common = set(_COMMON.findall(text))
    for reference in _references(tree):
        _check(reference, database, grants, common, ask)
    return text


def _nodes(tree: str) -> Iterator[Node]:
    for line in tree.splitlines():
        if line.strip():
            found = _NODE.match(line)
            if not found:  # part of a text, or of a name that spans lines
                continue
            yield Node(len(found[1]), found[2], found[3] or "")


def _references(tree: Sequence[Node]) -> Iterator[str]:
    """Everything that is read as a table: `name`, `database.name`, or `name(` for what is called. Raises Refused."""
    for place, node in enumerate(tree):
        if node.kind == "ColumnsApplyTransformer":  # the tree does not say which function it is
            raise Refused("A reader may not use APPLY: name the columns")
        if node.kind == "TableIdentifier":
            yield node.said
        elif node.kind in ("ExistsTableQuery", "ExistsViewQuery", "ShowCreateTableQuery", "ShowCreateViewQuery"):
            yield node.said.strip().replace(" ", ".")
        elif node.kind == "Function":
            name = node.said.split(" (alias ")[0]
            if place and tree[place - 1].kind == "TableExpression":
                yield f"{name}("
            elif _IN.match(name) and (right := _last_argument(tree, place)) and right.kind == "Identifier":
                yield right.said


def _last_argument(tree: Sequence[Node], place: int) -> Node | None:
    """The last argument of the function at this place of the tree."""
    last = None
    for node in tree[place + 1 :]:
        if node.depth <= tree[place].depth:
            break
        if node.depth == tree[place].depth + 2:
            last = node
    return last


def _check(reference: str, database: str, grants: Grants, common: set[str], ask: Callable[[str], str]) -> None:
    called = reference.endswith("(")
    if called and reference[:-1].lower() in _MAKERS:
        return
    found = _REFERENCE.match(reference.removesuffix("("))
    if not found:
        raise Refused(f"A reader may not read `{reference[:60]}`")
    first, second = found[1], found[2]
    if ((first, second) if second else (database, first)) in grants:
        return
    if not called and not second and first in common:
        # A name of the query's own (WITH name AS …). It must not be a table's too: where does the one end?
        known = ask(f"SELECT count() FROM system.tables WHERE name = {_literal(first)}").strip()  # noqa: S608 - quoted
        if known == "0":
            return
        raise Refused(f"There is a table `{first}`: give what stands in WITH another name")
    raise Refused(f"A reader may not read `{reference.split(' (alias ')[0][:60]}`: see SHOW TABLES and VIEWS.md")


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def output_format(text: str) -> str:
    """The format that an admitted statement names; '' without one."""
    return parse(text.encode()).output_format
