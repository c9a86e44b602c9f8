"""What several of these tests call: the command, as it is called in a shell beside the stack."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline import cli
from tests.conftest import Stack

Called = Callable[..., tuple[int | None, str]]


@pytest.fixture
def throughline(stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Called:
    """Calls the command; gives the status it ended with (None: it came back) and what it printed."""
    for name, value in stack.settings.environment().items():
        if name.startswith("THROUGHLINE_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("THROUGHLINE_CLICKHOUSE_URL", stack.settings.clickhouse)
    monkeypatch.setenv("COLUMNS", "240")

    def called(*arguments: str) -> tuple[int | None, str]:
        capsys.readouterr()
        status: int | None = None
        try:
            cli.main(list(arguments))
        except SystemExit as ended:
            status = int(ended.code or 0)
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return called
