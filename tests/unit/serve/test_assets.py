"""Scripts and styles under the address of their content."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.serve.assets import ASK_AGAIN, FOR_GOOD, Assets
from tests.unit.serve.conftest import Serving


async def test_what_a_page_names_is_kept_for_good_and_what_a_script_imports_too(serving: Serving) -> None:
    page = (await serving.client.get("/desk")).text
    named = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert len(named) >= 3
    for path in named:
        answer = await serving.client.get(path)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, FOR_GOOD)
    script = named[0].rpartition("/")[0] + "/stream.js"
    answer = await serving.client.get(script)
    assert answer.headers["cache-control"] == FOR_GOOD
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/static/desk.js", "/static/0123456789abcdef/desk.js"])
async def test_a_page_of_another_content_finds_it_but_does_not_keep_it(serving: Serving, path: str) -> None:
    answer = await serving.client.get(path)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, ASK_AGAIN)


@pytest.mark.parametrize(
    "path", ["/static/", "/static/x/", "/static/no.js", "/static/a/b/desk.js", "/static/../app.py"]
)
async def test_there_is_nothing_else(serving: Serving, path: str) -> None:
    assert (await serving.client.get(path)).status_code == 404


async def test_it_is_only_read(serving: Serving) -> None:
    assert (await serving.client.post("/static/desk.js")).status_code == 405


def test_another_content_has_another_address(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("1")
    (tmp_path / "notes.txt").write_text("not for pages")
    first = Assets(tmp_path)
    assert first.path("a.js") == Assets(tmp_path).path("a.js")
    (tmp_path / "a.js").write_text("2")
    assert Assets(tmp_path).path("a.js") != first.path("a.js")
    with pytest.raises(KeyError):
        first.path("notes.txt")
