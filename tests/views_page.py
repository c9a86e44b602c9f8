"""What ClickHouse's own comments say in `schemas/clickhouse/VIEWS.md`: `python -m tests.views_page` writes it.

A section is a heading `### view`, words, an example in SQL, and a table of columns: the table is made here. What stands
twice is said once: columns that are as in `touchpoint_hourly` are named as such.
"""

from __future__ import annotations

import re
from pathlib import Path

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from pipeline.settings import Settings
from pipeline.store import migrations

PAGE = Settings().schemas / "clickhouse" / "VIEWS.md"
FIGURES = "touchpoint_hourly"
_SECTION = re.compile(r"^### (\w+)\n(.*?)(?=^##|\Z)", re.DOTALL | re.MULTILINE)
_EXAMPLE = re.compile(r"```sql\n(.*?)```", re.DOTALL)
_REST = "| view | what it is |\n| --- | --- |\n"


def sections(page: str) -> dict[str, str]:
    """View → its part of the page."""
    return dict(_SECTION.findall(page))


def example(section: str) -> str:
    """The query of a section; '' without one."""
    found = _EXAMPLE.search(section)
    return found[1] if found else ""


def views(client: Client) -> dict[str, str]:
    """All views and their comments."""
    sql = "SELECT name, comment FROM system.tables WHERE database = currentDatabase() AND engine = 'View' ORDER BY name"
    return {str(name): str(comment) for name, comment in client.query(sql).result_rows}


def columns(client: Client, view: str) -> dict[str, str]:
    """The columns of a view and their comments, in their order."""
    sql = """SELECT name, comment FROM system.columns
        WHERE database = currentDatabase() AND table = {view:String} ORDER BY position"""
    return {str(name): str(comment) for name, comment in client.query(sql, {"view": view}).result_rows}


def written(page: str, client: Client) -> str:
    """The page as it should be."""
    figures = columns(client, FIGURES)

    def section(found: re.Match[str]) -> str:
        view, text = found[1], found[2]
        own = columns(client, view)
        shared = [] if view == FIGURES else [name for name in own if name in figures and own[name] == figures[name]]
        shared = shared if len(shared) > 10 else []
        lines = [f"| `{name}` | {comment} |" for name, comment in own.items() if name not in shared]
        if shared:
            lines.append(f"| `{shared[0]}` … `{shared[-1]}` | as in `{FIGURES}` |")
        table = "\n".join(["| column | what it says |", "| --- | --- |", *lines]) + "\n" if lines else ""
        before = text.split("\n| column |")[0].rstrip()
        return f"### {view}\n\n{before.strip()}\n\n{table}\n" if table else f"### {view}\n\n{before.strip()}\n\n"

    page = _SECTION.sub(section, page)
    rest = "".join(f"| `{name}` | {said} |\n" for name, said in views(client).items() if name not in sections(page))
    return page[: page.index(_REST)] + _REST + rest


def main() -> None:
    """Write it."""
    with clickhouse_connect.get_client(interface="chdb") as client:
        migrations.migrate(client, Settings())
        Path(PAGE).write_text(written(PAGE.read_text(), client))


if __name__ == "__main__":
    main()
