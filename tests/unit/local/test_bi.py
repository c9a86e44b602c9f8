"""What can go wrong before Superset is there at all, said in one line; and the bundle from the command line."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.local.bi import run
from pipeline.settings import Settings
from tests.system.running import environment


def command(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *arguments],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_without_superset_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "ENVIRONMENT", tmp_path / "nothing")
    with pytest.raises(run.NoBi, match="`make bi` installs it"):
        run.run(Settings(home=tmp_path))


def test_without_a_stack_it_says_how_to_start_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gunicorn").touch()
    monkeypatch.setattr(run, "ENVIRONMENT", tmp_path)
    with pytest.raises(run.NoBi, match=r"no stack is running in .*`make demo`"):
        run.run(Settings(home=tmp_path))
    assert not (tmp_path / "superset").exists()


def test_its_secrets_are_made_once_and_only_for_their_owner(tmp_path: Path) -> None:
    place = run.Place(tmp_path / "superset")
    password = run._secrets(place)
    assert run._secrets(place) == password
    assert json.loads(place.secrets.read_text())["admin"] == password
    assert stat.S_IMODE(place.secrets.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.home.stat().st_mode) == 0o700
    place.secrets.write_text("{")
    with pytest.raises(run.NoBi, match=r"secrets\.json cannot be used"):
        run._secrets(place)


def test_supersets_processes_are_told_no_settings_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THROUGHLINE_WEBHOOK_URL", "http://127.0.0.1:1/secret")
    told = run.Place(tmp_path).environment
    assert not any(name.startswith("THROUGHLINE_") for name in told)
    assert told["SUPERSET_HOME"] == str(tmp_path)
    assert Path(told["SUPERSET_CONFIG_PATH"]).exists()


def test_the_bundle_is_written_by_a_command(tmp_path: Path) -> None:
    path = tmp_path / "throughline.zip"
    done = command(tmp_path, "bundle", "clickhousedb://bi@db.example:8443/throughline?secure=true", str(path))
    assert (done.returncode, done.stderr) == (0, "")
    assert path.exists()
    refused = command(tmp_path, "bundle", "clickhousedb://bi:secret@db.example/throughline", str(path))
    assert refused.returncode == 1
    assert "has no password" in refused.stderr
    assert "secret" not in refused.stderr.replace("secrets", "")
    unwritable = command(tmp_path, "bundle", "clickhousedb://bi@db.example/throughline", str(tmp_path / "no" / "x.zip"))
    assert unwritable.returncode == 1
    assert "Traceback" not in unwritable.stderr
