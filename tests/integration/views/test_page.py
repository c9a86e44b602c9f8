"""The page for analysts says what there is, and its examples run."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.client import Client

from tests import views_page

PAGE = views_page.PAGE.read_text()


def test_the_page_is_up_to_date_and_has_every_view(client: Client) -> None:
    """Else: python -m tests.views_page. A new view for people gets a section first, one for other views a row."""
    assert views_page.written(PAGE, client) == PAGE
    named = [f"### {view}\n" in PAGE or f"| `{view}` | " in PAGE for view in views_page.views(client)]
    assert len(named) > 30
    assert all(named)


def test_every_column_for_people_says_in_clickhouse_what_it_is(client: Client) -> None:
    silent = {
        f"{view}.{column}"
        for view in views_page.sections(PAGE)
        if view != "person_timeline"  # takes parameters: its columns are known only then
        for column, comment in views_page.columns(client, view).items()
        if not comment
    }
    assert silent == set()


@pytest.mark.parametrize("view", views_page.sections(PAGE))
def test_an_example_runs_and_is_about_its_view(client: Client, view: str) -> None:
    query = views_page.example(views_page.sections(PAGE)[view])
    assert f"FROM {view}" in query
    client.query(query)
