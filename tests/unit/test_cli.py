"""The command line, as far as it starts nothing."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from pipeline import cli
from pipeline.sources.main import ADAPTERS


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("THROUGHLINE_HOME", str(tmp_path))


@pytest.mark.parametrize("module", cli.PROCESSES.values())
def test_every_process_can_be_run(module: str) -> None:
    assert callable(importlib.import_module(module).run)


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["run", "nothing"], 2, "there is no process 'nothing'; there are broker, clickhouse, stitch"),
        (["import", "tape", "x"], 2, f"there are {', '.join(ADAPTERS)}"),
        (["sign-in"], 1, "no stack runs in"),
        (["analyse"], 2, "required: ANALYSIS"),
        (["analyse", "drivers", "--from", "soon"], 2, "'soon' is no day such as 2026-11-27"),
        (["analyse", "drivers", "--seed", "-1"], 2, "no whole number of 0 to 4294967295"),
        (["analyse", "drivers", "--samples", "3"], 2, "no whole number of 50 to 2000"),
        (["analyse", "drivers"], 1, "no stack runs in"),
        (["dance"], 2, "invalid choice: 'dance'"),
        ([], 2, "required: COMMAND"),
    ],
)
def test_a_wrong_call_says_what_is_right(
    arguments: list[str], status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == status
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("as_json", [True, False])
def test_a_ledger_without_a_stack_says_so(as_json: bool, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["ledger", *(["--json"] if as_json else [])])
    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert f"No stack runs in {tmp_path}. `throughline up` starts one." in said
    assert not as_json or json.loads(said)["adds_up"] is False


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("THROUGHLINE_WORKERS", "-1")
    with pytest.raises(SystemExit) as ended:
        cli.main(["status"])
    assert ended.value.code == 2
    assert "THROUGHLINE_WORKERS must be a whole number, not '-1'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["rescore"], "required: --version"),
        (["rescore", "--version", "new"], "invalid int value: 'new'"),
        (["rescore", "--version", "2", "--yes"], "no stack runs in"),
    ],
)
def test_a_replay_says_what_it_lacks(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(arguments)
    assert says in capsys.readouterr().err


def test_a_digest_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["digest"])
    assert "no stack runs in" in capsys.readouterr().err
    monkeypatch.setenv("THROUGHLINE_CLICKHOUSE_URL", "http://127.0.0.1:9")  # discard: nobody answers
    for week, says in (("2026-48", "a week is written as"), ("2024-W01", "the digest is made of what ClickHouse has")):
        with pytest.raises(SystemExit):
            cli.main(["digest", "--week", week])
        assert says in capsys.readouterr().err
