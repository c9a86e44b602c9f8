"""Identifier keys are made, migrated to, and never lost; nobody else works while a migration is not finished."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline import cli, keys
from pipeline.domain.identifiers import Keyring
from pipeline.keys import NoRotation
from pipeline.local import home
from pipeline.serve.api import usable_id
from pipeline.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("THROUGHLINE_HOME", str(tmp_path))
    return Settings(home=tmp_path)


def test_a_new_key_is_readable_and_not_current_until_it_was_migrated_to(settings: Settings) -> None:
    first = keys.load_or_create(settings)
    assert keys.add_identifier_key(settings) == "k2"
    rotated = keys.load_or_create(settings)
    assert list(rotated.identifier_keys) == ["k1", "k2"]
    assert (rotated.identifier_key, rotated.migrating_to) == ("k1", "")
    assert keys.begin_migration(settings) == keys.begin_migration(settings) == "k2"
    under_way = keys.load_or_create(settings)
    assert (under_way.identifier_key, under_way.migrating_to) == ("k1", "k2")
    assert keys.under_way(settings) == "k2"
    keys.finish_migration(settings)
    done = keys.load_or_create(settings)
    assert (done.identifier_key, done.migrating_to, keys.under_way(settings)) == ("k2", "", "")
    assert done.identifier_keys["k1"] == first.identifier_keys["k1"]
    assert done.sealing_key == first.sealing_key
    phone = ("phone", "+12025550142")
    assert keys.keyring(done).current_of(keys.keyring(first).keyed(*phone)) == keys.keyring(done).keyed(*phone)
    assert keys.add_identifier_key(settings) == "k3"


def test_one_rotation_at_a_time(settings: Settings) -> None:
    with pytest.raises(NoRotation, match="is the newest"):
        keys.begin_migration(settings)
    keys.add_identifier_key(settings)
    with pytest.raises(NoRotation, match="not current yet"):
        keys.add_identifier_key(settings)
    keys.begin_migration(settings)
    with pytest.raises(NoRotation, match="under way"):
        keys.add_identifier_key(settings)


def test_an_older_installation_gets_its_sealing_key(settings: Settings) -> None:
    keys.load_or_create(settings)
    path = settings.home / "secrets.json"
    content = json.loads(path.read_text())
    old = {name: value for name, value in content.items() if name != "sealing_key"}
    path.write_text(json.dumps(old))
    made = keys.load_or_create(settings)
    assert made.sealing_key
    assert keys.load_or_create(settings) == made
    assert {name: json.loads(path.read_text())[name] for name in old} == old


@pytest.mark.parametrize("call", [["up"], ["run", "stitch-0"], ["run", "store"], ["import", "cdnow", "file"]])
def test_nobody_starts_while_a_migration_is_under_way(
    call: list[str], settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    keys.add_identifier_key(settings)
    keys.begin_migration(settings)
    with pytest.raises(SystemExit) as ended:
        cli.main(call)
    assert ended.value.code == cli.FAILED
    said = capsys.readouterr().err
    assert said.startswith("throughline: a migration to identifier key k2 was begun")
    assert said.count("\n") == 1


def test_a_migration_waits_until_the_stack_is_stopped(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    keys.add_identifier_key(settings)
    lock = home.Lock(settings.home)
    with pytest.raises(SystemExit) as ended:
        cli.main(["keys", "migrate"])
    lock.release()
    assert ended.value.code == cli.FAILED
    assert "is running: stop it" in capsys.readouterr().err
    assert keys.under_way(settings) == ""


def test_rotating_says_what_comes_next(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["keys", "rotate"])
    said = capsys.readouterr().out
    assert "Key k2 is made" in said
    assert "throughline keys migrate" in said
    assert keys.load_or_create(settings).identifier_keys["k2"].hex() not in said


def test_an_old_identifier_in_a_path_or_an_order_finds_the_current_one() -> None:
    both = {"k1": b"1" * 32, "k2": b"2" * 32}
    first, second = (Keyring(both, name, b"s" * 32) for name in both)
    old = first.keyed("phone", "+12025550142")
    assert usable_id(old, second) == second.keyed("phone", "+12025550142")
    assert usable_id("customer:4711", second) == "customer:4711"
