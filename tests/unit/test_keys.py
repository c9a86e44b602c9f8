"""The installation's secrets."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.keys import BrokenKeys, load_or_create
from pipeline.settings import Settings


def test_keys_are_made_once_and_only_for_their_owner(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    made = load_or_create(settings)
    assert load_or_create(settings) == made
    public = json.loads((settings.home / "keys.json").read_text())
    assert public == {
        "ingest": made.ingest,
        "read": made.read,
        "admin": made.admin,
        "public": made.public,
        "webhook": made.webhook,
        "clickhouse": {"user": made.clickhouse_user, "password": made.clickhouse_password},
        "bi": {"user": made.bi_user, "password": made.bi_password},
    }
    for name in ("keys.json", "secrets.json"):
        assert stat.S_IMODE((settings.home / name).stat().st_mode) == 0o600
    assert [len(key) for key in made.identifier_keys.values()] == [32]


def test_an_older_home_gets_what_came_later_and_keeps_the_rest(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    made = load_or_create(settings)
    added_later = (*(("keys.json", name) for name in ("public", "webhook", "bi")), ("secrets.json", "sealing_key"))
    for name, added in added_later:
        content = json.loads((tmp_path / name).read_text())
        del content[added]
        (tmp_path / name).write_text(json.dumps(content))
    found = load_or_create(settings)
    before = {name: getattr(made, name) for name in ("public", "webhook", "bi_password", "sealing_key")}
    assert replace(found, **before) == made
    assert found.bi_user == "bi"
    assert found.bi_password not in ("", made.bi_password, found.clickhouse_password)
    assert found.webhook.startswith("webhook_")
    assert found.public.startswith("public_")
    assert load_or_create(settings) == found
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600


def test_all_who_ask_at_once_get_the_same(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: load_or_create(settings), range(16)))
    assert all(keys == made[0] for keys in made)


def test_no_secret_shows_when_keys_are_printed(tmp_path: Path) -> None:
    made = load_or_create(Settings(home=tmp_path))
    text = repr(made)
    secrets = [
        made.ingest,
        made.public,
        made.read,
        made.admin,
        made.webhook,
        made.clickhouse_password,
        made.bi_password,
        made.worker_token,
        made.session_key,
    ]
    assert not any(secret in text for secret in secrets)
    assert made.identifier_keys["k1"].hex() not in text


def changed(tmp_path: Path, name: str, **changes: object) -> Settings:
    settings = Settings(home=tmp_path)
    load_or_create(settings)
    path = tmp_path / name
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return settings


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("keys.json", {"clickhouse": "secret"}),
        ("keys.json", {"ingest": ""}),
        ("keys.json", {"bi": {"user": "bi"}}),
        ("keys.json", {"read": 5}),
        ("secrets.json", {"identifier_key": "k2"}),
        ("secrets.json", {"identifier_keys": {"k1": "00"}}),
        ("secrets.json", {"identifier_keys": {"k1": "no hex"}}),
        ("secrets.json", {"identifier_keys": []}),
    ],
)
def test_broken_keys_are_named(tmp_path: Path, name: str, changes: dict[str, object]) -> None:
    settings = changed(tmp_path, name, **changes)
    with pytest.raises(BrokenKeys, match=str(tmp_path)):
        load_or_create(settings)


def test_a_file_that_is_no_json_is_named(tmp_path: Path) -> None:
    settings = changed(tmp_path, "secrets.json")
    (tmp_path / "secrets.json").write_text("{")
    with pytest.raises(BrokenKeys, match=r"secrets\.json"):
        load_or_create(settings)
