"""`make` on machines that lack something, and what continuous integration makes of a test run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]


def executable(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A clone without an environment; `bin` is first in its PATH, and no real Python is in it."""
    folder = tmp_path / "clone"
    (folder / "bin").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "requirements-dev.lock"):
        shutil.copy(REPO / name, folder / name)
    for tool in ("make", "sh", "bash", "cat", "cksum", "grep", "tail", "tee", "mktemp", "rm", "dirname", "sed"):
        found = shutil.which(tool)
        assert found, f"this test needs {tool}"
        (folder / "bin" / tool).symlink_to(found)
    return folder


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(folder / "bin"), "HOME": str(folder), "LC_ALL": "C"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def message(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that is not make's own."""
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    return line


@pytest.mark.parametrize("target", ["demo", "up", "test"])
def test_an_old_python_is_one_clear_line(folder: Path, target: str) -> None:
    executable(folder / "bin" / "python3", 'case "$1" in --version) echo Python 3.9.2;; *) exit 1;; esac')
    done = run(folder, "make", target)
    assert done.returncode != 0
    assert "needs Python 3.11, 3.12 or 3.13, and found Python 3.9.2" in message(done)
    assert not (folder / ".venv").exists()


def test_no_python_is_one_clear_line(folder: Path) -> None:
    assert "found none" in message(run(folder, "make", "demo"))


def test_a_python_without_venv_is_one_clear_line(folder: Path) -> None:
    script = 'case "$1$2" in --version) echo Python 3.12.1;; *ensurepip*) exit 1;; *) exit 0;; esac'
    executable(folder / "bin" / "python3.12", script)
    done = run(folder, "make", "demo")
    assert done.returncode != 0
    assert "Python 3.12.1 here has no venv module" in message(done)
    assert "apt install python3-venv" in message(done)


def test_the_locks_name_no_index_and_pin_all_by_checksum() -> None:
    for name in ("requirements.lock", "requirements-dev.lock", "deploy/superset/requirements.lock"):
        text = (REPO / name).read_text()
        assert "://" not in text
        assert not any(line.startswith("-") for line in text.splitlines())
        pins = [line for line in text.splitlines() if "==" in line and line[0] not in " #"]
        assert len(pins) > 50
        assert all(line.endswith("\\") for line in pins)  # a checksum follows
    runtime, dev = (
        {line.split()[0] for line in (REPO / name).read_text().splitlines() if "==" in line and line[0] != " "}
        for name in ("requirements.lock", "requirements-dev.lock")
    )
    assert runtime < dev


@pytest.fixture
def integration(folder: Path) -> Path:
    (folder / ".ci").mkdir()
    shutil.copy(REPO / ".ci" / "run", folder / ".ci" / "run")
    executable(folder / "bin" / "chromium", "exit 0")
    return folder


@pytest.mark.parametrize(
    ("says", "status", "passes"),
    [
        ("=== 12 passed, 1 skipped in 3.4s ===", 0, True),
        ("=== 1 failed, 12 passed in 3.4s ===", 1, False),
        ("=== no tests ran in 0.1s ===", 5, False),
        ("=== no tests ran in 0.1s ===", 0, False),
        ("", 0, False),
    ],
)
def test_ci_passes_only_when_tests_have_passed(integration: Path, says: str, status: int, passes: bool) -> None:
    (integration / "Makefile").write_text(f"test:\n\t@echo '{says}'; exit {status}\n")
    done = run(integration, str(integration / ".ci" / "run"))
    assert (done.returncode == 0) is passes
    assert says in done.stdout
    if passes:
        assert done.stdout.splitlines()[-1] == f"CI: {says}"


def test_ci_gives_the_tests_the_real_files_where_they_are(integration: Path) -> None:
    data = integration.parent / "shared" / "data"
    data.mkdir(parents=True)
    (integration / "Makefile").write_text('test:\n\t@echo "data in $$THROUGHLINE_REAL_DATA"; echo 1 passed\n')
    done = run(integration, str(integration / ".ci" / "run"))
    assert f"data in {data}" in done.stdout
